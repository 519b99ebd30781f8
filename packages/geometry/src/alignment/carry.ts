/**
 * Keeps a point in its place when a model is refined and everything moves a little, each part its own way.
 *
 * A point of the scene stays where photos show it: it is seen at the same pixel before and after. So the point is
 * projected into the photos near it as they were, and the rays of these pixels are intersected from where the photos
 * are now: least squares of the distances from the rays, in closed form (Hartley & Sturm, Triangulation, 1997, §5.1),
 * reweighted by Huber's loss. Along rays that are nearly parallel, and where one photo or none sees the point, the
 * motion of the cameras near it (a weighted similarity, Umeyama 1991) says the rest, as a weak prior.
 */
import { normalisedFromPixels, projectPoint } from "../camera/project.ts";
import { solveGaussian } from "../linear/gaussian.ts";
import { cameraCentre } from "../rotation/pose.ts";
import { alignPoints } from "./align.ts";
import { type Similarity3, transformPoints } from "./similarity.ts";

/** A photo before and after. Poses `[12]` cameraFromWorld, calibrations `[6]`, pixels. */
export type MovedCamera = {
  readonly poseBefore: Float64Array;
  readonly poseAfter: Float64Array;
  readonly calibrationBefore: Float64Array;
  readonly calibrationAfter: Float64Array;
  readonly widthPx: number;
  readonly heightPx: number;
};

/** Photos that have a say: the nearest ones. */
const NEAREST = 12;
/** One standard deviation of a ray's direction, radians: two pixels of a phone's photo. */
const RAY_SIGMA = 1e-3;
/** One standard deviation of the cameras' motion as a guess at the point's, as a part of its distance from them. */
const MOTION_SIGMA = 0.03;
const ROUNDS = 4;

export type Point3 = [x: number, y: number, z: number];

/** @returns where the point is now; `undefined` without any camera */
export function carryPoint(point: ArrayLike<number>, cameras: readonly MovedCamera[]): Point3 | undefined {
  return pointCarrier(cameras)?.(point);
}

/** The same for many points of one model: O(cameras) each, of which few are projected into. */
export function pointCarrier(cameras: readonly MovedCamera[]): ((point: ArrayLike<number>) => Point3) | undefined {
  if (cameras.length === 0) return undefined;
  const standing = cameras.map((camera): Standing => ({ camera, centre: cameraCentre(camera.poseBefore) }));
  const scale = scaleOf(cameras);
  return (point) => {
    const near = nearestOf(point, standing);
    const motion = motionOf(near, scale);
    const guess = transformPoints(motion, Float64Array.of(point[0], point[1], point[2]));
    const rays = near.flatMap((each) => rayAfter(point, each) ?? []);
    const found = rays.length === 0 ? guess : intersect(rays, guess, near[0].distance * motion.scale);
    return [found[0], found[1], found[2]];
  };
}

type Standing = { readonly camera: MovedCamera; readonly centre: Float64Array };
type Near = { readonly camera: MovedCamera; readonly distance: number };
type Ray = { readonly centre: Float64Array; readonly direction: Float64Array };

/** The nearest cameras that see the point, else the nearest; the nearest of all first. */
function nearestOf(point: ArrayLike<number>, standing: readonly Standing[]): Near[] {
  const seeing: Near[] = [];
  const any: Near[] = [];
  for (const { camera, centre } of standing) {
    const [dx, dy, dz] = [centre[0] - point[0], centre[1] - point[1], centre[2] - point[2]];
    const distance = Math.sqrt(dx * dx + dy * dy + dz * dz); // Math.hypot takes five times as long
    if (isAmong(seeing, distance) && pixelBefore(point, camera)) keepNearest(seeing, { camera, distance });
    if (seeing.length === 0 && isAmong(any, distance)) keepNearest(any, { camera, distance });
  }
  return seeing.length > 0 ? seeing : any;
}

function isAmong(near: readonly Near[], distance: number): boolean {
  return near.length < NEAREST || distance < near[near.length - 1].distance;
}

function keepNearest(near: Near[], each: Near): void {
  let at = near.length;
  while (at > 0 && near[at - 1].distance > each.distance) at--;
  near.splice(at, 0, each);
  if (near.length > NEAREST) near.pop();
}

function pixelBefore(point: ArrayLike<number>, camera: MovedCamera): Float64Array | undefined {
  const pixel = new Float64Array(2);
  const { poseBefore, calibrationBefore, widthPx, heightPx } = camera;
  projectPoint(poseBefore, 0, calibrationBefore, 0, point[0], point[1], point[2], pixel);
  return pixel[0] >= 0 && pixel[1] >= 0 && pixel[0] <= widthPx && pixel[1] <= heightPx ? pixel : undefined;
}

/** Where the camera, as it stands now, sees what it saw of the point. */
function rayAfter(point: ArrayLike<number>, { camera }: Near): Ray | undefined {
  const pixel = pixelBefore(point, camera);
  if (!pixel) return undefined;
  const { poseAfter: p, calibrationAfter } = camera;
  const [u, v] = normalisedFromPixels(calibrationAfter, pixel);
  const length = Math.hypot(u, v, 1);
  const direction = new Float64Array(3);
  for (let k = 0; k < 3; k++) direction[k] = (p[k] * u + p[4 + k] * v + p[8 + k]) / length;
  return { centre: cameraCentre(p), direction };
}

/** How the scale of everything changed, by the spread of the cameras; 1 where they stand on one spot. */
function scaleOf(cameras: readonly MovedCamera[]): number {
  const before = spread(cameras.map(({ poseBefore }) => cameraCentre(poseBefore)));
  const after = spread(cameras.map(({ poseAfter }) => cameraCentre(poseAfter)));
  return before > 0 && after > 0 ? after / before : 1;
}

function spread(points: readonly Float64Array[]): number {
  const mean = [0, 1, 2].map((k) => points.reduce((sum, point) => sum + point[k], 0) / points.length);
  return Math.hypot(...points.flatMap((point) => mean.map((value, k) => point[k] - value)));
}

/** The motion of the cameras near the point: their centres, and where they look at its distance, nearer ones more. */
function motionOf(near: readonly Near[], scale: number): Similarity3 {
  const source = new Float64Array(near.length * 12);
  const target = new Float64Array(near.length * 12);
  const weights = new Float64Array(near.length * 4);
  const nearest = Math.max(near[0].distance, Number.MIN_VALUE);
  for (const [i, { camera, distance }] of near.entries()) {
    framePoints(camera.poseBefore, distance, source, 12 * i);
    framePoints(camera.poseAfter, distance * scale, target, 12 * i);
    weights.fill((nearest / Math.max(distance, nearest)) ** 2, 4 * i, 4 * i + 4);
  }
  const still: Similarity3 = {
    scale: 1,
    rotation: Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1),
    translation: new Float64Array(3),
  };
  return alignPoints(source, target, weights) ?? still;
}

/** The camera's centre and the points at `reach` along its three axes. */
function framePoints(pose: Float64Array, reach: number, out: Float64Array, at: number): void {
  const centre = cameraCentre(pose);
  out.set(centre, at);
  for (let axis = 0; axis < 3; axis++) {
    for (let k = 0; k < 3; k++) out[at + 3 + 3 * axis + k] = centre[k] + reach * pose[4 * axis + k];
  }
}

/** The point nearest to all rays, each distance counted in what the ray may be off there, and not far from `guess`. */
function intersect(rays: readonly Ray[], guess: Float64Array, distance: number): Float64Array {
  let found = guess;
  const prior = 1 / Math.max(MOTION_SIGMA * distance, Number.MIN_VALUE) ** 2;
  for (let round = 0; round < ROUNDS; round++) {
    const a = Float64Array.of(prior, 0, 0, 0, prior, 0, 0, 0, prior);
    const b = guess.map((value) => prior * value);
    for (const { centre, direction: d } of rays) {
      const to = [0, 1, 2].map((k) => found[k] - centre[k]);
      const depth = to[0] * d[0] + to[1] * d[1] + to[2] * d[2];
      if (!(depth > 0)) continue;
      const sigma = RAY_SIGMA * depth;
      const off = Math.hypot(...to.map((value, k) => value - depth * d[k])) / sigma;
      const weight = (off > 2 ? 2 / off : 1) / sigma ** 2;
      // The projection onto the plane across the ray: I − d dᵀ.
      for (let i = 0; i < 3; i++) {
        for (let j = 0; j < 3; j++) {
          const across = weight * ((i === j ? 1 : 0) - d[i] * d[j]);
          a[3 * i + j] += across;
          b[i] += across * centre[j];
        }
      }
    }
    if (!solveGaussian(a, b, 3)) return found;
    found = b;
  }
  return found;
}
