/**
 * Where a photo shows sky. Depth beside a silhouette against the sky is that of the silhouette, in every photo, so
 * that consistency cannot tell it: only the picture can. Sky is bright, even, not warm, begins at the upper edge, and
 * other photos bear out next to no depth in it.
 */
import type { DenseView } from "./contract.ts";

const DARKEST = 80;
/** Blue is at least so little below red and green. */
const COLD = 10;
/** Neighbouring pixels of sky differ by at most so much, each channel. */
const EVEN = 9;
/** A region smaller than this part of the picture is no sky. */
const LEAST_PART = 0.002;
/** A region of which more has a depth that others bear out is a wall. */
const MOST_KEPT = 0.35;
/** Pixels mixed of sky and silhouette: so far from the sky they still count, when they are as bright. */
const FRINGE_PX = 2;

/** `[heightPx, widthPx]` 1 where there is sky. @param kept 1 where a depth was borne out */
export function findSky({ rgb, widthPx, heightPx }: DenseView, kept: Uint8Array): Uint8Array {
  const sky = new Uint8Array(widthPx * heightPx);
  const region = new Int32Array(widthPx * heightPx);
  const done = new Uint8Array(widthPx * heightPx);
  const looks = (at: number): boolean => {
    const [r, g, b] = [rgb[at * 3], rgb[at * 3 + 1], rgb[at * 3 + 2]];
    return g >= DARKEST && b >= r - COLD && b >= g - COLD;
  };
  for (let start = 0; start < widthPx; start++) {
    if (done[start] || !looks(start)) continue;
    const size = flood(start);
    let borneOut = 0;
    for (let k = 0; k < size; k++) borneOut += kept[region[k]];
    if (size < LEAST_PART * widthPx * heightPx || borneOut > MOST_KEPT * size) continue;
    for (let k = 0; k < size; k++) sky[region[k]] = 1;
  }
  addFringe();
  return sky;

  /** Puts what is even with its neighbours from `start` on into `region`; @returns how much */
  function flood(start: number): number {
    let size = 0;
    region[size++] = start;
    done[start] = 1;
    for (let next = 0; next < size; next++) {
      const at = region[next];
      const x = at % widthPx;
      if (x > 0) visit(at, at - 1);
      if (x < widthPx - 1) visit(at, at + 1);
      if (at >= widthPx) visit(at, at - widthPx);
      if (at < widthPx * (heightPx - 1)) visit(at, at + widthPx);
    }
    return size;

    function visit(from: number, to: number): void {
      if (done[to] || !looks(to)) return;
      for (let k = 0; k < 3; k++) if (Math.abs(rgb[from * 3 + k] - rgb[to * 3 + k]) > EVEN) return;
      done[to] = 1;
      region[size++] = to;
    }
  }

  function addFringe(): void {
    let rim: number[] = [];
    for (let at = 0; at < sky.length; at++) if (sky[at]) rim.push(at);
    for (let step = 0; step < FRINGE_PX; step++) {
      const next: number[] = [];
      for (const at of rim) {
        const x = at % widthPx;
        for (const beside of [x > 0 ? at - 1 : -1, x < widthPx - 1 ? at + 1 : -1, at - widthPx, at + widthPx]) {
          if (beside < 0 || beside >= sky.length || sky[beside] || !looks(beside)) continue;
          // Sky shines through: the pixel is nearer to the sky beside it than to a dark silhouette.
          if (rgb[beside * 3 + 1] < 0.6 * rgb[at * 3 + 1]) continue;
          sky[beside] = 1;
          next.push(beside);
        }
      }
      rim = next;
    }
  }
}
