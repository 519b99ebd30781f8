/** Points on surfaces whose area, volume and distance are known. */
import { type PointBatch, SampleCollector } from "../samples.ts";

export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

type Point = readonly [number, number, number];

function batchOf(points: readonly Point[], photos: Uint32Array | number = 0): PointBatch {
  return {
    count: points.length,
    positions: Float64Array.from(points.flat()),
    colors: Uint8Array.from({ length: 3 * points.length }, (_, i) => (i % 3 === 0 ? 200 : 90)),
    photos,
  };
}

/** Radius 1 around `centre`. @param noise most that a point is off along the normal */
export function sphere(count: number, { seed = 1, noise = 0, centre = [0, 0, 0] as Point } = {}): PointBatch {
  const random = randomOf(seed);
  return batchOf(
    Array.from({ length: count }, () => {
      const z = 2 * random() - 1;
      const angle = 2 * Math.PI * random();
      const around = Math.sqrt(1 - z * z);
      const r = 1 + noise * (2 * random() - 1);
      return [
        centre[0] + r * around * Math.cos(angle),
        centre[1] + r * around * Math.sin(angle),
        centre[2] + r * z,
      ] as const;
    }),
  );
}

/** From −1 to 1 along each axis. @param sides which of −x, x, −y, y, −z, z have points */
export function box(count: number, sides: readonly number[] = [0, 1, 2, 3, 4, 5], seed = 1): PointBatch {
  const random = randomOf(seed);
  return batchOf(
    Array.from({ length: count }, () => {
      const side = sides[Math.floor(random() * sides.length)];
      const point: [number, number, number] = [2 * random() - 1, 2 * random() - 1, 2 * random() - 1];
      point[side >> 1] = side & 1 ? 1 : -1;
      return point;
    }),
  );
}

/** Radii 1 and 0.4, around z: one handle. */
export function torus(count: number, seed = 1): PointBatch {
  const random = randomOf(seed);
  const points: Point[] = [];
  while (points.length < count) {
    const [u, v] = [2 * Math.PI * random(), 2 * Math.PI * random()];
    const r = 1 + 0.4 * Math.cos(v);
    if (random() * 1.4 > r) continue; // evenly by area
    points.push([r * Math.cos(u), r * Math.sin(u), 0.4 * Math.sin(v)]);
  }
  return batchOf(points);
}

/** A square of the plane z = 0, seen by photo 1. */
export function sheet(count: number, keep: (x: number, y: number) => boolean = () => true, seed = 1): PointBatch {
  const random = randomOf(seed);
  const points: Point[] = [];
  while (points.length < count) {
    const [x, y] = [2 * random() - 1, 2 * random() - 1];
    if (keep(x, y)) points.push([x, y, 0]);
  }
  return batchOf(points, 1);
}

export function collected(batches: readonly PointBatch[], limit?: number): SampleCollector {
  const min: [number, number, number] = [Infinity, Infinity, Infinity];
  const max: [number, number, number] = [-Infinity, -Infinity, -Infinity];
  for (const { positions } of batches) {
    for (let i = 0; i < positions.length; i++) {
      min[i % 3] = Math.min(min[i % 3], positions[i]);
      max[i % 3] = Math.max(max[i % 3], positions[i]);
    }
  }
  const collector = new SampleCollector(min, max, limit);
  for (const batch of batches) collector.add(batch);
  return collector;
}
