/**
 * Compaction: the same points in fewer pieces and bytes. Nodes that gained points since the last index get their parts
 * merged into one, which is as short as it may be; the others keep theirs. The packs are read side by side, each once
 * from its beginning to its end, so that a layer of any size takes some kilobytes a pack. Nothing that is there is
 * changed: until `layer.compacted` is appended, the old state is the right one. Rules: docs/spec/cloud.md.
 */
import {
  contains,
  type HeadCursor,
  type IndexNode,
  indexCursor,
  type LayerIndex,
  type MergedNode,
  mergeHeads,
  type NodeId,
  nodeKey,
  type Part,
  parseNodeKey,
} from "@cairn/cloud";
import { CairnError, type Digest, type EventDraft, type LayerState } from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import { BlobWindows } from "./blob-windows.ts";
import type { PackPlace } from "./layer-tables.ts";
import type { WriterHouse } from "./layer-writer.ts";

/** Blobs of merged segments: few for a large layer, and each is read in ranges anyway. */
const BLOB_BYTES = 4 * 2 ** 20;
/** What the worker merges at a time: some milliseconds. */
const LOT_NODES = 32;
const LOT_BYTES = 2 ** 19;
/** A blob of the index of which less is still named is copied out, so that it can go. */
const LIVE_SHARE = 0.5;
/** Parts of nodes that are looked at before others have a turn: some milliseconds. */
const TURN_PARTS = 4096;

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
  { signal, onProgress, packs }: CompactOptions & { packs?: readonly PackPlace[] } = {},
): Promise<EventDraft | undefined> {
  const known = space.log.snapshot().state.layers[layer];
  if (!known) throw new CairnError("layer.missing", { layer });
  const state: LayerState = { ...known, packs: [...known.packs] };
  if (packs) delete state.index;
  const taken = packs ?? state.packs;
  if (taken.length === 0) return undefined;
  const compaction = new Compaction(space, layer, house, signal);
  const { index, points, nodes } = await compaction.run(state, taken, onProgress);
  const bytes = await house.workers.encodeIndex(index, signal ? { signal } : {});
  const { digest, sizeBytes } = await house.blobs.put(bytes, signal ? { signal } : {});
  const blobs = [...new Set(index.nodes.flatMap(({ parts }) => parts.map(({ blob }) => blob)))];
  const of = (state.index?.packs ?? 0) + taken.length;
  return { type: "layer.compacted", data: { layer, packs: of, index: digest, sizeBytes, points, nodes, blobs } };
}

type Lot = { readonly nodes: MergedNode[]; parts: number; bytes: number };

class Compaction {
  readonly #space: Space;
  readonly #layer: number;
  readonly #house: WriterHouse;
  readonly #signal: AbortSignal | undefined;

  constructor(space: Space, layer: number, house: WriterHouse, signal: AbortSignal | undefined) {
    this.#space = space;
    this.#layer = layer;
    this.#house = house;
    this.#signal = signal;
  }

  async run(
    { index, seed }: LayerState,
    packs: readonly PackPlace[],
    onProgress: CompactOptions["onProgress"],
  ): Promise<{ index: LayerIndex; points: number; nodes: number }> {
    const { tables, blobs } = this.#house;
    const old = index && (await tables.index(this.#space, this.#layer, index.index));
    const heads: (() => HeadCursor)[] = old ? [() => indexCursor(old)] : [];
    for (const pack of packs) heads.push(await tables.headOf(this.#space, this.#layer, pack));
    const read = () =>
      mergeHeads(
        heads.map((head) => head()),
        old !== undefined,
      );
    const { root } = heads.at(-1)!();
    if (!contains(root, parseNodeKey(seed)))
      throw new CairnError("request.invalid", { field: "root", root: nodeKey(root) });

    const plan = await this.#plan(read(), index?.blobs ?? []);
    const windows = new BlobWindows(blobs, packs.length + (index?.blobs.length ?? 0));
    const out = new Output(this.#house, this.#signal);
    let done = 0;
    for await (const lot of this.#lots(read())) {
      await this.#take(lot, plan.sparse, windows, out);
      done += lot.nodes.length;
      onProgress?.(done, plan.nodes);
    }
    return { index: { root, nodes: await out.end() }, points: plan.points, nodes: plan.nodes };
  }

  /** How much there is, and the blobs of the index of which nodes that were touched have left little. */
  async #plan(
    nodes: Iterable<MergedNode>,
    blobs: readonly Digest[],
  ): Promise<{ nodes: number; points: number; sparse: Set<Digest> }> {
    const live = new Map<Digest, number>(blobs.map((blob) => [blob, 0]));
    const all = { nodes: 0, points: 0, sparse: new Set<Digest>() };
    for await (const lot of this.#lots(nodes)) {
      for (const node of lot.nodes) {
        all.nodes++;
        for (const { points } of node.parts) all.points += points;
        if (isTouched(node)) continue;
        for (const { blob, start, end } of node.parts) live.set(blob, (live.get(blob) ?? 0) + end - start);
      }
    }
    for (const [blob, liveBytes] of live) {
      const stored = await this.#house.blobs.stat(blob);
      if (stored && liveBytes < LIVE_SHARE * stored.sizeBytes) all.sparse.add(blob);
    }
    return all;
  }

  /** Nodes with points, a few at a time; others have their turn now and then. */
  async *#lots(nodes: Iterable<MergedNode>): AsyncGenerator<Lot> {
    let lot: Lot = { nodes: [], parts: 0, bytes: 0 };
    let looked = 0;
    for (const node of nodes) {
      if (node.parts.length === 0) continue;
      lot.nodes.push(node);
      lot.parts += node.parts.length;
      for (const { start, end } of node.parts) lot.bytes += end - start;
      if (lot.nodes.length < LOT_NODES && lot.bytes < LOT_BYTES) continue;
      yield lot;
      looked += lot.parts;
      lot = { nodes: [], parts: 0, bytes: 0 };
      if (looked < TURN_PARTS) continue;
      looked = 0;
      await new Promise((resolve) => setImmediate(resolve));
      this.#signal?.throwIfAborted();
    }
    if (lot.nodes.length > 0) yield lot;
  }

  /** All is read in the order of the nodes, which is that of the packs' bytes. */
  async #take({ nodes }: Lot, sparse: ReadonlySet<Digest>, windows: BlobWindows, out: Output): Promise<void> {
    this.#signal?.throwIfAborted();
    const read = (part: Part) => this.#house.parts.read(this.#space, this.#layer, part, windows);
    const sizes = nodes.filter(isTouched).map(({ parts }) => parts.map(({ start, end }) => end - start));
    const bytes = new Uint8Array(sizes.flat().reduce((sum, size) => sum + size, 0));
    const asTheyAre = new Map<MergedNode, Segment[]>();
    let at = 0;
    for (const node of nodes) {
      if (isTouched(node)) {
        for (const part of node.parts) {
          bytes.set(await read(part), at);
          at += part.end - part.start;
        }
      } else if (node.parts.some(({ blob }) => sparse.has(blob))) {
        const segments: Segment[] = [];
        for (const part of node.parts) segments.push({ ...part, bytes: new Uint8Array(await read(part)) });
        asTheyAre.set(node, segments);
      }
    }
    const options = this.#signal ? { signal: this.#signal } : {};
    const merged = sizes.length > 0 ? await this.#house.workers.merge({ bytes, sizes }, options) : [];
    for (const node of nodes) {
      const points = node.parts.reduce((sum, part) => sum + part.points, 0);
      const segments = isTouched(node) ? [{ ...merged.shift()!, points }] : asTheyAre.get(node);
      if (segments) await out.add(node.id, segments);
      else out.keep(node);
    }
  }
}

/** Whether it has points that the index does not have. */
function isTouched({ parts, indexed }: MergedNode): boolean {
  return parts.length > indexed;
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

  keep({ id, parts }: MergedNode): void {
    this.#nodes.push({ node: id, parts: [...parts] });
  }

  async add(id: NodeId, segments: readonly Segment[]): Promise<void> {
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
