/** A calibration holds for one size of picture. This is what it says of other pictures of the same camera. */

/** A picture as it is looked at, upright, pixels. */
export type PictureSize = { readonly width: number; readonly height: number };

/**
 * @param params `fx, fy, cx, cy` of COLMAP's PINHOLE in a picture of the size `of`; pixel centres lie at 0.5, so that all
 * four go with the size
 * @returns the same for `photo`; undefined when that has another shape: it was cropped, and nobody knows where
 */
export function pinholeForPhoto(
  params: readonly number[],
  of: PictureSize,
  photo: PictureSize,
): [number, number, number, number] | undefined {
  if (!sameShape(of, photo)) return undefined;
  const [fx, fy, cx, cy] = params;
  const [x, y] = [photo.width / of.width, photo.height / of.height];
  return [fx * x, fy * y, cx * x, cy * y];
}

/** But for the half pixel by which each of the four sides was rounded. */
function sameShape(a: PictureSize, b: PictureSize): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= (a.width + a.height + b.width + b.height) / 2;
}
