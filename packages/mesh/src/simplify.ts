/**
 * Fewer triangles with the same shape: edges are collapsed where it costs least by the quadric error (Garland and
 * Heckbert 1997), cheapest first in passes of a growing limit instead of one at a time from a heap, which is several
 * times faster and about as good. No triangle turns over, no hole closes, boundaries stay, colours stay within a limit.
 */
import { forEachEdge, halfEdges, nextCorner } from "./edges.ts";
import { compact, type Mesh } from "./mesh.ts";

export type SimplifyOptions = {
  /** Distance from the planes that were (root of the mean square), in the mesh's unit, that a vertex may end at. */
  readonly maxError: number;
  /** How far, of 255, a colour may be from those it stands for. */
  readonly maxColorError: number;
  /** Go on, whatever the error, until at most so many triangles are left. */
  readonly targetTriangles?: number | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
};

/** Of a symmetric 4×4: xx xy xz xw yy yz yw zz zw ww; and the weight. */
const QUADRIC = 11;
const PASSES = 12;
/** From one pass to the next; the last one is at the full limit. */
const GROWTH = 4;
/** A boundary is held by planes across it this much more than by the surface. */
const BOUNDARY_WEIGHT = 4;
/** What keeps a vertex on a plane from running off: a pull towards where it was. */
const PULL = 1e-3;
/** A triangle may turn by as much at one collapse: cosine. */
const LEAST_TURN = 0.25;
/** Four √3 × area over the sum of squared sides: 1 equilateral. A collapse may not leave one worse, unless it was. */
const LEAST_SHAPE = 0.05;
/** Beyond the error asked for, passes go on with a growing one to reach a target, this many times at most. */
const MORE_PASSES = 24;

export function simplify(mesh: Mesh, options: SimplifyOptions): Mesh {
  return new Simplifier(mesh, options).run();
}

class Simplifier {
  readonly #options: SimplifyOptions;
  readonly #positions: Float32Array;
  readonly #colors: Uint8Array;
  readonly #triangles: Uint32Array;
  readonly #quadrics: Float64Array;
  /** `[vertices]` how far a colour is from those it stands for, at most. */
  readonly #colorErrors: Float32Array;
  /** `[vertices]` 1: on a boundary; 2: boundaries meet there, it stays. */
  readonly #boundary: Uint8Array;
  /** Corners of each vertex as lists: first, last, and the next of each corner; −1 ends. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;
  readonly #next: Int32Array;
  readonly #gone: Uint8Array;
  /** `[vertices]` the pass in which another became one with it last: once a pass, or one would swallow a whole wall. */
  readonly #changed: Uint8Array;
  readonly #mark: Int32Array;
  #stamp = 0;
  #pass = 0;
  #count: number;
  /** The edge at hand: where it would collapse to, its colour and what that costs. */
  readonly #to = new Float64Array(3);
  readonly #color = new Float64Array(3);
  #colorError = 0;

  constructor(mesh: Mesh, options: SimplifyOptions) {
    const vertexCount = mesh.positions.length / 3;
    this.#options = options;
    this.#positions = mesh.positions.slice();
    this.#colors = mesh.colors.slice();
    this.#triangles = mesh.triangles.slice();
    this.#quadrics = new Float64Array(QUADRIC * vertexCount);
    this.#colorErrors = new Float32Array(vertexCount);
    this.#boundary = new Uint8Array(vertexCount);
    this.#first = new Int32Array(vertexCount).fill(-1);
    this.#last = new Int32Array(vertexCount).fill(-1);
    this.#next = new Int32Array(mesh.triangles.length).fill(-1);
    this.#gone = new Uint8Array(mesh.triangles.length / 3);
    this.#changed = new Uint8Array(vertexCount);
    this.#mark = new Int32Array(vertexCount);
    this.#count = mesh.triangles.length / 3;
    this.#link();
    this.#addPlanes();
    this.#addBoundaries();
  }

  run(): Mesh {
    const { maxError, maxColorError, targetTriangles = 0, onProgress } = this.#options;
    const total = PASSES;
    for (let pass = 0; pass < PASSES && this.#count > targetTriangles; pass++) {
      onProgress?.(pass, total);
      this.#collapseBelow(maxError ** 2 * GROWTH ** (pass + 1 - PASSES), maxColorError, targetTriangles);
    }
    if (targetTriangles > 0) {
      let limit = maxError ** 2;
      for (let more = 0; more < MORE_PASSES && this.#count > targetTriangles; more++) {
        limit *= 2;
        this.#collapseBelow(limit, Infinity, targetTriangles);
      }
    }
    return compact(
      { positions: this.#positions, colors: this.#colors, triangles: this.#triangles },
      this.#gone.map((gone) => 1 - gone),
    );
  }

  #link(): void {
    const triangles = this.#triangles;
    for (let corner = 0; corner < triangles.length; corner++) {
      const vertex = triangles[corner];
      if (this.#first[vertex] < 0) this.#first[vertex] = corner;
      else this.#next[this.#last[vertex]] = corner;
      this.#last[vertex] = corner;
    }
  }

  #addPlanes(): void {
    const [p, triangles] = [this.#positions, this.#triangles];
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
      const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
      const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
      const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      const length = Math.sqrt(x * x + y * y + z * z);
      if (!(length > 0)) continue;
      for (let i = t; i < t + 3; i++) {
        addPlane(this.#quadrics, triangles[i], x / length, y / length, z / length, p, a, length / 2);
      }
    }
  }

  /** A plane along each edge of a boundary, upright on the surface. */
  #addBoundaries(): void {
    const [p, triangles] = [this.#positions, this.#triangles];
    const ends = new Uint8Array(this.#boundary.length);
    forEachEdge(triangles, halfEdges(triangles, this.#boundary.length), (halves, count) => {
      if (count === 2) return;
      const half = halves[0];
      const [from, to] = [triangles[half], triangles[nextCorner(half)]];
      const [a, b, c] = [3 * from, 3 * to, 3 * triangles[nextCorner(nextCorner(half))]];
      const [ux, uy, uz] = [p[b] - p[a], p[b + 1] - p[a + 1], p[b + 2] - p[a + 2]];
      const [vx, vy, vz] = [p[c] - p[a], p[c + 1] - p[a + 1], p[c + 2] - p[a + 2]];
      const along = ux * ux + uy * uy + uz * uz;
      const share = along > 0 ? (ux * vx + uy * vy + uz * vz) / along : 0;
      const [x, y, z] = [vx - share * ux, vy - share * uy, vz - share * uz];
      const length = Math.hypot(x, y, z);
      for (const vertex of [from, to]) {
        if (length > 0) {
          addPlane(this.#quadrics, vertex, x / length, y / length, z / length, p, a, BOUNDARY_WEIGHT * along);
        }
        // A hole has two edges at each of its vertices.
        this.#boundary[vertex] = ++ends[vertex] > 2 || count > 2 ? 2 : Math.max(1, this.#boundary[vertex]);
      }
    });
  }

  #collapseBelow(limit: number, maxColorError: number, target: number): void {
    const triangles = this.#triangles;
    this.#pass++;
    for (let t = 0; t < triangles.length && this.#count > target; t += 3) {
      if (this.#gone[t / 3]) continue;
      for (let i = 0; i < 3; i++) {
        const [u, v] = [triangles[t + i], triangles[t + ((i + 1) % 3)]];
        if (this.#changed[u] === this.#pass || this.#changed[v] === this.#pass) continue;
        if (!this.#mayMerge(u, v) || this.#cost(u, v, maxColorError) > limit) continue;
        if (!this.#keepsTopology(u, v) || this.#turnsOver(u, v) || this.#turnsOver(v, u)) continue;
        this.#collapse(u, v);
        break;
      }
    }
  }

  #mayMerge(u: number, v: number): boolean {
    const [a, b] = [this.#boundary[u], this.#boundary[v]];
    return a < 2 && b < 2;
  }

  /** Mean squared distance from the planes, and as much for colour; Infinity when the colour is too far off. */
  #cost(u: number, v: number, maxColorError: number): number {
    const [p, q, to] = [this.#positions, this.#quadrics, this.#to];
    const [a, b] = [QUADRIC * u, QUADRIC * v];
    const weight = q[a + 10] + q[b + 10];
    const share = this.#boundary[u] === this.#boundary[v] ? 0.5 : this.#boundary[u] ? 0 : 1;
    const mx = p[3 * u] + share * (p[3 * v] - p[3 * u]);
    const my = p[3 * u + 1] + share * (p[3 * v + 1] - p[3 * u + 1]);
    const mz = p[3 * u + 2] + share * (p[3 * v + 2] - p[3 * u + 2]);
    [to[0], to[1], to[2]] = [mx, my, mz];
    const xx = q[a] + q[b];
    const xy = q[a + 1] + q[b + 1];
    const xz = q[a + 2] + q[b + 2];
    const xw = q[a + 3] + q[b + 3];
    const yy = q[a + 4] + q[b + 4];
    const yz = q[a + 5] + q[b + 5];
    const yw = q[a + 6] + q[b + 6];
    const zz = q[a + 7] + q[b + 7];
    const zw = q[a + 8] + q[b + 8];
    const ww = q[a + 9] + q[b + 9];
    // A vertex inside goes to one on the boundary; else to where the sum is least.
    if (share === 0.5) {
      const pull = PULL * weight + 1e-12;
      const [dx, dy, dz] = [xx + pull, yy + pull, zz + pull];
      const [cx, cy, cz] = [dy * dz - yz * yz, xz * yz - xy * dz, xy * yz - xz * dy];
      const determinant = dx * cx + xy * cy + xz * cz;
      if (determinant > 0) {
        const [gx, gy, gz] = [
          -(xx * mx + xy * my + xz * mz + xw),
          -(xy * mx + yy * my + yz * mz + yw),
          -(xz * mx + yz * my + zz * mz + zw),
        ];
        to[0] += (cx * gx + cy * gy + cz * gz) / determinant;
        to[1] += (cy * gx + (dx * dz - xz * xz) * gy + (xy * xz - dx * yz) * gz) / determinant;
        to[2] += (cz * gx + (xy * xz - dx * yz) * gy + (dx * dy - xy * xy) * gz) / determinant;
      }
    }
    const [x, y, z] = to;
    const error =
      xx * x * x +
      2 * xy * x * y +
      2 * xz * x * z +
      2 * xw * x +
      yy * y * y +
      2 * yz * y * z +
      2 * yw * y +
      zz * z * z +
      2 * zw * z +
      ww;
    const colorError = this.#mixColors(u, v);
    if (colorError > maxColorError) return Infinity;
    const share2 = (this.#options.maxError * colorError) / (this.#options.maxColorError || 1);
    return Math.max(0, error) / (weight || 1) + 0.25 * share2 * share2;
  }

  /** Colour where the edge collapses to, by how far along the edge that is. */
  #mixColors(u: number, v: number): number {
    const [p, c, to, color] = [this.#positions, this.#colors, this.#to, this.#color];
    let along = 0;
    let length = 0;
    for (let axis = 0; axis < 3; axis++) {
      const step = p[3 * v + axis] - p[3 * u + axis];
      along += step * (to[axis] - p[3 * u + axis]);
      length += step * step;
    }
    const share = length > 0 ? Math.max(0, Math.min(1, along / length)) : 0.5;
    let difference = 0;
    for (let axis = 0; axis < 3; axis++) {
      const step = c[3 * v + axis] - c[3 * u + axis];
      color[axis] = c[3 * u + axis] + share * step;
      difference = Math.max(difference, Math.abs(step));
    }
    this.#colorError = Math.max(
      this.#colorErrors[u] + share * difference,
      this.#colorErrors[v] + (1 - share) * difference,
    );
    return this.#colorError;
  }

  /**
   * The link condition (Dey et al. 1999): the only vertices next to both are the tips of the triangles on the edge. Two
   * vertices of a boundary may merge along it only.
   */
  #keepsTopology(u: number, v: number): boolean {
    const [triangles, next, mark] = [this.#triangles, this.#next, this.#mark];
    const stamp = ++this.#stamp;
    let tips = 0;
    for (let corner = this.#first[u]; corner >= 0; corner = next[corner]) {
      if (this.#gone[(corner / 3) | 0]) continue;
      const [b, c] = [triangles[nextCorner(corner)], triangles[nextCorner(nextCorner(corner))]];
      mark[b] = mark[c] = stamp;
      if (b === v || c === v) tips++;
    }
    const boundary = this.#boundary[u] && this.#boundary[v];
    if (tips !== (boundary ? 1 : 2)) return false;
    let common = 0;
    for (let corner = this.#first[v]; corner >= 0; corner = next[corner]) {
      if (this.#gone[(corner / 3) | 0]) continue;
      for (const other of [nextCorner(corner), nextCorner(nextCorner(corner))]) {
        const vertex = triangles[other];
        if (mark[vertex] !== stamp || vertex === u) continue;
        mark[vertex] = 0;
        common++;
      }
    }
    return common === tips;
  }

  /** Whether a triangle of `u` that stays would turn too far or become a sliver. */
  #turnsOver(u: number, v: number): boolean {
    const [p, triangles, next, to] = [this.#positions, this.#triangles, this.#next, this.#to];
    for (let corner = this.#first[u]; corner >= 0; corner = next[corner]) {
      if (this.#gone[(corner / 3) | 0]) continue;
      const [i, j] = [triangles[nextCorner(corner)], triangles[nextCorner(nextCorner(corner))]];
      if (i === v || j === v) continue;
      const [b, c] = [3 * i, 3 * j];
      const [ex, ey, ez] = [p[c] - p[b], p[c + 1] - p[b + 1], p[c + 2] - p[b + 2]];
      const [ox, oy, oz] = [p[3 * u] - p[b], p[3 * u + 1] - p[b + 1], p[3 * u + 2] - p[b + 2]];
      const [nx, ny, nz] = [to[0] - p[b], to[1] - p[b + 1], to[2] - p[b + 2]];
      const [ax, ay, az] = [ey * oz - ez * oy, ez * ox - ex * oz, ex * oy - ey * ox];
      const [bx, by, bz] = [ey * nz - ez * ny, ez * nx - ex * nz, ex * ny - ey * nx];
      const before = Math.sqrt(ax * ax + ay * ay + az * az);
      const after = Math.sqrt(bx * bx + by * by + bz * bz);
      if (ax * bx + ay * by + az * bz < LEAST_TURN * before * after || !(after > 0)) return true;
      const shape = shapeOf(after, ex, ey, ez, nx, ny, nz);
      if (shape < LEAST_SHAPE && shape < shapeOf(before, ex, ey, ez, ox, oy, oz)) return true;
    }
    return false;
  }

  #collapse(u: number, v: number): void {
    const [p, q, triangles, next] = [this.#positions, this.#quadrics, this.#triangles, this.#next];
    for (let axis = 0; axis < 3; axis++) {
      p[3 * u + axis] = this.#to[axis];
      this.#colors[3 * u + axis] = Math.round(this.#color[axis]);
    }
    for (let i = 0; i < QUADRIC; i++) q[QUADRIC * u + i] += q[QUADRIC * v + i];
    this.#colorErrors[u] = this.#colorError;
    this.#boundary[u] = Math.max(this.#boundary[u], this.#boundary[v]);
    next[this.#last[u]] = this.#first[v];
    this.#last[u] = this.#last[v];
    let before = -1;
    for (let corner = this.#first[u]; corner >= 0; corner = next[corner]) {
      const triangle = (corner / 3) | 0;
      const [b, c] = [triangles[nextCorner(corner)], triangles[nextCorner(nextCorner(corner))]];
      if (!this.#gone[triangle] && (b === u || c === u || b === v || c === v)) {
        this.#gone[triangle] = 1;
        this.#count--;
      }
      if (this.#gone[triangle]) {
        // Out of the list.
        if (before < 0) this.#first[u] = next[corner];
        else next[before] = next[corner];
        if (corner === this.#last[u]) this.#last[u] = before;
        continue;
      }
      triangles[corner] = u;
      before = corner;
    }
    this.#changed[u] = this.#pass;
  }
}

function shapeOf(twiceArea: number, ax: number, ay: number, az: number, bx: number, by: number, bz: number): number {
  const sides =
    ax * ax + ay * ay + az * az + bx * bx + by * by + bz * bz + (ax - bx) ** 2 + (ay - by) ** 2 + (az - bz) ** 2;
  return (2 * Math.sqrt(3) * twiceArea) / sides;
}

/** The plane through the point at `p[at]` with this normal, `weight` times. */
function addPlane(
  quadrics: Float64Array,
  vertex: number,
  x: number,
  y: number,
  z: number,
  p: Float32Array,
  at: number,
  weight: number,
): void {
  const w = -(x * p[at] + y * p[at + 1] + z * p[at + 2]);
  const q = QUADRIC * vertex;
  quadrics[q] += weight * x * x;
  quadrics[q + 1] += weight * x * y;
  quadrics[q + 2] += weight * x * z;
  quadrics[q + 3] += weight * x * w;
  quadrics[q + 4] += weight * y * y;
  quadrics[q + 5] += weight * y * z;
  quadrics[q + 6] += weight * y * w;
  quadrics[q + 7] += weight * z * z;
  quadrics[q + 8] += weight * z * w;
  quadrics[q + 9] += weight * w * w;
  quadrics[q + 10] += weight;
}
