/**
 * One video source being recorded: packets become pictures, and pictures go into an MP4 as they are, coded. Where the
 * next picture can't go on from what the file's head says (another size, other parameter sets), the next file begins.
 */

import {
  type AccessUnit,
  AccessUnitAssembler,
  HUB_FLAG,
  NAL,
  type NalUnit,
  nalUnits,
  readPps,
  readSps,
} from "@cairn/video";
import type { StreamPacket } from "../video/stream-packet.ts";
import type { GrowingFile } from "./growing-file.ts";
import { Fragments } from "./mp4/fragments.ts";
import type { TrackSets } from "./mp4/movie.ts";
import { Timeline } from "./timeline.ts";

export type RecordedPicture = { readonly unit: AccessUnit; readonly timeNs: bigint };

export type TrackOptions = {
  /** A new file; undefined: no more may be. Left out: no file is wanted. */
  readonly openFile?: (fromNs: bigint) => Pick<GrowingFile, "append" | "close"> | undefined;
  /** Told each picture, key pictures with the parameter sets in force. */
  readonly onPicture: (picture: RecordedPicture) => void;
  /** Told each picture that is left out because of {@link VideoTrack.skip}. */
  readonly onLeftOut: () => void;
  /** When it is, and was, by the server. @param ms on the clock of `performance.now` */
  readonly timeOf: (ms: number) => bigint;
};

type File = {
  readonly fragments: Fragments;
  readonly fromNs: bigint;
  readonly sets: ReadonlyMap<string, Buffer>;
  readonly close: () => unknown;
};

/** Arrivals are remembered until the picture is whole. */
const MAX_ARRIVALS = 64;

export class VideoTrack {
  readonly #options: TrackOptions;
  readonly #assembler = new AccessUnitAssembler({ eager: true });
  readonly #timeline = new Timeline();
  readonly #arrivals = new Map<bigint, bigint>();
  /** Parameter sets in force, by kind and number, without start codes. */
  readonly #sets = new Map<string, Buffer>();
  #file: File | undefined;
  #number: number | undefined;
  /** Nothing can be shown before the next key picture. */
  #waitsForKey = true;
  #skipped = false;

  constructor(options: TrackOptions) {
    this.#options = options;
  }

  /** Parameter sets that came before the recording began. */
  know(data: Uint8Array): void {
    this.#learn([...nalUnits(data)]);
  }

  take(packet: StreamPacket): void {
    if (this.#number !== undefined && packet.number !== (this.#number + 1) >>> 0) this.#assembler.miss();
    this.#number = packet.number;
    const arrivedNs = this.#options.timeOf(packet.arrivedMs);
    if (!this.#arrivals.has(packet.timeNs)) this.#arrivals.set(packet.timeNs, arrivedNs);
    for (const oldest of this.#arrivals.keys()) {
      if (this.#arrivals.size <= MAX_ARRIVALS) break;
      this.#arrivals.delete(oldest);
    }
    const partial = (packet.flags & HUB_FLAG.partial) !== 0;
    for (const unit of this.#assembler.push(packet.data, packet.timeNs, { partial })) this.#add(unit, arrivedNs);
  }

  /** Packets are left out from here to the next key picture. */
  skip(): void {
    // Nobody knows whether it was whole.
    for (const _ of this.#assembler.flush()) this.#options.onLeftOut();
    this.#waitsForKey = this.#skipped = true;
    this.#number = undefined;
  }

  /** What is whole goes to the file. */
  flush(): void {
    this.#file?.fragments.flush();
  }

  /** The stream is over: the next picture is another stream's. */
  end(): void {
    const now = this.#options.timeOf(performance.now());
    for (const unit of this.#assembler.flush()) this.#add(unit, now);
    this.#endFile();
    this.#waitsForKey = true;
  }

  #add(unit: AccessUnit, laterNs: bigint): void {
    const units = [...nalUnits(unit.data)];
    this.#learn(units);
    if (this.#waitsForKey && !unit.key) {
      if (this.#skipped) this.#options.onLeftOut();
      return;
    }
    this.#waitsForKey = this.#skipped = false;
    const timeNs = this.#timeline.at(unit.timeNs, this.#arrivals.get(unit.timeNs) ?? laterNs);
    this.#arrivals.delete(unit.timeNs);
    const brings = (type: number) => units.some((each) => each.type === type);
    const whole = unit.key && !(brings(NAL.sps) && brings(NAL.pps)) ? withSets(unit, this.#sets) : unit;
    this.#options.onPicture({ unit: whole, timeNs });
    if (unit.key && (!this.#file || !sameSets(this.#file.sets, this.#sets))) this.#next(timeNs);
    if (!this.#file) return;
    const atUs = Number(timeNs - this.#file.fromNs) / 1000;
    this.#file.fragments.add({ units, atUs, key: unit.key });
  }

  #next(fromNs: bigint): void {
    this.#endFile();
    const sets = trackSets(this.#sets);
    const file = sets && this.#options.openFile?.(fromNs);
    if (!file) return;
    const fragments = new Fragments(sets, (bytes) => file.append(bytes));
    this.#file = { fragments, fromNs, sets: new Map(this.#sets), close: () => file.close() };
  }

  #endFile(): void {
    this.flush();
    this.#file?.close();
    this.#file = undefined;
  }

  #learn(units: readonly NalUnit[]): void {
    for (const { type, bytes } of units) {
      if (type !== NAL.sps && type !== NAL.pps) continue;
      try {
        const { id } = type === NAL.sps ? readSps(bytes) : readPps(bytes);
        this.#sets.set(`${type}:${id}`, Buffer.from(bytes));
      } catch {
        // What cannot be read is no help to a player either; its pictures stay with the sets before.
      }
    }
  }
}

/** What a file's head can hold; undefined when a part is missing. */
function trackSets(sets: ReadonlyMap<string, Buffer>): TrackSets | undefined {
  const of = (type: number) => [...sets].filter(([name]) => name.startsWith(`${type}:`)).map(([, bytes]) => bytes);
  const [sps, pps] = [of(NAL.sps), of(NAL.pps)];
  return sps.length > 0 && pps.length > 0 ? { sps, pps } : undefined;
}

function sameSets(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes));
}

function withSets(unit: AccessUnit, sets: ReadonlyMap<string, Buffer>): AccessUnit {
  const start = Buffer.of(0, 0, 0, 1);
  return { ...unit, data: Buffer.concat([...[...sets.values()].flatMap((bytes) => [start, bytes]), unit.data]) };
}
