/**
 * When the pictures of a stream were taken, by the server's clock. A device that answers questions about its clock is
 * believed; of another only differences mean something, and the packet that was fastest on its way tells the rest.
 */
import type { DeviceClocks } from "./device-clocks.ts";

/** Further apart than this the sender's times mean something else, or its clock was set. */
const MOST_APART_NS = 10_000_000_000n;
/** The same time for so long is no time: the pictures' arrival counts. */
const STUCK_NS = 200_000_000n;
/** What the first packet may have been late by, more than others; a sender that gains more sends faster than it films. */
const MOST_LATE_NS = 500_000_000n;

export class StreamClock {
  readonly #source: string;
  readonly #devices: Pick<DeviceClocks, "timeOf">;
  /** Server − sender, and as it was found at first. */
  #offset: { ns: bigint; readonly leastNs: bigint } | undefined;
  #last: { readonly senderNs: bigint; readonly nowNs: bigint } | undefined;

  constructor(source: string, devices: Pick<DeviceClocks, "timeOf">) {
    this.#source = source;
    this.#devices = devices;
  }

  /** @param senderNs of the packet @param nowNs when it arrived, by the server's clock */
  timeOf(senderNs: bigint, nowNs: bigint): bigint {
    const last = this.#last;
    if (last?.senderNs === senderNs) {
      if (nowNs - last.nowNs > STUCK_NS) return nowNs;
    } else this.#last = { senderNs, nowNs };
    const told = this.#devices.timeOf(this.#source, senderNs)?.timeNs;
    if (told !== undefined && nearby(told - nowNs)) return told < nowNs ? told : nowNs;
    const offsetNs = nowNs - senderNs;
    const jumped = last && !nearby(senderNs - last.senderNs - (nowNs - last.nowNs));
    if (!this.#offset || jumped || offsetNs - this.#offset.ns > MOST_APART_NS)
      this.#offset = { ns: offsetNs, leastNs: offsetNs - MOST_LATE_NS };
    // Nothing is taken after it has arrived: the least delay of all is the best guess of none.
    else if (offsetNs < this.#offset.ns)
      this.#offset.ns = offsetNs > this.#offset.leastNs ? offsetNs : this.#offset.leastNs;
    return senderNs + this.#offset.ns;
  }
}

function nearby(differenceNs: bigint): boolean {
  return differenceNs < MOST_APART_NS && differenceNs > -MOST_APART_NS;
}
