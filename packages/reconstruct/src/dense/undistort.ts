/**
 * Photos as a camera without distortion would have taken them, smaller. The lens's two numbers bend the picture; what
 * comes out of here is straight, so that depth and fusion only know pinholes.
 */
import { CALIBRATION_SIZE, normalisedFromPixels, pixelsFromNormalised } from "@cairn/geometry";
import type { Scene } from "../mapper/scene.ts";
import type { DenseView } from "./contract.ts";

export type DenseCamera = Pick<DenseView, "widthPx" | "heightPx" | "pinhole">;

export type DecodedPhoto = {
  /** `[heightPx, widthPx, 3]` sRGB; only read. */
  readonly rgb: Uint8Array;
  readonly widthPx: number;
  readonly heightPx: number;
};

/** How far the field of view may be narrowed or widened so that each pixel lies inside the photo. */
const ZOOMS = [0.6, 2] as const;
const EDGE_SAMPLES = 16;

/** `[6]` calibration of a photo in decoded pixels counted from its corner; the scene counts from the principal point. */
export function calibrationOf(scene: Scene, view: number): Float64Array {
  const { lens, principal } = scene.views[view];
  const calibration = scene.calibration(lens).slice(0, CALIBRATION_SIZE);
  calibration[2] += principal.x;
  calibration[3] += principal.y;
  return calibration;
}

/**
 * The pinhole that stands for a lens at a size: the widest whose every pixel lies inside the photo.
 *
 * @param calibration `[6]` decoded pixels from the photo's corner
 * @param sidePx long side wanted; a photo is never enlarged
 */
export function denseCamera(
  photo: Pick<DecodedPhoto, "widthPx" | "heightPx">,
  calibration: Float64Array,
  sidePx: number,
): DenseCamera {
  const scale = Math.min(1, sidePx / Math.max(photo.widthPx, photo.heightPx));
  const widthPx = Math.max(1, Math.round(photo.widthPx * scale));
  const heightPx = Math.max(1, Math.round(photo.heightPx * scale));
  const [scaleX, scaleY] = [widthPx / photo.widthPx, heightPx / photo.heightPx];
  const [fx, fy, cx, cy, k1, k2] = calibration;
  const zoom = k1 === 0 && k2 === 0 ? 1 : widestZoom(photo, calibration);
  return { widthPx, heightPx, pinhole: [fx * scaleX * zoom, fy * scaleY * zoom, cx * scaleX, cy * scaleY] };
}

/** Smallest factor on the focal length with which the edge of the straight picture lies inside the photo. */
function widestZoom(photo: Pick<DecodedPhoto, "widthPx" | "heightPx">, calibration: Float64Array): number {
  const { widthPx, heightPx } = photo;
  const [fx, fy, cx, cy] = calibration;
  const edge: number[] = [];
  for (let i = 0; i <= EDGE_SAMPLES; i++) {
    const [x, y] = [(i / EDGE_SAMPLES) * widthPx, (i / EDGE_SAMPLES) * heightPx];
    edge.push(x, 0, x, heightPx, 0, y, widthPx, y);
  }
  const inside = (zoom: number): boolean => {
    const rays = Float64Array.from(edge, (at, k) => (k % 2 === 0 ? (at - cx) / (fx * zoom) : (at - cy) / (fy * zoom)));
    const pixels = pixelsFromNormalised(calibration, rays);
    // A lens that folds over shows the same place twice: only rays that come back to themselves are true.
    const back = normalisedFromPixels(calibration, pixels.slice());
    for (let k = 0; k < pixels.length; k += 2) {
      const [x, y] = [pixels[k], pixels[k + 1]];
      if (x < -0.5 || y < -0.5 || x > widthPx + 0.5 || y > heightPx + 0.5) return false;
      if (Math.abs(back[k] - rays[k]) + Math.abs(back[k + 1] - rays[k + 1]) > 1e-6) return false;
    }
    return true;
  };
  let [low, high]: readonly number[] = ZOOMS;
  for (let step = 0; step < 30; step++) {
    const middle = (low + high) / 2;
    if (inside(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/**
 * Straightens and shrinks a photo. Each pixel is the mean of the patch of the photo that it covers, so that detail too
 * fine for the size does not turn into patterns that photos would not share.
 *
 * @param view the mapper's index
 * @param calibration `[6]` decoded pixels from the photo's corner
 * @param cameraFromWorld `[12]`, copied
 */
export function undistortView(
  view: number,
  photo: DecodedPhoto,
  calibration: Float64Array,
  cameraFromWorld: Float64Array,
  sidePx: number,
): DenseView {
  if (photo.rgb.length < photo.widthPx * photo.heightPx * 3) {
    throw new RangeError(`${photo.rgb.length} bytes are no photo of ${photo.widthPx} × ${photo.heightPx}`);
  }
  const camera = denseCamera(photo, calibration, sidePx);
  const rgb = new Uint8Array(camera.widthPx * camera.heightPx * 3);
  resample(photo, calibration, camera, rgb);
  return { view, ...camera, rgb, cameraFromWorld: cameraFromWorld.slice(0, 12) };
}

function resample(photo: DecodedPhoto, calibration: Float64Array, camera: DenseCamera, out: Uint8Array): void {
  const { rgb, widthPx: photoWidth, heightPx: photoHeight } = photo;
  const [fx, fy, cx, cy, k1, k2] = calibration;
  const [px, py, pcx, pcy] = camera.pinhole;
  // Half the patch that one pixel covers, in photo pixels: at least one pixel wide, which is bilinear interpolation.
  const halfX = Math.max(1, fx / px) / 2;
  const halfY = Math.max(1, fy / py) / 2;
  let at = 0;
  for (let y = 0; y < camera.heightPx; y++) {
    const v = (y + 0.5 - pcy) / py;
    for (let x = 0; x < camera.widthPx; x++) {
      const u = (x + 0.5 - pcx) / px;
      const r2 = u * u + v * v;
      const d = 1 + r2 * (k1 + k2 * r2);
      const centreX = fx * d * u + cx;
      const centreY = fy * d * v + cy;
      const left = Math.min(photoWidth - 1, Math.max(0, centreX - halfX));
      const right = Math.min(photoWidth, Math.max(left + 1e-6, centreX + halfX));
      const top = Math.min(photoHeight - 1, Math.max(0, centreY - halfY));
      const bottom = Math.min(photoHeight, Math.max(top + 1e-6, centreY + halfY));
      let red = 0;
      let green = 0;
      let blue = 0;
      const firstX = Math.floor(left);
      const lastX = Math.ceil(right);
      for (let row = Math.floor(top); row < bottom; row++) {
        const high = Math.min(bottom, row + 1) - Math.max(top, row);
        let source = (row * photoWidth + firstX) * 3;
        for (let column = firstX; column < lastX; column++) {
          const weight = high * (Math.min(right, column + 1) - Math.max(left, column));
          red += weight * rgb[source];
          green += weight * rgb[source + 1];
          blue += weight * rgb[source + 2];
          source += 3;
        }
      }
      const area = 1 / ((right - left) * (bottom - top));
      out[at] = red * area + 0.5;
      out[at + 1] = green * area + 0.5;
      out[at + 2] = blue * area + 0.5;
      at += 3;
    }
  }
}
