/**
 * Unit vectors in two bytes: the sphere projected to an octahedron, its lower half folded over the corners of a square.
 * Source: Cigolle et al., A Survey of Efficient Representations for Independent Unit Vectors (JCGT 2014), oct16.
 */

/** Stands for a normal that is not known, (0, 0, 0): no direction gives −128. */
const UNKNOWN = -128;
const direction = new Float64Array(3);

/** @param normals `[n, 3]` times 127 @param out `[2, n]` two planes, from `at` on */
export function encodeNormals(
  normals: Int8Array,
  order: Uint32Array,
  count: number,
  out: Uint8Array,
  at: number,
): void {
  let [u0, v0] = [0, 0];
  for (let i = 0; i < count; i++) {
    const j = order[i]! * 3;
    const [u, v] = nearest(normals[j]!, normals[j + 1]!, normals[j + 2]!);
    out[at + i] = u - u0;
    out[at + count + i] = v - v0;
    [u0, v0] = [u, v];
  }
}

/** @param planes `[2, n]` from `at` on */
export function decodeNormals(planes: Uint8Array, at: number, count: number): Int8Array {
  const normals = new Int8Array(count * 3);
  let [u, v] = [0, 0];
  for (let i = 0; i < count; i++) {
    u = ((u + planes[at + i]!) << 24) >> 24;
    v = ((v + planes[at + count + i]!) << 24) >> 24;
    if (u === UNKNOWN || v === UNKNOWN) continue;
    unfold(u, v);
    for (let axis = 0; axis < 3; axis++) normals[i * 3 + axis] = Math.round(direction[axis]! * 127);
  }
  return normals;
}

/** Writes the unit vector of a place on the square to `direction`. */
function unfold(u: number, v: number): void {
  let [x, y] = [u / 127, v / 127];
  const z = 1 - Math.abs(x) - Math.abs(y);
  if (z < 0) [x, y] = [(1 - Math.abs(y)) * (x < 0 ? -1 : 1), (1 - Math.abs(x)) * (y < 0 ? -1 : 1)];
  const length = Math.sqrt(x * x + y * y + z * z);
  direction[0] = x / length;
  direction[1] = y / length;
  direction[2] = z / length;
}

/** The place whose vector is nearest: rounding each axis is not enough, so its neighbours are tried. */
function nearest(x: number, y: number, z: number): [number, number] {
  const sum = Math.abs(x) + Math.abs(y) + Math.abs(z);
  if (sum === 0) return [UNKNOWN, UNKNOWN];
  let [u, v] = [x / sum, y / sum];
  if (z < 0) [u, v] = [(1 - Math.abs(v)) * (u < 0 ? -1 : 1), (1 - Math.abs(u)) * (v < 0 ? -1 : 1)];
  const [u0, v0] = [Math.floor(u * 127), Math.floor(v * 127)];
  let best: [number, number] = [u0, v0];
  let most = -Infinity;
  for (let corner = 0; corner < 4; corner++) {
    const [a, b] = [Math.min(127, u0 + (corner & 1)), Math.min(127, v0 + (corner >> 1))];
    unfold(a, b);
    const cosine = direction[0]! * x + direction[1]! * y + direction[2]! * z;
    if (cosine > most) [most, best] = [cosine, [a, b]];
  }
  // Each edge of the square is folded onto itself: of two places of one vector always the same one.
  if (Math.abs(best[0]) === 127) best[1] = Math.abs(best[1]);
  if (Math.abs(best[1]) === 127) best[0] = Math.abs(best[0]);
  return best;
}
