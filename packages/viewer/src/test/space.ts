/** A space for the viewer's tests and measurements: layers of points as events and blobs, made by the real octree and codec. */

import { createHash } from "node:crypto";
import {
  type CloudPoints,
  concatPoints,
  decodePackHead,
  decodeSegment,
  encodeLayerIndex,
  encodePack,
  encodeSegment,
  type LayerGrid,
  type LayerIndex,
  LayerTable,
  Octree,
  planGrid,
} from "@cairn/cloud";
import { deflate, hashOf } from "@cairn/cloud/node";
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
  /** What is known of the packs before those of `#heads`. */
  #table: LayerTable;
  #heads: { blob: string; headBytes: number }[] = [];

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
    this.#table = new LayerTable(this.grid);
  }

  started(about: { generation?: number; transform?: Similarity } = {}): EventDraft {
    const kind = about.generation === undefined ? "import" : "model";
    return { type: "layer.started", data: { layer: this.layer, kind, name: "test", ...this.grid, ...about } };
  }

  /** As the server does in the background: all that the log names, one part a node, in one blob with an index. */
  async compact(): Promise<EventDraft> {
    const table = this.#table;
    for (const { blob, headBytes } of this.#heads.splice(0)) {
      table.applyPack(await decodePackHead(this.#space.blobs.get(blob)!.subarray(0, headBytes), blob));
    }
    const nodes = table.list.filter(({ points }) => points > 0);
    const segments = nodes.map(({ parts }) =>
      encodeSegment(
        concatPoints(
          parts.map(({ blob, start, end }) => decodeSegment(this.#space.blobs.get(blob)!.subarray(start, end))),
        ),
      ).slice(),
    );
    const blob = this.#space.put(Buffer.concat(segments));
    let at = 0;
    const index: LayerIndex = {
      root: table.root!.id,
      nodes: nodes.map(({ id, points }, i) => {
        const [start, bytes] = [at, segments[i]!];
        at += bytes.length;
        return { node: id, parts: [{ blob, start, end: at, points, hash: hashOf(bytes) }] };
      }),
    };
    const bytes = encodeLayerIndex(index, deflate);
    this.#table = new LayerTable(this.grid);
    this.#table.applyIndex(index, this.#packs);
    const data = { layer: this.layer, packs: this.#packs, index: this.#space.put(bytes), sizeBytes: bytes.length };
    return { type: "layer.compacted", data: { ...data, points: table.points, nodes: nodes.length, blobs: [blob] } };
  }

  /** A draft of 0 points is not to be appended. */
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
    if (kept > 0) this.#heads.push(data);
    else this.#packs--;
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

/** Points of a wavy square of ground, edge 10, about `centre`; y is down, as in a photo. */
export function ground(
  count: number,
  seed: number,
  { centre = [0, 0, 0] as Vec3, color = [200, 120, 60] as Vec3, photo = 1 } = {},
): CloudPoints {
  const next = random(seed);
  const positions = new Float64Array(count * 3);
  const colors = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const [x, z] = [next() * 10 - 5, next() * 10 - 5];
    positions.set([centre[0] + x, centre[1] + 0.3 * Math.sin(x) * Math.cos(z), centre[2] + z], i * 3);
    colors.set(color, i * 3);
  }
  return { positions, colors, photos: photo };
}
