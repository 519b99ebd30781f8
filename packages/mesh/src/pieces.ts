/** Pieces that are too small to be anything are taken away, and holes of a few cells closed. */
import { forEachEdge, halfEdges, nextCorner } from "./edges.ts";
import { compact, type Mesh } from "./mesh.ts";

/** Keeps the pieces of at least this area, and the largest in any case. */
export function withoutCrumbs(mesh: Mesh, leastArea: number): Mesh {
  const { positions, triangles } = mesh;
  const parent = Uint32Array.from({ length: positions.length / 3 }, (_, v) => v);
  const root = (v: number): number => {
    let at = v;
    while (parent[at] !== at) at = parent[at] = parent[parent[at]];
    return at;
  };
  for (let t = 0; t < triangles.length; t += 3) {
    parent[root(triangles[t + 1])] = root(triangles[t]);
    parent[root(triangles[t + 2])] = root(triangles[t]);
  }
  const areas = new Float64Array(parent.length);
  for (let t = 0; t < triangles.length; t += 3) areas[root(triangles[t])] += areaOf(positions, triangles, t);
  let largest = 0;
  for (let v = 1; v < areas.length; v++) if (areas[v] > areas[largest]) largest = v;
  const keep = new Uint8Array(triangles.length / 3);
  for (let t = 0; t < triangles.length; t += 3) {
    const piece = root(triangles[t]);
    if (piece === largest || areas[piece] >= leastArea) keep[t / 3] = 1;
  }
  return compact(mesh, keep);
}

function areaOf(positions: Float32Array, triangles: Uint32Array, t: number): number {
  const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
  const [ux, uy, uz] = [
    positions[b] - positions[a],
    positions[b + 1] - positions[a + 1],
    positions[b + 2] - positions[a + 2],
  ];
  const [vx, vy, vz] = [
    positions[c] - positions[a],
    positions[c + 1] - positions[a + 1],
    positions[c + 2] - positions[a + 2],
  ];
  return Math.hypot(uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx) / 2;
}

/**
 * Closes each hole around which at most `mostEdges` edges run with a fan around its middle: a gap between samples, not
 * something that nobody saw.
 */
export function withoutPinholes(mesh: Mesh, mostEdges: number): Mesh {
  const { positions, colors, triangles } = mesh;
  const vertexCount = positions.length / 3;
  /** From a vertex on a boundary to the one after it, the way the missing triangle would run; −2: two holes meet there. */
  const next = new Int32Array(vertexCount).fill(-1);
  forEachEdge(triangles, halfEdges(triangles, vertexCount), (halves, count) => {
    if (count !== 1) return;
    const [from, to] = [triangles[nextCorner(halves[0])], triangles[halves[0]]];
    next[from] = next[from] === -1 ? to : -2;
  });
  const newPositions: number[] = [];
  const newColors: number[] = [];
  const newTriangles: number[] = [];
  for (let start = 0; start < vertexCount; start++) {
    const loop = loopFrom(next, start, mostEdges);
    if (!loop) continue;
    const middle = vertexCount + newPositions.length / 3;
    for (let axis = 0; axis < 3; axis++) {
      newPositions.push(meanOf(positions, loop, axis));
      newColors.push(Math.round(meanOf(colors, loop, axis)));
    }
    for (const [i, vertex] of loop.entries()) {
      newTriangles.push(vertex, loop[(i + 1) % loop.length], middle);
      next[vertex] = -1;
    }
  }
  if (newTriangles.length === 0) return mesh;
  return {
    positions: joined(Float32Array, positions, newPositions),
    colors: joined(Uint8Array, colors, newColors),
    triangles: joined(Uint32Array, triangles, newTriangles),
  };
}

/** `undefined` when it does not come back within `mostEdges`, or two holes meet on its way. */
function loopFrom(next: Int32Array, start: number, mostEdges: number): number[] | undefined {
  const loop: number[] = [];
  for (let vertex = start; vertex >= 0 && loop.length < mostEdges; vertex = next[vertex]) {
    loop.push(vertex);
    if (next[vertex] === start) return loop.length >= 3 ? loop : undefined;
  }
  return undefined;
}

function meanOf(values: Float32Array | Uint8Array, loop: readonly number[], axis: number): number {
  return loop.reduce((sum, vertex) => sum + values[3 * vertex + axis], 0) / loop.length;
}

type Numbers = Float32Array | Uint8Array | Uint32Array;

function joined<T extends Numbers>(make: new (length: number) => T, first: T, second: readonly number[]): T {
  const all = new make(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}
