/**
 * One named source of video: who produces it, the parameter sets and pictures that somebody who comes now needs, and
 * who consumes it. Sources never mix (HUB-7).
 */
import { annexB, HUB_FLAG, HUB_PACKET, isPictureNal, NAL, nalTypes, nalUnits } from "@cairn/video";
import { PictureGroup } from "./picture-group.ts";
import { RateWindow, WINDOW_MS } from "./rate-window.ts";
import { endPacket, type IncomingPacket, type PacketKind, StreamPacket } from "./stream-packet.ts";
import type { VideoConsumer } from "./video-consumer.ts";

/** Under this for {@link LOW_WINDOWS} windows in a row, the link is too thin for what it is for. */
const LOW_MBPS = 3;
const LOW_WINDOWS = 5;

export type SourceStats = {
  readonly source: string;
  readonly space: string | undefined;
  readonly live: boolean;
  /** Pictures, or slices of them, that came in. */
  readonly frames: number;
  readonly bytes: number;
  readonly mbps: number;
  readonly picturesPerS: number;
  /** Packets that the sender counted and that never came. */
  readonly lost: number;
  readonly consumers: number;
  /** Milliseconds since 1970. */
  readonly lastPacketMs: number | undefined;
  /** Bytes of the cached parameter sets, 0 if there are none. */
  readonly parameterBytes: number;
};

/** Who produces: what is particular to one connection. */
export type Feed = {
  /** An SPS whose PPS has not come (HUB-11). */
  sps: Uint8Array | undefined;
  /** The sender's count. */
  number: number | undefined;
};

export class VideoSource {
  readonly name: string;
  #space: string | undefined;
  /** Its keyframes become photos of its space. */
  keyframes = true;
  readonly consumers = new Set<VideoConsumer>();
  readonly group = new PictureGroup();
  readonly rate = new RateWindow();
  /** Parameter sets in force, Annex B. */
  parameters: { readonly data: Uint8Array; readonly timeNs: bigint } | undefined;
  /** Since when it has been live, on the clock of `performance.now`. */
  liveSinceMs: number | undefined;
  #number = 0;
  #feeds = 0;
  #feed: Feed | undefined;
  #frames = 0;
  #bytes = 0;
  #lost = 0;
  #lastPacketMs: number | undefined;
  #lowWindows = 0;
  #toldLow = false;
  /** The last packet said that it is the last. */
  #toldEnd = true;

  constructor(name: string) {
    this.name = name;
  }

  /** Where its pictures go. */
  get space(): string | undefined {
    return this.#space;
  }

  set space(space: string | undefined) {
    if (this.#space === space) return;
    this.#space = space;
    for (const { sink } of this.consumers) sink.onSpace?.(space);
  }

  get live(): boolean {
    return this.liveSinceMs !== undefined;
  }

  /** One more whenever another producer goes on. */
  get feeds(): number {
    return this.#feeds;
  }

  /** Of the next packet, unless some are lost before. */
  get nextNumber(): number {
    return this.#number + 1;
  }

  stats(nowMs: number): SourceStats {
    return {
      source: this.name,
      space: this.space,
      live: this.live,
      frames: this.#frames,
      bytes: this.#bytes,
      ...this.rate.read(nowMs),
      lost: this.#lost,
      consumers: this.consumers.size,
      lastPacketMs: this.#lastPacketMs,
      parameterBytes: this.parameters?.data.length ?? 0,
    };
  }

  /** Parses, remembers and relays one packet. @returns as it was relayed */
  take(incoming: IncomingPacket, feed: Feed, nowMs: number): StreamPacket {
    if (this.#feed !== feed) {
      // Another encoder's pictures do not go on from those of the last one.
      this.group.clear();
      this.#feed = feed;
      this.#feeds++;
    }
    const found = look(incoming);
    let { data } = incoming;
    if (incoming.type === HUB_PACKET.sps) feed.sps = data;
    else if (incoming.type === HUB_PACKET.pps && feed.sps) {
      data = Buffer.concat([feed.sps, data]);
      feed.sps = undefined;
    }
    const pair = incoming.type === HUB_PACKET.pps && data !== incoming.data ? data : undefined;
    const sets = found.sets ?? pair;
    const packet = new StreamPacket(incoming, {
      kind: found.kind,
      data,
      number: this.#count(incoming.number, feed),
      arrivedMs: incoming.arrivedMs ?? nowMs,
      sets,
    });
    if (sets) this.#remember(sets, packet);
    this.group.add(packet);
    const bytes = incoming.hub?.length ?? incoming.data.length;
    const isPicture = packet.kind !== "parameters";
    if (isPicture) this.#frames++;
    this.#bytes += bytes;
    this.#toldEnd = (packet.flags & HUB_FLAG.end) !== 0;
    this.#lastPacketMs = Date.now();
    this.rate.add(nowMs, bytes, isPicture && !(packet.flags & HUB_FLAG.partial) ? 1 : 0);
    for (const consumer of this.consumers) consumer.offer(packet);
    return packet;
  }

  begin(nowMs: number): void {
    this.liveSinceMs ??= nowMs;
  }

  /** Nobody produces it any more. The parameter sets stay (HUB-25), a picture of what is over does not. */
  end(): void {
    this.liveSinceMs = undefined;
    this.group.clear();
    if (!this.#toldEnd) {
      this.#toldEnd = true;
      this.#number = (this.#number + 1) >>> 0;
      const packet = endPacket(this.#number);
      for (const consumer of this.consumers) consumer.offer(packet);
    }
    this.#lowWindows = 0;
    this.#toldLow = false;
  }

  /** Called once a window. True the first time that the stream has been too thin for long. */
  isThin(nowMs: number): boolean {
    if (this.liveSinceMs === undefined || nowMs - this.liveSinceMs < WINDOW_MS) return false;
    if (this.rate.read(nowMs).mbps >= LOW_MBPS) {
      this.#lowWindows = 0;
      return false;
    }
    if (++this.#lowWindows < LOW_WINDOWS || this.#toldLow) return false;
    this.#toldLow = true;
    return true;
  }

  /** The packet's number in what is relayed: gaps of the sender's own count stay gaps. */
  #count(number: number | undefined, feed: Feed): number {
    const gap = number !== undefined && feed.number !== undefined ? (number - feed.number - 1) >>> 0 : 0;
    feed.number = number;
    // Half of all numbers: it went back, which is no loss.
    const lost = gap < 2 ** 31 ? gap : 0;
    this.#lost += lost;
    this.#number = (this.#number + 1 + lost) >>> 0;
    return this.#number;
  }

  #remember(data: Uint8Array, packet: StreamPacket): void {
    if (this.parameters && Buffer.compare(this.parameters.data, data) === 0) return;
    this.parameters = { data, timeNs: packet.timeNs };
    // Pictures of before cannot be decoded with these.
    if (packet.kind !== "key") this.group.clear();
  }
}

/** What a packet is, and the SPS and PPS that it brings before any picture, when it brings both (HUB-15, HUB-18). */
function look({ type, flags, data }: IncomingPacket): { kind: PacketKind; sets?: Uint8Array } {
  if (type === HUB_PACKET.sps || type === HUB_PACKET.pps) return { kind: "parameters" };
  let hasSps = false;
  let hasPps = false;
  let picture: number | undefined;
  for (const unit of nalTypes(data)) {
    if (unit === NAL.sps) hasSps = true;
    else if (unit === NAL.pps) hasPps = true;
    else if (isPictureNal(unit)) {
      picture = unit;
      break;
    }
  }
  const isKey = type === HUB_PACKET.key || (flags & HUB_FLAG.key) !== 0 || picture === NAL.keySlice;
  const kind = type === HUB_PACKET.configuration && picture === undefined ? "parameters" : isKey ? "key" : "frame";
  if (!hasSps || !hasPps) return { kind };
  return { kind, sets: type === HUB_PACKET.configuration && picture === undefined ? data : parameterSets(data) };
}

/** The last SPS and PPS before the first picture. */
function parameterSets(data: Uint8Array): Uint8Array {
  const units = new Map<number, Uint8Array>();
  for (const { type, bytes } of nalUnits(data)) {
    if (isPictureNal(type)) break;
    units.set(type, bytes);
  }
  return annexB([units.get(NAL.sps)!, units.get(NAL.pps)!]);
}
