/** A window over the page: its name, a way to close it, and what it is about. Open for as long as it is mounted. */
import { type JSX, type ReactNode, useEffect, useId, useRef } from "react";
import { Icon } from "./icons.tsx";

type DialogProps = {
  title: string;
  className?: string;
  /** Beside the name. */
  head?: ReactNode;
  /** By the cross, by Escape, or by whatever else closes dialogs in this browser. */
  onClose(): void;
  children: ReactNode;
};

export function Dialog({ title, className = "", head, onClose, children }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal(); // effects run twice in strict mode
  }, []);
  return (
    <dialog ref={dialog} className={`card titled ${className}`} aria-labelledby={id} onClose={onClose}>
      <header>
        <h2 id={id}>{title}</h2>
        {head}
        <button type="button" className="icon-button" aria-label="Close" onClick={() => dialog.current?.close()}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}
