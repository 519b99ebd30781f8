import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { composeSimilarities, invertSimilarity, type Similarity3 } from "../alignment/similarity.ts";
import { factorCholesky, solveCholesky } from "../linear/cholesky.ts";
import { randomNormal, seededRandom } from "../random.ts";
import { rotationFromVector, vectorFromRotation } from "../rotation/exponential.ts";
import { BLOCK, BlockMatrix, solveBlocks } from "./block-cholesky.ts";
import { optimisePoseGraph, type PoseEdge } from "./optimise.ts";
import { edgeResidual, moved } from "./residual.ts";

const number = (size: number) => fc.double({ min: -size, max: size, noNaN: true });
const similarity = fc
  .record({
    scale: number(1),
    turn: fc.tuple(number(1.2), number(1.2), number(1.2)),
    shift: fc.tuple(number(5), number(5), number(5)),
  })
  .map(({ scale, turn, shift }) => ({
    scale: Math.exp(scale),
    rotation: rotationFromVector(...turn),
    translation: Float64Array.from(shift),
  }));

test("the derivatives of an edge are those that differences give", () => {
  fc.assert(
    fc.property(similarity, similarity, fc.array(number(0.3), { minLength: 7, maxLength: 7 }), (a, b, off) => {
      // Measured somewhere near, for the turn's logarithm jumps half a turn away.
      const measured = moved(composeSimilarities(b, invertSimilarity(a)), off);
      const { bySource, byTarget } = edgeResidual(measured, a, b);
      for (let j = 0; j < BLOCK; j++) {
        const step = new Float64Array(BLOCK);
        const h = 1e-6;
        const at = (sign: number, which: 0 | 1) => {
          step[j] = sign * h;
          const [p, q] = which === 0 ? [moved(a, step), b] : [a, moved(b, step)];
          return edgeResidual(measured, p, q).value;
        };
        for (const [which, analytic] of [bySource, byTarget].entries()) {
          const [plus, minus] = [at(1, which as 0 | 1), at(-1, which as 0 | 1)];
          for (let i = 0; i < BLOCK; i++) {
            const numeric = (plus[i] - minus[i]) / (2 * h);
            const exact = analytic[i * BLOCK + j];
            assert.ok(
              Math.abs(numeric - exact) < 1e-5 * (1 + Math.abs(exact)),
              `${which} ${i} ${j}: ${numeric} ${exact}`,
            );
          }
        }
      }
    }),
    { seed: 1, numRuns: 100 },
  );
});

test("the sparse solver agrees with the dense one", () => {
  const random = seededRandom(2);
  const n = 12;
  const size = n * BLOCK;
  const ties = [...Array.from({ length: n - 1 }, (_, k) => [k, k + 1]), [0, 9], [3, 11], [2, 7]];
  const dense = new Float64Array(size * size);
  for (const [p, q] of ties) {
    for (let row = 0; row < BLOCK; row++) {
      const line = new Float64Array(size);
      for (const end of [p, q]) for (let k = 0; k < BLOCK; k++) line[end * BLOCK + k] = randomNormal(random);
      for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) dense[i * size + j] += line[i] * line[j];
    }
  }
  for (let i = 0; i < size; i++) dense[i * size + i] += 0.5;
  const matrix = new BlockMatrix(n);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const value = dense[i * size + j];
      if (value !== 0)
        matrix.block(Math.floor(i / BLOCK), Math.floor(j / BLOCK))[(i % BLOCK) * BLOCK + (j % BLOCK)] = value;
    }
  }
  const b = Float64Array.from({ length: size }, () => randomNormal(random));
  const expected = b.slice();
  assert.ok(factorCholesky(dense, size));
  solveCholesky(dense, size, expected);
  assert.ok(solveBlocks(matrix, b));
  for (let i = 0; i < size; i++) assert.ok(Math.abs(b[i] - expected[i]) < 1e-9 * (1 + Math.abs(expected[i])));
});

/** Cameras on a circle that look outwards. */
function ring(n: number): Similarity3[] {
  return Array.from({ length: n }, (_, k) => {
    const angle = (2 * Math.PI * k) / n;
    const rotation = rotationFromVector(0, angle, 0);
    const eye = [10 * Math.sin(angle), 0, -10 * Math.cos(angle)];
    const translation = Float64Array.from([0, 1, 2], (i) => -(rotation[3 * i] * eye[0] + rotation[3 * i + 2] * eye[2]));
    return { scale: 1, rotation, translation };
  });
}

const between = (from: Similarity3, to: Similarity3) => composeSimilarities(to, invertSimilarity(from));

test("a ring of 150 cameras that has drifted in place, turn and scale is closed by one loop", () => {
  const truth = ring(150);
  const random = seededRandom(4);
  const drift = () =>
    Float64Array.from([0, 1, 2, 3, 4, 5, 6], (k) => (k < 3 ? 4e-3 : k < 6 ? 0.01 : 4e-3) * randomNormal(random));
  const sigmas = [4e-3, 0.01, 4e-3] as const;
  const edges: PoseEdge[] = [];
  const nodes = [truth[0]];
  for (let k = 1; k < truth.length; k++) {
    const measured = moved(between(truth[k - 1], truth[k]), drift());
    edges.push({ source: k - 1, target: k, targetFromSource: measured, sigmas });
    nodes.push(composeSimilarities(measured, nodes[k - 1]));
  }
  const centre = (node: Similarity3) => invertSimilarity(node).translation;
  const off = (k: number) => Math.hypot(...centre(nodes[k]).map((value, i) => value - centre(truth[k])[i]));
  const open = off(149);
  assert.ok(open > 0.5, `drifted by ${open}`);
  edges.push({ source: 149, target: 0, targetFromSource: between(truth[149], truth[0]), sigmas });
  const report = optimisePoseGraph(nodes, edges);
  assert.ok(report.cost < 0.01 * report.costBefore && report.iterations < 20, JSON.stringify(report));
  assert.ok(off(149) < 0.02, `the loop is open by ${off(149)}`);
  const worst = Math.max(...nodes.map((_, k) => off(k)));
  assert.ok(worst < 0.6 * open, `${worst} of ${open}`);
  assert.deepEqual(nodes[0], truth[0]);
});

test("one wrong loop does not tear three right ones", () => {
  const truth = ring(60);
  const nodes = truth.map((node) => ({ ...node }));
  const sigmas = [1e-3, 1e-3, 1e-3] as const;
  const edges = truth
    .slice(1)
    .map((node, k): PoseEdge => ({ source: k, target: k + 1, targetFromSource: between(truth[k], node), sigmas }));
  const right = [
    [59, 0],
    [58, 1],
    [57, 0],
  ] as const;
  for (const [source, target] of right) {
    edges.push({ source, target, targetFromSource: between(truth[source], truth[target]), sigmas });
  }
  edges.push({ source: 30, target: 0, targetFromSource: between(truth[59], truth[0]), sigmas });
  optimisePoseGraph(nodes, edges);
  const turned = (source: number, target: number) =>
    Math.hypot(
      ...vectorFromRotation(
        composeSimilarities(between(nodes[source], nodes[target]), between(truth[target], truth[source])).rotation,
      ),
    );
  for (const [source, target] of right) assert.ok(turned(source, target) < 0.01, `${source} to ${target}`);
  assert.ok(turned(30, 0) < 1.6, "the wrong one, half a turn off, has at most half its will");
});
