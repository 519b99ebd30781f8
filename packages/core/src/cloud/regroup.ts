/** Chunks of points of any sizes as chunks of one size. */
import type { CloudPoints } from "@cairn/cloud";

export function pointsIn({ positions }: CloudPoints): number {
  return positions.length / 3;
}

/** Each has `size` points, the last fewer; arrays are its own. Points keep their order. */
export async function* regroup(
  chunks: AsyncIterable<CloudPoints> | Iterable<CloudPoints>,
  size: number,
): AsyncGenerator<CloudPoints> {
  let waiting: CloudPoints[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    let from = 0;
    const n = pointsIn(chunk);
    while (count + n - from >= size) {
      const to = from + size - count;
      waiting.push(slice(chunk, from, to));
      yield join(waiting);
      waiting = [];
      count = 0;
      from = to;
    }
    if (from === n) continue;
    waiting.push(slice(chunk, from, n));
    count += n - from;
  }
  if (count > 0) yield join(waiting);
}

function slice(points: CloudPoints, from: number, to: number): CloudPoints {
  const { positions, colors, photos, confidences, normals } = points;
  return {
    positions: positions.slice(from * 3, to * 3),
    colors: colors.slice(from * 3, to * 3),
    photos: typeof photos === "number" ? photos : photos.slice(from, to),
    ...(confidences && { confidences: confidences.slice(from, to) }),
    ...(normals && { normals: normals.slice(from * 3, to * 3) }),
  };
}

function join(chunks: readonly CloudPoints[]): CloudPoints {
  const [first] = chunks;
  if (chunks.length === 1 && first) return first;
  const n = chunks.reduce((sum, chunk) => sum + pointsIn(chunk), 0);
  const double = chunks.some(({ positions }) => positions instanceof Float64Array);
  const positions = double ? new Float64Array(n * 3) : new Float32Array(n * 3);
  const colors = new Uint8Array(n * 3);
  const photos = new Uint32Array(n);
  const confidences = chunks.some((chunk) => chunk.confidences) ? new Uint8Array(n).fill(255) : undefined;
  const normals = chunks.some((chunk) => chunk.normals) ? new Int8Array(n * 3) : undefined;
  let at = 0;
  for (const chunk of chunks) {
    const end = at + pointsIn(chunk);
    positions.set(chunk.positions, at * 3);
    colors.set(chunk.colors, at * 3);
    if (typeof chunk.photos === "number") photos.fill(chunk.photos, at, end);
    else photos.set(chunk.photos, at);
    if (chunk.confidences) confidences?.set(chunk.confidences, at);
    if (chunk.normals) normals?.set(chunk.normals, at * 3);
    at = end;
  }
  return { positions, colors, photos, ...(confidences && { confidences }), ...(normals && { normals }) };
}
