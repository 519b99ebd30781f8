/**
 * Closes loops. A long way round drifts: where it comes back to its beginning, photos show the same and their pairs
 * contradict the poses. What both ends see tells the similarity between them; a pose graph spreads it over the whole
 * way, and bundle adjustment, which would not have found it from so far, does the rest.
 */
import {
  cameraCentre,
  composeSimilarities,
  invertSimilarity,
  optimisePoseGraph,
  type PoseEdge,
  type Similarity3,
  transformPoints,
  vectorFromRotation,
} from "@cairn/geometry";
import { adjust } from "./adjust.ts";
import { type Bridge, findBridge, gatherEvidence } from "./bridge.ts";
import { consistentShare, explainedMatches } from "./consistency.ts";
import { isFoldedAlong, pairKey, trusted } from "./folds.ts";
import type { GrowOptions } from "./grow.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";
import { byStrength, retrack } from "./scene-building.ts";
import { filterPoints, triangulateTracks } from "./structure.ts";

/** Ties whose matches the poses bear out with this share or more hold; with less than the other they are torn. */
const HOLDS = 0.5;
const TORN = 0.3;
/** The ends of a loop: photos of the torn pairs and those this many ties away. */
const REACH = 2;
/** How far off the tie of two photos is, the more matches the less: turn, shift as a part of the scene, scale. */
const TIE_SIGMAS = [2e-3, 2e-3, 2e-3] as const;
const USUAL_MATCHES = 200;
/** A loop is closed when so much of its pairs' matches fits, and of all others so much still does. */
const CLOSED = 0.5;
const KEPT = 0.98;
const MAX_LOOPS = 5;
/** A way drifts by so much at most: turn, part of its length, factor of scale. What is farther off looks alike. */
const MAX_DRIFT_RAD = (30 * Math.PI) / 180;
const MAX_DRIFT = 0.15;
const MAX_SCALE_DRIFT = 1.6;

type Tie = { readonly pair: Pair; readonly share: number };

/**
 * @param pairs all that are trusted
 * @returns the scene with its loops closed, or the same scene when it has none that can be
 */
export function closeLoops(scene: Scene, pairs: readonly Pair[], options: GrowOptions): Scene {
  let now = scene;
  const given = new Set<Pair>();
  for (let loop = 0; loop < MAX_LOOPS; loop++) {
    options.stop();
    const ties = tiesOf(now, trusted(pairs, options.doubted));
    const [ends] = loopEnds(now, ties).filter((each) => each.pairs.some((pair) => !given.has(pair)));
    if (!ends) break;
    for (const pair of ends.pairs) given.add(pair);
    now = closedAt(now, ties, ends, pairs, options) ?? now;
  }
  return now;
}

function tiesOf(scene: Scene, pairs: readonly Pair[]): Tie[] {
  return pairs
    .filter(({ a, b, kind }) => kind !== "rotation" && scene.isPosed(a) && scene.isPosed(b))
    .map((pair) => ({ pair, share: consistentShare(scene, pair) }));
}

type Ends = {
  readonly first: ReadonlySet<number>;
  readonly second: ReadonlySet<number>;
  readonly pairs: readonly Pair[];
};

/** Torn pairs whose photos are near one another at either end are one loop; that of most matches comes first. */
function loopEnds(scene: Scene, ties: readonly Tie[]): Ends[] {
  const held = new Map<number, number[]>(scene.posed.map((view) => [view, []]));
  for (const { pair, share } of ties) {
    if (share < HOLDS) continue;
    held.get(pair.a)!.push(pair.b);
    held.get(pair.b)!.push(pair.a);
  }
  const near = (from: number) => reached(held, from, REACH);
  const torn = byStrength(ties.filter(({ share }) => share < TORN).map(({ pair }) => pair));
  const loops: { first: Set<number>; second: Set<number>; pairs: Pair[] }[] = [];
  for (const pair of torn) {
    const [a, b] = [near(pair.a), near(pair.b)];
    if ([...a].some((view) => b.has(view))) continue;
    const loop = loops.find(
      ({ first, second }) => (first.has(pair.a) && second.has(pair.b)) || (first.has(pair.b) && second.has(pair.a)),
    );
    if (loop) loop.pairs.push(pair);
    else loops.push({ first: a, second: b, pairs: [pair] });
  }
  const weight = (each: readonly Pair[]) => each.reduce((sum, { kept }) => sum + kept.length, 0);
  return loops.filter((loop) => loop.pairs.length > 1).sort((p, q) => weight(q.pairs) - weight(p.pairs));
}

function reached(held: ReadonlyMap<number, readonly number[]>, from: number, steps: number): Set<number> {
  const found = new Set([from]);
  for (let step = 0; step < steps; step++)
    for (const view of [...found]) for (const next of held.get(view)!) found.add(next);
  return found;
}

/** @returns a scene that this loop closes and that explains what the other did; undefined when there is none */
function closedAt(
  scene: Scene,
  ties: readonly Tie[],
  { first, second, pairs: torn }: Ends,
  pairs: readonly Pair[],
  { lenses, seed, doubted, stop }: GrowOptions,
): Scene | undefined {
  const evidence = gatherEvidence(
    { scene, has: (view) => first.has(view) },
    { scene, has: (view) => second.has(view) },
    torn,
  );
  const bridge = findBridge(scene, scene, evidence, seed);
  if (!bridge || !isDrift(scene, ties, bridge)) return undefined;
  const closed = scene.clone();
  spread(closed, ties, first, bridge);
  for (const track of closed.tracks.all()) track.point = undefined;
  retrack(closed, trusted(pairs, doubted), 8);
  for (const maxErrorPx of [8, 4]) {
    filterPoints(closed, maxErrorPx);
    adjust(closed, { iterations: 15, lenses, stop });
    triangulateTracks(closed, 4);
  }
  filterPoints(closed, 4);
  const rest = ties.filter(({ share }) => share >= HOLDS).map(({ pair }) => pair);
  const fits = bridge.pairs.filter((pair) => consistentShare(closed, pair) >= CLOSED);
  if (2 * fits.length <= bridge.pairs.length) return undefined;
  if (explainedMatches(closed, rest) < KEPT * explainedMatches(scene, rest)) return undefined;
  if (!isFoldedAlong(closed, bridge.pairs)) return closed;
  for (const pair of bridge.pairs) doubted.add(pairKey(pair));
  return undefined;
}

/** Whether a way from one end to the other can have drifted by as much as the ends are apart. */
function isDrift(scene: Scene, ties: readonly Tie[], { firstFromSecond, pairs }: Bridge): boolean {
  const { scale, rotation } = firstFromSecond;
  if (Math.hypot(...vectorFromRotation(rotation)) > MAX_DRIFT_RAD) return false;
  if (scale > MAX_SCALE_DRIFT || scale * MAX_SCALE_DRIFT < 1) return false;
  const [{ a, b }] = pairs;
  const end = cameraCentre(scene.poses, b * 12);
  const there = transformPoints(firstFromSecond, end);
  const way = wayLength(scene, ties, a, b);
  return way < Infinity && Math.hypot(...there.map((x, axis) => x - end[axis])) <= MAX_DRIFT * way;
}

/** Of the shortest way from photo to photo over ties that hold. */
function wayLength(scene: Scene, ties: readonly Tie[], from: number, to: number): number {
  const centres = new Map(scene.posed.map((view) => [view, cameraCentre(scene.poses, view * 12)]));
  const open = new Map(scene.posed.map((view) => [view, view === from ? 0 : Infinity]));
  const steps = new Map<number, { to: number; length: number }[]>(scene.posed.map((view) => [view, []]));
  for (const { pair, share } of ties) {
    if (share < HOLDS) continue;
    const [p, q] = [centres.get(pair.a)!, centres.get(pair.b)!];
    const length = Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
    steps.get(pair.a)!.push({ to: pair.b, length });
    steps.get(pair.b)!.push({ to: pair.a, length });
  }
  while (open.size > 0) {
    const [view, far] = [...open].reduce((best, each) => (each[1] < best[1] ? each : best));
    if (view === to) return far;
    open.delete(view);
    for (const step of steps.get(view)!) {
      const before = open.get(step.to);
      if (before !== undefined && far + step.length < before) open.set(step.to, far + step.length);
    }
  }
  return Infinity;
}

/** Moves the cameras so that the ends meet and every tie between gives a little. */
function spread(
  scene: Scene,
  ties: readonly Tie[],
  first: ReadonlySet<number>,
  { firstFromSecond, pairs }: Bridge,
): void {
  const placeOf = new Map(scene.posed.map((view, place) => [view, place]));
  const nodes = scene.posed.map((view): Similarity3 => similarityOf(scene.pose(view)));
  const size = scene.size();
  const edge = ({ a, b, kept }: Pair, move?: Similarity3): PoseEdge => {
    const [source, target] = move && !first.has(a) ? [b, a] : [a, b];
    const [from, to] = [source, target].map((view) => nodes[placeOf.get(view)!]);
    const slack = Math.sqrt(USUAL_MATCHES / (kept.length / 2));
    // In the first end's frame the target stands where the bridge says.
    const there = move ? composeSimilarities(to, invertSimilarity(move)) : to;
    return {
      source: placeOf.get(source)!,
      target: placeOf.get(target)!,
      targetFromSource: composeSimilarities(there, invertSimilarity(from)),
      sigmas: [TIE_SIGMAS[0] * slack, TIE_SIGMAS[1] * slack * size, TIE_SIGMAS[2] * slack],
    };
  };
  const held = ties.filter(({ share }) => share >= HOLDS).map(({ pair }) => edge(pair));
  optimisePoseGraph(nodes, [...held, ...pairs.map((pair) => edge(pair, firstFromSecond))]);
  for (const [place, view] of [...scene.posed].entries()) {
    const { scale, rotation: r, translation: t } = nodes[place];
    // A camera's own unit of length is free: x = s (R X + t / s).
    scene.setPose(
      view,
      Float64Array.of(r[0], r[1], r[2], t[0] / scale, r[3], r[4], r[5], t[1] / scale, r[6], r[7], r[8], t[2] / scale),
    );
  }
}

function similarityOf(pose: Float64Array): Similarity3 {
  return {
    scale: 1,
    rotation: Float64Array.from([0, 1, 2, 4, 5, 6, 8, 9, 10], (at) => pose[at]),
    translation: Float64Array.of(pose[3], pose[7], pose[11]),
  };
}
