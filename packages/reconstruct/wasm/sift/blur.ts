/** Gaussian blur of a plane, both passes row by row so that the intermediate stays in the first-level cache. */

/** Floats left free on either side of the row buffer: the largest radius. */
const MARGIN: i32 = 16;

/**
 * Blurs `from` into `to` and writes `to - from` into `difference` (a level of the difference-of-Gaussians stack).
 * Beyond the border the nearest pixel counts.
 *
 * @param difference 0 where it is not wanted
 * @param kernel `radius + 1` floats: the middle tap, then one side; the whole sums to 1
 * @param radius at most 16
 * @param scratch `(stride + 32 + 2 · 16) · 4` bytes
 */
export function blur(
  from: usize,
  to: usize,
  difference: usize,
  width: i32,
  height: i32,
  stride: i32,
  kernel: usize,
  radius: i32,
  scratch: usize,
): void {
  const rowBytes = (<usize>stride) << 2;
  const taps = scratch; // pairs of row addresses, above and below
  const row = scratch + ((<usize>(2 * MARGIN + MARGIN)) << 2);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i <= radius; i++) {
      const tap = taps + ((<usize>i) << 3);
      store<u32>(tap, <u32>(from + <usize>max(y - i, 0) * rowBytes));
      store<u32>(tap, <u32>(from + <usize>min(y + i, height - 1) * rowBytes), 4);
    }
    blurDown(taps, row, stride, kernel, radius);
    extendRow(row, width, radius);
    const offset = <usize>y * rowBytes;
    blurAcross(row, to + offset, stride, kernel, radius);
    if (difference !== 0) subtractRow(to + offset, from + offset, difference + offset, stride);
  }
}

/** One row of the vertical pass: 16 columns at a time. */
function blurDown(taps: usize, row: usize, stride: i32, kernel: usize, radius: i32): void {
  for (let x: usize = 0; x < (<usize>stride) << 2; x += 64) {
    const middle = v128.load32_splat(kernel);
    const p = <usize>load<u32>(taps) + x;
    let a = f32x4.mul(v128.load(p), middle);
    let b = f32x4.mul(v128.load(p, 16), middle);
    let c = f32x4.mul(v128.load(p, 32), middle);
    let d = f32x4.mul(v128.load(p, 48), middle);
    for (let i = 1; i <= radius; i++) {
      const tap = taps + ((<usize>i) << 3);
      const k = v128.load32_splat(kernel + ((<usize>i) << 2));
      const above = <usize>load<u32>(tap) + x;
      const below = <usize>load<u32>(tap, 4) + x;
      a = f32x4.add(a, f32x4.mul(k, f32x4.add(v128.load(above), v128.load(below))));
      b = f32x4.add(b, f32x4.mul(k, f32x4.add(v128.load(above, 16), v128.load(below, 16))));
      c = f32x4.add(c, f32x4.mul(k, f32x4.add(v128.load(above, 32), v128.load(below, 32))));
      d = f32x4.add(d, f32x4.mul(k, f32x4.add(v128.load(above, 48), v128.load(below, 48))));
    }
    v128.store(row + x, a);
    v128.store(row + x, b, 16);
    v128.store(row + x, c, 32);
    v128.store(row + x, d, 48);
  }
}

/** Repeats the first and the last pixel on either side. */
function extendRow(row: usize, width: i32, radius: i32): void {
  const last = row + ((<usize>(width - 1)) << 2);
  const leftmost = load<f32>(row);
  const rightmost = load<f32>(last);
  for (let i: usize = 4; i <= (<usize>radius) << 2; i += 4) {
    store<f32>(row - i, leftmost);
    store<f32>(last + i, rightmost);
  }
}

/** One row of the horizontal pass. */
function blurAcross(row: usize, to: usize, stride: i32, kernel: usize, radius: i32): void {
  for (let x: usize = 0; x < (<usize>stride) << 2; x += 64) {
    const middle = v128.load32_splat(kernel);
    const p = row + x;
    let a = f32x4.mul(v128.load(p), middle);
    let b = f32x4.mul(v128.load(p, 16), middle);
    let c = f32x4.mul(v128.load(p, 32), middle);
    let d = f32x4.mul(v128.load(p, 48), middle);
    for (let i: usize = 4; i <= (<usize>radius) << 2; i += 4) {
      const k = v128.load32_splat(kernel + i);
      const left = p - i;
      const right = p + i;
      a = f32x4.add(a, f32x4.mul(k, f32x4.add(v128.load(left), v128.load(right))));
      b = f32x4.add(b, f32x4.mul(k, f32x4.add(v128.load(left, 16), v128.load(right, 16))));
      c = f32x4.add(c, f32x4.mul(k, f32x4.add(v128.load(left, 32), v128.load(right, 32))));
      d = f32x4.add(d, f32x4.mul(k, f32x4.add(v128.load(left, 48), v128.load(right, 48))));
    }
    v128.store(to + x, a);
    v128.store(to + x, b, 16);
    v128.store(to + x, c, 32);
    v128.store(to + x, d, 48);
  }
}

function subtractRow(a: usize, b: usize, out: usize, stride: i32): void {
  for (let x: usize = 0; x < (<usize>stride) << 2; x += 16) {
    v128.store(out + x, f32x4.sub(v128.load(a + x), v128.load(b + x)));
  }
}
