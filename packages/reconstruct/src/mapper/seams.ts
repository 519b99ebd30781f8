/**
 * Where a model hangs together by little. Two photos alone leave open how far apart they are: a part of the model has
 * its size, and its place, by points that three photos see. Where a part is tied to the rest by a handful of them, wrong
 * matches among these move it as a whole, and every photo still fits (measured: a court of 10 photos with 7 such points
 * at one place, 1.2 m of 40 off, told as 5 cm).
 */
import type { Scene } from "./scene.ts";

/**
 * With fewer points a seam is weak. Measured: 6 to 8 where cameras were 0.5 to 1.2 m off, 47 and 0.1 m with the same
 * photos larger; 80 to 260 in sets that are right, every second photo left out.
 */
const FIRM_TIE = 30;

/**
 * Joins photos to a growing part, always the one that sees most points which two of the part see already.
 * @param points which photos see each point
 * @returns the fewest points by which one was joined; Infinity for fewer than three photos
 */
export function weakestSeam(photos: readonly number[], points: readonly (readonly number[])[]): number {
  const ofPhoto = new Map<number, number[]>(photos.map((photo) => [photo, []]));
  for (const [index, seen] of points.entries()) for (const photo of seen) ofPhoto.get(photo)!.push(index);
  /** Of each point, how many of the part see it; of each photo outside, how many points it shares with two. */
  const seenBy = new Uint16Array(points.length);
  const tie = new Map<number, number>(photos.map((photo) => [photo, 0]));
  const join = (photo: number) => {
    tie.delete(photo);
    for (const each of ofPhoto.get(photo)!) {
      if (++seenBy[each] !== 2) continue;
      for (const other of points[each]) {
        const count = tie.get(other);
        if (count !== undefined) tie.set(other, count + 1);
      }
    }
  };
  for (const photo of firstTwo(photos, points)) join(photo);
  let weakest = Number.POSITIVE_INFINITY;
  while (tie.size > 0) {
    const [[next, count]] = [...tie].sort((p, q) => q[1] - p[1] || p[0] - q[0]);
    weakest = Math.min(weakest, count);
    join(next);
  }
  return weakest;
}

export function hangsByAThread(scene: Scene): boolean {
  const points: number[][] = [];
  for (const { point, views, fits } of scene.tracks.all()) {
    const seen = point ? views.filter((view, k) => fits[k] && scene.isPosed(view)) : [];
    if (seen.length >= 3) points.push(seen);
  }
  return weakestSeam(scene.posed, points) < FIRM_TIE;
}

/** The two photos that see most of these points in common. */
function firstTwo(photos: readonly number[], points: readonly (readonly number[])[]): readonly number[] {
  const shared = new Map<number, number>();
  for (const seen of points) {
    for (const [k, a] of seen.entries()) {
      for (let other = k + 1; other < seen.length; other++) {
        const key = Math.max(a, seen[other]) * KEY + Math.min(a, seen[other]);
        shared.set(key, (shared.get(key) ?? 0) + 1);
      }
    }
  }
  let [best, most] = [-1, 0];
  for (const [key, count] of shared) if (count > most) [best, most] = [key, count];
  return best < 0 ? photos.slice(0, 2) : [best % KEY, Math.floor(best / KEY)];
}

const KEY = 2 ** 20;
