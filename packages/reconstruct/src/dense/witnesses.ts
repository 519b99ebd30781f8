/** Which views can bear witness about the surfaces of another: those that look at the same place. */
import type { PosedDepth } from "./contract.ts";
import { transferBetween } from "./transfer.ts";

/** A view is judged by at most so many others: a bit each. */
export const MOST_WITNESSES = 8;
/** The view is probed on a grid of so many places a side. */
const PROBES = 16;
/** A witness sees at least this part of the probes. */
const LEAST_OVERLAP = 0.05;
/** A view from the same place confirms whatever the first one believes. */
const LEAST_ANGLE_COS = Math.cos((1 * Math.PI) / 180);
/** From farther round, surfaces are seen at a slant or not at all. */
const GOOD_ANGLE_COS = Math.cos((45 * Math.PI) / 180);

/** The best witnesses of one of `depths`, by index, best first; ties by order. */
export function witnessesOf(depths: readonly PosedDepth[], reference: number): number[] {
  const rated: { index: number; score: number }[] = [];
  const probes = probesOf(depths[reference]);
  for (let index = 0; index < depths.length; index++) {
    if (index === reference) continue;
    const score = overlap(depths[reference], depths[index], probes);
    if (score >= LEAST_OVERLAP) rated.push({ index, score });
  }
  rated.sort((a, b) => b.score - a.score || a.index - b.index);
  return rated.slice(0, MOST_WITNESSES).map(({ index }) => index);
}

/** `x, y, z` pixels and depth at a grid of places that have one. */
function probesOf({ depth }: PosedDepth): number[] {
  const probes: number[] = [];
  for (let row = 0; row < PROBES; row++) {
    const y = Math.floor(((row + 0.5) / PROBES) * depth.heightPx);
    for (let column = 0; column < PROBES; column++) {
      const x = Math.floor(((column + 0.5) / PROBES) * depth.widthPx);
      const z = depth.depths[y * depth.widthPx + x];
      if (z > 0) probes.push(x + 0.5, y + 0.5, z);
    }
  }
  return probes;
}

/** Share of the probes inside the other view, each weighted by how good its angle is. */
function overlap(reference: PosedDepth, other: PosedDepth, probes: readonly number[]): number {
  if (probes.length === 0) return 0;
  const { m, b, turn } = transferBetween(reference.view, other.view);
  const [fx, fy, cx, cy] = reference.view.pinhole;
  const { widthPx, heightPx, pinhole } = other.view;
  let score = 0;
  for (let k = 0; k < probes.length; k += 3) {
    const [x, y, z] = [probes[k], probes[k + 1], probes[k + 2]];
    const w = (m[6] * x + m[7] * y + m[8]) * z + b[2];
    if (!(w > 0)) continue;
    const u = ((m[0] * x + m[1] * y + m[2]) * z + b[0]) / w;
    const v = ((m[3] * x + m[4] * y + m[5]) * z + b[1]) / w;
    if (u < 0 || v < 0 || u >= widthPx || v >= heightPx) continue;
    const ray = [(x - cx) / fx, (y - cy) / fy, 1];
    const back = [(u - pinhole[2]) / pinhole[0], (v - pinhole[3]) / pinhole[1], 1];
    let dot = 0;
    for (let row = 0; row < 3; row++) {
      dot += back[row] * (turn[row * 3] * ray[0] + turn[row * 3 + 1] * ray[1] + turn[row * 3 + 2] * ray[2]);
    }
    const cos = dot / (Math.hypot(...ray) * Math.hypot(...back));
    if (cos > LEAST_ANGLE_COS) continue;
    score += cos >= GOOD_ANGLE_COS ? 1 : Math.max(0, cos / GOOD_ANGLE_COS) ** 2;
  }
  return score / (probes.length / 3);
}
