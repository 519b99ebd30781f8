/** The edges of a mesh, found without a table of hashes: half-edges in the order of their lower vertex. */

export type HalfEdges = {
  /** `[vertices + 1]` where the half-edges of each lower vertex begin in `halves`. */
  readonly starts: Uint32Array;
  /** `[3 × triangles]` half-edge `h` runs from corner `h` of `triangles` to the next corner of its triangle. */
  readonly halves: Uint32Array;
};

/** The corner after it in its triangle. */
export function nextCorner(corner: number): number {
  return corner % 3 === 2 ? corner - 2 : corner + 1;
}

export function halfEdges(triangles: Uint32Array, vertexCount: number): HalfEdges {
  const starts = new Uint32Array(vertexCount + 1);
  for (let h = 0; h < triangles.length; h++) starts[lower(triangles, h) + 1]++;
  for (let v = 0; v < vertexCount; v++) starts[v + 1] += starts[v];
  const halves = new Uint32Array(triangles.length);
  const place = starts.slice(0, vertexCount);
  for (let h = 0; h < triangles.length; h++) halves[place[lower(triangles, h)]++] = h;
  return { starts, halves };
}

function lower(triangles: Uint32Array, half: number): number {
  return Math.min(triangles[half], triangles[nextCorner(half)]);
}

/**
 * Calls `tell` once an edge, with the half-edges on it: `[0, count)` of the array, which is used again. One is a boundary,
 * more than two are not manifold.
 */
export function forEachEdge(
  triangles: Uint32Array,
  { starts, halves }: HalfEdges,
  tell: (halves: Uint32Array, count: number) => void,
): void {
  let same = new Uint32Array(16);
  let done = new Uint8Array(64);
  for (let v = 0; v + 1 < starts.length; v++) {
    const [from, to] = [starts[v], starts[v + 1]];
    if (to - from > done.length) done = new Uint8Array(2 * (to - from));
    if (to - from > same.length) same = new Uint32Array(2 * (to - from));
    done.fill(0, 0, to - from);
    for (let i = from; i < to; i++) {
      if (done[i - from]) continue;
      const other = otherEnd(triangles, halves[i], v);
      let count = 0;
      for (let j = i; j < to; j++) {
        if (done[j - from] || otherEnd(triangles, halves[j], v) !== other) continue;
        done[j - from] = 1;
        same[count++] = halves[j];
      }
      tell(same, count);
    }
  }
}

function otherEnd(triangles: Uint32Array, half: number, vertex: number): number {
  const from = triangles[half];
  return from === vertex ? triangles[nextCorner(half)] : from;
}
