/** How far a point is from what stands in the scene: for holding a reconstruction against the truth. */
import type { Bvh } from "./bvh.ts";
import type { Scene } from "./scene.ts";

/** Metres to the nearest surface; `most` when nothing is that near. */
export function distanceTo(scene: Scene, x: number, y: number, z: number, most: number): number {
  const near = nearest(scene.solidTree, x, y, z, most * most);
  return Math.sqrt(nearest(scene.plantTree, x, y, z, near));
}

const stack = new Uint32Array(64);

/** Squared distance, at most `best`. */
function nearest({ boxes, links, corners }: Bvh, x: number, y: number, z: number, best: number): number {
  let top = 0;
  stack[top++] = 0;
  while (top > 0) {
    const node = stack[--top];
    if (toBox(boxes, 6 * node, x, y, z) >= best) continue;
    const count = links[2 * node + 1];
    if (count === 0) {
      const [left, right] = [node + 1, links[2 * node]];
      const leftFirst = toBox(boxes, 6 * left, x, y, z) < toBox(boxes, 6 * right, x, y, z);
      stack[top++] = leftFirst ? right : left;
      stack[top++] = leftFirst ? left : right;
      continue;
    }
    for (let t = links[2 * node]; t < links[2 * node] + count; t++) {
      best = Math.min(best, toTriangle(corners, 9 * t, x, y, z));
    }
  }
  return best;
}

function toBox(boxes: Float32Array, at: number, x: number, y: number, z: number): number {
  const dx = Math.max(0, boxes[at] - x, x - boxes[at + 3]);
  const dy = Math.max(0, boxes[at + 1] - y, y - boxes[at + 4]);
  const dz = Math.max(0, boxes[at + 2] - z, z - boxes[at + 5]);
  return dx * dx + dy * dy + dz * dz;
}

/** Source: C. Ericson, Real-Time Collision Detection, §5.1.5: the region that a point lies in, then its foot. */
function toTriangle(c: Float32Array, at: number, x: number, y: number, z: number): number {
  const [px, py, pz] = [x - c[at], y - c[at + 1], z - c[at + 2]];
  const [ux, uy, uz] = [c[at + 3], c[at + 4], c[at + 5]];
  const [vx, vy, vz] = [c[at + 6], c[at + 7], c[at + 8]];
  const uu = ux * ux + uy * uy + uz * uz;
  const uv = ux * vx + uy * vy + uz * vz;
  const vv = vx * vx + vy * vy + vz * vz;
  const pu = px * ux + py * uy + pz * uz;
  const pv = px * vx + py * vy + pz * vz;
  const area = uu * vv - uv * uv;
  let s = (vv * pu - uv * pv) / area;
  let t = (uu * pv - uv * pu) / area;
  if (!(s >= 0 && t >= 0 && s + t <= 1)) {
    // On one of the three sides.
    let least = Infinity;
    const consider = (a: number, b: number): void => {
      const [dx, dy, dz] = [px - a * ux - b * vx, py - a * uy - b * vy, pz - a * uz - b * vz];
      const distance = dx * dx + dy * dy + dz * dz;
      if (distance >= least) return;
      least = distance;
      [s, t] = [a, b];
    };
    consider(unit(pu / uu), 0);
    consider(0, unit(pv / vv));
    const along = unit((uu - uv + pv - pu) / (uu - 2 * uv + vv));
    consider(1 - along, along);
  }
  const [dx, dy, dz] = [px - s * ux - t * vx, py - s * uy - t * vy, pz - s * uz - t * vz];
  return dx * dx + dy * dy + dz * dz;
}

/** Into 0…1; 0 where it is no number. */
function unit(value: number): number {
  return value > 0 ? Math.min(1, value) : 0;
}
