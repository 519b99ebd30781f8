/** How much work goes into a depth map. What is seen is described by the views and the range, not here. */

export type DepthOptions = {
  /** Most planes of the sweep over the coarsest image; by default 128. */
  readonly planes?: number;
  /** A window reaches this far from its middle, pixels, 2 to 7; by default 3. */
  readonly windowRadiusPx?: number;
  /** How often neighbours try each other's planes at each size; by default 2. */
  readonly rounds?: number;
};

/** Changes whenever the same views and range would give another depth: a depth map may be kept under it. */
export const DEPTH_VERSION = 4;

export type DepthSettings = Required<DepthOptions>;

const MOST_PLANES = 512;

/** @throws {RangeError} when an option is out of bounds */
export function depthSettings(options: DepthOptions = {}): DepthSettings {
  const { planes = 128, windowRadiusPx = 3, rounds = 2 } = options;
  if (!Number.isInteger(planes) || planes < 8 || planes > MOST_PLANES) throw new RangeError(`${planes} planes`);
  if (!Number.isInteger(windowRadiusPx) || windowRadiusPx < 2 || windowRadiusPx > 7) {
    throw new RangeError(`a window of ${windowRadiusPx} pixels to each side`);
  }
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 8) throw new RangeError(`${rounds} rounds`);
  return { planes, windowRadiusPx, rounds };
}
