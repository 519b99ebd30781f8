/** Whether the page hears of what happens, in colour and in a word. */
import type { JSX } from "react";
import type { LinkStatus } from "./link.ts";

const CHIPS = {
  connecting: { tone: "reconnecting", text: "Connecting" },
  connected: { tone: "live", text: "Connected" },
  disconnected: { tone: "offline", text: "Disconnected" },
  closed: { tone: "closed", text: "Closed" },
} as const satisfies Record<LinkStatus, { tone: string; text: string }>;

export function LinkChip({ status }: { status: LinkStatus }): JSX.Element {
  const { tone, text } = CHIPS[status];
  return (
    <span className={`chip ${tone}`} role="status" data-status={status}>
      <i aria-hidden="true" />
      {text}
    </span>
  );
}
