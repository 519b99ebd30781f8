/** What a heap of triangles is like: how many corners differ, how large it is, and whether it encloses a volume. */
import type { MeshMeasure, Vec3 } from "@cairn/protocol";
import { type Facets, type MeshFormat, refuseMesh } from "./facets.ts";

/** @throws {CairnError} `design.unreadable`: a coordinate is not finite */
export function measureFacets(facets: Facets, format: MeshFormat): MeshMeasure {
  const faces = facets.length / 9;
  if (faces === 0) return { vertices: 0, faces, volume: 0, area: 0, watertight: false, min: [0, 0, 0], max: [0, 0, 0] };
  const { min, max } = boundsOf(facets, format);
  const { indices, count } = uniteCorners(facets);
  const edges = new EdgeTable(faces * 3);
  let area = 0;
  let sixfold = 0;
  let [sx, sy, sz] = [0, 0, 0]; // twice the area with its direction: nothing where all is closed
  // Seen from the box's middle, coordinates far away from the origin cost no digits.
  const [ox, oy, oz] = [(min[0] + max[0]) / 2, (min[1] + max[1]) / 2, (min[2] + max[2]) / 2];
  for (let at = 0, corner = 0; at < facets.length; at += 9, corner += 3) {
    const [ax, ay, az] = [facets[at]! - ox, facets[at + 1]! - oy, facets[at + 2]! - oz];
    const [bx, by, bz] = [facets[at + 3]! - ox, facets[at + 4]! - oy, facets[at + 5]! - oz];
    const [cx, cy, cz] = [facets[at + 6]! - ox, facets[at + 7]! - oy, facets[at + 8]! - oz];
    const [ux, uy, uz, vx, vy, vz] = [bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az];
    const [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    const twice = Math.hypot(nx, ny, nz);
    if (twice === 0) continue;
    area += twice / 2;
    sx += nx;
    sy += ny;
    sz += nz;
    sixfold += ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx);
    const [a, b, c] = [indices[corner]!, indices[corner + 1]!, indices[corner + 2]!];
    edges.add(a, b, count);
    edges.add(b, c, count);
    edges.add(c, a, count);
  }
  // Where something is open it matters from where volume is counted: from the origin, as is usual.
  if (!edges.closed) sixfold += ox * sx + oy * sy + oz * sz;
  const volume = Math.abs(sixfold) / 6;
  if (!Number.isFinite(area) || !Number.isFinite(volume)) throw refuseMesh(format, "coordinates too large to measure");
  return { vertices: count, faces, volume, area, watertight: edges.closed, min, max };
}

function boundsOf(facets: Facets, format: MeshFormat): { min: Vec3; max: Vec3 } {
  const min: Vec3 = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const max: Vec3 = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let at = 0; at < facets.length; at += 3) {
    for (const axis of [0, 1, 2] as const) {
      const value = facets[at + axis]!;
      if (!Number.isFinite(value)) throw refuseMesh(format, "coordinates that are not finite");
      if (value < min[axis]) min[axis] = value;
      if (value > max[axis]) max[axis] = value;
    }
  }
  return { min, max };
}

/** Gives corners with exactly equal coordinates the same number; 0 and −0 are equal. */
function uniteCorners(facets: Facets): { indices: Uint32Array; count: number } {
  const corners = facets.length / 3;
  const slots = new Int32Array(tableSize(corners)).fill(-1); // a slot holds the first corner of its place
  const mask = slots.length - 1;
  const indices = new Uint32Array(corners);
  const bits = new Int32Array(6);
  const numbers = new Float64Array(bits.buffer);
  let count = 0;
  for (let corner = 0; corner < corners; corner++) {
    const at = corner * 3;
    for (let axis = 0; axis < 3; axis++) numbers[axis] = facets[at + axis]! + 0;
    let hash = 0;
    for (let i = 0; i < 6; i++) hash = Math.imul(hash ^ bits[i]!, 0x9e3779b1) ^ (hash >>> 15);
    let slot = (hash ^ (hash >>> 16)) & mask;
    for (;;) {
      const held = slots[slot]!;
      if (held < 0) {
        slots[slot] = corner;
        indices[corner] = count++;
        break;
      }
      const of = held * 3;
      if (facets[of] === facets[at] && facets[of + 1] === facets[at + 1] && facets[of + 2] === facets[at + 2]) {
        indices[corner] = indices[held]!;
        break;
      }
      slot = (slot + 1) & mask;
    }
  }
  return { indices, count };
}

/** Edges by their two ends, with how often they are passed in each direction. */
class EdgeTable {
  readonly #keys: Float64Array;
  /** Low four bits: from the lower end to the higher; high four: back. */
  readonly #passed: Uint8Array;
  readonly #mask: number;
  #open = 0;
  #wrong = false;

  /** @param most edges with their direction */
  constructor(most: number) {
    this.#keys = new Float64Array(tableSize(most)).fill(-1);
    this.#passed = new Uint8Array(this.#keys.length);
    this.#mask = this.#keys.length - 1;
  }

  /** Whether every edge is passed once in each direction, and there is one. */
  get closed(): boolean {
    return !this.#wrong && this.#open === 0 && this.#passed.some((each) => each > 0);
  }

  /** @param vertices how many there are: two ends and that make one key, exact up to 2^26 vertices and far beyond */
  add(from: number, to: number, vertices: number): void {
    if (this.#wrong) return;
    const [low, high] = from < to ? [from, to] : [to, from];
    const key = low * vertices + high;
    let slot = (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) & this.#mask;
    slot = (slot ^ (slot >>> 13)) & this.#mask;
    while (this.#keys[slot] !== key && this.#keys[slot] !== -1) slot = (slot + 1) & this.#mask;
    this.#keys[slot] = key;
    const bit = from < to ? 1 : 16;
    const passed = this.#passed[slot]!;
    if (passed & bit) this.#wrong = true;
    this.#passed[slot] = passed | bit;
    this.#open += passed === 0 ? 1 : -1;
  }
}

/** A power of two, at most half full. */
function tableSize(entries: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(entries * 2)));
}
