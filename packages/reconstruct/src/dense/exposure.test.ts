import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { ColorPairs, type Gain, type PhotoPair, solveGains } from "./exposure.ts";

/** Photos with these gains of the same 400 grey-ish points, each with its neighbours in the list; some points moved. */
function pairsOf(gains: readonly Gain[], seed: number, wrong = 0): PhotoPair[] {
  const random = seededRandom(seed);
  const points = Array.from({ length: 400 }, () => [60 + 90 * random(), 60 + 90 * random(), 60 + 90 * random()]);
  const seen = gains.map((gain) =>
    Uint8Array.from(points.flatMap((rgb) => rgb.map((c, k) => Math.round(c * gain[k])))),
  );
  return gains.slice(1).map((_, index) => {
    const colors = new ColorPairs();
    for (let i = 0; i < points.length; i++) {
      const other = random() < wrong ? Math.floor(random() * points.length) : i;
      colors.add(seen[index], 3 * i, seen[index + 1], 3 * other);
    }
    return { a: 10 + index, b: 11 + index, colors };
  });
}

const factor = fc.double({ min: 0.75, max: 1.3, noNaN: true });
const gain: fc.Arbitrary<Gain> = fc.tuple(factor, factor, factor);

test("gains are found to a percent but for a common factor, though a fifth of the points are wrong", () => {
  fc.assert(
    fc.property(fc.array(gain, { minLength: 2, maxLength: 8 }), fc.integer({ min: 1, max: 99 }), (gains, seed) => {
      const views = gains.map((_, index) => 10 + index);
      const found = solveGains(views, pairsOf(gains, seed, 0.2));
      for (let channel = 0; channel < 3; channel++) {
        const logs = views.map((view, index) => Math.log(found.get(view)![channel] / gains[index][channel]));
        const mean = logs.reduce((sum, each) => sum + each, 0) / logs.length;
        for (const log of logs) assert.ok(Math.abs(log - mean) < 0.02 * gains.length, `${log} against ${mean}`);
        const middle = views.reduce((sum, view) => sum + Math.log(found.get(view)![channel]), 0);
        assert.ok(Math.abs(middle) < 0.02, `the mean is ${middle}`);
      }
    }),
    { seed: 1, numRuns: 30 },
  );
});

test("known gains stay and the others are fitted to them", () => {
  const gains: Gain[] = [
    [1.2, 1.1, 1],
    [1, 1, 1],
    [0.8, 0.9, 1.1],
  ];
  const known = new Map<number, Gain>([[10, [1.2, 1.1, 1]]]);
  const found = solveGains([10, 11, 12], pairsOf(gains, 4), known);
  assert.deepEqual(found.get(10), [1.2, 1.1, 1]);
  for (const channel of [0, 1, 2]) assert.ok(Math.abs(found.get(12)![channel] / gains[2][channel] - 1) < 0.02);
});

test("photos without common points, and points that are clipped, change nothing", () => {
  assert.deepEqual(solveGains([3, 4], []).get(3), [1, 1, 1]);
  const colors = new ColorPairs();
  for (let i = 0; i < 100; i++) colors.add(Uint8Array.of(255, 255, 255), 0, Uint8Array.of(200, 200, 200), 0);
  assert.deepEqual(solveGains([3, 4], [{ a: 3, b: 4, colors }]).get(4), [1, 1, 1]);
});
