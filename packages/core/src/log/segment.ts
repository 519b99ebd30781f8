/** One file of a log: its events are next to each other, and its name is the seq of its first. Rules LOG-1, LOG-9. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { CairnError, type CairnEvent, type Seq } from "@cairn/protocol";
import { errnoOf } from "../disk/disk.ts";
import { MAX_LINE_BYTES, parseLine } from "./record.ts";

const NEWLINE = 10;
const CHUNK_BYTES = 2 ** 18;
/** A read stops at this many bytes of lines, however many events were asked for. */
const READ_BYTES = 2 ** 22;
/** Distance of the places that are remembered, so that a read does not begin at the start of the file. */
const STEP_BYTES = 2 ** 16;

const SUFFIX = ".log";

function segmentName(first: Seq): string {
  return `${String(first).padStart(16, "0")}${SUFFIX}`;
}

/** `undefined` for a file that is not a segment. */
export function firstOfSegment(name: string): Seq | undefined {
  return /^[0-9]{16}\.log$/.test(name) ? Number(name.slice(0, -SUFFIX.length)) : undefined;
}

export class Segment {
  readonly first: Seq;
  readonly path: string;
  /** Bytes that are durable; what is behind them in the file is not read. */
  sizeBytes: number;
  /** Where lines begin, some of them, ascending. */
  readonly #places: { seq: Seq; offset: number }[];

  constructor(folder: string, first: Seq, sizeBytes: number) {
    this.first = first;
    this.path = join(folder, segmentName(first));
    this.sizeBytes = sizeBytes;
    this.#places = [{ seq: first, offset: 0 }];
  }

  /** Tells where an event's line begins; only some are kept. */
  mark(seq: Seq, offset: number): void {
    const last = this.#places.at(-1);
    if (last && offset >= last.offset + STEP_BYTES) this.#places.push({ seq, offset });
  }

  /**
   * Up to `limit` events after `after`, fewer where they are long or where one behind them is damaged.
   * @param last seq of the last event of this segment
   * @throws {CairnError} `log.corrupt` when the first of them is damaged; `log.trimmed` when the file is gone
   */
  async read(after: Seq, limit: number, last: Seq): Promise<CairnEvent[]> {
    let file: FileHandle;
    try {
      file = await open(this.path, constants.O_RDONLY);
    } catch (error) {
      // Trimmed between the look-up and here: the caller cannot have known.
      if (errnoOf(error) === "ENOENT") throw new CairnError("log.trimmed", { after });
      throw new CairnError("store.failed", { errno: errnoOf(error) ?? "unknown" }, error);
    }
    try {
      return await this.#readFrom(file, after, Math.min(limit, last - after));
    } finally {
      await file.close();
    }
  }

  async #readFrom(file: FileHandle, after: Seq, count: number): Promise<CairnEvent[]> {
    const place = this.#placeBefore(after + 1);
    const events: CairnEvent[] = [];
    let seq = place.seq;
    let position = place.offset;
    let takenBytes = 0;
    let held = Buffer.alloc(0);
    while (events.length < count) {
      const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(CHUNK_BYTES, this.sizeBytes - position - held.length)));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position + held.length);
      const bytes = held.length ? Buffer.concat([held, chunk.subarray(0, bytesRead)]) : chunk.subarray(0, bytesRead);
      let start = 0;
      while (events.length < count) {
        const end = bytes.indexOf(NEWLINE, start);
        if (end < 0) break;
        if (seq > after) {
          const event = parseLine(bytes, start, end)?.event;
          if (event?.seq !== seq) return this.#damaged(events, seq);
          events.push(event);
          takenBytes += end - start;
        }
        this.mark(seq, position + start);
        seq++;
        start = end + 1;
        if (takenBytes > READ_BYTES) return events;
      }
      if (events.length === count) break;
      // A segment that ends before its last event has lost bytes.
      if (bytesRead === 0 || bytes.length - start > MAX_LINE_BYTES)
        return this.#damaged(events, Math.max(seq, after + 1));
      held = Buffer.from(bytes.subarray(start));
      position += start;
    }
    return events;
  }

  #damaged(before: CairnEvent[], seq: Seq): CairnEvent[] {
    if (before.length > 0) return before;
    throw new CairnError("log.corrupt", { seq, segment: this.first });
  }

  #placeBefore(seq: Seq): { seq: Seq; offset: number } {
    let low = 0;
    let high = this.#places.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#places[middle]?.seq ?? 0) <= seq) low = middle;
      else high = middle - 1;
    }
    return this.#places[low] ?? { seq: this.first, offset: 0 };
  }
}

/** The file that is being appended to. A port of its own so that tests can let a disk fail. */
export interface SegmentFile {
  /** All of `bytes`, or it rejects. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** fdatasync. */
  sync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens a segment for appending; makes it when it is not there. */
export async function openSegmentFile(path: string): Promise<SegmentFile> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  return {
    async write(bytes, offset) {
      for (let done = 0; done < bytes.length; ) {
        done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
    },
    sync: () => file.datasync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    close: () => file.close(),
  };
}
