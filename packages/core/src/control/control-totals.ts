/** What steering adds up to since the server started, over all spaces; for its figures. */
import type { Outcome } from "@cairn/protocol";

export class ControlTotals {
  /** Commands that were noted down to be sent on. */
  sent = 0;
  /** What became of them; one that is accepted counts there and again where it ends. */
  readonly outcomes: Record<Outcome, number> = {
    accepted: 0,
    done: 0,
    failed: 0,
    timed_out: 0,
    delivered: 0,
    late: 0,
    dropped: 0,
    lost: 0,
  };
  /** Commands of older clients that went on. */
  relayed = 0;
  /** Whatever was asked for and not done, each one also of those that the log has as one. */
  refused = 0;
  /** Stops, one for each device. */
  stops = 0;
  /** Told how long a device took for its first word on a command, from when that came. */
  onAnswer: (tookMs: number) => void = () => {};
}
