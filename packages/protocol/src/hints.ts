/**
 * What the photographer could do better, said while there is still time. A hint is news: it is given once, and again
 * only when it has become true again. `adviceOfHint` has the words.
 */

import { Id } from "./ids.ts";
import { type Static, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

export const HintCode = Type.Union([
  /**
   * A part of the surface that photos see from one direction only: `region`, and the `step` that helps most; left out
   * where looking back at it from here is enough.
   */
  Type.Literal("thin_side"),
  /** The photo was turned on the spot: it brings no depth. */
  Type.Literal("rotation"),
  /** The photo shares little with the others: the next step is to be half as wide. */
  Type.Literal("small_overlap"),
  /** Photos lie so close together that they bring no depth: the frames of a video, say. */
  Type.Literal("small_steps"),
  Type.Literal("blurred"),
  /** Everything seen lies in one plane: depth and focal length are uncertain. */
  Type.Literal("flat"),
  /** Things moved between the photos: `region`. */
  Type.Literal("moving"),
  /** Photos look alike that show different places. */
  Type.Literal("repetitive"),
  /** Two parts of the model hang together by one photo, or one pair of photos: `region` lies between. */
  Type.Literal("weak_link"),
]);
export type HintCode = Static<typeof HintCode>;

/** As the photographer of the photo sees it. */
export const HintStep = Type.Object({
  direction: Type.Union([Type.Literal("left"), Type.Literal("right"), Type.Literal("higher"), Type.Literal("lower")]),
  /** Around the middle of `region`, degrees. */
  angleDeg: Type.Number({ exclusiveMinimum: 0, maximum: 90 }),
});
export type HintStep = Static<typeof HintStep>;

export const Hint = Type.Object({
  code: HintCode,
  /** The photo that gave rise to it. */
  image: Type.Optional(Id),
  /** A ball in the frame of the hint's generation. */
  region: Type.Optional(Type.Object({ point: Vec3, radius: Type.Number({ minimum: 0 }) })),
  step: Type.Optional(HintStep),
});
export type Hint = Static<typeof Hint>;
