/** One photo as the mapper keeps it: its features, where they are and what colour they have. The picture itself is let go. */
import type { Photo } from "../engine.ts";
import type { Features } from "../features/features.ts";
import { type Lens, lensOf, type Principal, toFull } from "./lens.ts";

export type View = {
  /** Place in the order of arrival, and the index of everything that is kept per photo. */
  readonly index: number;
  readonly photo: Omit<Photo, "rgb">;
  /** Index of the lens it was taken with. */
  readonly lens: number;
  readonly principal: Principal;
  /** What it looks like; a match names a feature by its index. */
  readonly features: Features;
  /** Where the features are, and behind them what only its slants have shown. */
  readonly places: Places;
  /** `[n, 2]` of all places, decoded pixels, counted from the principal point. */
  readonly pixels: Float64Array;
  /** `[n, 4]` straight edges, both ends, counted like `pixels`. */
  readonly segments: Float64Array;
  /** `[n, 3]` sRGB at the places. */
  readonly colors: Uint8Array;
  /** Pixels of the full photo to one decoded pixel. */
  readonly fullScale: number;
};

export type Places = Pick<Features, "count" | "x" | "y" | "scale">;

/** The lenses seen so far; photos of one camera share one. */
export class Lenses {
  readonly list: Lens[] = [];
  #indexOfKey = new Map<string, number>();

  /** @returns the index of the photo's lens, and the calibration to begin with when the lens is new */
  add(photo: Photo): { lens: number; principal: Principal; calibration: Float64Array | undefined } {
    const { lens, calibration, principal } = lensOf(photo);
    const known = this.#indexOfKey.get(lens.key);
    if (known !== undefined) return { lens: known, principal, calibration: undefined };
    this.list.push(lens);
    this.#indexOfKey.set(lens.key, this.list.length - 1);
    return { lens: this.list.length - 1, principal, calibration };
  }

  /** A lens like another, with a focal length of its own that nobody told. @returns its index */
  zoomed(lens: number): number {
    const { key, ...rest } = this.list[lens];
    this.list.push({ ...rest, key: `${key} zoomed ${this.list.length}`, source: "estimated", priorPx: NaN });
    return this.list.length - 1;
  }

  /** Photos that are told as those of the lens `own` were have the lens `base` from now on. */
  join(own: number, base: number): void {
    for (const [key, lens] of this.#indexOfKey) if (lens === own) this.#indexOfKey.set(key, base);
  }

  /** @returns forgets what was told since */
  mark(): () => void {
    const [before, indexOfKey] = [[...this.list], new Map(this.#indexOfKey)];
    return () => {
      this.list.splice(0, this.list.length, ...before);
      this.#indexOfKey = indexOfKey;
    };
  }

  /** What EXIF tells of a lens is wrong (a crop, a converter): it is estimated like one of which nothing is known. */
  distrust(lens: number): void {
    this.list[lens] = { ...this.list[lens], source: "estimated", priorPx: NaN };
  }
}

export function makeView(
  index: number,
  photo: Photo,
  lens: number,
  principal: Principal,
  features: Features,
  segments: Float32Array = new Float32Array(0),
): View {
  const { rgb, ...rest } = photo;
  return {
    index,
    photo: rest,
    lens,
    principal,
    features,
    places: features,
    pixels: pixelsOf(features, principal),
    segments: Float64Array.from(segments, (end, k) => end - (k % 2 === 0 ? principal.x : principal.y)),
    colors: sampleColors(rgb, photo.widthPx, photo.heightPx, features),
    fullScale: toFull(photo).scale,
  };
}

/** With more places behind those it has; of what colour they are the nearest one that it had says. */
export function withPlaces(view: View, more: Places): View {
  const { places: before } = view;
  const joined = (name: "x" | "y" | "scale") => {
    const all = new Float32Array(before.count + more.count);
    all.set(before[name].subarray(0, before.count));
    all.set(more[name].subarray(0, more.count), before.count);
    return all;
  };
  const places = { count: before.count + more.count, x: joined("x"), y: joined("y"), scale: joined("scale") };
  const colors = new Uint8Array(places.count * 3);
  colors.set(view.colors);
  for (let i = before.count; i < places.count; i++) {
    const { place } = nearestPlace(before, places.x[i], places.y[i]);
    colors.set(view.colors.subarray(3 * place, 3 * place + 3), 3 * i);
  }
  return { ...view, places, pixels: pixelsOf(places, view.principal), colors };
}

/** Of all places the nearest; at place −1 when there is none. */
export function nearestPlace(
  places: { readonly count: number; readonly x: ArrayLike<number>; readonly y: ArrayLike<number> },
  x: number,
  y: number,
): { place: number; distancePx: number } {
  let place = -1;
  let square = Number.POSITIVE_INFINITY;
  for (let i = 0; i < places.count; i++) {
    const each = (places.x[i] - x) ** 2 + (places.y[i] - y) ** 2;
    if (each < square) [place, square] = [i, each];
  }
  return { place, distancePx: Math.sqrt(square) };
}

function pixelsOf(places: Places, principal: Principal): Float64Array {
  const pixels = new Float64Array(places.count * 2);
  for (let i = 0; i < places.count; i++) {
    pixels[2 * i] = places.x[i] - principal.x;
    pixels[2 * i + 1] = places.y[i] - principal.y;
  }
  return pixels;
}

/** Mean of the 3×3 pixels around each feature. */
function sampleColors(rgb: Uint8Array, widthPx: number, heightPx: number, features: Features): Uint8Array {
  const colors = new Uint8Array(features.count * 3);
  for (let i = 0; i < features.count; i++) {
    const x = Math.min(widthPx - 2, Math.max(1, Math.floor(features.x[i])));
    const y = Math.min(heightPx - 2, Math.max(1, Math.floor(features.y[i])));
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) sum += rgb[((y + dy) * widthPx + x + dx) * 3 + channel];
      }
      colors[3 * i + channel] = Math.round(sum / 9);
    }
  }
  return colors;
}
