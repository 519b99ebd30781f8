import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "../random.ts";
import { largestDifference } from "../test/scene.ts";
import { factorCholesky, invertLower, solveCholesky } from "./cholesky.ts";
import { symmetricEigen } from "./eigen.ts";
import { envelopeOf, factorEnvelope, narrowOrder, solveEnvelope } from "./envelope.ts";
import { invertEnvelope } from "./envelope-inverse.ts";
import { solveGaussian } from "./gaussian.ts";
import { svd3 } from "./svd3.ts";

const seed = fc.integer({ min: 0, max: 1e6 });
const size = fc.integer({ min: 1, max: 20 });

function randomMatrix(seedValue: number, rows: number, columns: number): Float64Array {
  const random = seededRandom(seedValue);
  return Float64Array.from({ length: rows * columns }, () => 2 * random() - 1);
}

function multiply(a: ArrayLike<number>, b: ArrayLike<number>, n: number, columns: number): Float64Array {
  const c = new Float64Array(n * columns);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < columns; j++)
      for (let k = 0; k < n; k++) c[i * columns + j] += a[i * n + k] * b[k * columns + j];
  }
  return c;
}

function transposed(a: Float64Array, n: number): Float64Array {
  return a.map((_, i) => a[(i % n) * n + ((i / n) | 0)]);
}

/** A Aᵀ + n I */
function randomPositive(seedValue: number, n: number): Float64Array {
  const a = randomMatrix(seedValue, n, n);
  const product = multiply(a, transposed(a, n), n, n);
  for (let i = 0; i < n; i++) product[i * n + i] += n;
  return product;
}

test("Gaussian elimination solves what it is given, and refuses singular systems", () => {
  fc.assert(
    fc.property(seed, size, (s, n) => {
      const a = randomPositive(s, n);
      // Rows turned round by one: the diagonal is no pivot any more.
      const shuffled = Float64Array.from(a, (_, i) => a[((((i / n) | 0) + 1) % n) * n + (i % n)]);
      const x = randomMatrix(s + 1, n, 1);
      const b = multiply(shuffled, x, n, 1);
      assert.ok(solveGaussian(shuffled.slice(), b, n));
      assert.ok(largestDifference(b, x) < 1e-10);
    }),
    { seed: 1 },
  );
  assert.equal(solveGaussian(Float64Array.of(1, 2, 2, 4), Float64Array.of(1, 1), 2), false);
});

test("Cholesky: L Lᵀ = A, solves, inverts, and refuses what is not positive", () => {
  fc.assert(
    fc.property(seed, size, (s, n) => {
      const a = randomPositive(s, n);
      const x = randomMatrix(s + 1, n, 1);
      const b = multiply(a, x, n, 1);
      const l = a.slice();
      assert.ok(factorCholesky(l, n));
      solveCholesky(l, n, b);
      assert.ok(largestDifference(b, x) < 1e-11);
      invertLower(l, n);
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) l[i * n + j] = 0;
      const inverse = multiply(transposed(l, n), l, n, n);
      const identity = multiply(inverse, a, n, n);
      for (let i = 0; i < n * n; i++) assert.ok(Math.abs(identity[i] - (i % (n + 1) === 0 ? 1 : 0)) < 1e-11);
    }),
    { seed: 2 },
  );
  assert.equal(factorCholesky(Float64Array.of(1, 0, 2, 1), 2), false);
});

test("an envelope: factor, solve and the inverse inside it are those of the whole matrix", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 1, max: 40 }), (s, n) => {
      const random = seededRandom(s);
      const first = Int32Array.from({ length: n }, (_, i) => Math.floor(i * (random() < 0.3 ? 0 : random())));
      const envelope = envelopeOf(first);
      const l = new Float64Array(n * n);
      for (let i = 0; i < n; i++)
        for (let j = first[i]; j <= i; j++) l[i * n + j] = i === j ? 1 + random() : random() - 0.5;
      const a = multiply(l, transposed(l, n), n, n);
      const stored = new Float64Array(envelope.length);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < first[i]; j++) assert.equal(a[i * n + j], 0, "the product fills nothing outside");
        for (let j = first[i]; j <= i; j++) stored[envelope.base[i] + j] = a[i * n + j];
      }
      const x = randomMatrix(s + 1, n, 1);
      const b = multiply(a, x, n, 1);
      assert.ok(factorEnvelope(stored, envelope));
      solveEnvelope(stored, envelope, b);
      assert.ok(largestDifference(b, x) < 1e-7);
      const whole = a.slice();
      assert.ok(factorCholesky(whole, n));
      invertLower(whole, n);
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) whole[i * n + j] = 0;
      const inverse = multiply(transposed(whole, n), whole, n, n);
      const scale = Math.max(...inverse.map(Math.abs));
      invertEnvelope(stored, envelope);
      for (let i = 0; i < n; i++) {
        for (let j = first[i]; j <= i; j++) {
          assert.ok(Math.abs(stored[envelope.base[i] + j] - inverse[i * n + j]) < 1e-9 * scale);
        }
      }
    }),
    { seed: 5 },
  );
  assert.equal(factorEnvelope(Float64Array.of(1, 2, 1), envelopeOf(Int32Array.of(0, 0))), false);
});

test("a chain, a ring and loose things, in any numbering, are put in an order in which ties reach back little", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 3, max: 40 }), fc.boolean(), (s, n, ring) => {
      const numbers = Array.from({ length: n }, (_, i) => i);
      const random = seededRandom(s);
      for (let i = n - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [numbers[i], numbers[j]] = [numbers[j], numbers[i]];
      }
      const tied = new Uint8Array((n + 2) ** 2); // the last two are tied to nothing
      for (let i = 0; i < n; i++) {
        if (i + 1 === n && !ring) continue;
        const [p, q] = [numbers[i], numbers[(i + 1) % n]];
        tied[p * (n + 2) + q] = 1;
        tied[q * (n + 2) + p] = 1;
      }
      const order = narrowOrder(n + 2, tied);
      assert.deepEqual(
        [...order].sort((p, q) => p - q),
        [...numbers.sort((p, q) => p - q), n, n + 1],
      );
      const place = new Int32Array(n + 2);
      for (const [at, each] of order.entries()) place[each] = at;
      for (let p = 0; p < n; p++) {
        for (let q = 0; q < n; q++) {
          if (tied[p * (n + 2) + q]) assert.ok(Math.abs(place[p] - place[q]) <= (ring ? 2 : 1));
        }
      }
    }),
    { seed: 6 },
  );
});

test("eigenvectors: A v = λ v, orthonormal, ascending", () => {
  fc.assert(
    fc.property(seed, size, (s, n) => {
      const a = randomMatrix(s, n, n);
      for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i];
      const values = new Float64Array(n);
      const v = new Float64Array(n * n);
      symmetricEigen(a.slice(), n, values, v);
      const av = multiply(a, v, n, n);
      for (let i = 0; i < n * n; i++) assert.ok(Math.abs(av[i] - v[i] * values[i % n]) < 1e-12 * n);
      const vv = multiply(transposed(v, n), v, n, n);
      for (let i = 0; i < n * n; i++) assert.ok(Math.abs(vv[i] - (i % (n + 1) === 0 ? 1 : 0)) < 1e-13 * n);
      for (let i = 1; i < n; i++) assert.ok(values[i] >= values[i - 1]);
    }),
    { seed: 3 },
  );
});

test("SVD of 3×3: A = U S Vᵀ of every rank, with U and V orthogonal", () => {
  fc.assert(
    fc.property(seed, fc.integer({ min: 0, max: 3 }), fc.constantFrom(1e-6, 1, 1e6), (s, rank, scale) => {
      const a = new Float64Array(9);
      for (let r = 0; r < rank; r++) {
        const [left, right] = [randomMatrix(s + r, 3, 1), randomMatrix(s + 10 + r, 3, 1)];
        for (let i = 0; i < 9; i++) a[i] += scale * left[(i / 3) | 0] * right[i % 3];
      }
      const [u, values, v] = [new Float64Array(9), new Float64Array(3), new Float64Array(9)];
      svd3(a, u, values, v);
      const us = u.map((value, i) => value * values[i % 3]);
      assert.ok(largestDifference(multiply(us, transposed(v, 3), 3, 3), a) < 1e-13 * scale);
      for (const m of [u, v]) {
        const identity = multiply(transposed(m, 3), m, 3, 3);
        for (let i = 0; i < 9; i++) assert.ok(Math.abs(identity[i] - (i % 4 === 0 ? 1 : 0)) < 1e-12);
      }
      assert.ok(values[0] >= values[1] && values[1] >= values[2] && values[2] >= 0);
    }),
    { seed: 4 },
  );
});
