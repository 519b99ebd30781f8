/** Whether the page hears of what happens, in colour and in a word; every page's own states have a look here. */
import type { Status } from "@cairn/client";
import type { JSX } from "react";
import type { SessionStatus } from "./faces/imagetools/session-work.ts";
import type { LinkStatus } from "./faces/shared/link.ts";

export type ChipStatus = Status | LinkStatus | SessionStatus;

const CHIPS = {
  live: { tone: "live", text: "Live" },
  connected: { tone: "live", text: "Connected" },
  connecting: { tone: "reconnecting", text: "Connecting" },
  reconnecting: { tone: "reconnecting", text: "Reconnecting" },
  polling: { tone: "calm", text: "Asking now and then" },
  disconnected: { tone: "offline", text: "Disconnected" },
  offline: { tone: "offline", text: "Offline" },
  over: { tone: "closed", text: "Ended" },
  closed: { tone: "closed", text: "Closed" },
} as const satisfies Record<ChipStatus, { tone: string; text: string }>;

export function StatusChip({ status }: { status: ChipStatus }): JSX.Element {
  const { tone, text } = CHIPS[status];
  return (
    <span className={`chip ${tone}`} role="status" data-status={status}>
      <i aria-hidden="true" />
      {text}
    </span>
  );
}
