import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../random.ts";
import { type Envelope, envelopeOf, factorEnvelope, solveEnvelope } from "./envelope.ts";
import { SuccessiveSystems } from "./successive.ts";

function system(random: () => number, { size, first, base, length }: Envelope): Float64Array {
  const a = new Float64Array(length);
  for (let i = 0; i < size; i++) {
    for (let j = first[i]; j < i; j++) a[base[i] + j] = random() - 0.5;
    a[base[i] + i] = size * (0.1 + random());
  }
  return a;
}

function solved(systems: SuccessiveSystems, matrix: Float64Array, right: Float64Array) {
  const steps = systems.solving(matrix, right);
  for (let products = 0; ; ) {
    const { done, value } = steps.next();
    if (done) return { isPositive: value, products };
    products += value;
  }
}

test("large systems that differ little: the first is factorised, those after it are solved as well in a tenth of the work", () => {
  const random = seededRandom(1);
  const envelope = envelopeOf(Int32Array.from({ length: 800 }, (_, i) => Math.max(0, i - 600)));
  const systems = new SuccessiveSystems(envelope);
  const matrix = system(random, envelope);
  let first = 0;
  for (let step = 0; step < 4; step++) {
    const right = Float64Array.from({ length: 800 }, () => random() - 0.5);
    const exact = right.slice();
    const factor = matrix.slice();
    assert.ok(factorEnvelope(factor, envelope));
    solveEnvelope(factor, envelope, exact);
    const { isPositive, products } = solved(systems, matrix.slice(), right);
    assert.ok(isPositive);
    const off = Math.hypot(...right.map((x, i) => x - exact[i]));
    assert.ok(off <= (step === 0 ? 0 : 1e-3) * Math.hypot(...exact), `step ${step}: ${off}`);
    if (step === 0) first = products;
    else assert.ok(products < 0.1 * first, `${products} of ${first}`);
    for (let i = 0; i < matrix.length; i++) matrix[i] *= 1 + 0.02 * (random() - 0.5);
  }
});

test("a system that differs much is factorised anew, one that is not positive definite is refused, large or small", () => {
  const random = seededRandom(2);
  for (const size of [40, 800]) {
    const envelope = envelopeOf(new Int32Array(size));
    const systems = new SuccessiveSystems(envelope);
    const right = Float64Array.from({ length: size }, () => random() - 0.5);
    assert.ok(solved(systems, system(random, envelope), right.slice()).isPositive);
    const other = system(random, envelope);
    for (let i = 0; i < size; i++) for (let j = 0; j <= i; j++) other[envelope.base[i] + j] *= (1 + i) * (1 + j);
    const exact = right.slice();
    const factor = other.slice();
    assert.ok(factorEnvelope(factor, envelope));
    solveEnvelope(factor, envelope, exact);
    const found = right.slice();
    assert.ok(solved(systems, other.slice(), found).isPositive);
    assert.deepEqual(found, exact);
    const bad = other.slice();
    bad[envelope.base[size - 1] + size - 1] *= -1;
    assert.equal(solved(systems, bad, right.slice()).isPositive, false);
    assert.ok(solved(systems, other.slice(), right).isPositive);
    assert.deepEqual(right, exact);
  }
});
