/**
 * Up by what was built upright: edges of walls, doors and columns are plumb, and in each photo they run towards one
 * point. A line seen from a camera spans a plane with it; every plumb line's plane holds the vertical. The direction
 * that most such planes of most photos hold, near where the cameras say up is, is the vertical, to a fraction of a degree,
 * where cameras held by hand are level to two.
 */
import { randomNormal, sampleIndices, seededRandom, symmetricEigen } from "@cairn/geometry";

/** One straight edge of a posed photo. */
export type PlumbCandidate = {
  readonly view: number;
  /** `[3]` unit normal of the plane through the camera, model frame. */
  readonly normal: ArrayLike<number>;
  /** How long it is, as an angle. */
  readonly lengthRad: number;
};

export type Vertical = {
  /** `[3]` unit, model frame, upwards. */
  readonly direction: Float64Array;
  /** One standard deviation about the axis that is known worse. */
  readonly sigmaDeg: number;
  /** Photos that bear it out. */
  readonly views: number;
};

const DEG = Math.PI / 180;
/** A segment's ends are known to about this, as an angle (half a pixel of 900 under a usual lens). */
const END_SIGMA_RAD = 0.5 / 900;
/** Least error of a line: what was built is not plumb to better. */
const LEAST_SIGMA_RAD = 0.3 * DEG;
/** A line is plumb when it is within so many of its sigmas. */
const PLUMB = 2.5;
const TRIES = 800;
/** Two lines that are nearly in one plane with the camera tell no direction. */
const LEAST_SPREAD = Math.sin(8 * DEG);
/** A photo with so many plumb lines bears a direction out; so many photos must, and this part of those with lines. */
const LINES_OF_VIEW = 4;
const LEAST_VIEWS = 3;
const VIEW_SHARE = 0.5;
/** Another direction, at least so far off, with nearly as much behind it leaves up open. */
const APART = Math.cos(4 * DEG);
const NEARLY = 0.75;
/** Worse than this it says no more than the cameras do. */
const MOST_SIGMA_DEG = 1.5;
/** Buildings lean a little, and lenses have more distortion than is modelled. */
const SYSTEMATIC_DEG = 0.3;
const ROUNDS = 8;

/**
 * @param towards up as the cameras are held @param withinDeg how far from it the vertical may be
 * @returns undefined when lines do not tell
 */
export function verticalOf(
  candidates: readonly PlumbCandidate[],
  towards: ArrayLike<number>,
  withinDeg: number,
  seed: number,
): Vertical | undefined {
  const reach = Math.sin(withinDeg * DEG);
  const lines = candidates
    .filter(({ normal }) => Math.abs(dot(normal, towards)) < reach)
    .map((line) => ({ ...line, sigma: Math.hypot(LEAST_SIGMA_RAD, (2 * END_SIGMA_RAD) / line.lengthRad) }));
  const tellingViews = new Map<number, number>();
  for (const { view } of lines) tellingViews.set(view, (tellingViews.get(view) ?? 0) + 1);
  const able = [...tellingViews.values()].filter((count) => count >= LINES_OF_VIEW).length;
  if (able < LEAST_VIEWS) return undefined;

  // No photo outvotes others by its many lines.
  const ofView = new Map<number, number>();
  for (const { view, lengthRad } of lines) ofView.set(view, (ofView.get(view) ?? 0) + lengthRad);
  const weights = lines.map(({ view, lengthRad }) => lengthRad / Math.sqrt(ofView.get(view)!));
  const score = (direction: ArrayLike<number>) => {
    let sum = 0;
    for (const [k, { normal, sigma }] of lines.entries()) {
      const off = dot(normal, direction) / (PLUMB * sigma);
      if (Math.abs(off) < 1) sum += weights[k] * (1 - off * off);
    }
    return sum;
  };
  const tried = directionsOf(lines, towards, Math.cos(withinDeg * DEG), seed).map((direction) => ({
    direction,
    score: score(direction),
  }));
  const best = tried.reduce((most, each) => (each.score > most.score ? each : most), { direction: towards, score: 0 });
  if (best.score === 0) return undefined;
  const rival = Math.max(0, ...tried.map((each) => (dot(each.direction, best.direction) < APART ? each.score : 0)));
  if (rival > NEARLY * best.score) return undefined;
  return refined(lines, weights, best.direction, able);
}

type Line = PlumbCandidate & { readonly sigma: number };

/** Where pairs of lines meet, long ones rather than short ones; and a little around the cameras' up. */
function directionsOf(
  lines: readonly Line[],
  towards: ArrayLike<number>,
  leastCos: number,
  seed: number,
): Float64Array[] {
  const random = seededRandom(seed);
  const ranked = [...lines].sort((p, q) => q.lengthRad - p.lengthRad);
  const found: Float64Array[] = [];
  const pick = new Int32Array(2);
  for (let tries = 0; tries < TRIES; tries++) {
    // The longer half is asked twice as often.
    const among = tries % 2 === 0 ? Math.max(2, ranked.length >> 1) : ranked.length;
    sampleIndices(random, among, pick);
    const crossed = cross(ranked[pick[0]].normal, ranked[pick[1]].normal);
    const length = Math.hypot(...crossed);
    if (length < LEAST_SPREAD) continue;
    const sign = dot(crossed, towards) < 0 ? -1 : 1;
    const direction = crossed.map((x) => (sign * x) / length);
    if (dot(direction, towards) >= leastCos) found.push(direction);
  }
  for (let k = 0; k < TRIES / 10; k++) {
    const direction = Float64Array.from([0, 1, 2], (i) => towards[i] + 0.02 * randomNormal(random));
    found.push(direction.map((x) => x / Math.hypot(...direction)));
  }
  return found;
}

function refined(lines: readonly Line[], weights: readonly number[], from: ArrayLike<number>, able: number) {
  let direction = Float64Array.from(from);
  const values = new Float64Array(3);
  const vectors = new Float64Array(9);
  const trust = (k: number) => {
    const off = dot(lines[k].normal, direction) / (PLUMB * lines[k].sigma);
    return Math.abs(off) < 1 ? (weights[k] * (1 - off * off) ** 2) / lines[k].sigma ** 2 : 0;
  };
  for (let round = 0; round < ROUNDS; round++) {
    const information = new Float64Array(9);
    for (const [k, { normal }] of lines.entries()) {
      const weight = trust(k);
      for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) information[3 * i + j] += weight * normal[i] * normal[j];
    }
    symmetricEigen(information, 3, values, vectors);
    const found = Float64Array.of(vectors[0], vectors[3], vectors[6]);
    direction = dot(found, direction) < 0 ? found.map((x) => -x) : found;
  }
  // Lines of one photo share its errors: how far photos pull apart says how sure the whole is, about either axis.
  const plumbOf = new Map<number, number>();
  const pulls = new Map<number, Float64Array>();
  const axes = [1, 2].map((k) => Float64Array.of(vectors[k], vectors[3 + k], vectors[6 + k]));
  for (const [k, { view, normal }] of lines.entries()) {
    const weight = trust(k);
    if (weight === 0) continue;
    plumbOf.set(view, (plumbOf.get(view) ?? 0) + 1);
    const pull = pulls.get(view) ?? new Float64Array(2);
    for (const [a, axis] of axes.entries()) pull[a] += weight * dot(normal, direction) * dot(normal, axis);
    pulls.set(view, pull);
  }
  const views = [...plumbOf.values()].filter((count) => count >= LINES_OF_VIEW).length;
  if (views < LEAST_VIEWS || views < VIEW_SHARE * able) return undefined;
  const sigmas = [0, 1].map((a) => {
    const square = [...pulls.values()].reduce((sum, pull) => sum + pull[a] ** 2, 0);
    return Math.sqrt((square * pulls.size) / (pulls.size - 1)) / values[a + 1] / DEG;
  });
  const sigmaDeg = Math.hypot(SYSTEMATIC_DEG, Math.max(...sigmas));
  return sigmaDeg <= MOST_SIGMA_DEG ? { direction, sigmaDeg, views } : undefined;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  return Float64Array.of(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]);
}
