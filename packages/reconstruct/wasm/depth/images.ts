/** From a photo to what the kernels sample. */

/** Luma (ITU-R BT.601) of `[height, width, 3]` bytes, 0 to 255; the padding repeats the last column. */
export function grey(rgb: usize, to: usize, width: i32, height: i32, stride: i32): void {
  let p = rgb;
  for (let y = 0; y < height; y++) {
    const row = to + ((<usize>(y * stride)) << 2);
    let luma: f32 = 0;
    for (let x = 0; x < width; x++, p += 3) {
      luma = 0.299 * <f32>load<u8>(p) + 0.587 * <f32>load<u8>(p, 1) + 0.114 * <f32>load<u8>(p, 2);
      store<f32>(row + ((<usize>x) << 2), luma);
    }
    for (let x = width; x < stride; x++) store<f32>(row + ((<usize>x) << 2), luma);
  }
}

/** Means of 2 × 2 pixels: `(width + 1) / 2` by `(height + 1) / 2`; beyond the border the last pixel counts again. */
export function halve(from: usize, width: i32, height: i32, stride: i32, to: usize, toStride: i32): void {
  const toWidth = (width + 1) >> 1;
  for (let y = 0; y < (height + 1) >> 1; y++) {
    const above = from + ((<usize>(2 * y * stride)) << 2);
    const below = from + ((<usize>(min(2 * y + 1, height - 1) * stride)) << 2);
    const row = to + ((<usize>(y * toStride)) << 2);
    for (let x = 0; x < toStride; x++) {
      const left = (<usize>(2 * min(x, toWidth - 1))) << 2;
      const right = (<usize>min(2 * min(x, toWidth - 1) + 1, width - 1)) << 2;
      const sum =
        load<f32>(above + left) + load<f32>(above + right) + load<f32>(below + left) + load<f32>(below + right);
      store<f32>(row + ((<usize>x) << 2), sum * 0.25);
    }
  }
}

/**
 * Each pixel with its right, lower and lower right neighbours, as four bytes: one load brings all that is needed to
 * interpolate. `to` has the same stride.
 */
export function packQuads(from: usize, width: i32, height: i32, stride: i32, to: usize): void {
  for (let y = 0; y < height; y++) {
    const above = from + ((<usize>(y * stride)) << 2);
    const below = from + ((<usize>(min(y + 1, height - 1) * stride)) << 2);
    const row = to + ((<usize>(y * stride)) << 2);
    for (let x = 0; x < stride; x++) {
      const left = (<usize>min(x, width - 1)) << 2;
      const right = (<usize>min(x + 1, width - 1)) << 2;
      store<u8>(row + ((<usize>x) << 2), <u8>(load<f32>(above + left) + 0.5));
      store<u8>(row + ((<usize>x) << 2), <u8>(load<f32>(above + right) + 0.5), 1);
      store<u8>(row + ((<usize>x) << 2), <u8>(load<f32>(below + left) + 0.5), 2);
      store<u8>(row + ((<usize>x) << 2), <u8>(load<f32>(below + right) + 0.5), 3);
    }
  }
}

/** Four pixels between pixels, bilinear: `u, v` lie in the image, its last row and column left out. */
export function sampleFour(quads: usize, stride: v128, u: v128, v: v128): v128 {
  const column = i32x4.trunc_sat_f32x4_s(u);
  const row = i32x4.trunc_sat_f32x4_s(v);
  const across = f32x4.sub(u, f32x4.convert_i32x4_s(column));
  const down = f32x4.sub(v, f32x4.convert_i32x4_s(row));
  const place = i32x4.shl(i32x4.add(i32x4.mul(row, stride), column), 2);
  let quad = v128.load32_zero(quads + <usize>i32x4.extract_lane(place, 0));
  quad = v128.load32_lane(quads + <usize>i32x4.extract_lane(place, 1), quad, 1);
  quad = v128.load32_lane(quads + <usize>i32x4.extract_lane(place, 2), quad, 2);
  quad = v128.load32_lane(quads + <usize>i32x4.extract_lane(place, 3), quad, 3);
  const byte = i32x4.splat(255);
  const a = f32x4.convert_i32x4_s(v128.and(quad, byte));
  const b = f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(quad, 8), byte));
  const c = f32x4.convert_i32x4_s(v128.and(i32x4.shr_u(quad, 16), byte));
  const d = f32x4.convert_i32x4_s(i32x4.shr_u(quad, 24));
  const above = f32x4.add(a, f32x4.mul(f32x4.sub(b, a), across));
  const below = f32x4.add(c, f32x4.mul(f32x4.sub(d, c), across));
  return f32x4.add(above, f32x4.mul(f32x4.sub(below, above), down));
}

/** Sum of the lanes. */
export function total(sums: v128): f32 {
  const halves = f32x4.add(sums, i32x4.shuffle(sums, sums, 2, 3, 0, 1));
  return f32x4.extract_lane(halves, 0) + f32x4.extract_lane(halves, 1);
}
