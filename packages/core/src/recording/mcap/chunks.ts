/**
 * An MCAP file that grows (mcap.dev): a head, then chunks with an index behind each. What a crash leaves can be read
 * from its beginning; `finish.ts` adds the summary by which readers seek. Not `McapWriter`, which can't let a chunk go
 * before it is full and keeps the index of all of them in memory.
 */
import { crc32 } from "node:zlib";
import { McapChunkBuilder, McapRecordBuilder, type McapTypes } from "@mcap/core";
import { SCHEMAS, type SchemaName } from "./schemas.ts";

const CHUNK_BYTES = 2 ** 20;
/** Topics are named by clients, too. */
const MAX_TOPICS = 1000;

export type McapMessage = {
  readonly topic: string;
  readonly schema: SchemaName;
  /** When the server had it, nanoseconds since 1970. */
  readonly logNs: bigint;
  /** When it was sent or measured, on the server's clock, where that is known. */
  readonly publishNs?: bigint;
  readonly data: Uint8Array;
};

type Topic = { readonly id: number; sequence: number };

export class Chunks {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #chunk = new McapChunkBuilder({});
  readonly #records = new McapRecordBuilder();
  readonly #schemas = new Map<SchemaName, number>();
  readonly #topics = new Map<string, Topic>();

  /** @param write told the file's bytes, in order */
  constructor(about: ReadonlyMap<string, string>, write: (bytes: Uint8Array) => void) {
    this.#write = write;
    this.#records.writeMagic();
    this.#records.writeHeader({ profile: "", library: "cairn" });
    this.#records.writeMetadata({ name: "cairn.recording", metadata: new Map(about) });
    this.#out();
  }

  /** @returns false where there are too many topics already */
  add({ topic, schema, logNs, publishNs = logNs, data }: McapMessage): boolean {
    const known = this.#topics.get(topic) ?? this.#open(topic, schema);
    if (!known) return false;
    known.sequence = (known.sequence + 1) >>> 0;
    const [logTime, publishTime] = [inRange(logNs), inRange(publishNs)];
    this.#chunk.addMessage({ channelId: known.id, sequence: known.sequence, logTime, publishTime, data });
    if (this.#chunk.byteLength >= CHUNK_BYTES) this.flush();
    return true;
  }

  /** What there is goes out. */
  flush(): void {
    if (this.#chunk.numMessages > 0) {
      const records = this.#chunk.buffer;
      this.#records.writeChunk({
        messageStartTime: this.#chunk.messageStartTime,
        messageEndTime: this.#chunk.messageEndTime,
        uncompressedSize: BigInt(records.length),
        uncompressedCrc: crc32(records),
        compression: "",
        records,
      });
      for (const index of this.#chunk.indices) this.#records.writeMessageIndex(index);
      this.#chunk.reset();
    }
    this.#out();
  }

  /** Before the chunk of its first message, so that what a crash leaves can be told without looking into chunks. */
  #open(topic: string, name: SchemaName): Topic | undefined {
    if (this.#topics.size >= MAX_TOPICS) return undefined;
    const { encoding, messageEncoding, data, ...schema } = SCHEMAS[name];
    let schemaId = this.#schemas.get(name);
    if (schemaId === undefined) {
      schemaId = this.#schemas.size + 1; // 0 is none
      this.#schemas.set(name, schemaId);
      this.#records.writeSchema({ id: schemaId, name: schema.name, encoding, data });
    }
    const opened: Topic = { id: this.#topics.size + 1, sequence: 0 };
    this.#topics.set(topic, opened);
    const channel: McapTypes.Channel = { id: opened.id, schemaId, topic, messageEncoding, metadata: new Map() };
    this.#records.writeChannel(channel);
    return opened;
  }

  #out(): void {
    if (this.#records.length === 0) return;
    this.#write(Buffer.from(this.#records.buffer)); // a copy: the builder's own bytes are used again
    this.#records.reset();
  }
}

/** What devices and clocks say may be anything; MCAP holds u64. */
function inRange(timeNs: bigint): bigint {
  return timeNs < 0n ? 0n : BigInt.asUintN(64, timeNs);
}
