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
