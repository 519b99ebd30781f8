/**
 * The server's time of what a sender dates by a clock of its own: distances stay the sender's, exactly, for as long as
 * its clock goes on. A clock that was set, or another sender's, is told by when things arrive.
 */

/** Nothing comes before it was sent: so much may be an earlier delay, more is another clock. */
const EARLY_NS = 1_000_000_000n;
/** A link may stall for so long. */
const LATE_NS = 30_000_000_000n;

export class Timeline {
  #offsetNs: bigint | undefined;
  #latestNs = 0n;

  /** @param sentNs by the sender's clock @param arrivedNs by the server's */
  at(sentNs: bigint, arrivedNs: bigint): bigint {
    this.#offsetNs ??= arrivedNs - sentNs;
    let timeNs = sentNs + this.#offsetNs;
    if (timeNs > arrivedNs + EARLY_NS || timeNs < arrivedNs - LATE_NS) {
      timeNs = arrivedNs > this.#latestNs ? arrivedNs : this.#latestNs + 1000n;
      this.#offsetNs = timeNs - sentNs;
    }
    if (timeNs > this.#latestNs) this.#latestNs = timeNs;
    return timeNs;
  }
}
