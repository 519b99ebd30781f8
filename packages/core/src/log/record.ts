/**
 * One event as one line of a segment file (rules LOG-1, LOG-4, LOG-6 and LOG-7 of docs/spec/log.md):
 *
 *     1c291ca3 .41 {"seq":42,"timeNs":"…","type":"image.added","data":{…}}
 *     crc32    ││  the event
 *              │└─ seq of the first event of the write (one write, one fdatasync) that this line was part of
 *              └── `+`: more of the batch follows; `.`: the batch ends here
 *
 * The checksum (CRC-32 as in zip) covers everything after the first space. `tail -f` shows what happens.
 */
import { crc32 } from "node:zlib";
import { CairnError, type CairnEvent, type Seq } from "@cairn/protocol";

/** A longer event is refused; so a reader never needs a larger buffer for one line than this. */
export const MAX_LINE_BYTES = 2 ** 20;

const NEWLINE = 10;
const CRC_LENGTH = 8;

export type Line = {
  /** Seq of the first event of the write. */
  write: Seq;
  endsBatch: boolean;
  event: CairnEvent;
};

/** Every open space has one: small until it is busy. */
const IDLE_BYTES = 2 ** 12;

/** Lines of one write, built in memory that is used again for the next. */
export class LineBuffer {
  #bytes = Buffer.alloc(IDLE_BYTES);
  #length = 0;

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  get sizeBytes(): number {
    return this.#length;
  }

  /** Adds the line of one event. @throws {CairnError} `request.too_large` */
  add(json: string, write: Seq, endsBatch: boolean): void {
    const body = `${endsBatch ? "." : "+"}${write} ${json}`;
    const most = CRC_LENGTH + 2 + body.length * 3;
    if (this.#bytes.length - this.#length < most) this.#grow(most);
    const start = this.#length + CRC_LENGTH + 1;
    const end = start + this.#bytes.write(body, start, "utf8");
    if (end - this.#length >= MAX_LINE_BYTES) throw new CairnError("request.too_large", { maxBytes: MAX_LINE_BYTES });
    this.#bytes.write(hex(crc32(this.#bytes.subarray(start, end))), this.#length, "latin1");
    this.#bytes[start - 1] = 32;
    this.#bytes[end] = NEWLINE;
    this.#length = end + 1;
  }

  /** Forgets lines from `sizeBytes` on. Memory that one huge write needed is let go. */
  cut(sizeBytes: number): void {
    this.#length = sizeBytes;
    if (sizeBytes === 0 && this.#bytes.length > 2 ** 20) this.#bytes = Buffer.alloc(IDLE_BYTES);
  }

  #grow(moreBytes: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + moreBytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** The line in `bytes[start, end)`, newline left out; `undefined` when it is not one that was written. */
export function parseLine(bytes: Buffer, start: number, end: number): Line | undefined {
  const body = start + CRC_LENGTH + 1;
  if (end - body < 4 || bytes[body - 1] !== 32) return undefined;
  // Written in lower case only: a flipped case bit in the checksum itself is damage too.
  if (bytes.toString("latin1", start, start + CRC_LENGTH) !== hex(crc32(bytes.subarray(body, end)))) return undefined;
  const space = bytes.indexOf(32, body);
  const mark = bytes[body];
  if (space < 0 || space >= end || (mark !== 43 && mark !== 46)) return undefined;
  const write = Number(bytes.toString("latin1", body + 1, space));
  try {
    const event: CairnEvent = JSON.parse(bytes.toString("utf8", space + 1, end));
    return { write, endsBatch: mark === 46, event };
  } catch {
    return undefined; // A checksum that fits by chance over bytes that are not JSON.
  }
}

/** Eight hex digits with the checksum of `text`, as lines and snapshots begin. */
export function checksum(text: string): string {
  return hex(crc32(text));
}

function hex(value: number): string {
  return value.toString(16).padStart(CRC_LENGTH, "0");
}

type Damage = {
  /** The batch that was being written when the power went; nobody was told that it is there. */
  kind: "torn" | "corrupt";
  /** Seq of the first event that cannot be read. */
  seq: Seq;
  offset: number;
};

type Scan = {
  /** Seq and end offset of the last event that counts; what follows it is `damage`. */
  seq: Seq;
  endOffset: number;
  damage?: Damage;
};

/**
 * Walks the lines of a segment and hands over each event of each whole batch, in order, up to the first damage.
 * @param first seq that the first line must have
 */
export function scanLines(
  bytes: Buffer,
  first: Seq,
  visit: (event: CairnEvent, offset: number, sizeBytes: number) => void,
): Scan {
  let seq = first - 1;
  let batchOffset = 0;
  let offset = 0;
  const batch: { event: CairnEvent; offset: number; sizeBytes: number }[] = [];
  while (offset < bytes.length) {
    const end = bytes.indexOf(NEWLINE, offset);
    const line = end < 0 ? undefined : parseLine(bytes, offset, end);
    const expected = seq + batch.length + 1;
    if (!line || line.event.seq !== expected) {
      if (isTorn(bytes, offset, expected)) {
        return { seq, endOffset: batchOffset, damage: { kind: "torn", seq: seq + 1, offset: batchOffset } };
      }
      for (const each of batch) visit(each.event, each.offset, each.sizeBytes); // They had been acknowledged.
      return { seq: expected - 1, endOffset: offset, damage: { kind: "corrupt", seq: expected, offset } };
    }
    batch.push({ event: line.event, offset, sizeBytes: end + 1 - offset });
    offset = end + 1;
    if (!line.endsBatch) continue;
    for (const each of batch) visit(each.event, each.offset, each.sizeBytes);
    seq += batch.length;
    batchOffset = offset;
    batch.length = 0;
  }
  if (batch.length === 0) return { seq, endOffset: batchOffset };
  return { seq, endOffset: batchOffset, damage: { kind: "torn", seq: seq + 1, offset: batchOffset } };
}

/**
 * Whether what is wrong at `offset` is a write cut off by a crash, and not damage to what had been acknowledged.
 * A later write only begins when the one before is durable, so a line of a later write proves damage. Otherwise: a
 * crash leaves out the end of a write, or whole sectors of it (zeros); it never changes the bytes that it leaves.
 */
function isTorn(bytes: Buffer, offset: number, seq: Seq): boolean {
  const end = bytes.indexOf(NEWLINE, offset);
  for (let at = end; at >= 0 && at + 1 < bytes.length; ) {
    const next = bytes.indexOf(NEWLINE, at + 1);
    if (next < 0) break;
    const line = parseLine(bytes, at + 1, next);
    if (line && line.write > seq) return false;
    at = next;
  }
  const stop = end < 0 ? bytes.length : end;
  if (hasLostSector(bytes, offset, stop)) return true;
  // A whole line before the last byte: the newline itself was changed.
  return end < 0 && !parseLine(bytes, offset, bytes.length - 1);
}

const SECTOR_BYTES = 512;

/** A run of zeros that is more than one flipped character, or that ends where a sector does. */
function hasLostSector(bytes: Buffer, start: number, end: number): boolean {
  for (let at = bytes.indexOf(0, start); at >= 0 && at < end; at = bytes.indexOf(0, at + 1)) {
    if (bytes[at + 1] === 0 || at + 1 === bytes.length || (at + 1) % SECTOR_BYTES === 0) return true;
  }
  return false;
}
