/**
 * Generations of the model: their cameras and paths, what is known of up, metres and the earth, their reports, the advice
 * they gave rise to, and the anchors that go along with them. Rules: docs/spec/generations.md.
 */

import { Hint } from "./hints.ts";
import { Digest, Id, TimeNs } from "./ids.ts";
import { LayerNumber } from "./layer-events.ts";
import { Pose, PosedCamera, Similarity } from "./pose.ts";
import { type Static, type TSchema, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

/** Why a model must not be relied on though every photo has its place. */
export const Doubt = Type.Union([
  /** Nobody told the focal length, and the photos leave it open: the model may be stretched or bent. */
  Type.Literal("focal_uncertain"),
  /** A part, or a camera, hangs on the rest by too little: it may lie elsewhere, or be of another size. */
  Type.Literal("weak_seam"),
  /** The calibration that was given does not fit the photos: the model is bent. */
  Type.Literal("calibration_denied"),
  /** The photos were squeezed one way: the model is bent. */
  Type.Literal("pixels_not_square"),
]);
export type Doubt = Static<typeof Doubt>;

/**
 * Up, told by the cameras: `horizon` where they look different ways and are held level, `cameras` where no more is
 * known than how they are held on average.
 */
export const Upright = Type.Object({
  /** Plumb lines of what was built; motion sensors; cameras that are held level; GPS; or just how the cameras are held on average. */
  source: Type.Union([
    Type.Literal("verticals"),
    Type.Literal("gravity"),
    Type.Literal("horizon"),
    Type.Literal("gps"),
    Type.Literal("cameras"),
  ]),
  /** One standard deviation. */
  sigmaDeg: Type.Number({ minimum: 0 }),
  /** How far the model's z is from up. */
  tiltDeg: Type.Number({ minimum: 0 }),
});
export type Upright = Static<typeof Upright>;

/** What tells metres: GPS, or motion sensors that were carried along; `unit` is a length nobody knows. */
export const Scale = Type.Object({
  source: Type.Union([Type.Literal("gps"), Type.Literal("motion"), Type.Literal("unit")]),
  /** How long one unit is, metres. */
  metres: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
  /** One standard deviation of that, as a part of it. */
  sigma: Type.Optional(Type.Number({ minimum: 0 })),
});
export type Scale = Static<typeof Scale>;

/** Where a model lies on the earth. */
export const Georeference = Type.Object({
  /** Origin of an east-north-up frame in metres, WGS 84. */
  latitudeDeg: Type.Number({ minimum: -90, maximum: 90 }),
  longitudeDeg: Type.Number({ minimum: -180, maximum: 180 }),
  altitudeM: Type.Number(),
  /** Model frame→east-north-up. */
  enuFromModel: Similarity,
  /** RMS distance between the cameras and where GPS saw them, metres. */
  residualM: Type.Number({ minimum: 0 }),
});
export type Georeference = Static<typeof Georeference>;

/** A pose of a camera that filmed, when the picture was taken. */
export const PathPose = Type.Object({ image: Id, timeNs: TimeNs, pose: Pose });
export type PathPose = Static<typeof PathPose>;

export const GENERATION_EVENTS = {
  "camera.posed": Type.Object({ generation: Type.Integer({ minimum: 1 }), ...PosedCamera.properties }),
  /**
   * The way of a camera that filmed, by the poses of its keyframes: those of a newer generation begin it anew, others
   * are added, or replace the ones of the same images.
   */
  "path.extended": Type.Object({
    /** The `sequence` of its photos. */
    path: Type.String({ minLength: 1, maxLength: 200 }),
    generation: Type.Integer({ minimum: 1 }),
    poses: Type.Array(PathPose, { minItems: 1, maxItems: 1000 }),
  }),
  "generation.started": Type.Object({ generation: Type.Integer({ minimum: 1 }) }),
  "generation.published": Type.Object({
    generation: Type.Integer({ minimum: 1 }),
    cameras: Type.Integer({ minimum: 0 }),
    points: Type.Integer({ minimum: 0 }),
    /**
     * Photos processed when everything was refined together, or when someone went back; 0 for a first generation that
     * grows as photos come.
     */
    refined: Type.Integer({ minimum: 0 }),
    /** How the new model was laid onto the old frame, and the RMS distance left, as a part of the scene's size. */
    alignment: Type.Optional(Similarity),
    residual: Type.Optional(Type.Number({ minimum: 0 })),
    /** The sparse model as COLMAP text files. */
    model: Type.Optional(Type.Object({ cameras: Digest, images: Digest, points3D: Digest })),
    /** Layers it shows; left out: those started for it. A layer that stays the same is named again, not sent again. */
    layers: Type.Optional(Type.Array(LayerNumber)),
    georeference: Type.Optional(Georeference),
    /** Which way is up, and how surely. */
    upright: Type.Optional(Upright),
    /** What the model's unit of length is; left out: not known. */
    scale: Type.Optional(Scale),
    /** Left out: none. */
    doubts: Type.Optional(Type.Array(Doubt, { maxItems: 16 })),
    /** Photos were also looked at from the side: a replay must do so, too. */
    thorough: Type.Optional(Type.Literal(true)),
    /** The earlier generation whose cameras and layers these are: someone went back to it. */
    restores: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  /** How a generation came about: a blob, the JSON of a `Report`. */
  "report.made": Type.Object({
    generation: Type.Integer({ minimum: 1 }),
    blob: Digest,
    sizeBytes: Type.Integer({ minimum: 1 }),
  }),
  /** Advice while photos are being taken. */
  "hint.given": Type.Object({ generation: Type.Integer({ minimum: 0 }), ...Hint.properties }),
  /** A point that keeps its place while the model is refined; a later one of the same id replaces it. */
  "anchor.placed": Type.Object({
    anchor: Id,
    generation: Type.Integer({ minimum: 1 }),
    /** Model frame. */
    point: Vec3,
    label: Type.Optional(Type.String({ maxLength: 200 })),
    /** Brought into a new generation with the model; nobody moved it. */
    carried: Type.Optional(Type.Boolean()),
    /** Where it was when it was brought: one that someone has moved or removed since then stays as it is now. */
    from: Type.Optional(Vec3),
  }),
  "anchor.removed": Type.Object({ anchor: Id }),
} as const satisfies Record<string, TSchema>;
