/**
 * What lies between two scenes, or two parts of one: features of one that see points of the other, and the similarity
 * that these bear out. Two sets of cameras differ by a turn, a shift and a scale, and the scale is what one photo
 * alone cannot tell: it takes points that both have, or two photos placed in both.
 */
import {
  alignPoints,
  cameraCentre,
  estimateAbsolutePose,
  invertSimilarity,
  type Random,
  type Similarity3,
  sampleIndices,
  seededRandom,
  transformPoints,
} from "@cairn/geometry";
import type { Pair } from "./pair.ts";
import { median, type Scene } from "./scene.ts";
import { observationErrorPx } from "./structure.ts";
import type { Track } from "./tracks.ts";

/** A feature of one side that sees a point of the other. */
type Sighting = {
  readonly bySecond: boolean;
  readonly view: number;
  readonly feature: number;
  readonly point: Float64Array;
  /** All that say so. */
  readonly pairs: Pair[];
};

export type Evidence = {
  readonly sightings: readonly Sighting[];
  /** `[n, 3]` points that both sides have, as each has them. */
  readonly first: Float64Array;
  readonly second: Float64Array;
};

/** A side: cameras and points of a scene, and which of its views count. */
export type Side = { readonly scene: Scene; readonly has: (view: number) => boolean };

export type Bridge = {
  readonly firstFromSecond: Similarity3;
  /** Sightings that agree, and their share of all. */
  readonly agreeing: number;
  readonly share: number;
  /** Pairs most of whose sightings agree. */
  readonly pairs: readonly Pair[];
};

const MAX_ERROR_PX = 8;
const MIN_AGREEING = 30;
const MIN_SHARE = 0.5;
/** One pair alone may be a repeated façade. */
const MIN_PAIRS = 2;
const MIN_OF_PAIR = 6;
const TRIES = 150;
const MIN_RESECTION = 12;
/** Photos placed in both scenes, at most so many of each: the most seen first. */
const MAX_SHARED_CAMERAS = 6;

/** Gathers what the pairs between the two sides say. */
export function gatherEvidence(first: Side, second: Side, pairs: readonly Pair[]): Evidence {
  const sightings: Sighting[] = [];
  const common: [number[], number[]] = [[], []];
  const seen = new Map<string, Sighting>();
  const see = (by: Omit<Sighting, "pairs">, pair: Pair) => {
    const key = `${by.bySecond} ${by.view} ${by.feature}`;
    const before = seen.get(key);
    if (before) return void (before.point === by.point && before.pairs.push(pair));
    const sighting = { ...by, pairs: [pair] };
    seen.set(key, sighting);
    sightings.push(sighting);
  };
  const sharedPoints = new Set<string>();
  for (const pair of pairs) {
    const straight = first.has(pair.a) && second.has(pair.b);
    if (!straight && !(first.has(pair.b) && second.has(pair.a))) continue;
    const [viewA, viewB] = straight ? [pair.a, pair.b] : [pair.b, pair.a];
    for (let k = 0; k < pair.kept.length; k += 2) {
      const featureA = pair.kept[straight ? k : k + 1];
      const featureB = pair.kept[straight ? k + 1 : k];
      const pointA = fittingPoint(first.scene, viewA, featureA);
      const pointB = fittingPoint(second.scene, viewB, featureB);
      if (pointA) see({ bySecond: true, view: viewB, feature: featureB, point: pointA }, pair);
      if (pointB) see({ bySecond: false, view: viewA, feature: featureA, point: pointB }, pair);
      if (!pointA || !pointB) continue;
      const key = `${pointA.join()} ${pointB.join()}`;
      if (sharedPoints.has(key)) continue;
      sharedPoints.add(key);
      common[0].push(...pointA);
      common[1].push(...pointB);
    }
  }
  return { sightings, first: Float64Array.from(common[0]), second: Float64Array.from(common[1]) };
}

/** The point a feature sees, when its own view bears it out. */
function fittingPoint(scene: Scene, view: number, feature: number): Float64Array | undefined {
  const track: Track | undefined = scene.tracks.of(view, feature);
  if (!track?.point || !track.fits[track.views.indexOf(view)]) return undefined;
  return track.point;
}

/** @returns undefined when no similarity is borne out by enough sightings of enough pairs */
export function findBridge(first: Scene, second: Scene, evidence: Evidence, seed: number): Bridge | undefined {
  if (evidence.sightings.length < MIN_AGREEING) return undefined;
  let best: Similarity3 | undefined;
  let most = 0;
  const consider = (tried: Similarity3 | undefined) => {
    const score = tried ? scoreOf(tried, first, second, evidence, most) : 0;
    if (score <= most) return;
    most = score;
    best = tried;
  };
  for (const tried of guesses(first, second, evidence, seed)) consider(tried);
  for (let round = 0; best && round < 3; round++) consider(improved(best, evidence));
  return best && judged(best, first, second, evidence);
}

const moved = new Float64Array(3);

/** How far a sighting lands from its feature, pixels. */
function errorOf(s: Sighting, first: Scene, second: Scene, there: Similarity3, back: Similarity3): number {
  transformPoints(s.bySecond ? back : there, s.point, moved);
  return observationErrorPx(s.bySecond ? second : first, moved, s.view, s.feature);
}

/** @returns less than the true score where that cannot be more than `most` */
function scoreOf(
  firstFromSecond: Similarity3,
  first: Scene,
  second: Scene,
  { sightings }: Evidence,
  most: number,
): number {
  const back = invertSimilarity(firstFromSecond);
  let score = 0;
  // Each can add 1; one more is left for rounding.
  let left = sightings.length + 1;
  for (const sighting of sightings) {
    const error = errorOf(sighting, first, second, firstFromSecond, back);
    if (error < MAX_ERROR_PX) score += 1 - (error / MAX_ERROR_PX) ** 2;
    if (score + --left < most) break;
  }
  return score;
}

function judged(firstFromSecond: Similarity3, first: Scene, second: Scene, evidence: Evidence): Bridge | undefined {
  const back = invertSimilarity(firstFromSecond);
  const ofPair = new Map<Pair, { agreeing: number; all: number }>();
  let agreeing = 0;
  for (const sighting of evidence.sightings) {
    const fits = errorOf(sighting, first, second, firstFromSecond, back) <= MAX_ERROR_PX;
    if (fits) agreeing++;
    for (const pair of sighting.pairs) {
      const count = ofPair.get(pair) ?? { agreeing: 0, all: 0 };
      ofPair.set(pair, { agreeing: count.agreeing + (fits ? 1 : 0), all: count.all + 1 });
    }
  }
  const share = agreeing / evidence.sightings.length;
  const pairs = [...ofPair].filter(([, of]) => of.agreeing >= MIN_OF_PAIR && 2 * of.agreeing > of.all);
  if (agreeing < MIN_AGREEING || share < MIN_SHARE || pairs.length < MIN_PAIRS) return undefined;
  return { firstFromSecond, agreeing, share, pairs: pairs.map(([pair]) => pair) };
}

function* guesses(first: Scene, second: Scene, evidence: Evidence, seed: number): Generator<Similarity3 | undefined> {
  const random = seededRandom(seed);
  yield* fromPoints(evidence, random);
  const cameras = sharedCameras(first, second, evidence, random);
  for (const [k, camera] of cameras.entries()) {
    yield fromCameraAndPoints(camera, evidence);
    for (const other of cameras.slice(k + 1)) yield fromCameras([camera, other]);
  }
}

function* fromPoints({ first, second }: Evidence, random: Random): Generator<Similarity3 | undefined> {
  const n = first.length / 3;
  if (n < 3) return;
  const sample = new Int32Array(3);
  const pick = (from: Float64Array) =>
    Float64Array.from({ length: 9 }, (_, k) => from[3 * sample[(k / 3) | 0] + (k % 3)]);
  for (let tries = 0; tries < TRIES; tries++) {
    sampleIndices(random, n, sample);
    yield alignPoints(pick(second), pick(first));
  }
}

type SharedCamera = { readonly inFirst: Float64Array; readonly inSecond: Float64Array };

/** Views of one side that see enough of the other to have a pose there, too. */
function sharedCameras(first: Scene, second: Scene, { sightings }: Evidence, random: Random): SharedCamera[] {
  const byView = new Map<number, Sighting[]>();
  for (const sighting of sightings) {
    if (!byView.has(sighting.view)) byView.set(sighting.view, []);
    byView.get(sighting.view)!.push(sighting);
  }
  const cameras: SharedCamera[] = [];
  const most = [...byView].sort((p, q) => q[1].length - p[1].length || p[0] - q[0]).slice(0, MAX_SHARED_CAMERAS);
  for (const [view, seen] of most) {
    if (seen.length < MIN_RESECTION) continue;
    const own = seen[0].bySecond ? second : first;
    const all = own.rays(view);
    const points = Float64Array.from(seen.flatMap(({ point }) => [...point]));
    const rays = Float64Array.from(seen.flatMap(({ feature }) => [all[2 * feature], all[2 * feature + 1]]));
    const found = estimateAbsolutePose(points, rays, { random, maxError: MAX_ERROR_PX / own.focal(view) });
    if (!found || found.inlierCount < MIN_RESECTION) continue;
    const here = own.pose(view).slice();
    cameras.push(seen[0].bySecond ? { inFirst: found.pose, inSecond: here } : { inFirst: here, inSecond: found.pose });
  }
  return cameras;
}

/** The turn and the shift of one camera; how far its points are in both tells the scale. */
function fromCameraAndPoints({ inFirst, inSecond }: SharedCamera, evidence: Evidence): Similarity3 | undefined {
  const [from, to] = [cameraCentre(inSecond), cameraCentre(inFirst)];
  const ratios: number[] = [];
  for (let p = 0; p < evidence.first.length; p += 3) {
    ratios.push(distance(evidence.first, p, to) / distance(evidence.second, p, from));
  }
  return ratios.length === 0 ? undefined : fromCameras([{ inFirst, inSecond }], median(ratios));
}

/** @param scale first's unit of length in second's; of two cameras it is told by how far apart they are */
function fromCameras(cameras: readonly SharedCamera[], scale?: number): Similarity3 | undefined {
  const centres = cameras.map(({ inFirst, inSecond }) => [cameraCentre(inFirst), cameraCentre(inSecond)] as const);
  const [one, two] = centres;
  const reach = two ? distance(one[1], 0, two[1]) : 1;
  const told = scale ?? distance(one[0], 0, two[0]) / reach;
  if (!(told > 0 && Number.isFinite(told))) return undefined;
  const [source, target]: [number[], number[]] = [[], []];
  for (const [k, { inFirst, inSecond }] of cameras.entries()) {
    for (let axis = -1; axis < 3; axis++) {
      for (let i = 0; i < 3; i++) {
        target.push(centres[k][0][i] + (axis < 0 ? 0 : told * reach * inFirst[4 * axis + i]));
        source.push(centres[k][1][i] + (axis < 0 ? 0 : reach * inSecond[4 * axis + i]));
      }
    }
  }
  return alignPoints(Float64Array.from(source), Float64Array.from(target));
}

/** Least squares over the common points that fit. */
function improved(firstFromSecond: Similarity3, evidence: Evidence): Similarity3 | undefined {
  if (evidence.first.length < 9) return undefined;
  const moved = transformPoints(firstFromSecond, evidence.second);
  const n = moved.length / 3;
  const distances = Array.from({ length: n }, (_, i) => distance(moved, 3 * i, evidence.first.subarray(3 * i)));
  const limit = 3 * median([...distances]);
  const weights = Float64Array.from(distances, (d) => (d <= limit ? 1 / (d + 0.1 * limit + 1e-12) : 0));
  return alignPoints(evidence.second, evidence.first, weights);
}

function distance(points: ArrayLike<number>, at: number, to: ArrayLike<number>): number {
  return Math.hypot(points[at] - to[0], points[at + 1] - to[1], points[at + 2] - to[2]);
}
