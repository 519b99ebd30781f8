/** The triangles of a Wavefront OBJ file: `v` and `f` lines; polygons are cut into fans, everything else is passed over. */
import { FacetList, type Facets, refuseMesh } from "./facets.ts";

const MAX_TEXT_BYTES = 2 ** 29 - 64;
const MAX_CORNERS = 10_000;

/** @throws {CairnError} `design.unreadable` */
export function readObj(bytes: Uint8Array): Facets {
  if (bytes.length > MAX_TEXT_BYTES) throw refuseMesh("obj", "a text longer than 512 MiB");
  const text = new TextDecoder("latin1").decode(bytes);
  const vertices: number[] = [];
  const facets = new FacetList();
  // A backslash at a line's end goes on with the next.
  for (const [, kind, rest] of text.matchAll(/^[ \t]*([vf])[ \t]+((?:[^\r\n\\]|\\\r?\n)*)/gm)) {
    const words = rest!
      .replaceAll(/\\\r?\n/g, " ")
      .trim()
      .split(/\s+/);
    if (kind === "v") {
      for (let axis = 0; axis < 3; axis++) {
        const value = words[axis] ?? "";
        if (value === "" || (Number.isNaN(Number(value)) && !/^[+-]?(nan|inf)/i.test(value))) {
          throw refuseMesh("obj", "a vertex that is no point");
        }
        vertices.push(Number(value));
      }
      continue;
    }
    if (words.length < 3 || words.length > MAX_CORNERS)
      throw refuseMesh("obj", "a face with too few or too many corners");
    const corners = words.map((word) => vertexOf(word, vertices));
    for (let i = 2; i < corners.length; i++) facets.add(corners[0]!, corners[i - 1]!, corners[i]!);
  }
  const found = facets.take();
  if (found.length === 0) throw refuseMesh("obj", "no faces");
  return found;
}

/** `7`, `7/1`, `7//3` or `7/1/3`; negative ones count back from the newest. */
function vertexOf(word: string, vertices: readonly number[]): number[] {
  const number = Number(/^(-?\d{1,10})(\/|$)/.exec(word)?.[1]);
  const index = number < 0 ? vertices.length / 3 + number : number - 1;
  if (!(index >= 0 && index * 3 < vertices.length)) throw refuseMesh("obj", "a face names a vertex that is not there");
  return vertices.slice(index * 3, index * 3 + 3);
}
