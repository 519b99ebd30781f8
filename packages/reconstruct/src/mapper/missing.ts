/**
 * What should be seen again and is not. Two photos of one façade share its neighbourhood, too; two photos of equal
 * façades share the façade alone, and everything else that the poses say both should see has no match (Zach, Irschara
 * and Bischof 2008). Features are missed at random, so a point counts only when those around it are missed as well.
 */
import { cameraCentre, projectPoint } from "@cairn/geometry";
import type { Scene } from "./scene.ts";
import type { Track } from "./tracks.ts";

export type Missing = {
  /** Points that the second photo should see again. */
  readonly expected: number;
  /** Of these, points that it misses together with all that surrounds them. */
  readonly missed: number;
};

/**
 * From farther to the side a feature need not be found again; nor at another scale in the picture: nearer, zoomed, or in a
 * photo of fewer pixels (measured: of small photos among large ones, brighter and darker, 3 of 6 were taken for folded).
 */
const MAX_TURN_COS = Math.cos((20 * Math.PI) / 180);
const MAX_SCALE = 1.4;
/** As good as in the middle of those that see a point. */
const CLOSE_RAD = (2 * Math.PI) / 180;
/** A part of the picture's sides where features may fall out of it. */
const MARGIN = 0.03;
const MAX_POINTS = 400;
/** So many of the nearest points must be missed, too. */
const AROUND = 5;

const NOTHING: Missing = { expected: 0, missed: 0 };

/** What photo `from` sees and photo `to` should see as well. Both must have a pose. */
export function missingIn(scene: Scene, from: number, to: number): Missing {
  return new Seen(scene, from).missingIn(to);
}

/** What a placed photo sees: gathered once, and asked about any number of others while nothing changes. */
export class Seen {
  readonly #scene: Scene;
  readonly #centres: Float64Array;
  readonly #from: number;
  /** Tracks whose points the photo sees, in the order of its features. */
  readonly #tracks: Track[] = [];
  /** `[tracks, words]` a bit for each photo that sees the point, too. */
  readonly #seenBy: Int32Array;
  readonly #words: number;
  /** Of each track, where in `#rays` the directions from its photos begin, one row of three each; −1 while not needed. */
  readonly #raysAt: Int32Array;
  readonly #rayCount: Int32Array;
  /** Scratch of all that are asked about, one after the other. */
  #raysEnd = 0;
  #rays = new Float64Array(0);

  constructor(scene: Scene, from: number) {
    const { tracks, poses, views } = scene;
    this.#scene = scene;
    this.#from = from;
    for (let feature = 0; feature < views[from].places.count; feature++) {
      const track = tracks.of(from, feature);
      if (track?.point && track.fits[track.views.indexOf(from)]) this.#tracks.push(track);
    }
    this.#centres = new Float64Array(3 * views.length);
    const centre = new Float64Array(3);
    for (const view of scene.posed) this.#centres.set(cameraCentre(poses, view * 12, centre), 3 * view);
    this.#words = (views.length + 31) >> 5;
    this.#seenBy = new Int32Array(this.#words * this.#tracks.length);
    for (let k = 0; k < this.#tracks.length; k++) {
      const { views: of, fits } = this.#tracks[k];
      const row = k * this.#words;
      for (let at = 0; at < of.length; at++) if (fits[at]) this.#seenBy[row + (of[at] >> 5)] |= 1 << (of[at] & 31);
    }
    this.#raysAt = new Int32Array(this.#tracks.length).fill(-1);
    this.#rayCount = new Int32Array(this.#tracks.length);
  }

  missingIn(to: number): Missing {
    const { photo, lens, principal } = this.#scene.views[to];
    const { poses, calibrations } = this.#scene;
    const centres = this.#centres;
    const [here0, here1, here2] = centres.subarray(3 * this.#from, 3 * this.#from + 3);
    const [there0, there1, there2] = centres.subarray(3 * to, 3 * to + 3);
    const zoom = this.#scene.focal(to) / this.#scene.focal(this.#from);
    const pixel = new Float64Array(2);
    const points: Float64Array[] = [];
    const found: boolean[] = [];
    /** Seen again though from farther to the side: where these are more, the others are a corner of the scene. */
    let besides = 0;
    for (let k = 0; k < this.#tracks.length; k++) {
      const point = this.#tracks[k].point!;
      const x = point[0];
      const y = point[1];
      const z = point[2];
      if (!(projectPoint(poses, to * 12, calibrations, lens * 6, x, y, z, pixel) > 0)) continue;
      const u = (pixel[0] + principal.x) / photo.widthPx;
      const v = (pixel[1] + principal.y) / photo.heightPx;
      if (!(u > MARGIN && v > MARGIN && u < 1 - MARGIN && v < 1 - MARGIN)) continue;
      const seen = (this.#seenBy[k * this.#words + (to >> 5)] & (1 << (to & 31))) !== 0;
      const a0 = x - here0;
      const a1 = y - here1;
      const a2 = z - here2;
      const b0 = x - there0;
      const b1 = y - there1;
      const b2 = z - there2;
      const p = Math.sqrt(a0 * a0 + a1 * a1 + a2 * a2);
      const q = Math.sqrt(b0 * b0 + b1 * b1 + b2 * b2);
      const aside = a0 * b0 + a1 * b1 + a2 * b2 < MAX_TURN_COS * p * q;
      if (aside || zoom * p > MAX_SCALE * q || q > MAX_SCALE * zoom * p) {
        if (seen) besides++;
        continue;
      }
      if (!seen && !this.#isBetween(k, b0 / q, b1 / q, b2 / q)) continue;
      points.push(point);
      found.push(seen);
    }
    return points.length < besides ? NOTHING : count(points, found);
  }

  /**
   * Whether a point is seen from beyond a photo that does not see it as well: there a surface is not yet too flat, nor
   * hidden.
   * @param rayX, rayY, rayZ from the photo to the point, of length 1
   */
  #isBetween(k: number, rayX: number, rayY: number, rayZ: number): boolean {
    if (this.#raysAt[k] < 0) this.#gatherRays(k);
    const rays = this.#rays;
    const first = this.#raysAt[k];
    const seen = this.#rayCount[k];
    const [meanX, meanY, meanZ] = [rays[first] / seen, rays[first + 1] / seen, rays[first + 2] / seen];
    const [asideX, asideY, asideZ] = [rayX - meanX, rayY - meanY, rayZ - meanZ];
    const square = asideX * asideX + asideY * asideY + asideZ * asideZ;
    if (square < CLOSE_RAD ** 2) return true;
    const least = asideX * meanX + asideY * meanY + asideZ * meanZ + square;
    for (let row = 1, at = first + 3; row <= seen; row++, at += 3) {
      if (asideX * rays[at] + asideY * rays[at + 1] + asideZ * rays[at + 2] >= least) return true;
    }
    return false;
  }

  /** The sum of the directions from which a point is seen, and then each of them. */
  #gatherRays(k: number): void {
    const { point, views, fits } = this.#tracks[k];
    const [x, y, z] = point!;
    const centres = this.#centres;
    const first = this.#raysEnd;
    const most = first + 3 * (views.length + 1);
    if (this.#rays.length < most) {
      const larger = new Float64Array(Math.max(2 * most, 16_384));
      larger.set(this.#rays.subarray(0, first));
      this.#rays = larger;
    }
    const rays = this.#rays;
    let at = first;
    let [sumX, sumY, sumZ] = [0, 0, 0];
    for (let i = 0; i < views.length; i++) {
      const view = views[i];
      if (!fits[i] || !this.#scene.isPosed(view)) continue;
      const u = x - centres[3 * view];
      const v = y - centres[3 * view + 1];
      const w = z - centres[3 * view + 2];
      const far = Math.sqrt(u * u + v * v + w * w);
      at += 3;
      rays[at] = u / far;
      rays[at + 1] = v / far;
      rays[at + 2] = w / far;
      sumX += rays[at];
      sumY += rays[at + 1];
      sumZ += rays[at + 2];
    }
    rays[first] = sumX;
    rays[first + 1] = sumY;
    rays[first + 2] = sumZ;
    this.#raysAt[k] = first;
    this.#rayCount[k] = (at - first) / 3;
    this.#raysEnd = at + 3;
  }
}

function count(points: readonly Float64Array[], found: readonly boolean[]): Missing {
  const step = Math.max(1, points.length / MAX_POINTS);
  const chosen: number[] = [];
  for (let at = 0; at < points.length; at += step) chosen.push(Math.floor(at));
  if (chosen.length <= AROUND) return NOTHING;
  let missed = 0;
  const nearest = new Float64Array(AROUND);
  const which = new Int32Array(AROUND);
  for (const i of chosen) {
    if (found[i]) continue;
    nearest.fill(Infinity);
    for (const j of chosen) {
      if (i === j) continue;
      const [p, q] = [points[i], points[j]];
      const square = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2;
      let k = AROUND - 1;
      if (square >= nearest[k]) continue;
      for (; k > 0 && nearest[k - 1] > square; k--) {
        nearest[k] = nearest[k - 1];
        which[k] = which[k - 1];
      }
      nearest[k] = square;
      which[k] = j;
    }
    if (which.every((j) => !found[j])) missed++;
  }
  return { expected: chosen.length, missed };
}
