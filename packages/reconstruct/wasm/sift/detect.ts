/** Extrema of the difference-of-Gaussians stack, placed to a part of a pixel. */

/** Extrema nearer to the border than this many pixels are left out: the blur has seen too much of what is not there. */
const BORDER: i32 = 5;
/** Levels of Gaussian blur to the doubling of sigma. */
const LEVELS: i32 = 3;
const MOST_MOVES: i32 = 5;

// The keypoint that `refine` found.
let foundX: f64 = 0;
let foundY: f64 = 0;
let foundLevel: f64 = 0;
let foundValue: f64 = 0;

/**
 * Finds the keypoints of one octave.
 *
 * @param stack five planes of differences, `planeBytes` apart
 * @param contrast least height of the interpolated extremum, grey 0 to 1
 * @param edge largest ratio of the principal curvatures
 * @param sigma blur of the octave's first level, pixels of the octave
 * @param out `[capacity, 5]` f32: x, y (pixels of the octave, centre of the first pixel at 0), sigma, level (whole), height
 * @returns how many were written
 */
export function detect(
  stack: usize,
  planeBytes: usize,
  width: i32,
  height: i32,
  stride: i32,
  contrast: f32,
  edge: f32,
  sigma: f32,
  out: usize,
  capacity: i32,
): i32 {
  // Interpolation raises an extremum by a little: candidates may lie a fifth below the threshold.
  const floor: f32 = 0.8 * contrast;
  let count = 0;
  for (let level = 1; level <= LEVELS; level++) {
    const plane = stack + <usize>level * planeBytes;
    for (let y = BORDER; y < height - BORDER; y++) {
      for (let x = BORDER; x < width - BORDER; x += 4) {
        let lanes = candidates(plane + ((<usize>(y * stride + x)) << 2), (<usize>stride) << 2, floor);
        while (lanes !== 0) {
          const column = x + ctz(lanes);
          lanes &= lanes - 1;
          if (column >= width - BORDER || count === capacity) break;
          if (!isExtremum(plane + ((<usize>(y * stride + column)) << 2), planeBytes, (<usize>stride) << 2)) continue;
          if (!refine(stack, planeBytes, width, height, stride, column, y, level, contrast, edge)) continue;
          const record = out + <usize>count * 20;
          store<f32>(record, <f32>foundX);
          store<f32>(record, <f32>foundY, 4);
          store<f32>(record, sigma * <f32>NativeMath.pow(2, foundLevel / <f64>LEVELS), 8);
          store<f32>(record, <f32>max(1, min(LEVELS, <i32>Math.floor(foundLevel + 0.5))), 12);
          store<f32>(record, <f32>abs(foundValue), 16);
          count++;
        }
      }
    }
  }
  return count;
}

/** Which of four neighbouring pixels are beyond the threshold and beyond the pixels left, right, above and below. */
function candidates(p: usize, rowBytes: usize, threshold: f32): i32 {
  const value = v128.load(p);
  const high = f32x4.gt(value, f32x4.splat(threshold));
  const low = f32x4.lt(value, f32x4.splat(-threshold));
  if (!v128.any_true(v128.or(high, low))) return 0;
  const left = v128.load(p - 4);
  const right = v128.load(p + 4);
  const above = v128.load(p - rowBytes);
  const below = v128.load(p + rowBytes);
  const highest = f32x4.max(f32x4.max(left, right), f32x4.max(above, below));
  const lowest = f32x4.min(f32x4.min(left, right), f32x4.min(above, below));
  return i32x4.bitmask(v128.or(v128.and(high, f32x4.ge(value, highest)), v128.and(low, f32x4.le(value, lowest))));
}

/**
 * Whether a pixel is beyond all 26 neighbours. Among equals the first wins, in the order level, row, column: a flat
 * top gives one keypoint, not none and not many.
 */
function isExtremum(p: usize, planeBytes: usize, rowBytes: usize): bool {
  const value = load<f32>(p);
  const sign: f32 = value > 0 ? 1 : -1;
  const top = value * sign;
  for (let row = -1; row <= 1; row++) {
    for (let column = -1; column <= 1; column++) {
      const q = p + row * <i32>rowBytes + (column << 2);
      if (load<f32>(q - planeBytes) * sign >= top) return false;
      if (load<f32>(q + planeBytes) * sign > top) return false;
      const here = load<f32>(q) * sign;
      if (here > top || (here === top && (row < 0 || (row === 0 && column < 0)))) return false;
    }
  }
  return true;
}

/**
 * Fits a quadratic to the 27 values around a candidate and moves to its top (Lowe 2004, section 4); refuses what is
 * low, on an edge, or has no stable top.
 */
function refine(
  stack: usize,
  planeBytes: usize,
  width: i32,
  height: i32,
  stride: i32,
  startX: i32,
  startY: i32,
  startLevel: i32,
  contrast: f32,
  edge: f32,
): bool {
  const down = (<usize>stride) << 2;
  let x = startX;
  let y = startY;
  let level = startLevel;
  for (let move = 0; move < MOST_MOVES; move++) {
    const p = stack + <usize>level * planeBytes + ((<usize>(y * stride + x)) << 2);
    const value = at(p);
    const dx = (at(p + 4) - at(p - 4)) / 2;
    const dy = (at(p + down) - at(p - down)) / 2;
    const ds = (at(p + planeBytes) - at(p - planeBytes)) / 2;
    const xx = at(p + 4) + at(p - 4) - 2 * value;
    const yy = at(p + down) + at(p - down) - 2 * value;
    const ss = at(p + planeBytes) + at(p - planeBytes) - 2 * value;
    const xy = (at(p + down + 4) - at(p + down - 4) - at(p - down + 4) + at(p - down - 4)) / 4;
    const xs = cross(p, planeBytes, 4);
    const ys = cross(p, planeBytes, down);

    // Cramer's rule for H · step = -gradient, H symmetric.
    const cx = yy * ss - ys * ys;
    const cy = xs * ys - xy * ss;
    const cs = xy * ys - yy * xs;
    const determinant = xx * cx + xy * cy + xs * cs;
    if (abs(determinant) < 1e-20) return false;
    const stepX = -(cx * dx + cy * dy + cs * ds) / determinant;
    const stepY = -(cy * dx + (xx * ss - xs * xs) * dy + (xs * xy - xx * ys) * ds) / determinant;
    const stepS = -(cs * dx + (xs * xy - xx * ys) * dy + (xx * yy - xy * xy) * ds) / determinant;

    if (abs(stepX) < 0.6 && abs(stepY) < 0.6 && abs(stepS) < 0.6) {
      foundX = <f64>x + stepX;
      foundY = <f64>y + stepY;
      foundLevel = <f64>level + stepS;
      foundValue = value + (dx * stepX + dy * stepY + ds * stepS) / 2;
      const trace = xx + yy;
      const minor = xx * yy - xy * xy;
      const limit = <f64>((edge + 1) * (edge + 1)) / <f64>edge;
      return abs(foundValue) > <f64>contrast && minor > 0 && trace * trace < limit * minor;
    }
    // Far outside: there is no top here. (Also keeps the conversions below in range.)
    if (abs(stepX) > 100 || abs(stepY) > 100 || abs(stepS) > 100) return false;
    x += <i32>nearest(stepX);
    y += <i32>nearest(stepY);
    level += <i32>nearest(stepS);
    if (level < 1 || level > LEVELS) return false;
    if (x < BORDER || x >= width - BORDER || y < BORDER || y >= height - BORDER) return false;
  }
  return false;
}

function at(p: usize): f64 {
  return <f64>load<f32>(p);
}

/** The mixed derivative along the level and one direction of the image. */
function cross(p: usize, planeBytes: usize, step: usize): f64 {
  return (
    (at(p + planeBytes + step) - at(p + planeBytes - step) - at(p - planeBytes + step) + at(p - planeBytes - step)) / 4
  );
}
