/**
 * Who takes the packets of a source, behind a queue of its own: a slow one delays nobody. When the queue is full it is
 * emptied up to the newest key frame, or until the next one comes: what is sent after a gap can be decoded (HUB-23).
 */
import { parametersPacket, type StreamPacket } from "./stream-packet.ts";
import type { VideoSource } from "./video-source.ts";

export interface VideoSink {
  /** It takes a packet now; when that changes to true, `drain` of the consumer is called. */
  readonly ready: boolean;
  /** Bytes that it has taken and that are not gone yet. */
  readonly waitingBytes: number;
  /** From a packet's arrival until it was taken, about the mean of the last 16; `undefined` before the first. */
  readonly latencyMs?: number | undefined;
  /** @returns bytes that it sends of it; 0: its layout has nothing to send */
  take(packet: StreamPacket): number;
  /** What comes next is of this source. Told before its first packet, and again when a follower moves on. */
  onSource?(name: string): void;
  /** What comes next goes into this space. Told before the first packet of a source, and when that changes. */
  onSpace?(space: string | undefined): void;
}

export const QUEUE_BYTES = 8 * 2 ** 20;

export type ConsumerStats = {
  readonly source: string | undefined;
  readonly packets: number;
  readonly bytes: number;
  /** Pictures that it was too slow for. */
  readonly dropped: number;
  readonly waitingBytes: number;
  readonly latencyMs: number | undefined;
};

/** What consumers of all sources do together, for the figures. */
export type ConsumerTotals = { relayedPackets: number; relayedBytes: number; droppedPictures: number };

export class VideoConsumer {
  readonly sink: VideoSink;
  /** The wish: it stays with this source, or follows what is live. */
  readonly wanted: string | undefined;
  readonly #withGroup: boolean;
  readonly #totals: ConsumerTotals;
  #source: VideoSource | undefined;
  #queue: StreamPacket[] = [];
  #queueBytes = 0;
  /** Everything up to the next key frame is passed over. */
  #skipping = false;
  #packets = 0;
  #bytes = 0;
  #dropped = 0;

  constructor(wanted: string | undefined, withGroup: boolean, sink: VideoSink, totals: ConsumerTotals) {
    this.wanted = wanted;
    this.#withGroup = withGroup;
    this.sink = sink;
    this.#totals = totals;
  }

  get source(): VideoSource | undefined {
    return this.#source;
  }

  get stats(): ConsumerStats {
    return {
      source: this.#source?.name,
      packets: this.#packets,
      bytes: this.#bytes,
      dropped: this.#dropped,
      waitingBytes: this.#queueBytes + this.sink.waitingBytes,
      latencyMs: this.sink.latencyMs,
    };
  }

  /** Packets in the queue. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Goes over to a source: its parameter sets first, then, when asked for, the group of pictures (HUB-21, HUB-22). */
  attach(source: VideoSource | undefined): void {
    this.#source?.consumers.delete(this);
    this.#source = source;
    this.#skipping = false;
    if (!source) return;
    source.consumers.add(this);
    this.sink.onSource?.(source.name);
    this.sink.onSpace?.(source.space);
    const packets = this.#withGroup ? source.group.packets : [];
    this.#offerParameters((packets[0]?.number ?? source.nextNumber) - 1);
    for (const packet of packets) this.offer(packet);
  }

  offer(packet: StreamPacket): void {
    // The end of the stream is said to everyone: it is no picture.
    if (this.#skipping && packet.data.length > 0 && !this.#resumes(packet)) {
      this.#drop(packet);
      return;
    }
    if (this.#queue.length === 0 && this.sink.ready) {
      this.#give(packet);
      return;
    }
    this.#queue.push(packet);
    this.#queueBytes += packet.data.length;
    if (this.#queue.length > 1 && this.#queueBytes + this.sink.waitingBytes > QUEUE_BYTES) this.#cut();
  }

  /** Gives what waits, as long as the sink takes it. */
  drain(): void {
    let given = 0;
    for (; given < this.#queue.length && this.sink.ready; given++) {
      const packet = this.#queue[given]!;
      this.#queueBytes -= packet.data.length;
      this.#give(packet);
    }
    if (given > 0) this.#queue.splice(0, given);
  }

  #give(packet: StreamPacket): void {
    const bytes = this.sink.take(packet);
    if (bytes === 0) return;
    this.#packets++;
    this.#bytes += bytes;
    this.#totals.relayedPackets++;
    this.#totals.relayedBytes += bytes;
  }

  /** After a gap: at a key frame, behind the parameter sets that it needs. */
  #resumes(packet: StreamPacket): boolean {
    if (packet.kind !== "key") return false;
    this.#skipping = false;
    this.#offerParameters(packet.number - 1);
    return true;
  }

  #offerParameters(number: number): void {
    const { parameters } = this.#source ?? {};
    if (parameters) this.offer(parametersPacket(parameters.data, parameters.timeNs, number));
  }

  /** Keeps the newest key frame and what follows it, with the parameter sets right before it; without one, nothing. */
  #cut(): void {
    const queue = this.#queue;
    let from = queue.findLastIndex(({ kind }) => kind === "key");
    // The slices of one key picture stay together.
    while (from > 0 && queue[from - 1]!.kind === "key" && queue[from - 1]!.timeNs === queue[from]!.timeNs) from--;
    while (from > 0 && queue[from - 1]!.kind === "parameters") from--;
    const sizeBytes = (packets: readonly StreamPacket[]) => packets.reduce((sum, { data }) => sum + data.length, 0);
    // What follows it is what there is too much of: on with the next one.
    if (from < 0 || sizeBytes(queue.slice(from)) + this.sink.waitingBytes > QUEUE_BYTES) {
      from = queue.length;
      this.#skipping = true;
    }
    for (const packet of queue.slice(0, from)) this.#drop(packet);
    this.#queue = queue.slice(from);
    this.#queueBytes = sizeBytes(this.#queue);
  }

  #drop({ kind }: StreamPacket): void {
    if (kind === "parameters") return;
    this.#dropped++;
    this.#totals.droppedPictures++;
  }
}
