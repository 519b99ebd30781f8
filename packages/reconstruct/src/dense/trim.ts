/**
 * Silhouettes trimmed. Depth is compared over windows, and a window at the rim of a near surface sees mostly that
 * surface: pixels just outside get its depth, in every photo alike, so that views bear each other out. What gives them
 * away is their colour, which is that of what lies behind and not that of the surface.
 */
import type { DenseView, DepthMap } from "./contract.ts";
import { Flood } from "./flood.ts";

/** How far a surface grows beyond its rim, as a part of the long side: a window, at the coarser sizes too. */
const REACH = 1 / 130;
const LEAST_REACH_PX = 4;
/** Behind the rim is what is farther by more than this part, or has no depth in so large a piece of the picture. */
const BEHIND = 1.05;
const LEAST_HOLE = 1 / 2000;
/** Colours of surface and background that differ by less, over the channels, cannot tell. */
const TELLING = 36;
/** A pixel goes when it is this much nearer in colour to the background than to the surface. */
const NEARER = 0.7;
/** Means are taken of every so many pixels each way. */
const STEP_PX = 3;
const FEW = 3;
const STEPS_X = [1, -1, 0, 0, 1, 1, -1, -1];
const STEPS_Y = [0, 0, 1, -1, 1, -1, 1, -1];

/** Takes out of `kept` what belongs to the background of a surface. */
export function trimSilhouettes({ rgb }: DenseView, { depths, widthPx, heightPx }: DepthMap, kept: Uint8Array): void {
  const reachPx = Math.max(LEAST_REACH_PX, Math.round(REACH * Math.max(widthPx, heightPx)));
  const open = openPixels(kept, widthPx, heightPx);
  const rim = distanceToBehind(depths, kept, open, widthPx, heightPx, reachPx + 1);
  const gone: number[] = [];
  const window = 2 * reachPx + 2;
  for (let at = 0; at < kept.length; at++) {
    if (!kept[at] || rim[at] > reachPx) continue;
    const x = at % widthPx;
    const y = (at - x) / widthPx;
    const right = Math.min(widthPx - 1, x + window);
    const bottom = Math.min(heightPx - 1, y + window);
    const nearest = depths[at] / BEHIND;
    const farthest = depths[at] * BEHIND;
    if (isLikeInside(at, x, y, nearest, farthest)) continue;
    // Sums of the surface, beyond the reach of its rim, and of the background.
    let red = 0;
    let green = 0;
    let blue = 0;
    let count = 0;
    let redBehind = 0;
    let greenBehind = 0;
    let blueBehind = 0;
    let countBehind = 0;
    for (let v = Math.max(0, y - window); v <= bottom; v += STEP_PX) {
      for (let u = Math.max(0, x - window); u <= right; u += STEP_PX) {
        const beside = v * widthPx + u;
        const c = beside * 3;
        if (kept[beside] && depths[beside] < farthest) {
          if (rim[beside] <= reachPx || depths[beside] <= nearest) continue;
          red += rgb[c];
          green += rgb[c + 1];
          blue += rgb[c + 2];
          count++;
        } else if (kept[beside] || open[beside]) {
          redBehind += rgb[c];
          greenBehind += rgb[c + 1];
          blueBehind += rgb[c + 2];
          countBehind++;
        }
      }
    }
    if (count < FEW || countBehind < FEW) continue;
    const c = at * 3;
    const between =
      Math.abs(red / count - redBehind / countBehind) +
      Math.abs(green / count - greenBehind / countBehind) +
      Math.abs(blue / count - blueBehind / countBehind);
    const fromSurface =
      Math.abs(rgb[c] - red / count) + Math.abs(rgb[c + 1] - green / count) + Math.abs(rgb[c + 2] - blue / count);
    const fromBehind =
      Math.abs(rgb[c] - redBehind / countBehind) +
      Math.abs(rgb[c + 1] - greenBehind / countBehind) +
      Math.abs(rgb[c + 2] - blueBehind / countBehind);
    if (between >= TELLING && fromBehind < NEARER * fromSurface) gone.push(at);
  }
  for (const at of gone) kept[at] = 0;

  /** Whether a place of the surface beyond the reach of its rim has this colour: then the means need not be asked. */
  function isLikeInside(at: number, x: number, y: number, nearest: number, farthest: number): boolean {
    const step = reachPx + 1;
    for (let k = 0; k < 8; k++) {
      const u = x + step * STEPS_X[k];
      const v = y + step * STEPS_Y[k];
      if (u < 0 || v < 0 || u >= widthPx || v >= heightPx) continue;
      const inside = v * widthPx + u;
      if (!kept[inside] || rim[inside] <= reachPx) continue;
      if (depths[inside] <= nearest || depths[inside] >= farthest) continue;
      const difference =
        Math.abs(rgb[at * 3] - rgb[inside * 3]) +
        Math.abs(rgb[at * 3 + 1] - rgb[inside * 3 + 1]) +
        Math.abs(rgb[at * 3 + 2] - rgb[inside * 3 + 2]);
      if (difference < TELLING / 2) return true;
    }
    return false;
  }
}

/** `[heightPx, widthPx]` 1 in holes so large that they are no mere lack of texture. */
function openPixels(kept: Uint8Array, widthPx: number, heightPx: number): Uint8Array {
  const open = new Uint8Array(kept.length);
  const flood = new Flood(widthPx, heightPx);
  const joins = (_: number, to: number): boolean => kept[to] === 0;
  for (let start = 0; start < kept.length; start++) {
    if (kept[start] !== 0 || flood.isTaken(start)) continue;
    const size = flood.from(start, joins);
    if (size >= LEAST_HOLE * kept.length) for (let k = 0; k < size; k++) open[flood.piece[k]] = 1;
  }
  return open;
}

/** `[heightPx, widthPx]` steps from each kept pixel to what lies behind its surface; `most` where there are more. */
function distanceToBehind(
  depths: Float32Array,
  kept: Uint8Array,
  open: Uint8Array,
  widthPx: number,
  heightPx: number,
  most: number,
): Uint8Array {
  const steps = new Uint8Array(kept.length).fill(most);
  const queue = new Int32Array(kept.length);
  let size = 0;
  const lastRow = widthPx * (heightPx - 1);
  for (let at = 0; at < kept.length; at++) {
    if (!kept[at]) continue;
    const x = at % widthPx;
    const farthest = BEHIND * depths[at];
    if (
      (x > 0 && (open[at - 1] || (kept[at - 1] && depths[at - 1] > farthest))) ||
      (x < widthPx - 1 && (open[at + 1] || (kept[at + 1] && depths[at + 1] > farthest))) ||
      (at >= widthPx && (open[at - widthPx] || (kept[at - widthPx] && depths[at - widthPx] > farthest))) ||
      (at < lastRow && (open[at + widthPx] || (kept[at + widthPx] && depths[at + widthPx] > farthest)))
    ) {
      steps[at] = 1;
      queue[size++] = at;
    }
  }
  for (let next = 0; next < size; next++) {
    const at = queue[next];
    if (steps[at] + 1 >= most) break;
    const x = at % widthPx;
    if (x > 0) visit(at, at - 1);
    if (x < widthPx - 1) visit(at, at + 1);
    if (at >= widthPx) visit(at, at - widthPx);
    if (at < lastRow) visit(at, at + widthPx);
  }
  return steps;

  function visit(from: number, to: number): void {
    // Across the edge it is another surface, whose own rim lies elsewhere.
    if (!kept[to] || steps[to] <= steps[from] + 1 || depths[to] > BEHIND * depths[from]) return;
    steps[to] = steps[from] + 1;
    queue[size++] = to;
  }
}
