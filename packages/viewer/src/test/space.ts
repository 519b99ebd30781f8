/** A space for the viewer's tests and measurements: layers of points as events and blobs, made by the real octree and codec. */

import { createHash } from "node:crypto";
import { type CloudPoints, encodePack, encodeSegment, type LayerGrid, Octree, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import type { CairnEvent, EventData, EventDraft, Similarity, Vec3 } from "@cairn/protocol";

export class TestSpace {
  readonly blobs = new Map<string, Uint8Array>();
  #seq = 0;

  /** As the log would number them. */
  events(...drafts: EventDraft[]): CairnEvent[] {
    return drafts.map((draft) => ({ ...draft, seq: ++this.#seq, timeNs: "0" }) as CairnEvent);
  }

  put(bytes: Uint8Array): string {
    const digest = createHash("sha256").update(bytes).digest("hex");
    this.blobs.set(digest, bytes);
    return digest;
  }
}

export class TestLayer {
  readonly layer: number;
  readonly grid: LayerGrid;
  readonly #space: TestSpace;
  readonly #tree: Octree;
  #packs = 0;

  constructor(
    space: TestSpace,
    layer: number,
    min: Vec3,
    max: Vec3,
    { grid, spacing }: { grid?: LayerGrid; spacing?: number } = {},
  ) {
    this.#space = space;
    this.layer = layer;
    this.grid = grid ?? planGrid(min, max, spacing);
    this.#tree = new Octree(this.grid);
  }

  started(about: { generation?: number; transform?: Similarity } = {}): EventDraft {
    const kind = about.generation === undefined ? "import" : "model";
    return { type: "layer.started", data: { layer: this.layer, kind, name: "test", ...this.grid, ...about } };
  }

  insert(points: CloudPoints): EventDraft {
    const { root, segments, kept, merged, min, max } = this.#tree.insert(points);
    const { bytes, headBytes } = encodePack(
      root,
      segments.map((segment) => encodeSegment(segment)),
      hashOf,
    );
    const data: EventData<"segments.added"> = {
      layer: this.layer,
      pack: this.#packs++,
      blob: this.#space.put(bytes),
      sizeBytes: bytes.length,
      headBytes,
      points: kept,
      segments: segments.length,
      merged,
      min,
      max,
    };
    return { type: "segments.added", data };
  }
}

/** Numbers in 0…1, the same on every machine: mulberry32. */
export function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Points of a wavy square of ground, edge 10, about `center`; y is down, as in a photo. */
export function ground(
  count: number,
  seed: number,
  { center = [0, 0, 0] as Vec3, color = [200, 120, 60] as Vec3, photo = 1 } = {},
): CloudPoints {
  const next = random(seed);
  const positions = new Float64Array(count * 3);
  const colors = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const [x, z] = [next() * 10 - 5, next() * 10 - 5];
    positions.set([center[0] + x, center[1] + 0.3 * Math.sin(x) * Math.cos(z), center[2] + z], i * 3);
    colors.set(color, i * 3);
  }
  return { positions, colors, photos: photo };
}
