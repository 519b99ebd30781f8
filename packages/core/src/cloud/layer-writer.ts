/**
 * The one writer of a layer: takes points, makes packs durable and says them as events. Its tree is a shadow of the log:
 * where the two differ (a restart, an append that failed), it is built again from the layer's blobs.
 */
import { type CloudPoints, encodePack, encodeSegment, type LayerGrid, Octree } from "@cairn/cloud";
import { decodeSegmentSync, hashOf } from "@cairn/cloud/node";
import type { EventData, EventDraft, Id, LayerState, Seq } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import { chooseGrid } from "./choose-grid.ts";
import { type LayerTables, readPart } from "./layer-tables.ts";

export type LayerStart = Pick<EventData<"layer.started">, "layer" | "kind" | "name" | "generation" | "transform"> & {
  /** Wanted smallest distance of points, layer units. */
  spacing?: number;
  /** Another layer's: taken where it suits the first points, so that equal points make equal bytes. */
  grid?: LayerGrid;
};

export class LayerWriter {
  readonly #space: Space;
  readonly #blobs: BlobStore;
  readonly #tables: LayerTables;
  readonly #start: LayerStart;
  #tree: Octree | undefined;
  /** Packs that the tree holds. */
  #packs = 0;

  constructor(space: Space, blobs: BlobStore, tables: LayerTables, start: LayerStart) {
    this.#space = space;
    this.#blobs = blobs;
    this.#tables = tables;
    this.#start = start;
  }

  get layer(): number {
    return this.#start.layer;
  }

  /**
   * Inserts points; their packs are durable when it resolves, one for each chunk that brings any. The drafts are to be
   * appended before the next call: what the log does not hold by then was never inserted. The first also start the layer.
   */
  async insert(chunks: readonly CloudPoints[], about: { image?: Id; cause?: Seq } = {}): Promise<EventDraft[]> {
    const { cause, image } = about;
    const caused = cause === undefined ? {} : { cause };
    const drafts: EventDraft[] = [];
    const known = this.#known;
    if (known) await this.#catchUp(known);
    else this.#tree = undefined;
    for (const points of chunks) {
      if (!this.#tree) {
        const { spacing, grid: wanted, ...start } = this.#start;
        const grid = chooseGrid(points.positions, spacing, wanted);
        this.#tree = new Octree(grid);
        this.#packs = 0;
        drafts.push({ type: "layer.started", ...caused, data: { ...start, ...grid } });
      }
      const { root, segments, kept, merged, min, max } = this.#tree.insert(points);
      if (kept === 0) continue;
      const encoded = segments.map((segment) => encodeSegment(segment));
      const { bytes, headBytes } = encodePack(root, encoded, hashOf);
      const { digest: blob, sizeBytes } = await this.#blobs.put(bytes);
      const data: EventData<"segments.added"> = {
        layer: this.layer,
        pack: this.#packs++,
        blob,
        sizeBytes,
        headBytes,
        points: kept,
        segments: segments.length,
        merged,
        ...(image && { image }),
        min,
        max,
      };
      drafts.push({ type: "segments.added", ...caused, data });
    }
    return drafts;
  }

  get #known(): LayerState | undefined {
    return this.#space.log.snapshot().state.layers[this.layer];
  }

  /** Where the tree is not what the log tells, it is built from the layer's parts. */
  async #catchUp({ origin, seed, finest, index, packs }: LayerState): Promise<void> {
    const durable = (index?.packs ?? 0) + packs.length;
    if (this.#tree && this.#packs === durable) return;
    this.#tree = undefined;
    const tree = new Octree({ origin, seed, finest });
    const table = await this.#tables.open(this.#space, this.layer);
    for (const { parts } of table.list) {
      for (const part of parts) tree.restore(decodeSegmentSync(await readPart(this.#blobs, part)));
    }
    this.#tree = tree;
    this.#packs = durable;
  }
}
