/** The samples of a window. */

export type Samples = {
  readonly count: number;
  /** `[3, count]`: right, down (f32); bytes from the middle (i32 in the same memory). */
  readonly table: Float32Array;
};

/**
 * Every second pixel, like the black ones of a chessboard: with a radius of 3 that is 24 of 49, which find the same
 * depth as all of them at half the cost.
 */
export function windowSamples(radiusPx: number, stride: number): Samples {
  const places: [number, number][] = [];
  for (let j = -radiusPx; j <= radiusPx; j++) {
    for (let i = -radiusPx; i <= radiusPx; i++) if ((i + j) % 2 !== 0) places.push([i, j]);
  }
  const count = places.length; // 2 r (r + 1): a multiple of four
  const table = new Float32Array(3 * count);
  const bytes = new Int32Array(table.buffer, 2 * count * 4);
  for (const [k, [i, j]] of places.entries()) {
    table[k] = i;
    table[count + k] = j;
    bytes[k] = 4 * (j * stride + i);
  }
  return { count, table };
}
