/** One packet of a video source on its way to consumers: read once, handed to all, written in each layout at most once. */
import { VIDEO_FLAG, writeVideoPacket } from "@cairn/protocol";
import { HUB_FLAG, HUB_PACKET, type HubPacketType, writeHubPacket } from "@cairn/video";

/** What a producer hands in. */
export type IncomingPacket = {
  readonly type: HubPacketType;
  /** Of the sender's own clock: only differences within a stream mean something. */
  readonly timeNs: bigint;
  /** `HUB_FLAG` */
  readonly flags: number;
  /** H.264, Annex B. Lent for good: nobody writes to it afterwards. */
  readonly data: Uint8Array;
  /** u32 of the sender's own count, where its layout has one: gaps are losses, and stay visible. */
  readonly number?: number;
  /** The whole message in the hub's layout, when that is how it came. */
  readonly hub?: Uint8Array;
  /** On the clock of `performance.now`; left out: now. */
  readonly arrivedMs?: number;
};

export type PacketKind = "parameters" | "key" | "frame";

/** What its source makes of a packet. */
type Found = {
  readonly kind: PacketKind;
  readonly data: Uint8Array;
  readonly number: number;
  readonly arrivedMs: number;
  readonly sets: Uint8Array | undefined;
};

export class StreamPacket {
  readonly kind: PacketKind;
  readonly type: HubPacketType;
  readonly timeNs: bigint;
  readonly flags: number;
  /** What a consumer gets: with a PPS its SPS goes, too (HUB-12). */
  readonly data: Uint8Array;
  /** u32, one more with each packet of the source; a gap is a loss. */
  readonly number: number;
  readonly arrivedMs: number;
  /** The pair of parameter sets that it brings, Annex B: what follows is decoded with these. */
  readonly sets: Uint8Array | undefined;
  #hub: Uint8Array | undefined;
  #native: Uint8Array | undefined;

  /** @param found what its source made of it; with a PPS, `data` has its SPS too */
  constructor(packet: IncomingPacket, found: Found) {
    this.kind = found.kind;
    this.type = packet.type;
    this.timeNs = packet.timeNs;
    this.flags = packet.flags;
    this.data = found.data;
    this.number = found.number;
    this.arrivedMs = found.arrivedMs;
    this.sets = found.sets;
    this.#hub = packet.hub;
  }

  /** As it came, or as it would have come, in the hub's layout (HUB-20). */
  get hub(): Uint8Array {
    this.#hub ??= writeHubPacket({
      type: this.type,
      timestampUs: this.timeNs / 1000n,
      flags: this.flags,
      data: this.data,
    });
    return this.#hub;
  }

  /** In Cairn's own layout. */
  get native(): Uint8Array {
    this.#native ??= writeVideoPacket({
      flags:
        (this.kind === "key" ? VIDEO_FLAG.key : 0) |
        (this.kind === "parameters" ? VIDEO_FLAG.configuration : 0) |
        (this.flags & HUB_FLAG.end ? VIDEO_FLAG.end : 0) |
        (this.flags & HUB_FLAG.partial ? VIDEO_FLAG.partial : 0),
      number: this.number,
      timeNs: this.timeNs,
      data: this.data,
    });
    return this.#native;
  }
}

/** Parameter sets of a source as a packet of their own, for who comes later. @param number of the packet before the next */
export function parametersPacket(data: Uint8Array, timeNs: bigint, number: number): StreamPacket {
  const incoming = { type: HUB_PACKET.configuration, flags: HUB_FLAG.configuration, data, timeNs };
  const arrivedMs = performance.now();
  return new StreamPacket(incoming, { kind: "parameters", data, sets: data, number: number >>> 0, arrivedMs });
}

/** The end of a stream whose producer went without a word; in the hub's layout it is nothing. */
export function endPacket(number: number): StreamPacket {
  const data = new Uint8Array(0);
  const incoming = { type: HUB_PACKET.frame, flags: HUB_FLAG.end, data, hub: data, timeNs: 0n };
  const arrivedMs = performance.now();
  return new StreamPacket(incoming, { kind: "frame", data, sets: undefined, number: number >>> 0, arrivedMs });
}
