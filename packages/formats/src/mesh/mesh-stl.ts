/**
 * A mesh as binary STL, which knows neither colours nor doubles: coordinates that 24 bits would spoil count from whole
 * numbers that the header names.
 */
import { needsDoubles, PER_PIECE, type TriangleMesh } from "./triangle-mesh.ts";

const HEADER_BYTES = 84;
const TRIANGLE_BYTES = 50;

export function* meshStl(mesh: TriangleMesh): Generator<Uint8Array> {
  const { origin, positions, triangles } = mesh;
  const from = needsDoubles(mesh) ? origin.map(Math.round) : [0, 0, 0];
  const shift = origin.map((value, axis) => value - from[axis]!);
  const header = new Uint8Array(HEADER_BYTES);
  // Not "solid": that is how the text form begins.
  header.set(new TextEncoder().encode(`Cairn, coordinates from ${from.join(" ")}`).subarray(0, 80));
  new DataView(header.buffer).setUint32(80, triangles.length / 3, true);
  yield header;
  for (let start = 0; start < triangles.length; start += 3 * PER_PIECE) {
    const corners = triangles.subarray(start, start + 3 * PER_PIECE);
    const bytes = new Uint8Array((corners.length / 3) * TRIANGLE_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0, at = 0; i < corners.length; i += 3, at += TRIANGLE_BYTES) {
      const [a, b, c] = [3 * corners[i]!, 3 * corners[i + 1]!, 3 * corners[i + 2]!];
      normalOf(positions, a, b, c).forEach((value, axis) => {
        view.setFloat32(at + 4 * axis, value, true);
      });
      for (const [corner, vertex] of [a, b, c].entries()) {
        for (let axis = 0; axis < 3; axis++) {
          view.setFloat32(at + 12 + 12 * corner + 4 * axis, positions[vertex + axis]! + shift[axis]!, true);
        }
      }
    }
    yield bytes;
  }
}

function normalOf(p: Float32Array, a: number, b: number, c: number): number[] {
  const [ux, uy, uz] = [p[b]! - p[a]!, p[b + 1]! - p[a + 1]!, p[b + 2]! - p[a + 2]!];
  const [vx, vy, vz] = [p[c]! - p[a]!, p[c + 1]! - p[a + 1]!, p[c + 2]! - p[a + 2]!];
  const normal = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
  const length = Math.hypot(...normal) || 1;
  return normal.map((value) => value / length);
}
