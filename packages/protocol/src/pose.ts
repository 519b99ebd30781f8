/**
 * Where a camera is, what it is like, and how one frame lies in another: the words that events of many subjects share.
 */

import { Id } from "./ids.ts";
import { type Static, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

/** World→camera (x right, y down, z forward): `x_cam = R(rotation) · x_world + translation`. Quaternion w first. */
export const Pose = Type.Object({
  rotation: Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.Number()]),
  translation: Vec3,
});
export type Pose = Static<typeof Pose>;

/** A COLMAP camera model; pixels of the upright photo at full size, pixel centres at 0.5. */
export const Intrinsics = Type.Object({
  model: Type.Union([Type.Literal("PINHOLE"), Type.Literal("SIMPLE_RADIAL"), Type.Literal("RADIAL")]),
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  /** PINHOLE `fx, fy, cx, cy`; SIMPLE_RADIAL `f, cx, cy, k`; RADIAL `f, cx, cy, k1, k2`. */
  params: Type.Array(Type.Number(), { minItems: 4, maxItems: 5 }),
});
export type Intrinsics = Static<typeof Intrinsics>;

/** Model frame→frame of the generation before: `x' = scale · R(rotation) · x + translation`. */
export const Similarity = Type.Object({
  scale: Type.Number(),
  rotation: Type.Tuple([Type.Number(), Type.Number(), Type.Number(), Type.Number()]),
  translation: Vec3,
});
export type Similarity = Static<typeof Similarity>;

/** One standard deviation of a pose. Of a refined one: against all cameras of the model. */
export const PoseSigma = Type.Object({
  /** RMS distance of the centre, model units. */
  position: Type.Number({ minimum: 0 }),
  /** RMS turn. */
  rotationDeg: Type.Number({ minimum: 0 }),
});
export type PoseSigma = Static<typeof PoseSigma>;

export const PosedCamera = Type.Object({
  image: Id,
  pose: Pose,
  intrinsics: Intrinsics,
  reprojectionPx: Type.Number({ minimum: 0 }),
  sigma: Type.Optional(PoseSigma),
});
export type PosedCamera = Static<typeof PosedCamera>;
