/** The bar at the top of a face's page: where one is, whether it is live, what there is, and what one can do. */
import type { JSX, ReactNode } from "react";
import { ConnectionNote } from "../../connection-note.tsx";
import { Mark } from "../../icons.tsx";
import { type ChipStatus, StatusChip } from "../../status-chip.tsx";

type FaceBarProps = { title: string; status?: ChipStatus; counts?: ReactNode; children?: ReactNode };

export function FaceBar({ title, status, counts, children }: FaceBarProps): JSX.Element {
  return (
    <header className="bar face-bar">
      <a href="./" className="home-link" aria-label="Start of this page">
        <Mark />
      </a>
      <h1 title={title}>{title}</h1>
      {status && <StatusChip status={status} />}
      {counts !== undefined && <span className="counts">{counts}</span>}
      <span className="spring" />
      {children}
      {status && <ConnectionNote status={status} meanwhile="What is shown here stays." />}
    </header>
  );
}
