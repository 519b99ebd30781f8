/** The loss that suits residuals: wide for clean ones, as narrow as their peak for those with a tail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomNormal, seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { lossScaleOf } from "./noise.ts";

const COUNT = 4000;

/** Lengths of residuals drawn from Student's t in two dimensions; ν = Infinity is the normal distribution. */
function residuals(seed: number, sigma: number, degrees: number): Float64Array {
  const random = seededRandom(seed);
  return Float64Array.from({ length: COUNT }, () => {
    let chi = 0;
    if (degrees < Infinity) for (let k = 0; k < degrees; k++) chi += randomNormal(random) ** 2 / degrees;
    const stretch = degrees < Infinity ? 1 / Math.sqrt(chi) : 1;
    return stretch * sigma * Math.hypot(randomNormal(random), randomNormal(random));
  });
}

test("the scale of the loss is that of the distribution residuals were drawn from", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.double({ min: 0.05, max: 1, noNaN: true }), (seed, sigma) => {
      for (const degrees of [1, 2, 3]) {
        const found = lossScaleOf(residuals(seed, sigma, degrees), 0.001, 100);
        const true_ = sigma * Math.sqrt(degrees);
        assert.ok(Math.abs(Math.log(found / true_)) < 0.35, `${degrees}: ${found} for ${true_}`);
      }
    }),
    { numRuns: 20, seed: 1 },
  );
});

test("it follows the noise in proportion, hears all of residuals without a tail, and stays in its bounds", () => {
  const tailed = residuals(1, 0.1, 2);
  const [one, three] = [
    lossScaleOf(tailed, 0.001, 100),
    lossScaleOf(
      tailed.map((r) => 3 * r),
      0.001,
      100,
    ),
  ];
  assert.ok(Math.abs(three / one - 3) < 1e-6);
  assert.ok(lossScaleOf(residuals(1, 0.1, Number.POSITIVE_INFINITY), 0.001, 100) > 0.3, "three sigma");
  assert.equal(lossScaleOf(tailed, 1, 2), 1);
  assert.equal(lossScaleOf(tailed, 0.001, 0.01), 0.01);
  assert.equal(lossScaleOf(new Float64Array(50), 0.1, 1), 1, "perfect");
  assert.equal(lossScaleOf(new Float64Array(0), 0.1, 1), 0.1, "none");
});
