/** Reads an MCAP file in a process of its own, by the reader of those who made the format; says what is in it as JSON. */
import { open } from "node:fs/promises";
import { McapIndexedReader, McapStreamReader } from "@mcap/core";

export type McapContents = {
  readonly messages: readonly {
    readonly topic: string;
    readonly schema: string;
    readonly encoding: string;
    readonly logNs: string;
    readonly publishNs: string;
    readonly sequence: number;
    /** JSON as it is, everything else in base64. */
    readonly data: unknown;
  }[];
  readonly chunks: number;
  /** By the summary. */
  readonly counted: number;
};

const [path = "", how = "indexed"] = process.argv.slice(2);
const file = await open(path);
const messages: McapContents["messages"][number][] = [];
let chunks = 0;
let counted = 0;
if (how === "indexed") {
  const reader = await McapIndexedReader.Initialize({
    readable: {
      size: async () => BigInt((await file.stat()).size),
      async read(offset, size) {
        const bytes = new Uint8Array(Number(size));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, Number(offset));
        if (bytesRead !== bytes.length) throw new RangeError(`${bytesRead} of ${bytes.length} bytes`);
        return bytes;
      },
    },
  });
  chunks = reader.chunkIndexes.length;
  counted = Number(reader.statistics?.messageCount ?? 0n);
  for await (const message of reader.readMessages()) {
    tell(message, reader.channelsById.get(message.channelId), (id) => reader.schemasById.get(id)?.name);
  }
} else {
  const reader = new McapStreamReader();
  const channels = new Map<number, { topic: string; messageEncoding: string; schemaId: number }>();
  const schemas = new Map<number, string>();
  reader.append(await file.readFile());
  for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
    if (record.type === "Schema") schemas.set(record.id, record.name);
    if (record.type === "Channel") channels.set(record.id, record);
    if (record.type === "Message") tell(record, channels.get(record.channelId), (id) => schemas.get(id));
  }
}
await file.close();
process.stdout.write(JSON.stringify({ messages, chunks, counted } satisfies McapContents));

type Told = { logTime: bigint; publishTime: bigint; sequence: number; data: Uint8Array };

function tell(
  { logTime, publishTime, sequence, data }: Told,
  channel: { topic: string; messageEncoding: string; schemaId: number } | undefined,
  schemaName: (id: number) => string | undefined,
): void {
  if (!channel) throw new RangeError("a message of no channel");
  const text = Buffer.from(data);
  messages.push({
    topic: channel.topic,
    schema: schemaName(channel.schemaId) ?? "",
    encoding: channel.messageEncoding,
    logNs: String(logTime),
    publishNs: String(publishTime),
    sequence,
    data: channel.messageEncoding === "json" ? JSON.parse(text.toString()) : text.toString("base64"),
  });
}
