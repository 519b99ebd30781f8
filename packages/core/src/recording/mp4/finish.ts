/**
 * Makes a whole MP4 of one that grew: the fragments that are all there become the data of one table at the file's end,
 * in which players seek at once. Nothing of a picture is read or moved. What a crash cut off goes.
 *
 * Until the last 16 bytes are written the file is what it was before; it may be finished again, whatever stopped it.
 */
import { type FileHandle, open } from "node:fs/promises";
import { readSps } from "@cairn/video";
import { readAt, writeAt } from "../../disk/whole.ts";
import { avcSetsOf } from "./avc-sets.ts";
import { fullBox, text, u32, u32List, u64, u64List } from "./boxes.ts";
import { FRAGMENT, KEY_FLAGS, PLACEHOLDER_AT, PLACEHOLDER_BYTES } from "./fragments.ts";
import { movie } from "./movie.ts";

/** More than any fragment of ours has before its data. */
const MAX_HEAD_BYTES = 2 ** 24;

export type FinishedMp4 = {
  readonly pictures: number;
  readonly durationUs: number;
  readonly width: number;
  readonly height: number;
  readonly codec: string;
};

/**
 * @returns undefined where there is not one whole fragment, or no head by which it could be shown
 * @throws what the disk says; then the file can still be played, and be finished later
 */
export async function finishMp4(path: string): Promise<FinishedMp4 | undefined> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const head = await boxAt(file, PLACEHOLDER_AT + PLACEHOLDER_BYTES, size);
    const sets = head?.type === "moov" && avcSetsOf(await readAt(file, head.at, head.sizeBytes));
    if (!head || !sets) return undefined;
    const tables = new Tables();
    let end = head.at + head.sizeBytes;
    for (;;) {
      const moof = await boxAt(file, end, size);
      if (moof?.type !== "moof" || moof.sizeBytes > MAX_HEAD_BYTES) break;
      const mdat = await boxAt(file, moof.at + moof.sizeBytes, size);
      if (mdat?.type !== "mdat") break;
      if (!tables.add(await readAt(file, moof.at, moof.sizeBytes), mdat.at + 8)) break;
      end = mdat.at + mdat.sizeBytes;
    }
    if (tables.pictures === 0) return undefined;
    await file.truncate(end);
    const whole = movie(sets, tables.boxes());
    await writeAt(file, whole, end);
    await file.sync();
    const cover = Buffer.concat([u32(1), text("mdat"), u64(end - PLACEHOLDER_AT)]);
    await writeAt(file, cover, PLACEHOLDER_AT);
    await file.sync();
    const { width, height, codec } = readSps(sets.sps[0]!);
    return { pictures: tables.pictures, durationUs: tables.durationUs, width, height, codec };
  } finally {
    await file.close();
  }
}

type BoxAt = { readonly type: string; readonly at: number; readonly sizeBytes: number };

/** The box at an offset if all of it is there. */
async function boxAt(file: FileHandle, at: number, fileBytes: number): Promise<BoxAt | undefined> {
  if (at + 8 > fileBytes) return undefined;
  const head = await readAt(file, at, 8);
  const sizeBytes = head.readUInt32BE(0);
  if (sizeBytes < 8 || at + sizeBytes > fileBytes) return undefined;
  return { type: head.toString("latin1", 4), at, sizeBytes };
}

/** What the fragments say, as the tables of a file without: runs of what is equal, as those are written. */
class Tables {
  readonly #sizes: number[] = [];
  readonly #durations: [count: number, ticks: number][] = [];
  readonly #offsets: [count: number, ticks: number][] = [];
  readonly #keys: number[] = [];
  readonly #chunks: { at: number; pictures: number }[] = [];
  #reordered = false;
  /** Where the last picture begins, and where it ends as far as its own fragment knew. */
  #lastDts = 0;
  #endDts = 0;

  get pictures(): number {
    return this.#sizes.length;
  }

  get durationUs(): number {
    return this.#endDts;
  }

  /** @returns false when it is no fragment of ours */
  add(moof: Buffer, dataAt: number): boolean {
    if (moof.length < FRAGMENT.table || moof.toString("latin1", FRAGMENT.tableType, FRAGMENT.tableType + 4) !== "trun")
      return false;
    const count = moof.readUInt32BE(FRAGMENT.count);
    if (count === 0 || moof.length !== FRAGMENT.table + count * FRAGMENT.entryBytes) return false;
    let dts = Number(moof.readBigUInt64BE(FRAGMENT.decodeTime));
    const last = this.#durations.at(-1);
    if (last) {
      // How long the last picture of a fragment is only shows with the next.
      last[0]--;
      if (last[0] === 0) this.#durations.pop();
      pushRun(this.#durations, Math.min(dts - this.#lastDts, 2 ** 32 - 1));
    }
    for (let i = 0, at: number = FRAGMENT.table; i < count; i++, at += FRAGMENT.entryBytes) {
      const ticks = moof.readUInt32BE(at);
      pushRun(this.#durations, ticks);
      this.#sizes.push(moof.readUInt32BE(at + 4));
      if (moof.readUInt32BE(at + 8) === KEY_FLAGS) this.#keys.push(this.#sizes.length);
      const offset = moof.readInt32BE(at + 12);
      if (offset !== 0) this.#reordered = true;
      pushRun(this.#offsets, offset);
      this.#lastDts = dts;
      dts += ticks;
    }
    this.#endDts = dts;
    this.#chunks.push({ at: dataAt, pictures: count });
    return true;
  }

  boxes() {
    const perChunk: number[] = [];
    for (const [i, { pictures }] of this.#chunks.entries()) {
      if (i === 0 || pictures !== this.#chunks[i - 1]!.pictures) perChunk.push(i + 1, pictures, 1);
    }
    const offsets = Buffer.alloc(this.#offsets.length * 8);
    for (const [i, [count, ticks]] of this.#offsets.entries()) {
      offsets.writeUInt32BE(count, i * 8);
      offsets.writeInt32BE(ticks, i * 8 + 4);
    }
    return {
      durationTicks: this.#endDts,
      boxes: [
        fullBox("stts", 0, 0, u32(this.#durations.length), u32List(this.#durations.flat())),
        ...(this.#reordered ? [fullBox("ctts", 1, 0, u32(this.#offsets.length), offsets)] : []),
        fullBox("stss", 0, 0, u32(this.#keys.length), u32List(this.#keys)),
        fullBox("stsc", 0, 0, u32(perChunk.length / 3), u32List(perChunk)),
        fullBox("stsz", 0, 0, u32(0, this.#sizes.length), u32List(this.#sizes)),
        fullBox("co64", 0, 0, u32(this.#chunks.length), u64List(this.#chunks.map(({ at }) => at))),
      ],
    };
  }
}

function pushRun(runs: [count: number, value: number][], value: number): void {
  const last = runs.at(-1);
  if (last?.[1] === value) last[0]++;
  else runs.push([1, value]);
}
