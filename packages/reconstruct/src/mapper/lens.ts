/**
 * Lenses: what photos of one camera have in common. Focal length and distortion are shared by all photos of a lens;
 * the principal point stays where the calibration says, or begins at the photo's centre (`principal.ts`).
 *
 * Inside the mapper a pixel is of the photo as decoded and counted from the principal point, so that an upright and a
 * sideways photo of one camera share one calibration `f, f · aspect, 0, 0, k1, k2`.
 */
import { CALIBRATION_SIZE, calibrationFromParams, paramsFromCalibration } from "@cairn/geometry";
import type { Intrinsics } from "@cairn/protocol";
import type { FocalReport, Photo } from "../engine.ts";

export type Lens = {
  readonly key: string;
  readonly source: FocalReport["source"];
  /** Long side of its photos as decoded, pixels. */
  readonly longSidePx: number;
  /** Pixels of the full photo to one decoded pixel. */
  readonly fullScale: number;
  /** Where the focal length began, decoded pixels; NaN when nothing was known. */
  readonly priorPx: number;
};

/** Focal lengths outside this range, as parts of the long side, are taken for a failure of the estimate … */
const ESTIMATED_RANGE = [0.35, 3.5] as const;
/** … but telephoto lenses are longer, and EXIF tells it: 20 is 720 mm on 36 mm film. */
const TOLD_RANGE = [0.35, 20] as const;
export const MAX_DISTORTION = 0.3;
/** Where a lens about which nothing is known begins: a photographer's "normal" to wide. */
export const TYPICAL_FOCAL = 0.9;

/** The shortest and longest focal length that a lens may be found to have, as parts of the long side. */
export function focalRangeOf({ source }: Pick<Lens, "source">): readonly [low: number, high: number] {
  return source === "estimated" ? ESTIMATED_RANGE : TOLD_RANGE;
}

export type Principal = { readonly x: number; readonly y: number };

/** Pixels of a photo at one size to those at another: `scale * x + offsetX`, `scale * y + offsetY`. */
type Scaling = { readonly scale: number; readonly offsetX: number; readonly offsetY: number };
type Size = { readonly width: number; readonly height: number };
type Sizes = Pick<Photo, "widthPx" | "heightPx" | "fullWidthPx" | "fullHeightPx">;

/** What the decoder did: the long sides tell the scale. What rounded the short one came or went at both edges alike. */
function scaling(from: Size, to: Size): Scaling {
  const [before, after] = [from, to].map(({ width, height }) => Math.max(width, height));
  // Whole numbers until the end: where both sides have one ratio this is nothing at all.
  const offset = (side: keyof Size) => (to[side] * before - from[side] * after) / (2 * before);
  return { scale: after / before, offsetX: offset("width"), offsetY: offset("height") };
}

const decodedSize = ({ widthPx, heightPx }: Sizes): Size => ({ width: widthPx, height: heightPx });
const fullSize = ({ fullWidthPx, fullHeightPx }: Sizes): Size => ({ width: fullWidthPx, height: fullHeightPx });

/** From decoded pixels to those of the full photo. */
export const toFull = (photo: Sizes): Scaling => scaling(decodedSize(photo), fullSize(photo));

/** The lens a photo was taken with, its calibration to begin with, and the principal point in decoded pixels. */
export function lensOf(photo: Photo): { lens: Lens; calibration: Float64Array; principal: Principal } {
  const { scale: toDecoded } = scaling(fullSize(photo), decodedSize(photo));
  const longSidePx = Math.max(photo.widthPx, photo.heightPx);
  const centre = { x: photo.widthPx / 2, y: photo.heightPx / 2 };
  const common = { longSidePx, fullScale: 1 / toDecoded };
  const size = [photo.fullWidthPx, photo.fullHeightPx].sort((a, b) => b - a).join("x");

  if (photo.camera) {
    const { model, params } = photo.camera;
    // A calibration made at another size of the same photo holds after scaling.
    const { scale, offsetX, offsetY } = scaling(photo.camera, decodedSize(photo));
    const [fx, fy, cx, cy, k1, k2] = calibrationFromParams(model, params);
    return {
      lens: {
        ...common,
        key: `given ${model} ${photo.camera.width} ${params.join(" ")} ${size}`,
        source: "given",
        priorPx: fx * scale,
      },
      calibration: Float64Array.of(fx * scale, fy * scale, 0, 0, k1, k2),
      principal: { x: cx * scale + offsetX, y: cy * scale + offsetY },
    };
  }
  const [low, high] = TOLD_RANGE;
  const told = photo.focalPx === undefined ? NaN : photo.focalPx * toDecoded;
  const believable = told >= low * longSidePx && told <= high * longSidePx;
  const f = believable ? told : TYPICAL_FOCAL * longSidePx;
  return {
    lens: {
      ...common,
      key: believable ? `exif ${Math.round(told)} ${size}` : `unknown ${size}`,
      source: believable ? "exif" : "estimated",
      priorPx: believable ? told : NaN,
    },
    calibration: Float64Array.of(f, f, 0, 0, 0, 0),
    principal: centre,
  };
}

/** A calibration of the mapper as COLMAP intrinsics of the full photo. */
export function intrinsicsOf(
  photo: Sizes & Pick<Photo, "camera">,
  principal: Principal,
  calibrations: Float64Array,
  lens: number,
): Intrinsics {
  if (photo.camera && photo.camera.width === photo.fullWidthPx) return photo.camera;
  const { scale, offsetX, offsetY } = toFull(photo);
  const [fx, fy, cx, cy, k1, k2] = calibrations.subarray(lens * CALIBRATION_SIZE, (lens + 1) * CALIBRATION_SIZE);
  const [x, y] = [(principal.x + cx) * scale + offsetX, (principal.y + cy) * scale + offsetY];
  const full = Float64Array.of(fx * scale, fy * scale, x, y, k1, k2);
  const model = photo.camera?.model ?? "SIMPLE_RADIAL";
  return {
    model,
    width: photo.fullWidthPx,
    height: photo.fullHeightPx,
    params: paramsFromCalibration(model, full),
  };
}
