/** From a photo to planes, between octaves, and measures of a plane. */

/** Luma (ITU-R BT.601) of `[height, width, 3]` bytes, 0 to 1. */
export function grey(rgb: usize, to: usize, width: i32, height: i32, stride: i32): void {
  const red: f32 = 0.299 / 255;
  const green: f32 = 0.587 / 255;
  const blue: f32 = 0.114 / 255;
  let p = rgb;
  for (let y = 0; y < height; y++) {
    const row = to + ((<usize>(y * stride)) << 2);
    for (let x = 0; x < width; x++, p += 3) {
      const luma = red * <f32>load<u8>(p) + green * <f32>load<u8>(p, 1) + blue * <f32>load<u8>(p, 2);
      store<f32>(row + ((<usize>x) << 2), luma);
    }
    for (let x = width; x < stride; x++) store<f32>(row + ((<usize>x) << 2), 0);
  }
}

/** Twice the size, bilinear: pixel (x, y) stays the pixel (2x, 2y). The last row and column are repeated. */
export function upsample(from: usize, width: i32, height: i32, stride: i32, to: usize, toStride: i32): void {
  for (let y = 0; y < 2 * height; y++) {
    const above = from + ((<usize>((y >> 1) * stride)) << 2);
    const below = from + ((<usize>(min((y + 1) >> 1, height - 1) * stride)) << 2);
    const row = to + ((<usize>(y * toStride)) << 2);
    for (let x = 0; x < 2 * width; x++) {
      const left = (<usize>(x >> 1)) << 2;
      const right = (<usize>min((x + 1) >> 1, width - 1)) << 2;
      const sum =
        load<f32>(above + left) + load<f32>(above + right) + load<f32>(below + left) + load<f32>(below + right);
      store<f32>(row + ((<usize>x) << 2), sum * 0.25);
    }
    for (let x = 2 * width; x < toStride; x++) store<f32>(row + ((<usize>x) << 2), 0);
  }
}

/** Every second pixel of every second row: `(width + 1) / 2` by `(height + 1) / 2`. */
export function halve(from: usize, width: i32, height: i32, stride: i32, to: usize, toStride: i32): void {
  const toWidth = (width + 1) >> 1;
  for (let y = 0; y < (height + 1) >> 1; y++) {
    const source = from + ((<usize>(2 * y * stride)) << 2);
    const row = to + ((<usize>(y * toStride)) << 2);
    for (let x = 0; x < toWidth; x++) store<f32>(row + ((<usize>x) << 2), load<f32>(source + ((<usize>x) << 3)));
    for (let x = toWidth; x < toStride; x++) store<f32>(row + ((<usize>x) << 2), 0);
  }
}

export function mean(plane: usize, width: i32, height: i32, stride: i32): f64 {
  let sum: f64 = 0;
  for (let y = 0; y < height; y++) {
    const row = plane + ((<usize>(y * stride)) << 2);
    for (let x = 0; x < width; x++) sum += <f64>load<f32>(row + ((<usize>x) << 2));
  }
  return sum / <f64>(width * height);
}

/** Mean square of a plane. */
export function energy(plane: usize, width: i32, height: i32, stride: i32): f64 {
  let sum: f64 = 0;
  for (let y = 0; y < height; y++) {
    const row = plane + ((<usize>(y * stride)) << 2);
    for (let x = 0; x < width; x++) {
      const value = <f64>load<f32>(row + ((<usize>x) << 2));
      sum += value * value;
    }
  }
  return sum / <f64>(width * height);
}
