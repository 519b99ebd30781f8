/**
 * Spreads what a loop does not close by over all of it: similarities (camera from world) that agree best with those
 * measured between them. Levenberg and Marquardt, with Huber's loss so that one wrong edge bends little.
 */
import type { Similarity3 } from "../alignment/similarity.ts";
import { BLOCK, BlockMatrix, solveBlocks } from "./block-cholesky.ts";
import { edgeResidual, moved, type Residual } from "./residual.ts";

export type PoseEdge = {
  readonly source: number;
  readonly target: number;
  readonly targetFromSource: Similarity3;
  /** One standard deviation of the turn (radians), of the shift (units) and of the scale (as a part). */
  readonly sigmas: readonly [turn: number, shift: number, scale: number];
};

export type PoseGraphReport = { readonly iterations: number; readonly costBefore: number; readonly cost: number };

const HUBER = 3;
const CLOSE_ENOUGH = 1e-6;

/** @param nodes replaced by the result; the first stays where it is */
export function optimisePoseGraph(
  nodes: Similarity3[],
  edges: readonly PoseEdge[],
  { maxIterations = 30 }: { readonly maxIterations?: number } = {},
): PoseGraphReport {
  let cost = costOf(nodes, edges);
  const costBefore = cost;
  let damping = 1e-6;
  let iterations = 0;
  while (iterations < maxIterations && edges.length > 0 && nodes.length > 1) {
    iterations++;
    const { matrix, gradient } = linearise(nodes, edges, damping);
    const step = gradient.map((value) => -value);
    const tried = solveBlocks(matrix, step)
      ? nodes.map((node, k) => (k === 0 ? node : moved(node, step.subarray((k - 1) * BLOCK, k * BLOCK))))
      : undefined;
    const next = tried ? costOf(tried, edges) : Infinity;
    if (tried && next <= cost) {
      const gained = cost - next;
      nodes.splice(0, nodes.length, ...tried);
      cost = next;
      damping = Math.max(1e-9, damping / 10);
      if (gained <= CLOSE_ENOUGH * cost) break;
    } else {
      damping *= 10;
      if (damping > 1e6) break;
    }
  }
  return { iterations, costBefore, cost };
}

/** Squares of the residual in sigmas, as Huber counts them. */
function costOf(nodes: readonly Similarity3[], edges: readonly PoseEdge[]): number {
  let cost = 0;
  for (const edge of edges) {
    const { value } = edgeResidual(edge.targetFromSource, nodes[edge.source], nodes[edge.target]);
    const length = Math.sqrt(squareOf(value, edge));
    cost += length <= HUBER ? length * length : HUBER * (2 * length - HUBER);
  }
  return cost;
}

function sigmaOf({ sigmas }: PoseEdge, row: number): number {
  return row < 3 ? sigmas[0] : row < 6 ? sigmas[1] : sigmas[2];
}

function squareOf(value: Float64Array, edge: PoseEdge): number {
  let square = 0;
  for (let k = 0; k < BLOCK; k++) square += (value[k] / sigmaOf(edge, k)) ** 2;
  return square;
}

/** Normal equations without the first node. */
function linearise(nodes: readonly Similarity3[], edges: readonly PoseEdge[], damping: number) {
  const matrix = new BlockMatrix(nodes.length - 1);
  const gradient = new Float64Array((nodes.length - 1) * BLOCK);
  for (const edge of edges) {
    const residual = edgeResidual(edge.targetFromSource, nodes[edge.source], nodes[edge.target]);
    const length = Math.sqrt(squareOf(residual.value, edge));
    const weight = length <= HUBER ? 1 : HUBER / length;
    addEdge(matrix, gradient, edge, residual, weight);
  }
  for (let k = 0; k < nodes.length - 1; k++) {
    const diagonal = matrix.block(k, k);
    for (let i = 0; i < BLOCK; i++) diagonal[i * BLOCK + i] *= 1 + damping;
    for (let i = 0; i < BLOCK; i++) diagonal[i * BLOCK + i] += 1e-12;
  }
  return { matrix, gradient };
}

function addEdge(
  matrix: BlockMatrix,
  gradient: Float64Array,
  edge: PoseEdge,
  { value, bySource, byTarget }: Residual,
  weight: number,
): void {
  const ends = [
    { at: edge.source - 1, by: bySource },
    { at: edge.target - 1, by: byTarget },
  ].filter(({ at }) => at >= 0);
  const information = Float64Array.from({ length: BLOCK }, (_, k) => weight / sigmaOf(edge, k) ** 2);
  for (const { at, by } of ends) {
    for (let i = 0; i < BLOCK; i++) {
      let sum = 0;
      for (let k = 0; k < BLOCK; k++) sum += by[k * BLOCK + i] * information[k] * value[k];
      gradient[at * BLOCK + i] += sum;
    }
    for (const other of ends) {
      const block = matrix.block(at, other.at);
      for (let i = 0; i < BLOCK; i++) {
        for (let j = 0; j < BLOCK; j++) {
          let sum = 0;
          for (let k = 0; k < BLOCK; k++) sum += by[k * BLOCK + i] * information[k] * other.by[k * BLOCK + j];
          block[i * BLOCK + j] += sum;
        }
      }
    }
  }
}
