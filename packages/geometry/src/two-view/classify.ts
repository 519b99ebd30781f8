/**
 * What a pair of views is, and the pose that suits it. A plane is explained by a homography as well as by an essential
 * matrix, and then the five-point pose is worth nothing: a whole family of essential matrices fits. The homography's own
 * poses are two; points behind a camera and matches off the plane mostly say which is right. Where they do not, both are
 * given, and a third view tells (`chooseByThirdView`).
 */
import { svd3 } from "../linear/svd3.ts";
import { poseFromRotation, rotationAngle } from "../rotation/pose.ts";
import { essentialFromPose, sampsonSquare } from "./essential.ts";
import { judgeFront, type Sight, sight } from "./front.ts";
import { estimateHomography, homographySquare } from "./homography.ts";
import { decomposeHomography, homographyFromPlane, type PlanePose } from "./plane-pose.ts";
import { refineRelativePose } from "./refine.ts";
import { OFF_PLANE, ON_PLANE, refinePlanePose } from "./refine-plane.ts";
import { estimateRelativePose, type RelativePose, type TwoViewOptions } from "./relative-pose.ts";

export type TwoViewKind = "general" | "planar" | "rotation" | "none";

export type PoseCandidate = RelativePose & {
  /** The scene's plane, of a planar pair: n · X = distance, X in the first camera's frame, |t| the unit of length. */
  readonly plane?: { readonly normal: Float64Array; readonly distance: number };
};

export type TwoView = {
  readonly kind: TwoViewKind;
  /**
   * Best first: one of a general pair; one or, where the matches cannot decide, two of a planar one; one with t = 0 of a
   * rotation; none of "none".
   */
  readonly candidates: readonly PoseCandidate[];
  /** Matches that a homography explains, as a share of those that the best epipolar geometry does. */
  readonly homographyShare: number;
};

export type ClassifyOptions = TwoViewOptions & {
  /** Fewer matches in agreement, or a smaller share of all, are "none". */
  readonly minInliers?: number;
  readonly minInlierShare?: number;
  /** A homography that explains this share of the inliers makes the pair flat (or turned). */
  readonly flatShare?: number;
  /** Flat, and seen under a smaller median angle than this: a rotation. Radians. */
  readonly minAngle?: number;
};

/** Below this share no plane is worth a pose of its own. */
const DOMINANT_SHARE = 0.4;
/** Finds a plane of half of the inliers with 99.9 %; the search need not go on for less. */
const HOMOGRAPHY_ITERATIONS = 120;
const HOMOGRAPHY_MATCHES = 500;
/** Enough matches to polish a plane's pose; all of them judge it. */
const POLISH_MATCHES = 400;
/** Standard deviations by which one candidate must explain the matches better for the other to be dropped. */
const DECIDED = 3;

/** @param first, second `[n, 2]` normalised, undistorted; the same index in both is one match */
export function classifyTwoView(first: Float64Array, second: Float64Array, options: ClassifyOptions): TwoView {
  const { maxError, minInliers = 25, minInlierShare = 0.3, flatShare = 0.9, minAngle = Math.PI / 180 } = options;
  const n = first.length / 2;
  const relative = estimateRelativePose(first, second, options);
  const enough = (count: number) => count >= minInliers && count >= minInlierShare * n;
  if (!relative || !enough(relative.inlierCount)) return { kind: "none", candidates: [], homographyShare: 0 };

  const homography = dominantHomography(first, second, relative.inliers, options);
  const limit = maxError * maxError;
  const onPlane = homography ? planeRoles(first, second, homography, limit) : new Uint8Array(n);
  const share = Math.min(1, countRole(onPlane, ON_PLANE) / relative.inlierCount);
  if (!homography || share < DOMINANT_SHARE) {
    return { kind: "general", candidates: [relative], homographyShare: share };
  }

  const explained = decomposeHomography(homography)
    .map((plane) => explain(first, second, plane, onPlane, maxError))
    .sort((p, q) => p.score - q.score);
  if (explained.length === 0) return { kind: "general", candidates: [relative], homographyShare: share };
  if (share <= flatShare) {
    return {
      kind: "general",
      candidates: [betterOf(first, second, relative, explained, maxError)],
      homographyShare: share,
    };
  }
  const [best, other] = explained;
  const both = !same(best.plane.pose, other.plane.pose) && evidence(best.errors, other.errors) < DECIDED;
  const standing = both ? [best, other] : [best];
  // A move sideways before a wall has a near double: ahead along a steep one, under small angles. It is no rotation.
  if (standing.every(({ medianAngle }) => medianAngle < minAngle)) {
    return {
      kind: "rotation",
      candidates: [turned(first, second, homography, onPlane, maxError)],
      homographyShare: share,
    };
  }
  const candidates = standing.map((each) => candidateOf(first, second, each, limit));
  return { kind: "planar", candidates, homographyShare: share };
}

/** The homography of most of the inliers, from a fair part of them. */
function dominantHomography(
  first: Float64Array,
  second: Float64Array,
  inliers: Uint8Array,
  options: TwoViewOptions,
): Float64Array | undefined {
  const indices = Array.from(inliers.keys()).filter((k) => inliers[k]);
  const step = Math.max(1, indices.length / HOMOGRAPHY_MATCHES);
  const some = Array.from({ length: Math.floor(indices.length / step) }, (_, k) => indices[Math.floor(k * step)]);
  const side = (rays: Float64Array) => Float64Array.from(some.flatMap((k) => [rays[2 * k], rays[2 * k + 1]]));
  const { random, maxError } = options;
  return estimateHomography(side(first), side(second), { random, maxError, maxIterations: HOMOGRAPHY_ITERATIONS })
    ?.matrix;
}

function planeRoles(first: Float64Array, second: Float64Array, h: Float64Array, limit: number): Uint8Array {
  const roles = new Uint8Array(first.length / 2);
  for (let k = 0, i = 0; k < roles.length; k++, i += 2) {
    if (homographySquare(h, first[i], first[i + 1], second[i], second[i + 1]) < limit) roles[k] = ON_PLANE;
  }
  return roles;
}

function countRole(roles: Uint8Array, role: number): number {
  let count = 0;
  for (const each of roles) if (each === role) count++;
  return count;
}

/** A plane's pose, and what it leaves unexplained. */
type Explained = {
  readonly plane: PlanePose;
  /** `[n]` squared error of each match, at most the limit, which is also that of a match behind a camera. */
  readonly errors: Float64Array;
  readonly score: number;
  /** Of the matches on the plane, radians. */
  readonly medianAngle: number;
};

/** Turns the plane towards the points, refines, and looks how well all matches are explained. */
function explain(
  first: Float64Array,
  second: Float64Array,
  plane: PlanePose,
  onPlane: Uint8Array,
  maxError: number,
): Explained {
  const limit = maxError * maxError;
  const n = onPlane.length;
  let ahead = 0;
  for (let k = 0; k < n; k++) if (onPlane[k]) ahead += planeSide(plane, first, k) > 0 ? 1 : -1;
  if (ahead < 0) {
    for (let i = 3; i < 12; i += 4) plane.pose[i] *= -1;
    for (let i = 0; i < 3; i++) plane.normal[i] *= -1;
  }
  const e = new Float64Array(9);
  const roles = new Uint8Array(n);
  for (let round = 0; round < 2; round++) {
    const h = homographyFromPlane(plane);
    essentialFromPose(plane.pose, e);
    for (let k = 0, i = 0; k < n; k++, i += 2) {
      const [x, y, u, v] = [first[i], first[i + 1], second[i], second[i + 1]];
      if (homographySquare(h, x, y, u, v) < limit) roles[k] = ON_PLANE;
      else roles[k] = sampsonSquare(e, x, y, u, v) < limit ? OFF_PLANE : 0;
    }
    thin(roles, POLISH_MATCHES);
    refinePlanePose(first, second, plane, { scale: maxError / 2, roles });
  }

  const h = homographyFromPlane(plane);
  essentialFromPose(plane.pose, e);
  const errors = new Float64Array(n).fill(limit);
  const angles: number[] = [];
  const seen: Sight = { depth: 0, angle: 0 };
  let score = 0;
  for (let k = 0, i = 0; k < n; k++, i += 2) {
    const [x, y, u, v] = [first[i], first[i + 1], second[i], second[i + 1]];
    const flat = homographySquare(h, x, y, u, v) < limit;
    // On the plane the depth is that of the plane: surer than two rays that are nearly parallel.
    const front = sight(plane.pose, x, y, u, v, seen);
    if (flat ? planeSide(plane, first, k) > 0 : front) errors[k] = Math.min(limit, sampsonSquare(e, x, y, u, v));
    if (flat) angles.push(turnedAngle(plane.pose, x, y, u, v));
    score += errors[k];
  }
  angles.sort((p, q) => p - q);
  return { plane, errors, score, medianAngle: angles[angles.length >> 1] ?? 0 };
}

/** Leaves at most `most` matches, evenly spread, their role. */
function thin(roles: Uint8Array, most: number): void {
  let counting = 0;
  for (const role of roles) if (role !== 0) counting++;
  if (counting <= most) return;
  let at = 0;
  let kept = 0;
  for (let k = 0; k < roles.length; k++) {
    if (roles[k] === 0) continue;
    if (Math.floor((++at * most) / counting) > kept) kept++;
    else roles[k] = 0;
  }
}

/** n · ray: above 0 where the ray meets the plane before the first camera. */
function planeSide({ normal }: PlanePose, rays: Float64Array, k: number): number {
  return normal[0] * rays[2 * k] + normal[1] * rays[2 * k + 1] + normal[2];
}

/** Angle between a ray of the first camera, turned into the second, and one of the second. */
function turnedAngle(pose: Float64Array, x: number, y: number, u: number, v: number): number {
  const a0 = pose[0] * x + pose[1] * y + pose[2];
  const a1 = pose[4] * x + pose[5] * y + pose[6];
  const a2 = pose[8] * x + pose[9] * y + pose[10];
  return Math.atan2(Math.hypot(a1 - a2 * v, a2 * u - a0, a0 * v - a1 * u), a0 * u + a1 * v + a2);
}

/**
 * By how many standard deviations `a` explains the matches better than `b`: the sum of the differences against what it
 * would be by chance if each might as well have gone the other way. Where both explain a match equally it has no say.
 */
export function evidence(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  let squares = 0;
  for (let k = 0; k < a.length; k++) {
    const difference = b[k] - a[k];
    sum += difference;
    squares += difference * difference;
  }
  return squares > 0 ? sum / Math.sqrt(squares) : 0;
}

/** |t| = 1, or the pose as it is when there is no t. */
function unitPose(pose: Float64Array): Float64Array {
  const length = Math.hypot(pose[3], pose[7], pose[11]) || 1;
  return pose.map((value, i) => (i % 4 === 3 ? value / length : value));
}

/** The two poses of a homography meet when the camera moves along the normal. */
function same(p: Float64Array, q: Float64Array): boolean {
  const [a, b] = [unitPose(p), unitPose(q)];
  return rotationAngle(a, 0, b, 0) < 1e-3 && Math.hypot(a[3] - b[3], a[7] - b[7], a[11] - b[11]) < 1e-2;
}

function candidateOf(
  first: Float64Array,
  second: Float64Array,
  { plane, errors }: Explained,
  limit: number,
): PoseCandidate {
  const distance = 1 / Math.hypot(plane.pose[3], plane.pose[7], plane.pose[11]);
  return {
    ...withInliers(first, second, unitPose(plane.pose), errors, limit),
    plane: { normal: plane.normal, distance },
  };
}

function withInliers(
  first: Float64Array,
  second: Float64Array,
  pose: Float64Array,
  errors: Float64Array,
  limit: number,
): RelativePose {
  const inliers = Uint8Array.from(errors, (error) => (error < limit ? 1 : 0));
  const chosen = Int32Array.from(Array.from(inliers.keys()).filter((k) => inliers[k]));
  return { ...judgeFront(first, second, pose, chosen, chosen.length), inliers, inlierCount: chosen.length };
}

/**
 * Of a scene that is mostly flat, five-point samples may all lie on the plane. The plane's poses, polished by the
 * epipolar error of all matches, compete with what they found.
 */
function betterOf(
  first: Float64Array,
  second: Float64Array,
  relative: RelativePose,
  explained: readonly Explained[],
  maxError: number,
): RelativePose {
  const limit = maxError * maxError;
  let best = relative;
  let least = sum(epipolarErrors(first, second, relative.pose, limit));
  for (const { plane, errors } of explained) {
    const pose = unitPose(plane.pose);
    const matches = Int32Array.from(Array.from(errors.keys()).filter((k) => errors[k] < limit));
    refineRelativePose(first, second, pose, { scale: maxError / 2, matches });
    const polished = epipolarErrors(first, second, pose, limit);
    const score = sum(polished);
    if (score >= least) continue;
    least = score;
    best = withInliers(first, second, pose, polished, limit);
  }
  return best;
}

function epipolarErrors(first: Float64Array, second: Float64Array, pose: Float64Array, limit: number): Float64Array {
  const e = essentialFromPose(pose);
  return new Float64Array(first.length / 2).map((_, k) =>
    Math.min(limit, sampsonSquare(e, first[2 * k], first[2 * k + 1], second[2 * k], second[2 * k + 1])),
  );
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}

/** The rotation nearest to the homography, refined; t = 0. */
function turned(
  first: Float64Array,
  second: Float64Array,
  h: Float64Array,
  roles: Uint8Array,
  maxError: number,
): PoseCandidate {
  const [u, s, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
  svd3(h, u, s, v);
  const rotation = Float64Array.from({ length: 9 }, (_, at) => {
    const [i, j] = [Math.floor(at / 3) * 3, (at % 3) * 3];
    return u[i] * v[j] + u[i + 1] * v[j + 1] + u[i + 2] * v[j + 2];
  });
  const plane = { pose: poseFromRotation(rotation, [0, 0, 0]), normal: Float64Array.of(0, 0, 1) };
  refinePlanePose(first, second, plane, { scale: maxError / 2, roles, turnOnly: true });
  return {
    pose: plane.pose,
    inliers: roles,
    inlierCount: countRole(roles, ON_PLANE),
    inFront: 1,
    medianAngle: medianTurned(),
  };

  function medianTurned(): number {
    const angles: number[] = [];
    for (let k = 0, i = 0; k < roles.length; k++, i += 2) {
      if (roles[k]) angles.push(turnedAngle(plane.pose, first[i], first[i + 1], second[i], second[i + 1]));
    }
    return angles.sort((p, q) => p - q)[angles.length >> 1];
  }
}
