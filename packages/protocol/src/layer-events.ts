/** Layers: the octrees of points, from their first pack to their removal. Rules: docs/spec/cloud.md. */

import { Digest, Id } from "./ids.ts";
import { Similarity } from "./pose.ts";
import { type TSchema, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

/** Number of a layer in its space: 1, 2, 3, … */
export const LayerNumber = Type.Integer({ minimum: 1 });
/** `e_x_y_z`: a cube of the layer's dyadic grid, edge `2^e` (docs/spec/cloud.md). */
const NodeKey = Type.String({ pattern: "^-?[0-9]{1,3}_[0-9]{1,10}_[0-9]{1,10}_[0-9]{1,10}$" });

export const LAYER_EVENTS = {
  /** A layer is one octree of points: the model of a generation, or an imported cloud. */
  "layer.started": Type.Object({
    layer: LayerNumber,
    kind: Type.Union([Type.Literal("model"), Type.Literal("import")]),
    name: Type.String({ maxLength: 255 }),
    /** The generation it was made for; an import belongs to none and is always shown. */
    generation: Type.Optional(Type.Integer({ minimum: 1 })),
    /** The operation that fills it: the layer stays when that completes, and is removed when it does not. */
    operation: Type.Optional(Id),
    /** Corner of the grid, layer frame. */
    origin: Vec3,
    /** The octree's first root. */
    seed: NodeKey,
    /** Exponent of the finest nodes: points closer than `2^finest / 64` merge. */
    finest: Type.Integer(),
    /** Layer frame→model frame; left out: the same. */
    transform: Type.Optional(Similarity),
  }),
  /** One insertion: new points as one pack, a blob of segments, at most one for each node. */
  "segments.added": Type.Object({
    layer: LayerNumber,
    /** 0, 1, 2, … within the layer. */
    pack: Type.Integer({ minimum: 0 }),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** The pack's first bytes, which say where each segment is. */
    headBytes: Type.Integer({ minimum: 1 }),
    points: Type.Integer({ minimum: 1 }),
    segments: Type.Integer({ minimum: 1 }),
    /** Points that fell on ones that were there. */
    merged: Type.Integer({ minimum: 0 }),
    /** The photo they came from. */
    image: Type.Optional(Id),
    /** Box of the points, layer frame. */
    min: Vec3,
    max: Vec3,
  }),
  /** The same points in fewer pieces, for those who join later; who follows live need not act. */
  "layer.compacted": Type.Object({
    layer: LayerNumber,
    /** Packs before this one are in the index. */
    packs: Type.Integer({ minimum: 1 }),
    index: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    points: Type.Integer({ minimum: 0 }),
    nodes: Type.Integer({ minimum: 0 }),
    /** Every blob that the index names. */
    blobs: Type.Array(Digest),
  }),
  /** A correction of the pose of all its points. */
  "layer.moved": Type.Object({ layer: LayerNumber, transform: Similarity }),
  "layer.removed": Type.Object({ layer: LayerNumber }),
  /** Bytes of a layer are lost or wrong. `remade`: they were made again from what they came from. */
  "layer.damaged": Type.Object({
    layer: LayerNumber,
    blob: Digest,
    points: Type.Integer({ minimum: 0 }),
    remade: Type.Boolean(),
  }),
} as const satisfies Record<string, TSchema>;
