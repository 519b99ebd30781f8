/**
 * Where a model hangs together by little. Two photos alone leave open how far apart they are: a part of the model has
 * its size, and its place, by points that three photos see. Where a part is tied to the rest by a handful of them, wrong
 * matches among these move it as a whole, and every photo still fits (measured: a court of 10 photos with 7 such points
 * at one place, 1.2 m of 40 off, told as 5 cm).
 *
 * A few points are enough where they agree: wrong matches seldom agree on one distance by chance. Where façades repeat
 * they do, and then what should have held the part as well is torn: it says another distance.
 */
import { cameraCentre } from "@cairn/geometry";
import type { PoseSigma } from "@cairn/protocol";
import type { Scene } from "./scene.ts";
import { SharedPoints } from "./shared-points.ts";

/** What three posed photos or more are said to see, and which of them do as the model stands. */
export type Witnessing = { readonly views: readonly number[]; readonly seeing: readonly number[] };

/** Points that hold a photo to the part that it joins, and those that should and do not. */
export type Seam = { readonly held: number; readonly torn: number };

/** With so many points a seam is firm, whatever is torn. */
const FIRM_TIE = 30;
/**
 * With fewer it is weak, and where more is torn than so many times what holds. Measured on a court of which every second
 * or third photo is left out: 7 held with 5 torn and 7 with 47 where a camera was 1.2 m of 40 off, 8 with 1 where it was
 * 0.5 m; 18 with 27, 10 with 9 and 13 with 7 where all was right to 0.06, 0.16 and 0.2 m.
 */
const LEAST_TIE = 10;
const MOST_TORN = 2;
/**
 * A camera whose sigma is more than this part of the model's extent may well be two per cent off, which is a wrong place.
 * Measured on small sets drawn by chance (RESULTS.md): up to 0.5 % is told of those that are right, 0.9 % and more of
 * those with a camera in a wrong place.
 */
const LOOSE_SHARE = 0.0075;

/**
 * Joins photos to a growing part, always the one that sees most points which two of the part see already.
 * @returns how each was held when it was joined; none for fewer than three photos
 */
export function seamsOf(photos: readonly number[], points: readonly Witnessing[]): Seam[] {
  const asked = new Ties(
    photos,
    points.map(({ views }) => views),
  );
  const held = new Ties(
    photos,
    points.map(({ seeing }) => seeing),
  );
  const seams: Seam[] = [];
  const join = (photo: number) => {
    asked.join(photo);
    held.join(photo);
  };
  const ofThree = points.map(({ seeing }) => seeing).filter(({ length }) => length >= 3);
  for (const photo of new SharedPoints(Math.max(-1, ...photos) + 1, ofThree).most() ?? photos.slice(0, 2)) join(photo);
  while (held.outside.size > 0) {
    const [[next, count]] = [...held.outside].sort((p, q) => q[1] - p[1] || p[0] - q[0]);
    seams.push({ held: count, torn: asked.outside.get(next)! - count });
    join(next);
  }
  return seams;
}

/** Of each photo outside a growing part, how many points it shares with two of the part. */
class Ties {
  readonly outside: Map<number, number>;
  readonly #points: readonly (readonly number[])[];
  readonly #ofPhoto: Map<number, number[]>;
  /** Of each point, how many of the part see it. */
  readonly #seenBy: Uint16Array;

  constructor(photos: readonly number[], points: readonly (readonly number[])[]) {
    this.outside = new Map(photos.map((photo) => [photo, 0]));
    this.#points = points;
    this.#ofPhoto = new Map(photos.map((photo) => [photo, []]));
    this.#seenBy = new Uint16Array(points.length);
    for (const [index, seen] of points.entries()) for (const photo of seen) this.#ofPhoto.get(photo)!.push(index);
  }

  join(photo: number): void {
    this.outside.delete(photo);
    for (const each of this.#ofPhoto.get(photo)!) {
      if (++this.#seenBy[each] !== 2) continue;
      for (const other of this.#points[each]) {
        const count = this.outside.get(other);
        if (count !== undefined) this.outside.set(other, count + 1);
      }
    }
  }
}

export function isWeak({ held, torn }: Seam): boolean {
  return held < LEAST_TIE || (held < FIRM_TIE && torn > MOST_TORN * held);
}

export function hangsByAThread(scene: Scene): boolean {
  const points: Witnessing[] = [];
  for (const { point, views, fits } of scene.tracks.all()) {
    const posed = views.filter((view) => scene.isPosed(view));
    if (posed.length < 3) continue;
    points.push({ views: posed, seeing: point ? views.filter((view, k) => fits[k] && scene.isPosed(view)) : [] });
  }
  return seamsOf(scene.posed, points).some(isWeak);
}

/** Whether a camera is less sure than the model is a model. @param sigmas of the posed views that were adjusted */
export function isLoose(scene: Scene, sigmas: ReadonlyMap<number, PoseSigma>): boolean {
  const centres = scene.posed.map((view) => cameraCentre(scene.poses, view * 12));
  let extent = 0;
  for (const a of centres) {
    for (const b of centres) extent = Math.max(extent, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  }
  return [...sigmas.values()].some(({ position }) => position > LOOSE_SHARE * extent);
}
