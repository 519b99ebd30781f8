/** Points for tests: any node and bits, clustered or scattered, with and without what is optional. */
import fc from "fast-check";
import type { NodePoints } from "../points.ts";

/** mulberry32: numbers below `below`, the same for the same seed everywhere. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) * below) / 4294967296;
  };
}

export type Cloud = {
  readonly seed: number;
  readonly count: number;
  readonly bits: number;
  /** How far points scatter around a few centres: 0 makes many equal ones, 1 fills the node. */
  readonly spread: number;
  readonly photos: number;
  readonly confidences: boolean;
  readonly normals: boolean;
};

export const cloud: fc.Arbitrary<Cloud> = fc.record({
  seed: fc.nat(),
  count: fc.oneof(fc.nat(40), fc.nat(2500)),
  bits: fc.integer({ min: 1, max: 16 }),
  spread: fc.constantFrom(0, 0.001, 0.05, 1),
  photos: fc.constantFrom(1, 2, 5, 300),
  confidences: fc.boolean(),
  normals: fc.boolean(),
});

/** Points of a surface with noise, which goes through the node across one axis: their places, in place of others. */
export function onSurface(points: NodePoints, axis: number, seed: number): NodePoints {
  const random = randomOf(seed);
  const { bits, count } = points;
  const top = 2 ** bits - 1;
  const coords = new Uint16Array(count * 3);
  for (let i = 0; i < count; i++) {
    const [u, v] = [random(1), random(1)];
    const w = 0.4 + 0.1 * u - 0.05 * v + random(0.002);
    [u, v, w].forEach((part, turn) => {
      coords[3 * i + ((axis + 1 + turn) % 3)] = Math.round(part * top);
    });
  }
  return { ...points, coords };
}

export function pointsOf({ seed, count, bits, spread, photos, confidences, normals }: Cloud): NodePoints {
  const random = randomOf(seed);
  const whole = (below: number) => Math.floor(random(below));
  const top = 2 ** bits - 1;
  const centres = Array.from({ length: 9 }, () => whole(top + 1));
  const coords = Uint16Array.from({ length: count * 3 }, (_, i) => {
    const near = centres[(whole(3) * 3 + i) % 9]! + (random(2) - 1) * spread * top;
    // Extremes must come often, or nobody learns that they fail.
    return random(1) < 0.05 ? whole(2) * top : Math.min(top, Math.max(0, Math.round(near)));
  });
  const grey = random(1) < 0.2;
  const colors = Uint8Array.from({ length: count * 3 }, () =>
    grey ? 128 : random(1) < 0.1 ? whole(2) * 255 : 100 + whole(60),
  );
  const unit = () => {
    const vector = [random(2) - 1, random(2) - 1, random(2) - 1];
    const length = Math.hypot(...vector);
    return random(1) < 0.1 ? [0, 0, 0] : vector.map((part) => Math.round((part / length) * 127));
  };
  return {
    node: { e: whole(256) - 128, x: whole(2 ** 32), y: whole(2 ** 22), z: whole(2) },
    bits,
    count,
    coords,
    colors,
    photos: photos === 1 ? whole(1000) : Uint32Array.from({ length: count }, () => whole(photos) * 7),
    ...(confidences && { confidences: Uint8Array.from({ length: count }, () => whole(256)) }),
    ...(normals && { normals: Int8Array.from(Array.from({ length: count }, unit).flat()) }),
  };
}
