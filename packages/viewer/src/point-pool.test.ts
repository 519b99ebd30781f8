import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { PointPool } from "./point-pool.ts";

test("whatever is appended in whatever pieces is there, in order, about the first origin", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 8 }), (sizes) => {
      const pool = new PointPool();
      let next = 0;
      for (const size of sizes) {
        const positions = Float32Array.from({ length: size * 3 }, (_, i) => next + Math.floor(i / 3));
        pool.append({ origin: [0, 0, 0], positions, colors: new Uint8Array(size * 3).fill(next % 251) });
        next += size;
      }
      assert.equal(pool.count, next);
      for (let i = 0; i < next; i += 97) assert.equal(pool.positions[i * 3 + 1], i);
      if (next > 0) assert.equal(pool.colors[next * 4 - 1], 255);
    }),
    { numRuns: 40, seed: 7 },
  );
});

test("capacity grows by half: a million points in pieces of 500 replace the arrays fewer than 16 times", () => {
  const pool = new PointPool();
  const piece = {
    origin: [0, 0, 0] as [number, number, number],
    positions: new Float32Array(1500),
    colors: new Uint8Array(1500),
  };
  let grown = 0;
  for (let i = 0; i < 2000; i++) if (pool.append(piece)) grown++;
  assert.equal(pool.count, 1_000_000);
  assert.ok(grown < 16, `${grown} times`);
});

test("points a million units from 0 keep their millimetres", () => {
  const pool = new PointPool();
  const far: [number, number, number] = [1e6 + 0.125, -2e6, 5e5];
  pool.append({ origin: far, positions: Float32Array.of(0, 0, 0), colors: new Uint8Array(3) });
  pool.append({
    origin: [far[0] + 0.001, far[1], far[2] - 3],
    positions: Float32Array.of(0, 0.002, 0),
    colors: new Uint8Array(3),
  });
  assert.deepEqual(pool.origin, far);
  const [x, y, z] = pool.positions.subarray(3, 6);
  assert.ok(Math.abs(x! - 0.001) < 1e-6 && Math.abs(y! - 0.002) < 1e-6 && Math.abs(z! + 3) < 1e-6);
});
