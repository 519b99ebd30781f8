/**
 * Packets of a stream that wait to be decoded. It never grows: when decoding has fallen behind, everything up to the
 * newest key picture is left out, or, where none waits, up to the next one.
 */
import type { StreamMessage } from "@cairn/video";
import type { PacketKind } from "../video/stream-packet.ts";

export type QueuedPacket = {
  readonly kind: PacketKind;
  readonly message: StreamMessage;
  /** On the clock of `performance.now`. */
  readonly arrivedMs: number;
};

/** Seconds of what phones send; one that waits longer would be of little use to who watches the model grow. */
export const MAX_WAIT_MS = 4000;
const MAX_BYTES = 8 * 2 ** 20;

export class PacketQueue {
  #packets: QueuedPacket[] = [];
  #bytes = 0;
  #skipping = false;
  #left = 0;

  /** Pictures, or slices of them, that were left out. */
  get leftOut(): number {
    return this.#left;
  }

  get length(): number {
    return this.#packets.length;
  }

  /** How long the oldest has waited. */
  waitedMs(nowMs: number): number {
    return nowMs - (this.#packets[0]?.arrivedMs ?? nowMs);
  }

  add(packet: QueuedPacket): void {
    if (this.#skipping && packet.kind === "frame") {
      this.#left++;
      return;
    }
    const begins = this.#skipping && packet.kind === "key";
    if (begins) this.#skipping = false;
    this.#packets.push(begins ? began(packet) : packet);
    this.#bytes += packet.message.data.length;
    if (this.#bytes > MAX_BYTES || this.waitedMs(packet.arrivedMs) > MAX_WAIT_MS) this.#cut();
  }

  /** Takes the oldest, at most so many. */
  take(most: number): QueuedPacket[] {
    const taken = this.#packets.splice(0, most);
    for (const { message } of taken) this.#bytes -= message.data.length;
    return taken;
  }

  /** Parameter sets stay: what comes later may need them. */
  #cut(): void {
    const packets = this.#packets;
    let from = packets.findLastIndex(({ kind }) => kind === "key");
    // The slices of one key picture stay together.
    while (from > 0 && packets[from - 1]!.kind === "key" && sameTime(packets[from - 1]!, packets[from]!)) from--;
    if (from <= 0) from = packets.length;
    this.#skipping = from === packets.length;
    const { arrivedMs } = packets.at(-1)!;
    const sets = packets
      .slice(0, from)
      .filter(({ kind }) => kind === "parameters")
      .map((packet) => ({ ...packet, arrivedMs }));
    this.#left += from - sets.length;
    const [key, ...rest] = packets.slice(from);
    this.#packets = key ? [...sets, began(key), ...rest] : sets;
    this.#bytes = this.#packets.reduce((sum, { message }) => sum + message.data.length, 0);
    if (this.#bytes <= MAX_BYTES) return;
    // One key picture and what follows it, or nothing but parameter sets.
    this.#left += this.#packets.length - sets.length;
    this.#packets = [];
    this.#bytes = 0;
    this.#skipping = true;
  }
}

function began(packet: QueuedPacket): QueuedPacket {
  const { lost: _, ...message } = packet.message;
  return { ...packet, message: { ...message, begins: true } };
}

function sameTime(a: QueuedPacket, b: QueuedPacket): boolean {
  return a.message.timeNs === b.message.timeNs;
}
