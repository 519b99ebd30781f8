/**
 * Which triangles a cell has for each of the 256 ways its corners can lie inside or outside (marching cubes, Lorensen and
 * Cline 1987), worked out instead of copied: on each face the inside corners that do not share an edge are kept apart,
 * which two cells that share the face agree on, and no triangle's inner edge lies in a face. So every edge of the surface
 * has at most two triangles.
 *
 * Corner `c` lies at bits (1, 2, 4) of `c` = (x, y, z); edge `3 c + axis` begins at corner `c`, whose bit `axis` is 0.
 */

/** Corners of each face, counter-clockwise seen from outside of the cube. */
const FACES = [
  [0, 4, 6, 2],
  [1, 3, 7, 5],
  [0, 1, 5, 4],
  [2, 6, 7, 3],
  [0, 2, 3, 1],
  [4, 5, 7, 6],
] as const;

/** By the mask of corners inside: edges, three for each triangle, counter-clockwise seen from outside. */
export const CUBE_TRIANGLES: readonly Uint8Array[] = Array.from({ length: 256 }, (_, inside) =>
  Uint8Array.from(loopsOf(inside).flatMap(trianglesOf)),
);

function edgeBetween(a: number, b: number): number {
  return 3 * Math.min(a, b) + [1, 2, 4].indexOf(a ^ b);
}

/** The polygons in which the surface cuts the cell, as edges of the cube. */
function loopsOf(inside: number): number[][] {
  const isInside = (corner: number) => ((inside >> corner) & 1) === 1;
  const next = new Map<number, number>();
  for (const face of FACES) {
    for (let i = 0; i < 4; i++) {
      // A run of corners inside begins at i; the surface leaves the face where it begins and enters where it ends.
      if (!isInside(face[i]!) || isInside(face[(i + 3) % 4]!)) continue;
      let last = i;
      while (isInside(face[(last + 1) % 4]!)) last++;
      const begins = edgeBetween(face[(i + 3) % 4]!, face[i]!);
      const ends = edgeBetween(face[last % 4]!, face[(last + 1) % 4]!);
      next.set(begins, ends);
    }
  }
  const loops: number[][] = [];
  while (next.size > 0) {
    const loop: number[] = [];
    for (let edge = next.keys().next().value; edge !== undefined; ) {
      const following: number | undefined = next.get(edge);
      if (following !== undefined) loop.push(edge);
      next.delete(edge);
      edge = following;
    }
    loops.push(loop);
  }
  return loops;
}

/** @throws {RangeError} when every way to cut the polygon has an edge in a face: none of the 256 does */
function trianglesOf(loop: readonly number[]): number[] {
  const cut = cutUp(loop);
  if (!cut) throw new RangeError(`no way to cut ${loop.join()}`);
  return cut;
}

function cutUp(loop: readonly number[]): number[] | undefined {
  if (loop.length === 3) return [...loop];
  const [first, ...rest] = loop;
  const last = rest.at(-1)!;
  // The triangle on the side last–first, and what is left on its two sides.
  for (let i = 0; i < rest.length - 1; i++) {
    const apex = rest[i]!;
    const before = rest.slice(0, i + 1);
    const after = rest.slice(i);
    if (before.length > 1 && shareFace(first!, apex)) continue;
    if (after.length > 2 && shareFace(apex, last)) continue;
    const one = before.length > 1 ? cutUp([first!, ...before]) : [];
    const other = after.length > 2 ? cutUp(after) : [];
    if (one && other) return [first!, apex, last, ...one, ...other];
  }
  return undefined;
}

function shareFace(a: number, b: number): boolean {
  return FACES.some((face) => onFace(face, a) && onFace(face, b));
}

function onFace(face: readonly number[], edge: number): boolean {
  const corner = Math.floor(edge / 3);
  return face.includes(corner) && face.includes(corner | (1 << (edge % 3)));
}
