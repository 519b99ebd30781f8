/** A button that opens a small panel; Escape, a click elsewhere or choosing something in it closes it. */
import { type JSX, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Icon, type IconName } from "./icons.tsx";

type MenuProps = {
  label: string;
  icon: IconName;
  /** Why there is nothing in it yet. */
  notYet?: string | undefined;
  stays?: boolean;
  children: ReactNode;
};

export function Menu({ label, icon, notYet, stays = false, children }: MenuProps): JSX.Element {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) return;
    const away = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) setOpen(false);
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    addEventListener("pointerdown", away, true);
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("pointerdown", away, true);
      removeEventListener("keydown", onKey);
    };
  }, [open]);

  return (
    <div className="menu" ref={box}>
      <button
        ref={button}
        type="button"
        className="button"
        aria-label={label}
        aria-expanded={open}
        aria-controls={id}
        disabled={notYet !== undefined}
        title={notYet}
        onClick={() => setOpen(!open)}
      >
        <Icon name={icon} />
        <span className="label">{label}</span>
      </button>
      {open && (
        // biome-ignore lint/a11y/useKeyWithClickEvents: only closes after what the links and buttons inside did
        // biome-ignore lint/a11y/noStaticElementInteractions: the same
        <div id={id} className="card menu-panel" onClick={() => !stays && setOpen(false)}>
          {children}
        </div>
      )}
    </div>
  );
}
