/**
 * How far two similarities are from what an edge between them says, and what that changes with. With the measured
 * M ≈ Sⱼ Sᵢ⁻¹ the error is E = M Sᵢ Sⱼ⁻¹ = (s, R, t); the residual is (log R, t, log s). A step (ω, τ, σ) moves a node
 * from the left: D S with D x = e^σ exp(ω) x + τ.
 */
import { composeSimilarities, invertSimilarity, type Similarity3 } from "../alignment/similarity.ts";
import { rotationFromVector, vectorFromRotation } from "../rotation/exponential.ts";
import { BLOCK } from "./block-cholesky.ts";

export type Residual = {
  /** `[7]` turn in radians, shift in units of the target, logarithm of the scale. */
  readonly value: Float64Array;
  /** `[49]` row-major, by a step of the first and of the second node. */
  readonly bySource: Float64Array;
  readonly byTarget: Float64Array;
};

export function moved(similarity: Similarity3, step: ArrayLike<number>): Similarity3 {
  const move = {
    scale: Math.exp(step[6]),
    rotation: rotationFromVector(step[0], step[1], step[2]),
    translation: Float64Array.of(step[3], step[4], step[5]),
  };
  return composeSimilarities(move, similarity);
}

export function edgeResidual(targetFromSource: Similarity3, source: Similarity3, target: Similarity3): Residual {
  const error = composeSimilarities(composeSimilarities(targetFromSource, source), invertSimilarity(target));
  const phi = vectorFromRotation(error.rotation);
  const value = new Float64Array(BLOCK);
  value.set(phi, 0);
  value.set(error.translation, 3);
  value[6] = Math.log(error.scale);

  const m = targetFromSource;
  const bySource = new Float64Array(BLOCK * BLOCK);
  const turn = times(inverseLeftJacobian(phi, 1), m.rotation);
  const arm = [0, 1, 2].map((k) => error.translation[k] - m.translation[k]);
  const sweep = times(Float64Array.of(0, arm[2], -arm[1], -arm[2], 0, arm[0], arm[1], -arm[0], 0), m.rotation);
  const back = inverseLeftJacobian(phi, -1);
  const byTarget = new Float64Array(BLOCK * BLOCK);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      bySource[i * BLOCK + j] = turn[i * 3 + j];
      bySource[(3 + i) * BLOCK + j] = sweep[i * 3 + j];
      bySource[(3 + i) * BLOCK + 3 + j] = m.scale * m.rotation[i * 3 + j];
      byTarget[i * BLOCK + j] = -back[i * 3 + j];
      byTarget[(3 + i) * BLOCK + 3 + j] = -error.scale * error.rotation[i * 3 + j];
    }
    bySource[(3 + i) * BLOCK + 6] = arm[i];
  }
  bySource[6 * BLOCK + 6] = 1;
  byTarget[6 * BLOCK + 6] = -1;
  return { value, bySource, byTarget };
}

/** J⁻¹(±φ): what a turn from the left (sign +) or the right (−) adds to the rotation vector φ (Solà 2018, eq. 146). */
function inverseLeftJacobian(phi: ArrayLike<number>, sign: 1 | -1): Float64Array {
  const [x, y, z] = [sign * phi[0], sign * phi[1], sign * phi[2]];
  const angle = Math.hypot(x, y, z);
  const c = angle < 1e-4 ? 1 / 12 : 1 / (angle * angle) - (1 + Math.cos(angle)) / (2 * angle * Math.sin(angle));
  const k = Float64Array.of(0, -z, y, z, 0, -x, -y, x, 0);
  const kk = times(k, k);
  return k.map((value, i) => (i % 4 === 0 ? 1 : 0) - value / 2 + c * kk[i]);
}

function times(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const out = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      out[i * 3 + j] = a[i * 3] * b[j] + a[i * 3 + 1] * b[3 + j] + a[i * 3 + 2] * b[6 + j];
    }
  }
  return out;
}
