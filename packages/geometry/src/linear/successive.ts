/**
 * Solves systems that come one after the other and differ little, as the steps of an adjustment do. Factorising one of
 * hundreds of cameras takes seconds; so only the first is, and what is found of it leads conjugate gradients through
 * those that follow in a dozen products (Nocedal & Wright, "Numerical Optimization", 2006, §5.1). Where that takes too
 * many the one at hand is factorised, and leads from there on.
 */
import { type Envelope, factoring, multiplyEnvelope, solveEnvelope } from "./envelope.ts";

/** Below so many entries, those of 120 cameras that all meet, factorising is a matter of milliseconds. */
const MANY_ENTRIES = 250_000;
/** Of the first error, as the system weighs it: what is left of a step's gain is the square of it. */
const ERROR_LEFT = 1e-4;
const MOST_STEPS = 30;

export class SuccessiveSystems {
  readonly #envelope: Envelope;
  /** Of the last that was factorised. */
  #factor: Float64Array | undefined;

  constructor(envelope: Envelope) {
    this.#envelope = envelope;
  }

  /**
   * Overwrites the right side by the solution, and a small matrix by its factor; in steps, as `factoring`.
   * @returns false when the matrix is not positive definite
   */
  *solving(matrix: Float64Array, right: Float64Array): Generator<number, boolean, void> {
    const envelope = this.#envelope;
    if (this.#factor && (yield* this.#approaching(matrix, right, this.#factor))) return true;
    let factor = matrix;
    if (matrix.length > MANY_ENTRIES) {
      factor = this.#factor ?? new Float64Array(matrix.length);
      factor.set(matrix);
    }
    this.#factor = undefined;
    if (!(yield* factoring(factor, envelope))) return false;
    solveEnvelope(factor, envelope, right);
    if (factor !== matrix) this.#factor = factor;
    return true;
  }

  /** @returns false, with nothing changed, where the factor of another matrix does not lead to the solution soon */
  *#approaching(matrix: Float64Array, right: Float64Array, factor: Float64Array): Generator<number, boolean, void> {
    const envelope = this.#envelope;
    const { size } = envelope;
    const solution = new Float64Array(size);
    const rest = right.slice();
    const led = rest.slice();
    solveEnvelope(factor, envelope, led);
    const direction = led.slice();
    const product = new Float64Array(size);
    let error = dot(rest, led);
    const enough = ERROR_LEFT ** 2 * error;
    for (let step = 0; step < MOST_STEPS && error > enough; step++) {
      yield 4 * envelope.length;
      multiplyEnvelope(matrix, envelope, direction, product);
      const curvature = dot(direction, product);
      if (!(curvature > 0)) return false;
      const length = error / curvature;
      for (let i = 0; i < size; i++) {
        solution[i] += length * direction[i];
        rest[i] -= length * product[i];
        led[i] = rest[i];
      }
      solveEnvelope(factor, envelope, led);
      const next = dot(rest, led);
      for (let i = 0; i < size; i++) direction[i] = led[i] + (next / error) * direction[i];
      error = next;
    }
    if (!(error <= enough)) return false;
    right.set(solution);
    return true;
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
