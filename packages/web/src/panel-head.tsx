/** The head of a panel at the side: folds it, says what there is, and has room for what one can do. */
import type { JSX, ReactNode } from "react";

type PanelHeadProps = {
  title: string;
  said: ReactNode;
  open: boolean;
  onOpen(open: boolean): void;
  children?: ReactNode;
};

export function PanelHead({ title, said, open, onOpen, children }: PanelHeadProps): JSX.Element {
  return (
    <div className="panel-head">
      <button type="button" className="panel-title" aria-expanded={open} onClick={() => onOpen(!open)}>
        <strong>{title}</strong>
        <span>{said}</span>
      </button>
      {children}
    </div>
  );
}
