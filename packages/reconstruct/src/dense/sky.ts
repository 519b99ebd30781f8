/**
 * Where a photo shows sky. Depth beside a silhouette against the sky is that of the silhouette, in every photo, so
 * that consistency cannot tell it: only the picture can. Sky is bright, even, not warm, begins at the upper edge, and
 * other photos bear out next to no depth in it. Patches of its colour elsewhere are sky seen through an arch or leaves.
 */
import type { DenseView } from "./contract.ts";
import { Flood } from "./flood.ts";

const DARKEST = 80;
/** Blue is at least so little below red and green. */
const COLD = 10;
/** Neighbouring pixels of sky differ by at most so much, each channel. */
const EVEN = 9;
/** A region smaller than this part of the picture is no sky; nor, where it is enclosed, one smaller than the other. */
const LEAST_PART = 0.002;
const LEAST_ENCLOSED_PART = 0.0001;
/** Mean colours of enclosed sky and of the sky nearest to it in height differ by at most so much, over the channels. */
const LIKE_SKY = 60;
/** A piece within the sky is a cloud when it is no larger than this part, and this share of it could be sky. */
const MOST_ISLAND = 0.02;
const LIKE_ISLAND = 0.7;
/** A region of which more has a depth that others bear out is a wall. */
const MOST_KEPT = 0.35;
/** Pixels mixed of sky and silhouette: so far from the sky, as a part of the long side, when they are as bright. */
const FRINGE = 1 / 320;

/** `[heightPx, widthPx]` 1 where there is sky. @param kept 1 where a depth was borne out */
export function findSky({ rgb, widthPx, heightPx }: DenseView, kept: Uint8Array): Uint8Array {
  const sky = new Uint8Array(widthPx * heightPx);
  const flood = new Flood(widthPx, heightPx);
  const region = flood.piece;
  for (let start = 0; start < widthPx; start++) {
    if (flood.isTaken(start) || !looks(start)) continue;
    const size = flood.from(start, isEven);
    if (size >= LEAST_PART * sky.length && isEmpty(size)) mark(size);
  }
  const rows = skyColors();
  if (!rows) return sky;
  for (let start = widthPx; start < sky.length; start++) {
    if (flood.isTaken(start) || !looks(start)) continue;
    const size = flood.from(start, isEven);
    if (size >= LEAST_ENCLOSED_PART * sky.length && isEmpty(size) && isLike(size, rows)) mark(size);
  }
  addIslands();
  addFringe(Math.round(FRINGE * Math.max(widthPx, heightPx)));
  return sky;

  function looks(at: number): boolean {
    const r = rgb[at * 3];
    const g = rgb[at * 3 + 1];
    const b = rgb[at * 3 + 2];
    return g >= DARKEST && b >= r - COLD && b >= g - COLD;
  }

  function isEmpty(size: number): boolean {
    let borneOut = 0;
    for (let k = 0; k < size; k++) borneOut += kept[region[k]];
    return borneOut <= MOST_KEPT * size;
  }

  function mark(size: number): void {
    for (let k = 0; k < size; k++) sky[region[k]] = 1;
  }

  /** `[heightPx, 3]` mean colour of the sky at each height, of the nearest with sky; undefined without any. */
  function skyColors(): Float32Array | undefined {
    const colors = new Float32Array(heightPx * 3);
    let last = -1;
    for (let y = 0; y < heightPx; y++) {
      let count = 0;
      const mean = [0, 0, 0];
      for (let at = y * widthPx; at < (y + 1) * widthPx; at++) {
        if (!sky[at]) continue;
        count++;
        for (let k = 0; k < 3; k++) mean[k] += rgb[at * 3 + k];
      }
      if (count > 0) {
        for (let k = 0; k < 3; k++) colors[y * 3 + k] = mean[k] / count;
        last = y;
      } else if (last >= 0) colors.copyWithin(y * 3, last * 3, last * 3 + 3);
    }
    return last < 0 ? undefined : colors;
  }

  function isLike(size: number, rows: Float32Array): boolean {
    let off = 0;
    for (let k = 0; k < 3; k++) {
      let difference = 0;
      for (let i = 0; i < size; i++) {
        difference += rgb[region[i] * 3 + k] - rows[Math.floor(region[i] / widthPx) * 3 + k];
      }
      off += Math.abs(difference / size);
    }
    return off <= LIKE_SKY;
  }

  function isEven(from: number, to: number): boolean {
    if (!looks(to)) return false;
    for (let k = 0; k < 3; k++) if (Math.abs(rgb[from * 3 + k] - rgb[to * 3 + k]) > EVEN) return false;
    return true;
  }

  /** What lies within the sky and looks mostly like it: clouds with sharp edges. */
  function addIslands(): void {
    const islands = new Flood(widthPx, heightPx);
    const joins = (_: number, to: number): boolean => sky[to] === 0;
    for (let start = 0; start < sky.length; start++) {
      if (sky[start] || islands.isTaken(start)) continue;
      const size = islands.from(start, joins);
      if (size > MOST_ISLAND * sky.length) continue;
      let like = 0;
      for (let k = 0; k < size; k++) if (looks(islands.piece[k])) like++;
      if (like >= LIKE_ISLAND * size) for (let k = 0; k < size; k++) sky[islands.piece[k]] = 1;
    }
  }

  function addFringe(reachPx: number): void {
    let rim = 0;
    for (let at = 0; at < sky.length; at++) if (sky[at]) region[rim++] = at;
    let first = 0;
    for (let step = 0; step < reachPx; step++) {
      const last = rim;
      for (let k = first; k < last; k++) {
        const at = region[k];
        const x = at % widthPx;
        if (x > 0) shine(at, at - 1);
        if (x < widthPx - 1) shine(at, at + 1);
        if (at >= widthPx) shine(at, at - widthPx);
        if (at < widthPx * (heightPx - 1)) shine(at, at + widthPx);
      }
      first = last;
    }

    function shine(from: number, to: number): void {
      if (sky[to] || !looks(to)) return;
      // Sky shines through: the pixel is nearer to the sky beside it than to a dark silhouette.
      if (rgb[to * 3 + 1] < 0.6 * rgb[from * 3 + 1]) return;
      sky[to] = 1;
      region[rim++] = to;
    }
  }
}
