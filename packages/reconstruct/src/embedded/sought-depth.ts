/**
 * Depth that is sought, or was: everything that the result depends on, so that it can be found again, made again to
 * the same bytes, and told whether it still holds after the cameras have moved.
 */
import { createHash } from "node:crypto";
import { cameraCentre } from "@cairn/geometry";
import type { DepthRange, DepthSeeds } from "../dense/contract.ts";
import { DEPTH_VERSION, type DepthOptions } from "../dense/depth/options.ts";
import { calibrationOf, denseCamera } from "../dense/undistort.ts";
import { median, type Scene } from "../mapper/scene.ts";

/** Seeds that are followed to see how far a depth map is off. */
const FOLLOWED = 48;

/** A photo as it stood. */
export type Stand = {
  readonly view: number;
  /** `[6]` decoded pixels from the photo's corner. */
  readonly calibration: Float64Array;
  /** `[12]` cameraFromWorld */
  readonly pose: Float64Array;
};

export type SoughtDepth = {
  /** Names the result. */
  readonly key: string;
  readonly sidePx: number;
  readonly quality: DepthOptions;
  readonly reference: Stand;
  readonly sources: readonly Stand[];
  readonly range: DepthRange;
  /** `[n, 3]` x, y, depth: a few of the sparse points it rests on. */
  readonly followed: Float32Array;
};

export type Wanted = {
  readonly view: number;
  readonly sources: readonly number[];
  readonly range: DepthRange;
  readonly seeds: DepthSeeds;
  readonly sidePx: number;
  /** Long side of the pictures from which it is made. */
  readonly pictureSidePx: number;
  readonly quality: DepthOptions;
};

/** @param scene as it is now; copied */
export function seekDepth(scene: Scene, wanted: Wanted): SoughtDepth {
  const { view, sources, range, seeds, sidePx, quality } = wanted;
  const reference = standOf(scene, view);
  const around = sources.map((source) => standOf(scene, source));
  const key = keyOf(scene, wanted, [reference, ...around]);
  return { key, sidePx, quality, reference, sources: around, range, followed: spreadOut(seeds) };
}

/**
 * How far off a depth map has become since it was sought: pixels between where its points are seen by its sources and
 * where they should be by now, in the worst of them; and the factor by which lengths of the model have grown.
 * `undefined` when a photo of it has lost its pose.
 */
export function movedSince(
  { reference, sources, sidePx, followed }: SoughtDepth,
  scene: Scene,
): { errorPx: number; scale: number } | undefined {
  if (!scene.isPosed(reference.view) || sources.some(({ view }) => !scene.isPosed(view))) return undefined;
  const referenceNow = standOf(scene, reference.view);
  const pairs = sources.map((then) => ({ then, now: standOf(scene, then.view) }));
  const scale = median(
    pairs.map(({ then, now }) => baseline(referenceNow, now) / Math.max(1e-12, baseline(reference, then))),
  );
  if (!(scale > 0 && scale < Infinity)) return undefined;
  let errorPx = 0;
  for (const { then, now } of pairs) {
    const before = transfer(scene, reference, then, sidePx);
    const after = transfer(scene, referenceNow, now, sidePx);
    const errors: number[] = [];
    for (let k = 0; k < followed.length; k += 3) {
      const [x, y, z] = [followed[k], followed[k + 1], followed[k + 2]];
      const [u0, v0] = before(x, y, z);
      const [u1, v1] = after(x, y, z * scale);
      errors.push(Math.hypot(u1 - u0, v1 - v0));
    }
    errorPx = Math.max(errorPx, median(errors));
  }
  return { errorPx: Number.isFinite(errorPx) ? errorPx : Number.POSITIVE_INFINITY, scale };
}

export function standOf(scene: Scene, view: number): Stand {
  return { view, calibration: calibrationOf(scene, view), pose: scene.pose(view).slice() };
}

/** The same photos, in whatever order. */
export function sameSources(a: readonly Stand[], b: readonly number[]): boolean {
  return a.length === b.length && a.every(({ view }) => b.includes(view));
}

function spreadOut(seeds: DepthSeeds): Float32Array {
  const n = seeds.length / 3;
  const count = Math.min(n, FOLLOWED);
  const chosen = new Float32Array(count * 3);
  for (let k = 0; k < count; k++) chosen.set(seeds.subarray(3 * Math.floor((k * n) / count)).subarray(0, 3), 3 * k);
  return chosen;
}

function keyOf(scene: Scene, wanted: Wanted, stands: readonly Stand[]): string {
  const { range, sidePx, pictureSidePx, quality } = wanted;
  const hash = createHash("sha256");
  hash.update(JSON.stringify([sidePx, pictureSidePx, range.near, range.far, Object.entries(quality).sort()]));
  for (const { view, calibration, pose } of stands) {
    const { digest, widthPx, heightPx } = scene.views[view].photo;
    hash.update(`${digest} ${widthPx} ${heightPx} `);
    hash.update(new Uint8Array(calibration.buffer, calibration.byteOffset, calibration.byteLength));
    hash.update(new Uint8Array(pose.buffer, pose.byteOffset, pose.byteLength));
  }
  return `depth-${DEPTH_VERSION}-${hash.digest("hex")}`;
}

function baseline(a: Stand, b: Stand): number {
  const [p, q] = [cameraCentre(a.pose), cameraCentre(b.pose)];
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

/** A pixel of one straight picture and its depth → the pixel of the other. */
function transfer(scene: Scene, from: Stand, to: Stand, sidePx: number) {
  const [fx, fy, cx, cy] = denseCamera(scene.views[from.view].photo, from.calibration, sidePx).pinhole;
  const [gx, gy, dx, dy] = denseCamera(scene.views[to.view].photo, to.calibration, sidePx).pinhole;
  const [a, b] = [from.pose, to.pose];
  return (x: number, y: number, z: number): [u: number, v: number] => {
    const p = [((x - cx) / fx) * z - a[3], ((y - cy) / fy) * z - a[7], z - a[11]];
    const world = [0, 1, 2].map((k) => a[k] * p[0] + a[4 + k] * p[1] + a[8 + k] * p[2]);
    const [u, v, w] = [0, 4, 8].map((r) => b[r] * world[0] + b[r + 1] * world[1] + b[r + 2] * world[2] + b[r + 3]);
    return [(gx * u) / w + dx, (gy * v) / w + dy];
  };
}
