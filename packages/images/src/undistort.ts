/**
 * A photo as a camera without distortion would have taken it. Pixel centres are at 0.5.
 * Source: COLMAP's camera models; distorted = undistorted · (1 + k1 r² + k2 r⁴) in units of the focal length.
 */
import type { Intrinsics } from "@cairn/protocol";

type Lens = { fx: number; fy: number; cx: number; cy: number; k1: number; k2: number };

/** How far the focal length may change so that no border is black. */
const LEAST_ZOOM = 0.5;
const MOST_ZOOM = 2;
/** Places along each border that are looked at. */
const BORDER_STEPS = 64;

function lensOf({ model, params }: Intrinsics): Lens {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = params;
  if (model === "PINHOLE") return { fx: a, fy: b, cx: c, cy: d, k1: 0, k2: 0 };
  return { fx: a, fy: a, cx: b, cy: c, k1: d, k2: model === "RADIAL" ? e : 0 };
}

/**
 * The camera of the undistorted photo: PINHOLE, of the same size and principal point, with the shortest focal length
 * with which every one of its pixels is somewhere in the photo (within half and twice the photo's own).
 */
export function undistortedIntrinsics(camera: Intrinsics): Intrinsics {
  const { width, height } = camera;
  const lens = lensOf(camera);
  const pinhole = (zoom: number): Intrinsics => ({
    model: "PINHOLE",
    width,
    height,
    params: [lens.fx * zoom, lens.fy * zoom, lens.cx, lens.cy],
  });
  if (lens.k1 === 0 && lens.k2 === 0) return pinhole(1);
  let [low, high] = [LEAST_ZOOM, MOST_ZOOM];
  for (let i = 0; i < 30; i++) {
    const zoom = (low + high) / 2;
    if (bordersAreInside(lens, zoom, width, height)) high = zoom;
    else low = zoom;
  }
  return pinhole(high);
}

function bordersAreInside({ fx, fy, cx, cy, k1, k2 }: Lens, zoom: number, width: number, height: number): boolean {
  for (let i = 0; i <= BORDER_STEPS; i++) {
    const part = i / BORDER_STEPS;
    for (const [u, v] of [
      [part * width, 0],
      [part * width, height],
      [0, part * height],
      [width, part * height],
    ] as const) {
      const x = (u - cx) / (fx * zoom);
      const y = (v - cy) / (fy * zoom);
      const r2 = x * x + y * y;
      // Where the distortion folds back, the formula no longer describes a lens.
      if (1 + 3 * k1 * r2 + 5 * k2 * r2 * r2 <= 0) return false;
      const d = 1 + k1 * r2 + k2 * r2 * r2;
      const [from, to] = [fx * d * x + cx, fy * d * y + cy];
      if (from < 0 || from > width || to < 0 || to > height) return false;
    }
  }
  return true;
}

/**
 * @param rgb `[height, width, 3]` sRGB of the photo as it was taken
 * @returns the same size, as `undistortedIntrinsics` sees it; black where the photo has nothing
 */
export function undistort(rgb: Uint8Array, camera: Intrinsics): Uint8Array {
  const { width, height } = camera;
  if (rgb.length !== width * height * 3) throw new RangeError(`${rgb.length} bytes for ${width} × ${height}`);
  const { fx, fy, cx, cy, k1, k2 } = lensOf(camera);
  if (k1 === 0 && k2 === 0) return rgb;
  const to = lensOf(undistortedIntrinsics(camera));
  const out = new Uint8Array(rgb.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    const y = (row + 0.5 - to.cy) / to.fy;
    for (let column = 0; column < width; column++, at += 3) {
      const x = (column + 0.5 - to.cx) / to.fx;
      const r2 = x * x + y * y;
      const d = 1 + k1 * r2 + k2 * r2 * r2;
      const u = fx * d * x + cx;
      const v = fy * d * y + cy;
      if (!(u >= 0 && v >= 0 && u <= width && v <= height)) continue;
      // Between the centres of four pixels; at the border its pixels go on.
      const left = Math.min(Math.max(u - 0.5, 0), width - 1);
      const top = Math.min(Math.max(v - 0.5, 0), height - 1);
      const c0 = left | 0;
      const r0 = top | 0;
      const a = left - c0;
      const b = top - r0;
      const i00 = (r0 * width + c0) * 3;
      const i01 = c0 + 1 < width ? i00 + 3 : i00;
      const down = r0 + 1 < height ? width * 3 : 0;
      for (let channel = 0; channel < 3; channel++) {
        const upper = rgb[i00 + channel]! * (1 - a) + rgb[i01 + channel]! * a;
        const lower = rgb[i00 + down + channel]! * (1 - a) + rgb[i01 + down + channel]! * a;
        out[at + channel] = upper * (1 - b) + lower * b + 0.5;
      }
    }
  }
  return out;
}
