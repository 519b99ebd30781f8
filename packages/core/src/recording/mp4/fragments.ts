/**
 * An MP4 that grows: a head, then fragments, each of which can be played with all before it. What a crash leaves is
 * therefore a video. `finish.ts` makes one table of it in the end, where there is an end.
 *
 * Not mediabunny's writer, which this project reads containers with: it holds a fragment back until the next key
 * picture, which a live encoder may send once a minute, and remembers every picture until the file ends.
 */
import { NAL, type NalUnit } from "@cairn/video";
import { box, fullBox, text, u32, u64 } from "./boxes.ts";
import { movie, type TrackSets } from "./movie.ts";

/** `ftyp` is the first box of a file; what follows it is {@link PLACEHOLDER_BYTES} long and free. */
const FILE_TYPE = box("ftyp", text("iso5"), u32(0x200), text("iso5iso6mp41avc1"));
export const PLACEHOLDER_AT = FILE_TYPE.length;
/** Becomes the head of an `mdat` that covers all fragments, when the table at the file's end is there. */
export const PLACEHOLDER_BYTES = 16;

/** Where things are in the `moof` of {@link Fragments}, and what one picture takes there. */
export const FRAGMENT = { decodeTime: 60, tableType: 72, count: 80, table: 88, entryBytes: 16 } as const;
export const KEY_FLAGS = 0x02000000;
const OTHER_FLAGS = 0x01010000;

/** A fragment goes out after this time or size, and whenever {@link Fragments.flush} is called. */
const FRAGMENT_TICKS = 1_000_000;
const FRAGMENT_BYTES = 2 ** 20;

export type Picture = {
  /** NAL units without start codes. */
  readonly units: readonly NalUnit[];
  /** When it is shown, microseconds from the file's beginning. */
  readonly atUs: number;
  readonly key: boolean;
};

type Sample = { readonly shownAt: number; readonly key: boolean; readonly sizeBytes: number };

export class Fragments {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #known: Buffer[];
  #samples: Sample[] = [];
  #data: Uint8Array[] = [];
  #dataBytes = 0;
  #number = 0;
  #lastDts = -1;
  #lastTicks = 33_333;

  /** @param write told the file's bytes, in order */
  constructor(sets: TrackSets, write: (bytes: Uint8Array) => void) {
    this.#write = write;
    this.#known = [...sets.sps, ...sets.pps].map((set) => Buffer.from(set));
    write(Buffer.concat([FILE_TYPE, box("free", Buffer.alloc(PLACEHOLDER_BYTES - 8)), movie(sets)]));
  }

  /** In the order of decoding. The first is a key picture. */
  add({ units, atUs, key }: Picture): void {
    const shownAt = Math.max(0, Math.round(atUs));
    const [first] = this.#samples;
    if (first && (shownAt - first.shownAt >= FRAGMENT_TICKS || this.#dataBytes >= FRAGMENT_BYTES)) this.flush(shownAt);
    let sizeBytes = 0;
    for (const { type, bytes } of units) {
      // The file's head has them.
      if ((type === NAL.sps || type === NAL.pps) && this.#known.some((set) => set.equals(bytes))) continue;
      this.#data.push(u32(bytes.length), bytes);
      sizeBytes += 4 + bytes.length;
    }
    this.#samples.push({ shownAt, key, sizeBytes });
    this.#dataBytes += sizeBytes;
  }

  /** What there is goes out. @param nextAt when the next picture is shown; left out: the last is as long as the one before */
  flush(nextAt?: number): void {
    const samples = this.#samples;
    if (samples.length === 0) return;
    const dts = this.#decodeTimes(samples);
    const last = dts.at(-1)!;
    if (dts.length > 1) this.#lastTicks = last - dts.at(-2)!;
    dts.push(nextAt === undefined ? last + this.#lastTicks : Math.max(nextAt, last + 1));
    const table = Buffer.alloc(samples.length * FRAGMENT.entryBytes);
    for (const [i, { shownAt, key, sizeBytes }] of samples.entries()) {
      const at = i * FRAGMENT.entryBytes;
      table.writeUInt32BE(Math.min(dts[i + 1]! - dts[i]!, 2 ** 32 - 1), at);
      table.writeUInt32BE(sizeBytes, at + 4);
      table.writeUInt32BE(key ? KEY_FLAGS : OTHER_FLAGS, at + 8);
      table.writeInt32BE(shownAt - dts[i]!, at + 12);
    }
    const moofBytes = FRAGMENT.table + table.length;
    const moof = box(
      "moof",
      fullBox("mfhd", 0, 0, u32(++this.#number)),
      box(
        "traf",
        fullBox("tfhd", 0, 0x020000, u32(1)), // offsets count from the moof
        fullBox("tfdt", 1, 0, u64(dts[0]!)),
        fullBox("trun", 1, 0xf01, u32(samples.length, moofBytes + 8), table),
      ),
    );
    this.#write(Buffer.concat([moof, box("mdat", ...this.#data)]));
    this.#samples = [];
    this.#data = [];
    this.#dataBytes = 0;
  }

  /**
   * Nobody says when a picture is decoded. One after the other, at the times at which some picture is shown: where they
   * are shown as they are decoded, that is each its own, and else as even.
   */
  #decodeTimes(samples: readonly Sample[]): number[] {
    const times = samples.map(({ shownAt }) => shownAt).sort((a, b) => a - b);
    return times.map((time) => {
      this.#lastDts = Math.max(time, this.#lastDts + 1);
      return this.#lastDts;
    });
  }
}
