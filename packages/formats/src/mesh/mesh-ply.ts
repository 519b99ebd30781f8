/** A mesh as binary little-endian PLY: vertices as points have them, faces as lists of three. */
import { type PlyShape, plyHeader, plyRun } from "../ply.ts";
import { needsDoubles, PER_PIECE, type TriangleMesh } from "./triangle-mesh.ts";

const FACE_BYTES = 13;

export function* meshPly(mesh: TriangleMesh): Generator<Uint8Array> {
  const { origin, positions, normals, colors, triangles } = mesh;
  const count = positions.length / 3;
  const shape: PlyShape = { count, double: needsDoubles(mesh), normals: true, faces: triangles.length / 3 };
  yield plyHeader(shape);
  for (let from = 0; from < count; from += PER_PIECE) {
    const to = Math.min(count, from + PER_PIECE);
    yield plyRun(
      {
        count: to - from,
        positions: Float64Array.from(positions.subarray(3 * from, 3 * to), (value, i) => value + origin[i % 3]!),
        normals: normals.subarray(3 * from, 3 * to),
        colors: colors.subarray(3 * from, 3 * to),
        photos: 0,
      },
      shape,
    );
  }
  for (let from = 0; from < triangles.length; from += 3 * PER_PIECE) {
    const corners = triangles.subarray(from, from + 3 * PER_PIECE);
    const bytes = new Uint8Array((corners.length / 3) * FACE_BYTES);
    const view = new DataView(bytes.buffer);
    for (let i = 0, at = 0; i < corners.length; i += 3, at += FACE_BYTES) {
      bytes[at] = 3;
      for (let corner = 0; corner < 3; corner++) view.setUint32(at + 1 + 4 * corner, corners[i + corner]!, true);
    }
    yield bytes;
  }
}
