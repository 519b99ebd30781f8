/** Designs: files of others in folders that are looked at, each under a name of its collection. Rules: docs/spec/designs.md. */

import { Digest, TimeNs } from "./ids.ts";
import { type Static, type TSchema, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

/** What a mesh is like: vertices with exactly equal coordinates are one, facets without area count and make no edge. */
export const MeshMeasure = Type.Object({
  vertices: Type.Integer({ minimum: 0 }),
  faces: Type.Integer({ minimum: 0 }),
  /** Never negative, whichever way the facets are turned; file units. */
  volume: Type.Number({ minimum: 0 }),
  area: Type.Number({ minimum: 0 }),
  /** Every edge in exactly two facets, in opposite directions. */
  watertight: Type.Boolean(),
  min: Vec3,
  max: Vec3,
});
export type MeshMeasure = Static<typeof MeshMeasure>;

const DesignName = Type.String({ minLength: 1, maxLength: 255 });
const CollectionName = Type.String({ minLength: 1, maxLength: 64, pattern: "^[^/]+$" });

export const DESIGN_EVENTS = {
  /** A design of a collection has content that it had not before: a file that some program wrote. */
  "design.published": Type.Object({
    design: DesignName,
    collection: CollectionName,
    /** 1 for the first content under this name, then 2, 3, …; goes on after a removal. */
    revision: Type.Integer({ minimum: 1 }),
    /** `present`: it was there when its collection was looked at for the first time. */
    change: Type.Union([Type.Literal("present"), Type.Literal("added"), Type.Literal("overwritten")]),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
    /** When the file was last written, by its own account. */
    fileNs: TimeNs,
    format: Type.Union([Type.Literal("stl"), Type.Literal("obj"), Type.Literal("glb"), Type.Literal("ply")]),
    /** Left out: it could not be read as a mesh. */
    mesh: Type.Optional(MeshMeasure),
    /** Why it could not be read. */
    problem: Type.Optional(Type.String({ maxLength: 200 })),
  }),
  "design.removed": Type.Object({ design: DesignName, collection: CollectionName }),
} as const satisfies Record<string, TSchema>;
