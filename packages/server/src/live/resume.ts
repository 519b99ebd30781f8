/** A cursor's place in a log: whether a reader can go on from where it was. */
import type { SpaceLog } from "@cairn/core";
import type { Seq } from "@cairn/protocol";

/**
 * True when the events after `after` are all there and are those the reader means. Without an epoch only `after: 0`
 * means anything: nothing was read yet.
 */
export function canResume(log: SpaceLog, after: Seq | undefined, epoch: string | undefined): after is Seq {
  if (after === undefined || (epoch === undefined ? after !== 0 : epoch !== log.epoch)) return false;
  return after <= log.head && after >= log.first - 1;
}
