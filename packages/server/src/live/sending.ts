/** What one client was sent of one layer: a count for each node, and how far it has come in the layer's tree. */
import type { TableNode } from "@cairn/cloud";
import type { Digest, LayerState } from "@cairn/protocol";
import type { LiveTable } from "./live-tables.ts";
import type { PartCounts } from "./part-counts.ts";

/** Indexes and heads go in pieces: nothing may keep an event waiting for long. */
const PIECE_BYTES = 16 * 1024;

export type Sending = {
  readonly layer: number;
  readonly live: LiveTable;
  /** By ordinal of the node: so many of its parts, from the first on. */
  readonly counts: PartCounts;
  /** Parts in all. */
  sent: number;
  /** Packs before this one the client has heard of. */
  known: number;
  /** Bytes of the index that went; without end when the client is taken to have it. */
  indexBytes: number;
  /** Heads go, or went, from this pack on; and the next that goes. */
  firstHead: number;
  nextHead: number;
  shown: boolean;
};

/** Made here only: while all have one shape, what looks at each client for each pack stays compiled. */
export function newSending(of: Sending): Sending {
  const { layer, live, counts, sent, known, indexBytes, firstHead, nextHead, shown } = of;
  return { layer, live, counts, sent, known, indexBytes, firstHead, nextHead, shown };
}

/** The part of a node that is to go. */
export type Wanted = { sending: Sending; node: TableNode; index: number };

/** A range to send: a part, or something of the tree. */
export type Piece = { sending: Sending; blob: Digest; start: number; end: number; wanted: Wanted | undefined };

/** What the client must read to know what there is: first the index, then the heads of the packs after it. */
export function treePiece(sending: Sending): Piece | undefined {
  const { live, indexBytes, nextHead } = sending;
  const { index } = live;
  if (index && indexBytes < index.sizeBytes) {
    const end = Math.min(index.sizeBytes, indexBytes + PIECE_BYTES);
    return { sending, blob: index.index, start: indexBytes, end, wanted: undefined };
  }
  const head = nextHead < sending.known ? live.head(nextHead) : undefined;
  return head && { sending, blob: head.blob, start: 0, end: head.headBytes, wanted: undefined };
}

/** The client was sent this. */
export function markPiece({ sending, blob, end, wanted }: Piece): void {
  if (wanted) markParts(sending, wanted.node, wanted.index + 1);
  else if (blob === sending.live.index?.index) sending.indexBytes = end;
  else sending.nextHead++;
}

/** The client heard of a pack, and was sent its head and these of its parts. */
export function markPack(sending: Sending, pack: number, parts: readonly Pick<Wanted, "node" | "index">[]): void {
  sending.known = pack + 1;
  sending.nextHead = pack + 1;
  for (const { node, index } of parts) markParts(sending, node, index + 1);
}

/** The client has so many parts of a node. */
export function markParts(sending: Sending, { ordinal }: TableNode, count: number): void {
  sending.sent += count - sending.counts.get(ordinal);
  sending.counts.set(ordinal, count);
}

export function hasAll({ live, known, sent: parts }: Sending): boolean {
  return known === live.next && parts === live.parts;
}

/** The client holds so many points of a node: parts that lie within them do not go again. */
export function hold(sending: Sending, key: string, points: number): void {
  const node = sending.live.table.nodes.get(key);
  if (!node) return;
  let count = 0;
  let held = 0;
  for (const part of node.parts) {
    held += part.points;
    if (held > points) break;
    count++;
  }
  if (count > sending.counts.get(node.ordinal)) markParts(sending, node, count);
}

/** Points of a node that the client has. */
export function sentPoints({ live, counts }: Sending, key: string): number {
  const node = live.table.nodes.get(key);
  let points = 0;
  for (let i = node ? counts.get(node.ordinal) : 0; i-- > 0; ) points += node?.parts[i]?.points ?? 0;
  return points;
}

/** Packs that a state of a layer knows of. */
export function packsOf({ index, packs }: LayerState): number {
  return Math.max(index?.packs ?? 0, (packs.at(-1)?.pack ?? -1) + 1);
}
