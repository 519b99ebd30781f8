/** A calibration holds for one size of picture. This is what it says of other pictures of the same camera. */

/** A picture as it is looked at, upright, pixels. */
export type Picture = {
  readonly width: number;
  readonly height: number;
  /** How the camera was held: EXIF's orientation, 1 to 8. Left out: 1. */
  readonly orientation?: number;
};

/** What is upright of a stored point, both from the picture's middle: `x′ = ax + by, y′ = cx + dy` (EXIF 2.32, 4.6.4 A). */
const UPRIGHT: readonly (readonly [number, number, number, number])[] = [
  [1, 0, 0, 1],
  [-1, 0, 0, 1],
  [-1, 0, 0, -1],
  [1, 0, 0, -1],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, -1, -1, 0],
  [0, 1, -1, 0],
];

/**
 * The sensor is what both pictures share: one whose camera was held another way has the calibration turned with it, and
 * a smaller one has it scaled; pixel centres lie at 0.5, so that all four numbers go with the size.
 *
 * @param params `fx, fy, cx, cy` of COLMAP's PINHOLE in the picture `of`
 * @returns the same for `photo`; undefined when that has another shape: it was cropped, and nobody knows where, or turned,
 * and nobody knows which way
 */
export function pinholeForPhoto(
  params: readonly number[],
  of: Picture,
  photo: Picture,
): [number, number, number, number] | undefined {
  const turned = turnedBy(params, of, photo);
  // Programs that turn the pixels and leave the tag as it was: what is seen counts.
  const [at, [fx, fy, cx, cy]] = sameShape(turned, photo) ? [turned, turned.params] : [of, params];
  if (!sameShape(at, photo)) return undefined;
  const [x, y] = [photo.width / at.width, photo.height / at.height];
  return [fx * x, fy * y, cx * x, cy * y];
}

function turnedBy([fx, fy, cx, cy]: readonly number[], of: Picture, photo: Picture) {
  const [a, b, c, d] = UPRIGHT[(photo.orientation ?? 1) - 1];
  const [e, f, g, h] = UPRIGHT[(of.orientation ?? 1) - 1];
  // Back to the sensor, whose matrix is the transpose, and up again.
  const [xx, xy, yx, yy] = [a * e + b * f, a * g + b * h, c * e + d * f, c * g + d * h];
  const [width, height] = xx === 0 ? [of.height, of.width] : [of.width, of.height];
  const [x, y] = [cx - of.width / 2, cy - of.height / 2];
  const params = [
    xx === 0 ? fy : fx,
    xx === 0 ? fx : fy,
    width / 2 + xx * x + xy * y,
    height / 2 + yx * x + yy * y,
  ] as const;
  return { width, height, params };
}

type Sides = Pick<Picture, "width" | "height">;

/** But for the half pixel by which each of the four sides was rounded. */
function sameShape(a: Sides, b: Sides): boolean {
  return Math.abs(a.width * b.height - b.width * a.height) <= (a.width + a.height + b.width + b.height) / 2;
}
