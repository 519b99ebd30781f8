/** The one writer of a layer: takes points, makes packs durable and says them as events. */
import { type CloudPoints, encodePack, encodeSegment, Octree, planGrid } from "@cairn/cloud";
import { deflate, hashOf } from "@cairn/cloud/node";
import type { EventData, EventDraft, Id, Seq, Vec3 } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";

export type LayerStart = Pick<EventData<"layer.started">, "layer" | "kind" | "name" | "generation" | "transform"> & {
  /** Wanted smallest distance of points, layer units. */
  spacing?: number;
};

export class LayerWriter {
  readonly #blobs: BlobStore;
  readonly #start: LayerStart;
  #octree: Octree | undefined;
  #packs = 0;

  constructor(blobs: BlobStore, start: LayerStart) {
    this.#blobs = blobs;
    this.#start = start;
  }

  /**
   * Inserts points; their pack is durable when it resolves. The drafts must be appended, in order and once: the tree
   * already holds the points. The first insertion also starts the layer, with a grid that suits its points.
   */
  async insert(points: CloudPoints, about: { image?: Id; cause?: Seq } = {}): Promise<EventDraft[]> {
    const { cause, image } = about;
    const caused = cause === undefined ? {} : { cause };
    const drafts: EventDraft[] = [];
    if (!this.#octree) {
      const { spacing, ...start } = this.#start;
      const { min, max } = finiteBounds(points.positions);
      const grid = planGrid(min, max, spacing);
      this.#octree = new Octree(grid);
      drafts.push({ type: "layer.started", ...caused, data: { ...start, ...grid } });
    }
    const { root, segments, kept, merged, min, max } = this.#octree.insert(points);
    if (kept === 0) return drafts;
    const encoded = segments.map((segment) => encodeSegment(segment, deflate));
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    const { digest: blob, sizeBytes } = await this.#blobs.put(bytes);
    const data: EventData<"segments.added"> = {
      layer: this.#start.layer,
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
    return drafts;
  }
}

function finiteBounds(positions: Float32Array | Float64Array): { min: Vec3; max: Vec3 } {
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i++) {
    const axis = i % 3;
    const value = positions[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < min[axis]!) min[axis] = value;
    if (value > max[axis]!) max[axis] = value;
  }
  return min[0] <= max[0] ? { min, max } : { min: [0, 0, 0], max: [1, 1, 1] };
}
