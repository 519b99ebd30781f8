/**
 * Compaction: the same points in fewer pieces. Nodes that gained points since the last index get their parts merged
 * into one; the others keep theirs. Node by node, so that a layer of any size takes the same memory. Nothing that is
 * there is changed: until `layer.compacted` is appended, the old state is the right one. Rules: docs/spec/cloud.md.
 */
import type { IndexNode, LayerIndex, LayerTable, Part, TableNode } from "@cairn/cloud";
import { CairnError, type Digest, type EventDraft, type LayerState, type PackState } from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import type { WriterHouse } from "./layer-writer.ts";

/** Blobs of merged segments: few for a large layer, and each is read in ranges anyway. */
const BLOB_BYTES = 4 * 2 ** 20;
/** What the worker merges at a time: some milliseconds. */
const LOT_NODES = 32;
const LOT_BYTES = 2 ** 19;
/** A blob of the index of which less is still named is copied out, so that it can go. */
const LIVE_SHARE = 0.5;

type CompactOptions = { signal?: AbortSignal; onProgress?: (doneNodes: number, nodes: number) => void };

/**
 * Compacts all that the log knows of a layer now; its blobs are durable when it resolves, and the draft is to be
 * appended. `undefined`: there is nothing to do.
 * @param packs of a layer whose index is damaged: all there were, in order; without the index
 * @throws {CairnError} `layer.missing`; `blob.missing`, `blob.corrupt`: nothing has changed
 */
export async function compactLayer(
  space: Space,
  layer: number,
  house: WriterHouse,
  {
    signal,
    onProgress,
    packs,
  }: CompactOptions & { packs?: readonly Pick<PackState, "pack" | "blob" | "headBytes">[] } = {},
): Promise<EventDraft | undefined> {
  const known = space.log.snapshot().state.layers[layer];
  if (!known) throw new CairnError("layer.missing", { layer });
  const state: LayerState = { ...known, packs: [...known.packs] };
  if (packs) delete state.index;
  const taken = packs ?? state.packs;
  if (taken.length === 0) return undefined;
  const table = await house.tables.load(space, layer, state, taken);
  const { index, nodes } = await mergedIndex(space, layer, house, state, table, signal, onProgress);
  const bytes = await house.workers.encodeIndex(index, signal ? { signal } : {});
  const { digest, sizeBytes } = await house.blobs.put(bytes, signal ? { signal } : {});
  const blobs = [...new Set(index.nodes.flatMap(({ parts }) => parts.map(({ blob }) => blob)))];
  const data = { layer, packs: table.packs, index: digest, sizeBytes, points: table.points, nodes, blobs };
  return { type: "layer.compacted", data };
}

async function mergedIndex(
  space: Space,
  layer: number,
  house: WriterHouse,
  state: LayerState,
  table: LayerTable,
  signal: AbortSignal | undefined,
  onProgress: CompactOptions["onProgress"],
): Promise<{ index: LayerIndex; nodes: number }> {
  if (!table.root) throw new CairnError("layer.missing", { layer });
  const sparse = await sparseBlobs(state, table, house);
  const out = new Output(house, signal);
  const order = coarseFirst(table.root).filter(({ parts }) => parts.length > 0);
  let done = 0;
  for (const lot of lots(order)) {
    signal?.throwIfAborted();
    const toMerge = lot.filter((node) => node.pack >= 0 && node.parts.length > 1);
    const inputs = await Promise.all(
      toMerge.map(({ parts }) => Promise.all(parts.map((part) => house.parts.read(space, layer, part)))),
    );
    const merged = inputs.length > 0 ? await house.workers.merge(inputs, signal ? { signal } : {}) : [];
    const made = new Map(toMerge.map((node, i) => [node, merged[i]!]));
    for (const node of lot) {
      const segment = made.get(node);
      if (segment) await out.add(node, [{ ...segment, points: node.points }]);
      else if (node.pack < 0 && !node.parts.some(({ blob }) => sparse.has(blob))) out.keep(node);
      else {
        // As it is: the same bytes, the same hash.
        const read = async (part: Part) => ({
          bytes: await house.parts.read(space, layer, part),
          hash: part.hash,
          points: part.points,
        });
        await out.add(node, await Promise.all(node.parts.map(read)));
      }
    }
    done += lot.length;
    onProgress?.(done, order.length);
  }
  return { index: { root: table.root.id, nodes: await out.end() }, nodes: order.length };
}

/** Level by level, those of a level in the order of their octants: neighbours lie side by side in the blobs. */
function coarseFirst(root: TableNode): TableNode[] {
  const order = [root];
  for (const node of order) for (const child of node.children) if (child) order.push(child);
  return order;
}

function* lots(nodes: readonly TableNode[]): Generator<TableNode[]> {
  let lot: TableNode[] = [];
  let bytes = 0;
  for (const node of nodes) {
    lot.push(node);
    for (const { start, end } of node.parts) bytes += end - start;
    if (lot.length < LOT_NODES && bytes < LOT_BYTES) continue;
    yield lot;
    lot = [];
    bytes = 0;
  }
  if (lot.length > 0) yield lot;
}

/** Blobs of the index of which nodes that were touched have left little. */
async function sparseBlobs({ index }: LayerState, table: LayerTable, { blobs }: WriterHouse): Promise<Set<Digest>> {
  const live = new Map<Digest, number>(index?.blobs.map((blob) => [blob, 0]));
  for (const { pack, parts } of table.list) {
    if (pack < 0) for (const { blob, start, end } of parts) live.set(blob, (live.get(blob) ?? 0) + end - start);
  }
  const sparse = new Set<Digest>();
  for (const [blob, liveBytes] of live) {
    const stored = await blobs.stat(blob);
    if (stored && liveBytes < LIVE_SHARE * stored.sizeBytes) sparse.add(blob);
  }
  return sparse;
}

type Segment = { readonly bytes: Uint8Array; readonly hash: string; readonly points: number };

/** Gathers segments into blobs. */
class Output {
  readonly #house: WriterHouse;
  readonly #signal: AbortSignal | undefined;
  readonly #nodes: IndexNode[] = [];
  /** Of the blob that is being filled. */
  #waiting: { slot: number; segments: readonly Segment[] }[] = [];
  #bytes = 0;

  constructor(house: WriterHouse, signal: AbortSignal | undefined) {
    this.#house = house;
    this.#signal = signal;
  }

  keep({ id, parts }: TableNode): void {
    this.#nodes.push({ node: id, parts: [...parts] });
  }

  async add({ id }: TableNode, segments: readonly Segment[]): Promise<void> {
    this.#waiting.push({ slot: this.#nodes.length, segments });
    this.#nodes.push({ node: id, parts: [] });
    for (const { bytes } of segments) this.#bytes += bytes.length;
    if (this.#bytes >= BLOB_BYTES) await this.#flush();
  }

  async end(): Promise<IndexNode[]> {
    await this.#flush();
    return this.#nodes;
  }

  async #flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const all = new Uint8Array(this.#bytes);
    const places: { slot: number; parts: Omit<Part, "blob">[] }[] = [];
    let at = 0;
    for (const { slot, segments } of this.#waiting) {
      const parts = segments.map(({ bytes, hash, points }) => {
        all.set(bytes, at);
        at += bytes.length;
        return { start: at - bytes.length, end: at, points, hash };
      });
      places.push({ slot, parts });
    }
    const { digest: blob } = await this.#house.blobs.put(all, this.#signal ? { signal: this.#signal } : {});
    for (const { slot, parts } of places) {
      this.#nodes[slot] = { node: this.#nodes[slot]!.node, parts: parts.map((part) => ({ blob, ...part })) };
    }
    this.#waiting = [];
    this.#bytes = 0;
  }
}
