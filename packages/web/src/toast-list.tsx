/** Short notices at the top of a page, each for a moment. */
import { type JSX, useCallback, useMemo, useRef, useState } from "react";
import { Icon } from "./icons.tsx";
import type { Toast } from "./toasts.ts";

const TOAST_MS = 5000;
const MAX_TOASTS = 3;

export type Say = (title: string, text?: string, tone?: Toast["tone"]) => void;

type ToastList = { toasts: Toast[]; say: Say; show(toast: Omit<Toast, "id">): void; dismiss(id: number): void };

export function useToasts(): ToastList {
  const [toasts, setToasts] = useState<Toast[]>([]);
  const nextId = useRef(1);
  const dismiss = useCallback((id: number) => setToasts((old) => old.filter((each) => each.id !== id)), []);
  const show = useCallback(
    (toast: Omit<Toast, "id">) => {
      const id = nextId.current++;
      setToasts((old) => [...old, { ...toast, id }].slice(-MAX_TOASTS));
      setTimeout(() => dismiss(id), TOAST_MS);
    },
    [dismiss],
  );
  const say = useCallback<Say>(
    (title, text, tone) => show({ title, ...(text ? { text } : {}), ...(tone ? { tone } : {}) }),
    [show],
  );
  return useMemo(() => ({ toasts, say, show, dismiss }), [toasts, say, show, dismiss]);
}

export function Toasts({ toasts, dismiss }: Pick<ToastList, "toasts" | "dismiss">): JSX.Element {
  return (
    <div className="toasts" aria-live="polite">
      {toasts.map((toast) => (
        <div key={toast.id} className={`card toast ${toast.tone ?? ""}`}>
          <div>
            <strong>{toast.title}</strong>
            {toast.text && <span>{toast.text}</span>}
          </div>
          <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismiss(toast.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
