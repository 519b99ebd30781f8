import assert from "node:assert/strict";
import { test } from "node:test";
import { normalsOf } from "./point-normals.ts";

/** Seeded, 0 … 1. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
}

/** Points of the part of a sphere that a camera above it sees, off it by a part of their distance from one another. */
function dome(count: number, at: readonly [number, number, number], noise: number) {
  const random = randomFrom(7);
  const spacing = Math.sqrt((2 * Math.PI) / count);
  const positions = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const [z, angle] = [0.3 + 0.7 * random(), 2 * Math.PI * random()];
    const across = Math.sqrt(1 - z * z);
    const radius = 1 + noise * spacing * Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
    positions.set(
      [across * Math.cos(angle), across * Math.sin(angle), z].map((x, axis) => at[axis] + radius * x),
      3 * i,
    );
  }
  return positions;
}

for (const [noise, medianDeg] of [
  [0, 2],
  [1, 4],
] as const) {
  test(`normals of a dome face the camera, to ${medianDeg} degrees where points lie ${noise} of their distance off it`, () => {
    const count = 12_000;
    // As far from the origin as coordinates of a map are.
    const at = [500_000, 5_000_000, 300] as const;
    const positions = dome(count, at, noise);
    const photos = Uint32Array.from({ length: count }, (_, i) => (i % 10 === 0 ? 9 : 1));
    const normals = normalsOf({ count, positions, photos }, new Map([[1, [at[0], at[1], at[2] + 4]]]));
    const offDeg: number[] = [];
    for (let i = 0; i < count; i++) {
      const normal = normals.subarray(3 * i, 3 * i + 3);
      const length = Math.hypot(...normal);
      if (photos[i] === 9) {
        assert.equal(length, 0, "nobody knows where that photo was taken");
        continue;
      }
      assert.ok(Math.abs(length - 127) < 1.5);
      const out = [0, 1, 2].map((axis) => positions[3 * i + axis] - at[axis]);
      const cosine = out.reduce((sum, x, axis) => sum + x * normal[axis], 0) / (Math.hypot(...out) * length);
      offDeg.push((Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI);
    }
    offDeg.sort((p, q) => p - q);
    assert.ok(offDeg[offDeg.length >> 1] < medianDeg, `${offDeg[offDeg.length >> 1]}`);
    assert.ok(offDeg.filter((deg) => deg > 90).length < 0.002 * offDeg.length, "they face the camera");
  });
}

test("too few points, points in one place and points without a place have none", () => {
  const cameras = new Map([[1, [0, 0, 5] as const]]);
  const of = (positions: number[]) =>
    normalsOf({ count: positions.length / 3, positions: Float64Array.from(positions), photos: 1 }, cameras);
  for (const positions of [[], [1, 2, 3], new Array<number>(90).fill(4), new Array<number>(90).fill(Number.NaN)]) {
    assert.ok(of(positions).every((x) => x === 0));
    assert.equal(of(positions).length, positions.length);
  }
});
