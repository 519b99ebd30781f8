/**
 * Exposure and white balance evened out between photos: one factor per photo and channel on its sRGB values. A change
 * of exposure multiplies light, and sRGB is nearly a power of light, so it multiplies sRGB too. The factors are those
 * with which corresponding surface points look most alike, and their mean over the photos is 1.
 */

/** How many times as bright as an agreed middle a photo is, red, green, blue: divide by it to even out. */
export type Gain = readonly [number, number, number];

/** Bins of a histogram of log ratios. */
const BINS = 256;
/** Log ratios beyond this are no difference of exposure. */
const REACH = 1;
/** Values outside are clipped or drowned in noise, and say nothing about exposure. */
const DARKEST = 20;
const BRIGHTEST = 245;
/** Correspondences without which two photos say nothing about each other. */
const LEAST_PIXELS = 60;
/** The more correspondences the better, up to here: large overlaps shall not outvote all others. */
const ENOUGH_PIXELS = 2000;
/** Pulls a factor that nothing ties down towards 1. */
const ANCHOR = 1e-3;
/** No photo is brightened or darkened by more. */
const MOST_GAIN = 2;

/** What two photos show of the same surface points. */
export class ColorPairs {
  readonly #ratios = new Uint32Array(3 * BINS);
  #count = 0;

  /** @param a, b where the point's colours begin in `[n, 3]` sRGB */
  add(rgbA: Uint8Array, a: number, rgbB: Uint8Array, b: number): void {
    for (let channel = 0; channel < 3; channel++) {
      const [p, q] = [rgbA[a + channel], rgbB[b + channel]];
      if (p < DARKEST || q < DARKEST || p > BRIGHTEST || q > BRIGHTEST) return;
    }
    for (let channel = 0; channel < 3; channel++) {
      const ratio = LOG[rgbA[a + channel]] - LOG[rgbB[b + channel]];
      const bin = Math.floor(((ratio + REACH) / (2 * REACH)) * BINS);
      this.#ratios[channel * BINS + Math.min(BINS - 1, Math.max(0, bin))]++;
    }
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** Median log ratio a : b of a channel, with linear interpolation inside the bin. */
  median(channel: number): number {
    let below = 0;
    for (let bin = 0; bin < BINS; bin++) {
      const here = this.#ratios[channel * BINS + bin];
      if (below + here >= this.#count / 2 && here > 0) {
        return ((bin + (this.#count / 2 - below) / here) / BINS) * 2 * REACH - REACH;
      }
      below += here;
    }
    return 0;
  }
}

const LOG = Float64Array.from({ length: 256 }, (_, value) => Math.log(Math.max(1, value)));

export type PhotoPair = { readonly a: number; readonly b: number; readonly colors: ColorPairs };

/**
 * The factors of `views`, by least squares over the pairs.
 * @param known factors that stay, since points were coloured with them; the others are fitted to these
 */
export function solveGains(
  views: readonly number[],
  pairs: readonly PhotoPair[],
  known: ReadonlyMap<number, Gain> = new Map(),
): Map<number, Gain> {
  const indexOf = new Map(views.map((view, index) => [view, index]));
  const ties = pairs.flatMap(({ a, b, colors }) => {
    const [from, to] = [indexOf.get(a), indexOf.get(b)];
    if (from === undefined || to === undefined || colors.count < LEAST_PIXELS) return [];
    return [{ from, to, colors, weight: Math.min(1, colors.count / ENOUGH_PIXELS) }];
  });
  const logs = [0, 1, 2].map((channel) => {
    const fixed = Float64Array.from(views, (view) => {
      const gain = known.get(view);
      return gain ? Math.log(gain[channel]) : Number.NaN;
    });
    return solveChannel(
      fixed,
      ties.map(({ from, to, weight, colors }) => ({ from, to, weight, difference: colors.median(channel) })),
    );
  });
  const bounded = (log: number): number => Math.exp(Math.min(Math.log(MOST_GAIN), Math.max(-Math.log(MOST_GAIN), log)));
  return new Map(
    views.map((view, index): [number, Gain] => [
      view,
      known.get(view) ?? [bounded(logs[0][index]), bounded(logs[1][index]), bounded(logs[2][index])],
    ]),
  );
}

type Tie = { readonly from: number; readonly to: number; readonly weight: number; readonly difference: number };

/** Minimises Σ weight (g_from − g_to − difference)² + anchor Σ g² over what is not fixed (conjugate gradients). */
function solveChannel(fixed: Float64Array, ties: readonly Tie[]): Float64Array {
  const n = fixed.length;
  const free = (k: number): boolean => Number.isNaN(fixed[k]);
  const solution = Float64Array.from(fixed, (each) => (Number.isNaN(each) ? 0 : each));
  const apply = (x: Float64Array, differences: boolean): Float64Array => {
    const y = Float64Array.from(x, (each) => ANCHOR * each);
    for (const { from, to, weight, difference } of ties) {
      const pull = weight * (x[from] - x[to] - (differences ? difference : 0));
      y[from] += pull;
      y[to] -= pull;
    }
    for (let k = 0; k < n; k++) if (!free(k)) y[k] = 0;
    return y;
  };
  const residual = apply(solution, true).map((each) => -each);
  let direction = residual.slice();
  let square = dot(residual, residual);
  for (let step = 0; step < 2 * n && square > 1e-18; step++) {
    const ahead = apply(direction, false);
    const length = square / dot(direction, ahead);
    for (let k = 0; k < n; k++) {
      solution[k] += length * direction[k];
      residual[k] -= length * ahead[k];
    }
    const next = dot(residual, residual);
    direction = direction.map((each, k) => residual[k] + (next / square) * each);
    square = next;
  }
  return solution;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
  return sum;
}
