/**
 * Gives an MCAP file that grew its end: the summary by which readers find times and topics without reading all of it.
 * Records are walked by their heads; only the last chunk is looked into, because a crash may have cut off its index.
 * Until the summary is there the file is what it was before; it may be finished again, whatever stopped it.
 */
import { type FileHandle, open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { McapConstants, McapRecordBuilder, McapStreamReader, type McapTypes } from "@mcap/core";
import { errnoOf } from "../../disk/disk.ts";
import { readAt, writeAt } from "../../disk/whole.ts";

const { Opcode, MCAP_MAGIC } = McapConstants;
/** Opcode and length. */
const HEAD_BYTES = 9;
/** Of a chunk without compression: times, sizes, checksum, before its records. */
const CHUNK_HEAD_BYTES = 40;

export type FinishedMcap = {
  readonly messages: number;
  /** Log times; 0 where there is no message. */
  readonly fromNs: bigint;
  readonly toNs: bigint;
};

/**
 * @returns undefined when it has not even a whole head
 * @throws what the disk says; then the file can still be read from its beginning, and be finished later
 */
export async function finishMcap(path: string): Promise<FinishedMcap | undefined> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    if (size < MCAP_MAGIC.length) return undefined;
    const summary = new Summary();
    let end: number = MCAP_MAGIC.length;
    for (;;) {
      const record = await recordAt(file, end, size);
      if (!record || !(await summary.add(file, record).catch(endsAtDamage))) break;
      end = record.end;
    }
    if (end === MCAP_MAGIC.length) return undefined;
    const { bytes, at } = await summary.end(file, end);
    await file.truncate(at);
    await writeAt(file, bytes, at);
    await file.sync();
    return summary.finished;
  } finally {
    await file.close();
  }
}

/** A crash may leave any sector out: what makes no sense is where the data ends. */
function endsAtDamage(error: unknown): false {
  if (errnoOf(error) !== undefined) throw error;
  return false;
}

type RecordAt = { readonly opcode: number; readonly at: number; readonly end: number };

/** The record at an offset if all of it is there. */
async function recordAt(file: FileHandle, at: number, fileBytes: number): Promise<RecordAt | undefined> {
  if (at + HEAD_BYTES > fileBytes) return undefined;
  const head = await readAt(file, at, HEAD_BYTES);
  const end = at + HEAD_BYTES + Number(head.readBigUInt64LE(1));
  return end > fileBytes ? undefined : { opcode: head[0]!, at, end };
}

/** What is learnt of a file's records, for its summary. */
class Summary {
  #schemas: (McapTypes.Schema & { at: number })[] = [];
  #channels: (McapTypes.Channel & { at: number })[] = [];
  readonly #metadata: McapTypes.MetadataIndex[] = [];
  readonly #chunks: McapTypes.ChunkIndex[] = [];
  readonly #counts = new Map<number, bigint>();

  get finished(): FinishedMcap {
    const { messageCount, messageStartTime, messageEndTime } = this.#statistics();
    return { messages: Number(messageCount), fromNs: messageStartTime, toNs: messageEndTime };
  }

  /** @returns false for what is not of the data that we write: there it ends */
  async add(file: FileHandle, { opcode, at, end }: RecordAt): Promise<boolean> {
    switch (opcode) {
      case Opcode.HEADER:
        return true;
      case Opcode.METADATA:
        for (const record of parse(await readAt(file, at, end - at)))
          if (record.type === "Metadata")
            this.#metadata.push({ name: record.name, offset: BigInt(at), length: BigInt(end - at) });
        return true;
      case Opcode.SCHEMA:
      case Opcode.CHANNEL:
        for (const record of parse(await readAt(file, at, end - at))) {
          if (record.type === "Schema") this.#schemas.push({ ...record, at });
          else if (record.type === "Channel") this.#channels.push({ ...record, at });
        }
        return true;
      case Opcode.CHUNK: {
        if (end - at < HEAD_BYTES + CHUNK_HEAD_BYTES) return false;
        const head = await readAt(file, at + HEAD_BYTES, CHUNK_HEAD_BYTES);
        this.#chunks.push({
          messageStartTime: head.readBigUInt64LE(0),
          messageEndTime: head.readBigUInt64LE(8),
          chunkStartOffset: BigInt(at),
          chunkLength: BigInt(end - at),
          messageIndexOffsets: new Map(),
          messageIndexLength: 0n,
          compression: "",
          compressedSize: head.readBigUInt64LE(32),
          uncompressedSize: head.readBigUInt64LE(16),
        });
        return true;
      }
      case Opcode.MESSAGE_INDEX: {
        const chunk = this.#chunks.at(-1);
        if (!chunk) return false;
        const head = await readAt(file, at + HEAD_BYTES, 6);
        this.#index(chunk, head.readUInt16LE(0), head.readUInt32LE(2) / 16, at, end - at);
        return true;
      }
      default:
        return false;
    }
  }

  /** Everything from `at` on, to be written in place of what is there. @param dataEnd of the last whole record */
  async end(file: FileHandle, dataEnd: number): Promise<{ bytes: Uint8Array; at: number }> {
    const records = new McapRecordBuilder();
    const last = this.#chunks.at(-1);
    const at = last ? await this.#indexAgain(file, last, records) : dataEnd;
    // Topics of messages that were cut off.
    this.#schemas = this.#schemas.filter((schema) => schema.at < at);
    this.#channels = this.#channels.filter((channel) => channel.at < at);
    records.writeDataEnd({ dataSectionCrc: 0 });
    this.#write(records, at);
    return { bytes: records.buffer, at };
  }

  /** The last chunk's index from its messages. @returns where it begins: a chunk that is damaged is left out */
  async #indexAgain(file: FileHandle, chunk: McapTypes.ChunkIndex, records: McapRecordBuilder): Promise<number> {
    const chunkEnd = Number(chunk.chunkStartOffset + chunk.chunkLength);
    for (const [channel, at] of chunk.messageIndexOffsets) {
      const head = await readAt(file, Number(at) + HEAD_BYTES, 6);
      this.#counts.set(channel, (this.#counts.get(channel) ?? 0n) - BigInt(head.readUInt32LE(2) / 16));
    }
    chunk.messageIndexOffsets.clear();
    chunk.messageIndexLength = 0n;
    const start = Number(chunk.chunkStartOffset) + HEAD_BYTES;
    const head = await readAt(file, start, CHUNK_HEAD_BYTES);
    const body = await readAt(file, start + CHUNK_HEAD_BYTES, chunkEnd - start - CHUNK_HEAD_BYTES);
    if (crc32(body) !== head.readUInt32LE(24)) {
      this.#chunks.pop();
      return Number(chunk.chunkStartOffset);
    }
    for (const index of indexOf(body)) {
      const at = chunkEnd + records.length;
      const length = Number(records.writeMessageIndex(index));
      this.#index(chunk, index.channelId, index.records.length, at, length);
    }
    return chunkEnd;
  }

  #index(chunk: McapTypes.ChunkIndex, channel: number, messages: number, at: number, sizeBytes: number): void {
    this.#counts.set(channel, (this.#counts.get(channel) ?? 0n) + BigInt(messages)); // throws where it is no number
    chunk.messageIndexOffsets.set(channel, BigInt(at));
    chunk.messageIndexLength += BigInt(sizeBytes);
  }

  #statistics(): McapTypes.Statistics {
    const least = (a: bigint, b: bigint) => (a < b ? a : b);
    const most = (a: bigint, b: bigint) => (a > b ? a : b);
    const counts = new Map([...this.#counts].filter(([, count]) => count > 0n));
    return {
      messageCount: [...counts.values()].reduce((sum, count) => sum + count, 0n),
      schemaCount: this.#schemas.length,
      channelCount: this.#channels.length,
      attachmentCount: 0,
      metadataCount: this.#metadata.length,
      chunkCount: this.#chunks.length,
      messageStartTime: this.#chunks
        .map((chunk) => chunk.messageStartTime)
        .reduce(least, this.#chunks[0]?.messageStartTime ?? 0n),
      messageEndTime: this.#chunks.map((chunk) => chunk.messageEndTime).reduce(most, 0n),
      channelMessageCounts: counts,
    };
  }

  /** Groups of records, where each is, and the footer that leads to them. @param base of the first byte of `records` */
  #write(records: McapRecordBuilder, base: number): void {
    const groups: McapTypes.SummaryOffset[] = [];
    const group = (opcode: number, write: () => void) => {
      const start = records.length;
      write();
      const length = records.length - start;
      if (length > 0)
        groups.push({ groupOpcode: opcode, groupStart: BigInt(base + start), groupLength: BigInt(length) });
    };
    const summaryStart = BigInt(base + records.length);
    group(Opcode.SCHEMA, () => this.#schemas.forEach((schema) => void records.writeSchema(schema)));
    group(Opcode.CHANNEL, () => this.#channels.forEach((channel) => void records.writeChannel(channel)));
    group(Opcode.STATISTICS, () => void records.writeStatistics(this.#statistics()));
    group(Opcode.METADATA_INDEX, () => this.#metadata.forEach((index) => void records.writeMetadataIndex(index)));
    group(Opcode.CHUNK_INDEX, () => this.#chunks.forEach((index) => void records.writeChunkIndex(index)));
    const summaryOffsetStart = BigInt(base + records.length);
    for (const offset of groups) records.writeSummaryOffset(offset);
    records.writeFooter({ summaryStart, summaryOffsetStart, summaryCrc: 0 });
    records.writeMagic();
  }
}

/** Of a chunk that has nothing but messages. */
function indexOf(chunk: Buffer): Iterable<McapTypes.MessageIndex> {
  const found = new Map<number, McapTypes.MessageIndex>();
  for (let at = 0; at < chunk.length; at += HEAD_BYTES + Number(chunk.readBigUInt64LE(at + 1))) {
    const channelId = chunk.readUInt16LE(at + HEAD_BYTES);
    const index = found.get(channelId) ?? { channelId, records: [] };
    index.records.push([chunk.readBigUInt64LE(at + HEAD_BYTES + 6), BigInt(at)]);
    found.set(channelId, index);
  }
  return found.values();
}

function* parse(bytes: Uint8Array): Generator<McapTypes.TypedMcapRecord> {
  const reader = new McapStreamReader({ noMagicPrefix: true });
  reader.append(bytes);
  for (let record = reader.nextRecord(); record; record = reader.nextRecord()) yield record;
}
