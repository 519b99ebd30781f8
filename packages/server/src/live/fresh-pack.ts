/** A new pack, read once for all who are sent it together with the event that tells of it. */
import type { TableNode } from "@cairn/cloud";
import type { Core, RangeSource, Space } from "@cairn/core";
import { type EventData, encodeRangeFrame } from "@cairn/protocol";
import { binaryMessage, type Message } from "./frames.ts";
import type { LiveTable, LiveTables } from "./live-tables.ts";
import { rangeKey } from "./segment-push.ts";
import type { SharedMessages } from "./shared-messages.ts";

/** Larger packs go piece by piece: nothing may keep an event waiting for long. */
const PACK_BYTES = 192 * 1024;

export type FreshPart = {
  node: TableNode;
  /** Which of the node's parts this is. */
  index: number;
  hash: string;
  message: Message;
  sizeBytes: number;
};

export type FreshPack = {
  layer: number;
  pack: number;
  live: LiveTable;
  head: Message;
  headBytes: number;
  /** In the pack's order. */
  parts: readonly FreshPart[];
};

/** What one set of clients gets of a pack: messages ready to write, the parts in them, and what they cost of the credit. */
export type FreshBytes = { bytes: Buffer; parts: readonly FreshPart[]; sizeBytes: number };

type House = { core: Core; tables: LiveTables; shared: SharedMessages };

/**
 * Reads the pack that an event tells of; `undefined` when it is too large, or the newest table does not tell its parts.
 * @throws {CairnError} when the layer or the bytes are gone or damaged
 */
export async function readFreshPack(
  { core, tables, shared }: House,
  space: Space,
  { layer, pack, blob, headBytes, sizeBytes }: EventData<"segments.added">,
): Promise<FreshPack | undefined> {
  if (sizeBytes > PACK_BYTES) return undefined;
  // All of it at once, while the table takes its head.
  const whole = core.blobs.recent(blob, 0, sizeBytes) ?? core.blobs.range(blob, 0, sizeBytes);
  if (whole instanceof Promise) whole.catch(() => {});
  const from: RangeSource = { range: async (_, start, end) => (await whole).subarray(start, end) };
  const { live } = await tables.open(space, layer);
  const touched = pack < live.next ? await live.offer({ pack, blob, headBytes }) : undefined;
  if (!touched) return undefined;
  const places = touched.map((node) => ({ node, index: partOf(node) }));
  // The same blob was a pack before: those parts are not told apart here.
  if (places.some(({ index }) => index < 0)) return undefined;
  const range = { blob, start: 0, end: headBytes };
  const head = shared.load(rangeKey(range), async () =>
    binaryMessage(encodeRangeFrame(blob, 0, await from.range(blob, 0, headBytes))),
  );
  const reading = places.map(async ({ node, index }): Promise<FreshPart> => {
    const part = node.parts[index]!;
    const message = await shared.load(rangeKey(part), async () =>
      binaryMessage(encodeRangeFrame(part.blob, part.start, await core.layers.parts.read(space, layer, part, from))),
    );
    return { node, index, hash: part.hash, message, sizeBytes: part.end - part.start };
  });
  const [headMessage, ...parts] = await Promise.all([head, ...reading]);
  return { layer, pack, live, head: headMessage, headBytes, parts };

  function partOf({ parts }: TableNode): number {
    return parts.findLastIndex((part) => live.packOf(part) === pack);
  }
}

/** @param unseen places in `parts` that are left out, each with a space behind it */
export function freshBytes(facts: Message, { head, headBytes, parts }: FreshPack, unseen: string): FreshBytes {
  const without = new Set(unseen.split(" ").slice(0, -1).map(Number));
  const chosen = parts.filter((_, i) => !without.has(i));
  return {
    bytes: Buffer.concat([...facts, ...head, ...chosen.flatMap(({ message }) => message)]),
    parts: chosen,
    sizeBytes: chosen.reduce((sum, { sizeBytes }) => sum + sizeBytes, headBytes),
  };
}
