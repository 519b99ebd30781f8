/**
 * A tree of boxes over a mesh, and the two questions a renderer asks of it: what does a ray hit first, and does it
 * hit anything at all. Binned surface-area heuristic (Wald 2007), triangles by Möller and Trumbore (1997).
 */
import { type Mesh, sharedF32, sharedU32 } from "./mesh.ts";

export type Bvh = {
  /** `[nodes, 6]` min x, y, z, max x, y, z */
  readonly boxes: Float32Array;
  /** `[nodes, 2]` leaf: first triangle, count; inner: right child (the left one follows its parent), 0. */
  readonly links: Uint32Array;
  /** `[triangles, 9]` in leaf order: a corner and the two edges from it. */
  readonly corners: Float32Array;
  /** `[triangles]` leaf order → the mesh's order. */
  readonly order: Uint32Array;
};

const BINS = 12;
const LEAF = 4;
const ROW = 9;
/** Boxes of nothing, one a bin: to begin with. */
const NOTHING = Float32Array.from({ length: BINS * 6 }, (_, i) => (i % 6 < 3 ? Infinity : -Infinity));
const NO_BOX = NOTHING.subarray(0, 6);

export function buildBvh(mesh: Mesh): Bvh {
  const { positions, triangles } = mesh;
  const count = triangles.length / 3;
  // Of each triangle its box, 6, and the middle of that, 3. They are moved with `order`: what is read together lies together.
  const rows = new Float32Array(count * ROW);
  for (let t = 0; t < count; t++) {
    const a = triangles[t * 3] * 3;
    const b = triangles[t * 3 + 1] * 3;
    const c = triangles[t * 3 + 2] * 3;
    for (let axis = 0; axis < 3; axis++) {
      const low = Math.min(positions[a + axis], positions[b + axis], positions[c + axis]);
      const high = Math.max(positions[a + axis], positions[b + axis], positions[c + axis]);
      rows[t * ROW + axis] = low;
      rows[t * ROW + 3 + axis] = high;
      rows[t * ROW + 6 + axis] = (low + high) / 2;
    }
  }
  const order = sharedU32(count);
  for (let t = 0; t < count; t++) order[t] = t;
  const boxes = new Float32Array(count * 2 * 6);
  const links = new Uint32Array(count * 2 * 2);
  let nodes = 0;

  const binCount = new Uint32Array(BINS);
  const binBox = new Float32Array(BINS * 6);
  const rightArea = new Float64Array(BINS);
  const sideBox = new Float32Array(6);

  function place(first: number, n: number): void {
    const node = nodes++;
    const box = boxes.subarray(node * 6, node * 6 + 6);
    box.set(NO_BOX);
    let lowX = Infinity;
    let lowY = Infinity;
    let lowZ = Infinity;
    let highX = -Infinity;
    let highY = -Infinity;
    let highZ = -Infinity;
    for (let i = first; i < first + n; i++) {
      grow(box, 0, rows, i * ROW);
      const c = i * ROW + 6;
      if (rows[c] < lowX) lowX = rows[c];
      if (rows[c] > highX) highX = rows[c];
      if (rows[c + 1] < lowY) lowY = rows[c + 1];
      if (rows[c + 1] > highY) highY = rows[c + 1];
      if (rows[c + 2] < lowZ) lowZ = rows[c + 2];
      if (rows[c + 2] > highZ) highZ = rows[c + 2];
    }
    const spans = [highX - lowX, highY - lowY, highZ - lowZ];
    const axis = spans[0] > spans[1] ? (spans[0] > spans[2] ? 0 : 2) : spans[1] > spans[2] ? 1 : 2;
    const low = [lowX, lowY, lowZ][axis];
    if (n <= LEAF || spans[axis] <= 0) {
      links[node * 2] = first;
      links[node * 2 + 1] = n;
      return;
    }
    const scale = (BINS * 0.9999) / spans[axis];
    binCount.fill(0);
    binBox.set(NOTHING);
    for (let i = first; i < first + n; i++) {
      const bin = Math.floor((rows[i * ROW + 6 + axis] - low) * scale);
      binCount[bin]++;
      grow(binBox, bin * 6, rows, i * ROW);
    }
    const split = bestSplit();
    let i = first;
    let j = first + n - 1;
    while (i <= j) {
      if (Math.floor((rows[i * ROW + 6 + axis] - low) * scale) <= split) i++;
      else swap(i, j--);
    }
    const leftCount = i === first || i === first + n ? n >> 1 : i - first;
    place(first, leftCount);
    links[node * 2] = nodes;
    links[node * 2 + 1] = 0;
    place(first + leftCount, n - leftCount);
  }

  function swap(i: number, j: number): void {
    const t = order[i];
    order[i] = order[j];
    order[j] = t;
    for (let k = 0; k < ROW; k++) {
      const value = rows[i * ROW + k];
      rows[i * ROW + k] = rows[j * ROW + k];
      rows[j * ROW + k] = value;
    }
  }

  /** The bin after which to cut, by Σ area × count of both sides. */
  function bestSplit(): number {
    const box = sideBox;
    box.set(NO_BOX);
    let sum = 0;
    for (let b = BINS - 1; b > 0; b--) {
      sum += binCount[b];
      if (binCount[b]) grow(box, 0, binBox, b * 6);
      rightArea[b] = sum ? area(box) * sum : 0;
    }
    box.set(NO_BOX);
    let best = 0;
    let bestCost = Infinity;
    sum = 0;
    for (let b = 0; b < BINS - 1; b++) {
      sum += binCount[b];
      if (binCount[b]) grow(box, 0, binBox, b * 6);
      const cost = (sum ? area(box) * sum : 0) + rightArea[b + 1];
      if (cost < bestCost) {
        bestCost = cost;
        best = b;
      }
    }
    return best;
  }

  place(0, count);

  const corners = sharedF32(count * 9);
  for (let i = 0; i < count; i++) {
    const t = order[i] * 3;
    const a = triangles[t] * 3;
    for (let axis = 0; axis < 3; axis++) {
      const p = positions[a + axis];
      corners[i * 9 + axis] = p;
      corners[i * 9 + 3 + axis] = positions[triangles[t + 1] * 3 + axis] - p;
      corners[i * 9 + 6 + axis] = positions[triangles[t + 2] * 3 + axis] - p;
    }
  }
  const keptBoxes = sharedF32(nodes * 6);
  keptBoxes.set(boxes.subarray(0, nodes * 6));
  const keptLinks = sharedU32(nodes * 2);
  keptLinks.set(links.subarray(0, nodes * 2));
  return { boxes: keptBoxes, links: keptLinks, corners, order };
}

function grow(into: Float32Array, at: number, from: Float32Array, f: number): void {
  if (from[f] < into[at]) into[at] = from[f];
  if (from[f + 1] < into[at + 1]) into[at + 1] = from[f + 1];
  if (from[f + 2] < into[at + 2]) into[at + 2] = from[f + 2];
  if (from[f + 3] > into[at + 3]) into[at + 3] = from[f + 3];
  if (from[f + 4] > into[at + 4]) into[at + 4] = from[f + 4];
  if (from[f + 5] > into[at + 5]) into[at + 5] = from[f + 5];
}

function area(box: Float32Array): number {
  const x = box[3] - box[0];
  const y = box[4] - box[1];
  const z = box[5] - box[2];
  return x * y + y * z + z * x;
}

/** What a ray met; filled by `trace`, valid until the next call with the same object. */
export type Hit = { distance: number; triangle: number; u: number; v: number };

const stack = new Int32Array(128);
const stackNear = new Float64Array(128);

/**
 * The first triangle from `o` along `d` (unit) nearer than `hit.distance`; fills `hit` and answers true if there is one.
 * With `any`, the first found will do.
 */
export function trace(
  bvh: Bvh,
  ox: number,
  oy: number,
  oz: number,
  dx: number,
  dy: number,
  dz: number,
  hit: Hit,
  any: boolean,
): boolean {
  const { boxes, links, corners, order } = bvh;
  const ix = 1 / (dx || 1e-12);
  const iy = 1 / (dy || 1e-12);
  const iz = 1 / (dz || 1e-12);
  let far = hit.distance;
  let found = -1;
  let top = 0;
  let node = 0;
  if (entry(boxes, 0, ox, oy, oz, ix, iy, iz, far) === Infinity) return false;
  for (;;) {
    const n = links[node * 2 + 1];
    if (n > 0) {
      const first = links[node * 2];
      for (let i = first; i < first + n; i++) {
        const c = i * 9;
        const e1x = corners[c + 3];
        const e1y = corners[c + 4];
        const e1z = corners[c + 5];
        const e2x = corners[c + 6];
        const e2y = corners[c + 7];
        const e2z = corners[c + 8];
        const px = dy * e2z - dz * e2y;
        const py = dz * e2x - dx * e2z;
        const pz = dx * e2y - dy * e2x;
        const det = e1x * px + e1y * py + e1z * pz;
        if (det === 0) continue;
        const inverse = 1 / det;
        const sx = ox - corners[c];
        const sy = oy - corners[c + 1];
        const sz = oz - corners[c + 2];
        const u = (sx * px + sy * py + sz * pz) * inverse;
        if (u < 0 || u > 1) continue;
        const qx = sy * e1z - sz * e1y;
        const qy = sz * e1x - sx * e1z;
        const qz = sx * e1y - sy * e1x;
        const v = (dx * qx + dy * qy + dz * qz) * inverse;
        if (v < 0 || u + v > 1) continue;
        const distance = (e2x * qx + e2y * qy + e2z * qz) * inverse;
        if (distance > 1e-5 && distance < far) {
          far = distance;
          found = i;
          hit.u = u;
          hit.v = v;
          if (any) return true;
        }
      }
    } else {
      const left = node + 1;
      const right = links[node * 2];
      const nearLeft = entry(boxes, left * 6, ox, oy, oz, ix, iy, iz, far);
      const nearRight = entry(boxes, right * 6, ox, oy, oz, ix, iy, iz, far);
      if (nearLeft !== Infinity) {
        if (nearRight !== Infinity) {
          // The nearer child first: what it hits lets the other be skipped.
          const leftFirst = nearLeft < nearRight;
          stack[top] = leftFirst ? right : left;
          stackNear[top++] = leftFirst ? nearRight : nearLeft;
          node = leftFirst ? left : right;
        } else node = left;
        continue;
      }
      if (nearRight !== Infinity) {
        node = right;
        continue;
      }
    }
    do {
      if (top === 0) {
        if (found < 0) return false;
        hit.distance = far;
        hit.triangle = order[found];
        return true;
      }
      node = stack[--top];
    } while (stackNear[top] >= far);
  }
}

/** Where the ray enters a box, or Infinity if it misses it or comes in beyond `far`. */
function entry(
  boxes: Float32Array,
  b: number,
  ox: number,
  oy: number,
  oz: number,
  ix: number,
  iy: number,
  iz: number,
  far: number,
): number {
  const x1 = (boxes[b] - ox) * ix;
  const x2 = (boxes[b + 3] - ox) * ix;
  const y1 = (boxes[b + 1] - oy) * iy;
  const y2 = (boxes[b + 4] - oy) * iy;
  const z1 = (boxes[b + 2] - oz) * iz;
  const z2 = (boxes[b + 5] - oz) * iz;
  const near = Math.max(x1 < x2 ? x1 : x2, y1 < y2 ? y1 : y2, z1 < z2 ? z1 : z2, 0);
  const end = Math.min(x1 > x2 ? x1 : x2, y1 > y2 ? y1 : y2, z1 > z2 ? z1 : z2, far);
  return near <= end ? near : Infinity;
}
