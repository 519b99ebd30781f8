/** Real roots of polynomials, coefficients from the constant upwards: p(x) = c[0] + c[1] x + … + c[degree] x^degree. */

/**
 * Between neighbouring roots of its derivative a polynomial is monotone: a safeguarded Newton in each such interval
 * finds every root there is. The derivatives are walked upwards from the linear one (Yuksel 2022, "High-Performance
 * Polynomial Root Finding for Graphics"). The line is split at ±1, and the outer parts are done with x = 1 / y, which
 * keeps large roots well conditioned.
 */
export class PolynomialRoots {
  readonly #degree: number;
  readonly #derivatives: Float64Array[];
  readonly #reversed: Float64Array;
  readonly #ends: Float64Array;
  readonly #found: Float64Array;

  /** Scratch for polynomials of this degree. */
  constructor(degree: number) {
    this.#degree = degree;
    this.#derivatives = Array.from({ length: degree }, (_, k) => new Float64Array(degree + 1 - k));
    this.#reversed = new Float64Array(degree + 1);
    this.#ends = new Float64Array(degree + 2);
    this.#found = new Float64Array(degree + 1);
  }

  /** @param out `[≥ degree]` the real roots, each once, in no order @returns how many */
  solve(coefficients: Float64Array, out: Float64Array): number {
    const degree = this.#degree;
    let count = this.#within(coefficients);
    for (let i = 0; i < count; i++) out[i] = this.#found[i];
    for (let i = 0; i <= degree; i++) this.#reversed[i] = coefficients[degree - i];
    const outer = this.#within(this.#reversed);
    for (let i = 0; i < outer && count < degree; i++) {
      const y = this.#found[i];
      // ±1 belong to the inner part; 0 is a root at infinity: a leading coefficient of nothing.
      if (Math.abs(y) < 1 - 1e-12 && Math.abs(y) > 1e-12) out[count++] = 1 / y;
    }
    return count;
  }

  /** Roots in [−1, 1] into `#found`. */
  #within(coefficients: Float64Array): number {
    const degree = this.#degree;
    const derivatives = this.#derivatives;
    derivatives[0].set(coefficients);
    for (let k = 1; k < degree; k++) {
      for (let i = 0; i < derivatives[k].length; i++) derivatives[k][i] = derivatives[k - 1][i + 1] * (i + 1);
    }
    const ends = this.#ends;
    const found = this.#found;
    let count = 0;
    for (let k = degree - 1; k >= 0; k--) {
      const p = derivatives[k];
      ends[0] = -1;
      for (let i = 0; i < count; i++) ends[i + 1] = found[i];
      ends[count + 1] = 1;
      const intervals = count + 1;
      count = 0;
      let left = evaluate(p, -1);
      for (let i = 0; i < intervals; i++) {
        const right = evaluate(p, ends[i + 1]);
        if (left < 0 !== right < 0 && ends[i] < ends[i + 1])
          found[count++] = bisectNewton(p, ends[i], ends[i + 1], left, k === 0 ? 1e-15 : SEPARATOR);
        left = right;
      }
    }
    return count;
  }
}

function evaluate(p: Float64Array, x: number): number {
  let value = p[p.length - 1];
  for (let i = p.length - 2; i >= 0; i--) value = value * x + p[i];
  return value;
}

/** A derivative's roots only separate those of the next; Newton's last step makes them far better than this. */
const SEPARATOR = 1e-6;

/** The one root between `low` and `high`, where p changes its sign; `atLow` = p(low). */
function bisectNewton(p: Float64Array, low: number, high: number, atLow: number, tolerance: number): number {
  let x = (low + high) / 2;
  for (let step = 0; step < 60; step++) {
    let value = p[p.length - 1];
    let slope = 0;
    for (let i = p.length - 2; i >= 0; i--) {
      slope = slope * x + value;
      value = value * x + p[i];
    }
    if (value === 0) break;
    if (value < 0 === atLow < 0) low = x;
    else high = x;
    const next = x - value / slope;
    const taken = next > low && next < high ? next : (low + high) / 2;
    if (Math.abs(taken - x) <= tolerance + tolerance * Math.abs(x)) return taken;
    x = taken;
  }
  return x;
}
