/**
 * Finds folds in a scene and takes them apart. Looking at every tie takes seconds in a scene of hundreds of photos, so a
 * growing one is searched a few ties after each photo.
 */
import { consistentShare } from "./consistency.ts";
import { type Doubted, FOLDED, isFolded, type Missed, missingAlong, pairKey, sum } from "./folds.ts";
import type { Missing } from "./missing.ts";
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** Ties with less of their matches borne out say nothing. */
const TORN = 0.3;
/** Up to so many photos a scene is searched after each; beyond, when it has grown by the factor. */
const YOUNG_VIEWS = 8;
const SEARCH_GROWTH = 1.2;
/** Ties looked at after one photo, 2 to 3 ms each. With ten ties a photo a search ends before the next one is due. */
export const LOOKS = 80;

/**
 * Takes a folded scene apart: photos that see the same of the place stay together, and of several such parts that only
 * what looks alike had tied together, the largest keeps its place. @returns how many photos lost theirs
 * @param pairs all, doubted or not: by a few that nobody doubts yet a fold may come back, and what tells it are the others
 * @param missingOf what ties miss; looked at when left out
 */
export function unfold(
  scene: Scene,
  pairs: readonly Pair[],
  doubted: Doubted,
  missingOf: (ties: readonly Pair[]) => readonly Missing[] = (ties) => missingAlong(scene, ties),
): number {
  const standing = pairs
    .filter(({ a, b }) => scene.isPosed(a) && scene.isPosed(b))
    .filter((pair) => consistentShare(scene, pair) >= TORN);
  const missing = missingOf(standing);
  const ties = standing.map((pair, k) => ({ pair, seen: missing[k] }));
  if (!ties.some(({ seen }) => seen.missed > FOLDED * seen.expected)) return 0;
  const parts = partsOf(scene.posed, ties);
  if (parts.length === 1) return 0;
  const largest = parts.reduce((best, each) => (each.length > best.length ? each : best));
  const partOf = new Map(parts.flatMap((part) => part.map((view) => [view, part] as const)));
  for (const { pair } of ties) if (partOf.get(pair.a) !== partOf.get(pair.b)) doubted.add(pairKey(pair));
  const lost = scene.posed.filter((view) => partOf.get(view) !== largest);
  for (const view of lost) scene.dropPose(view);
  return lost.length;
}

/** Joins what fits together best, until between no two parts is a seam that holds. */
function partsOf(views: readonly number[], ties: readonly { pair: Pair; seen: Missing }[]): number[][] {
  const members = new Map(views.map((view) => [view, [view]]));
  const seams = new Map<number, Map<number, Missed>>(views.map((view) => [view, new Map()]));
  const sew = (p: number, q: number, more: Missed) => {
    const { expected, missed, ties } = seams.get(p)!.get(q) ?? { expected: 0, missed: 0, ties: 0 };
    const seam = { expected: expected + more.expected, missed: missed + more.missed, ties: ties + more.ties };
    seams.get(p)!.set(q, seam);
    seams.get(q)!.set(p, seam);
  };
  for (const { pair, seen } of ties) sew(pair.a, pair.b, sum([seen]));
  for (;;) {
    let best: { p: number; q: number; share: number } | undefined;
    for (const [p, row] of seams) {
      for (const [q, seam] of row) {
        if (q < p || isFolded(seam)) continue;
        const share = shareOf(seam);
        if (!best || share < best.share) best = { p, q, share };
      }
    }
    if (!best) return [...members.values()];
    const { p, q } = best;
    members.get(p)!.push(...members.get(q)!);
    members.delete(q);
    const row = seams.get(q)!;
    seams.delete(q);
    for (const [other, seam] of row) {
      seams.get(other)!.delete(q);
      if (other !== p) sew(p, other, seam);
    }
  }
}

/** The surer of two equal ones is less. Where nothing tells, as much as would still pass. */
function shareOf({ expected, missed }: Missing): number {
  return expected === 0 ? FOLDED : (missed + 1) / (expected + 2);
}

/** Searches a scene as it grows. */
export class FoldSearch {
  readonly #look: (scene: Scene, ties: readonly Pair[]) => readonly Missing[];
  #scene: Scene | undefined;
  /** How many photos it had when the last search began. */
  #begunAt = 0;
  /** What ties miss, by `pairKey`, while a search is going on. */
  #seen: Map<number, Missing> | undefined;

  constructor(look: (scene: Scene, ties: readonly Pair[]) => readonly Missing[] = missingAlong) {
    this.#look = look;
  }

  /** @returns goes on with the search that was going on */
  mark(): () => void {
    const [scene, begunAt, seen] = [this.#scene, this.#begunAt, this.#seen && [...this.#seen]];
    return () => {
      this.#scene = scene;
      this.#begunAt = begunAt;
      this.#seen = seen && new Map(seen);
    };
  }

  /** After a photo: looks at some ties, and at the last of them takes the scene apart. @returns photos without a place now */
  goOn(scene: Scene, pairs: readonly Pair[], doubted: Doubted): number {
    if (scene !== this.#scene) this.#seen = undefined;
    this.#scene = scene;
    const { length } = scene.posed;
    if (!this.#seen && length > YOUNG_VIEWS && length < SEARCH_GROWTH * this.#begunAt) return 0;
    if (!this.#seen) {
      this.#begunAt = length;
      this.#seen = new Map();
    }
    const seen = this.#seen;
    const unseen = pairs.filter((pair) => !seen.has(pairKey(pair)) && scene.isPosed(pair.a) && scene.isPosed(pair.b));
    const looks = unseen.slice(0, LOOKS);
    const missing = this.#look(scene, looks);
    for (const [k, pair] of looks.entries()) seen.set(pairKey(pair), missing[k]);
    if (looks.length < unseen.length) return 0;
    this.#seen = undefined;
    return unfold(scene, pairs, doubted, (ties) => ties.map((pair) => seen.get(pairKey(pair))!));
  }
}
