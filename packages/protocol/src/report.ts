/**
 * How a model came about and how far it can be trusted: the report of a space, made after every rebuild.
 * Photos are named once, in `photos`; everywhere else a photo is its index there. Frames and units: points and lengths
 * are of the model's frame in the report's generation, pixels of the photos at full size.
 */

import { Doubt } from "./generation-events.ts";
import { Id } from "./ids.ts";
import { Reason, Verdict } from "./image-events.ts";
import { PoseSigma } from "./pose.ts";
import { type Static, Type } from "./schema.ts";
import { Vec3 } from "./vectors.ts";

const Index = Type.Integer({ minimum: 0, description: "Index into `photos`." });
const Count = Type.Integer({ minimum: 0 });

export const ReportPhoto = Type.Object({
  image: Id,
  name: Type.String(),
  verdict: Type.Union([...Verdict.properties.verdict.anyOf, Type.Literal("unjudged")]),
  reason: Type.Optional(Reason),
  duplicateOf: Verdict.properties.duplicateOf,
  placePhotos: Verdict.properties.placePhotos,
  matches: Type.Optional(Count),
  reprojectionPx: Type.Optional(Type.Number({ minimum: 0 })),
  sigma: Type.Optional(PoseSigma),
  nearest: Type.Optional(
    Type.Object(
      { photo: Index, matches: Count },
      { description: "Of a photo without a pose: the one it looks most like." },
    ),
  ),
});
export type ReportPhoto = Static<typeof ReportPhoto>;

/** `counts[i]` values lie from `i · bin` to `(i + 1) · bin`; the last bin takes all beyond. */
export const Histogram = Type.Object({ bin: Type.Number({ exclusiveMinimum: 0 }), counts: Type.Array(Count) });
export type Histogram = Static<typeof Histogram>;

export const MatchEdge = Type.Object({
  a: Index,
  b: Index,
  matches: Type.Integer({ minimum: 0, description: "Features that look alike." }),
  inliers: Type.Integer({ minimum: 0, description: "Those that two-view geometry bears out." }),
  kind: Type.Union([Type.Literal("general"), Type.Literal("planar"), Type.Literal("rotation")]),
  angleDeg: Type.Number({ minimum: 0, description: "Median angle between the two rays of a point." }),
  agrees: Type.Optional(
    Type.Boolean({ description: "Whether the poses bear the pair out; left out where one is missing." }),
  ),
});
export type MatchEdge = Static<typeof MatchEdge>;

/** Where the match graph would fall apart. */
export const WeakLink = Type.Object({
  photos: Type.Array(Index, {
    minItems: 1,
    maxItems: 2,
    description: "One photo, or the two of a pair, whose loss would split the model.",
  }),
  parts: Type.Tuple([Count, Count], { description: "Photos on the two sides, the larger first." }),
});
export type WeakLink = Static<typeof WeakLink>;

export const Patch = Type.Object({
  point: Vec3,
  points: Type.Integer({ minimum: 1, description: "Points of the model in it; of a single view: features." }),
  views: Type.Integer({ minimum: 1, description: "Photos that see it." }),
  spreadViews: Type.Integer({
    minimum: 1,
    description: "How many of them look from directions at least 8° from one another.",
  }),
  spreadDeg: Type.Number({ minimum: 0, description: "Widest angle between two of them." }),
});
export type Patch = Static<typeof Patch>;

export const ReportLens = Type.Object({
  source: Type.Union([Type.Literal("given"), Type.Literal("exif"), Type.Literal("estimated")]),
  photos: Count,
  focalPx: Type.Number({ exclusiveMinimum: 0 }),
  sigmaPx: Type.Number({ minimum: 0, description: "One standard deviation." }),
  certain: Type.Boolean(),
  toldPx: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      description: "Where the photos deny a focal length that was given: the one they tell.",
    }),
  ),
});
export type ReportLens = Static<typeof ReportLens>;

/** What an engine knows of its model. */
export const EngineReport = Type.Object({
  photos: Type.Array(ReportPhoto, { description: "In the order in which they came." }),
  points: Count,
  reprojection: Type.Object({
    meanPx: Type.Number({ minimum: 0 }),
    medianPx: Type.Number({ minimum: 0 }),
    histogramPx: Histogram,
  }),
  tracks: Type.Object({
    meanViews: Type.Number({ minimum: 0 }),
    counts: Type.Array(Count, { description: "`counts[n]` points are seen by n photos; the last by so many or more." }),
  }),
  graph: Type.Object({
    edges: Type.Array(MatchEdge),
    components: Type.Array(Type.Object({ photos: Type.Array(Index), posed: Count }), {
      description: "Photos that hang together by pairs, the largest group first; photos without any pair are left out.",
    }),
    weakLinks: Type.Array(WeakLink, {
      description: "Those that would split most come first.",
    }),
  }),
  lenses: Type.Array(ReportLens),
  doubts: Type.Array(Doubt, { description: "Why the model must not be relied on." }),
  coverage: Type.Object({
    patch: Type.Number({ minimum: 0, description: "Edge of a patch." }),
    patches: Count,
    bySpreadViews: Type.Array(Count, {
      description: "`[n]` patches seen from n directions; the last from so many or more.",
    }),
    weakest: Type.Array(Patch, { description: "At most 200, those that most would gain from another photo first." }),
  }),
});
export type EngineReport = Static<typeof EngineReport>;

/** The report of a space. */
export const Report = Type.Object({
  generation: Type.Integer({ minimum: 1 }),
  used: Count,
  ...EngineReport.properties,
});
export type Report = Static<typeof Report>;
