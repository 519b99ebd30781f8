/**
 * Corners of a small grey picture, and where they are in the next one: Shi and Tomasi's corners, Lucas and Kanade's
 * tracker over a pyramid (Bouguet's formulation). All on plain typed arrays; the same input gives the same output.
 */
import type { GrayPicture } from "../decode/frame.ts";

/** Halved pictures, the largest first. */
export type Pyramid = readonly GrayPicture[];

const LEVELS = 4;
/** One corner at most in each square of so many pixels. */
const CELL_PX = 16;
/** Half the window that is compared. */
const HALF = 4;
const SIDE = 2 * HALF + 1;
const AREA = SIDE * SIDE;
const ITERATIONS = 8;
/** A corner must be this strong, grey levels squared a pixel: below is noise. */
const LEAST_CORNER = 40;
/** What is found must look like what was sought, grey levels a pixel. */
const MOST_DIFFERENCE = 18;

export function pyramidOf(picture: GrayPicture): Pyramid {
  const levels = [picture];
  while (levels.length < LEVELS) {
    const { width, height, pixels } = levels.at(-1)!;
    if (width < 8 * HALF || height < 8 * HALF) break;
    const [halfWidth, halfHeight] = [width >> 1, height >> 1];
    const half = new Uint8Array(halfWidth * halfHeight);
    for (let y = 0; y < halfHeight; y++) {
      for (let x = 0; x < halfWidth; x++) {
        const at = 2 * y * width + 2 * x;
        half[y * halfWidth + x] =
          (pixels[at]! + pixels[at + 1]! + pixels[at + width]! + pixels[at + width + 1]! + 2) >> 2;
      }
    }
    levels.push({ width: halfWidth, height: halfHeight, pixels: half });
  }
  return levels;
}

/** The best corner of each cell that has one: x, y, x, y, … pixels of the largest level. */
export function cornersOf({ width, height, pixels }: GrayPicture): Float32Array {
  const corners: number[] = [];
  const border = HALF + 2;
  for (let top = border; top + CELL_PX <= height - border; top += CELL_PX) {
    for (let left = border; left + CELL_PX <= width - border; left += CELL_PX) {
      let best = LEAST_CORNER;
      let [bestX, bestY] = [-1, -1];
      for (let y = top; y < top + CELL_PX; y += 2) {
        for (let x = left; x < left + CELL_PX; x += 2) {
          const score = cornerStrength(pixels, width, x, y);
          if (score <= best) continue;
          best = score;
          [bestX, bestY] = [x, y];
        }
      }
      if (bestX >= 0) corners.push(bestX, bestY);
    }
  }
  return Float32Array.from(corners);
}

/** The smaller eigenvalue of the mean outer product of gradients over 5 × 5 pixels. */
function cornerStrength(pixels: Uint8Array, width: number, x: number, y: number): number {
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (let dy = -2; dy <= 2; dy++) {
    for (let at = (y + dy) * width + x - 2, end = at + 5; at < end; at++) {
      const gx = (pixels[at + 1]! - pixels[at - 1]!) / 2;
      const gy = (pixels[at + width]! - pixels[at - width]!) / 2;
      xx += gx * gx;
      xy += gx * gy;
      yy += gy * gy;
    }
  }
  return (xx + yy - Math.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 50;
}

const template = new Float32Array(AREA);
const gradientX = new Float32Array(AREA);
const gradientY = new Float32Array(AREA);

/**
 * Moves points from one picture to the next.
 * @param points x, y, … pixels; where one is lost its x becomes NaN; written in place
 */
export function track(from: Pyramid, to: Pyramid, points: Float32Array): void {
  const levels = Math.min(from.length, to.length);
  for (let p = 0; p < points.length; p += 2) {
    const [x, y] = [points[p]!, points[p + 1]!];
    if (Number.isNaN(x)) continue;
    let dx = 0;
    let dy = 0;
    let found = true;
    for (let level = levels - 1; level >= 0 && found; level--) {
      const scale = 1 / 2 ** level;
      // The centre of the first pixel of a halved picture lies between the first two.
      const [lx, ly] = [(x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5];
      const step = trackAt(from[level]!, to[level]!, lx, ly, dx, dy, level === 0);
      if (step) [dx, dy] = step;
      // Near the border of a small level there is no window; a larger one may have it.
      else if (level === 0) found = false;
      if (level > 0) [dx, dy] = [2 * dx, 2 * dy];
    }
    points[p] = found ? x + dx : Number.NaN;
    points[p + 1] = found ? y + dy : Number.NaN;
  }
}

function trackAt(
  from: GrayPicture,
  to: GrayPicture,
  x: number,
  y: number,
  startX: number,
  startY: number,
  finest: boolean,
): readonly [number, number] | undefined {
  if (!inside(from, x, y, HALF + 1)) return undefined;
  let xx = 0;
  let xy = 0;
  let yy = 0;
  for (let row = -HALF, i = 0; row <= HALF; row++) {
    for (let column = -HALF; column <= HALF; column++, i++) {
      const [px, py] = [x + column, y + row];
      template[i] = sample(from, px, py);
      const gx = (sample(from, px + 1, py) - sample(from, px - 1, py)) / 2;
      const gy = (sample(from, px, py + 1) - sample(from, px, py - 1)) / 2;
      gradientX[i] = gx;
      gradientY[i] = gy;
      xx += gx * gx;
      xy += gx * gy;
      yy += gy * gy;
    }
  }
  const determinant = xx * yy - xy * xy;
  if (!(determinant > 1e-3 * AREA * AREA)) return undefined;
  let dx = startX;
  let dy = startY;
  let difference = 0;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    if (!inside(to, x + dx, y + dy, HALF)) return undefined;
    let bx = 0;
    let by = 0;
    difference = 0;
    for (let row = -HALF, i = 0; row <= HALF; row++) {
      for (let column = -HALF; column <= HALF; column++, i++) {
        const error = template[i]! - sample(to, x + dx + column, y + dy + row);
        bx += error * gradientX[i]!;
        by += error * gradientY[i]!;
        difference += Math.abs(error);
      }
    }
    const stepX = (yy * bx - xy * by) / determinant;
    const stepY = (xx * by - xy * bx) / determinant;
    dx += stepX;
    dy += stepY;
    if (stepX * stepX + stepY * stepY < 1e-3) break;
  }
  if (finest && (difference > MOST_DIFFERENCE * AREA || !inside(to, x + dx, y + dy, HALF))) return undefined;
  return [dx, dy];
}

function inside({ width, height }: GrayPicture, x: number, y: number, margin: number): boolean {
  return x >= margin && y >= margin && x < width - 1 - margin && y < height - 1 - margin;
}

function sample({ width, pixels }: GrayPicture, x: number, y: number): number {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - left, y - top];
  const at = top * width + left;
  const upper = pixels[at]! + fx * (pixels[at + 1]! - pixels[at]!);
  const lower = pixels[at + width]! + fx * (pixels[at + width + 1]! - pixels[at + width]!);
  return upper + fy * (lower - upper);
}
