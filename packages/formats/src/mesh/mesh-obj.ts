/** A mesh as Wavefront OBJ without a material: colours stand behind the coordinates (`v x y z r g b`, sRGB 0 to 1). */
import { PER_PIECE, type TriangleMesh } from "./triangle-mesh.ts";

const encoder = new TextEncoder();
/** Text takes far longer than bytes. */
const LINES = PER_PIECE / 4;
const LEVELS = Array.from({ length: 256 }, (_, level) => Number((level / 255).toFixed(4)).toString());
/** By a normal's byte + 128. */
const PARTS = Array.from({ length: 256 }, (_, byte) => Number(((byte - 128) / 127).toFixed(3)).toString());

export function* meshObj({ origin, positions, normals, colors, triangles, step }: TriangleMesh): Generator<Uint8Array> {
  const count = positions.length / 3;
  const decimals = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step / 100))));
  yield encoder.encode(`# Cairn: ${count} vertices, ${triangles.length / 3} faces\n`);
  for (let from = 0; from < count; from += LINES) {
    let text = "";
    for (let v = from; v < Math.min(count, from + LINES); v++) {
      text += "v";
      for (let i = 3 * v; i < 3 * v + 3; i++) text += ` ${(positions[i]! + origin[i % 3]!).toFixed(decimals)}`;
      for (let i = 3 * v; i < 3 * v + 3; i++) text += ` ${LEVELS[colors[i]!]}`;
      text += "\n";
    }
    yield encoder.encode(text);
  }
  for (let from = 0; from < count; from += LINES) {
    let text = "";
    for (let v = from; v < Math.min(count, from + LINES); v++) {
      text += `vn ${PARTS[normals[3 * v]! + 128]} ${PARTS[normals[3 * v + 1]! + 128]} ${PARTS[normals[3 * v + 2]! + 128]}\n`;
    }
    yield encoder.encode(text);
  }
  for (let from = 0; from < triangles.length; from += 3 * LINES) {
    let text = "";
    for (let i = from; i < Math.min(triangles.length, from + 3 * LINES); i += 3) {
      const [a, b, c] = [triangles[i]! + 1, triangles[i + 1]! + 1, triangles[i + 2]! + 1];
      text += `f ${a}//${a} ${b}//${b} ${c}//${c}\n`;
    }
    yield encoder.encode(text);
  }
}
