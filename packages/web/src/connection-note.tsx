/** Below the chip that says so in a word: what it means that the server does not answer, and what to do. */
import { type JSX, useState } from "react";
import type { ChipStatus } from "./status-chip.tsx";

const LOST: ReadonlySet<ChipStatus> = new Set(["offline", "disconnected"]);
const FOUND: ReadonlySet<ChipStatus> = new Set(["live", "connected", "polling", "over", "closed"]);

/** @param meanwhile what holds until the server answers again, as a sentence */
export function ConnectionNote({ status, meanwhile }: { status: ChipStatus; meanwhile: string }): JSX.Element | null {
  // Between two attempts it only tries again: the note stays until one of them has succeeded.
  const [lost, setLost] = useState(false);
  if (!lost && LOST.has(status)) setLost(true);
  if (lost && FOUND.has(status)) setLost(false);
  if (!lost) return null;
  const cause = navigator.onLine
    ? "The server does not answer. Check that it is running, and that this device is in its network."
    : "This device has no network.";
  return (
    <p className="problem calm floating connection" role="status">
      {cause} {meanwhile} It goes on by itself.
    </p>
  );
}
