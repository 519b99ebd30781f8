/**
 * One plane of a sweep: the sources seen by way of a plane parallel to the photo, compared with it in square windows
 * by normalised cross-correlation, which does not mind a difference in exposure.
 */
/** What a sample that the source does not show leaves as a cost: worse than a fair match, better than a bad one. */
const UNSEEN: i32 = 170;

/**
 * Sums over the window of each pixel, brightness less 128.
 *
 * @param photo plane of floats
 * @param sums out: sum
 * @param scales out: 1 / √(sum of squared differences from the mean), with `noise` added to their mean
 */
export function windowSums(
  photo: usize,
  sums: usize,
  scales: usize,
  width: i32,
  height: i32,
  stride: i32,
  radius: i32,
  noise: f32,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let count = 0;
      let sum: f32 = 0;
      let squares: f32 = 0;
      for (let j = max(0, y - radius); j <= min(height - 1, y + radius); j++) {
        for (let i = max(0, x - radius); i <= min(width - 1, x + radius); i++) {
          const value = load<f32>(photo + ((<usize>(j * stride + i)) << 2)) - 128;
          sum += value;
          squares += value * value;
          count++;
        }
      }
      const n = <f32>count;
      const at = (<usize>(y * stride + x)) << 2;
      store<f32>(sums + at, sum);
      store<f32>(scales + at, 1 / sqrt(max<f32>(0, squares - (sum * sum) / n) + noise * n));
    }
  }
}

/**
 * The cost of each pixel lying on one plane, 0 (all agree) to 255, into `volume[y, x, plane]`.
 *
 * @param photo plane of floats; `sums`, `scales` are those of `windowSums`
 * @param sources `[count]` of `{ quads, width, height, stride: i32; homography: [9] f32 }`: source pixel from photo's
 * @param best how many of the sources count: those that agree most, so that one that sees something else in front
 *   does not matter
 * @param volume `[height, width, planes]` bytes
 * @param scratch `(4 · height + 3) · stride · 4 + 192` bytes: the source as the plane shows it, scores, sums
 */
export function sweepPlane(
  photo: usize,
  sums: usize,
  scales: usize,
  width: i32,
  height: i32,
  stride: i32,
  radius: i32,
  noise: f32,
  sources: usize,
  count: i32,
  best: i32,
  volume: usize,
  planes: i32,
  plane: i32,
  scratch: usize,
): void {
  const imageBytes = (<usize>(stride * height)) << 2;
  const warped = scratch;
  const scores = scratch + imageBytes; // the best three of each pixel, one after the other
  const columns = scores + 3 * imageBytes;
  for (let at: usize = 0; at < 3 * imageBytes; at += 16) v128.store(scores + at, f32x4.splat(-2));
  for (let s = 0; s < count; s++) {
    warp(sources + <usize>s * 52, warped, height, stride);
    correlate(photo, sums, scales, warped, scores, imageBytes, width, height, stride, radius, noise, columns);
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = scores + ((<usize>(y * stride + x)) << 2);
      let sum: f32 = 0;
      let seen = 0;
      for (let k = 0; k < best; k++) {
        const score = load<f32>(at + <usize>k * imageBytes);
        if (score < -1.5) break;
        sum += score;
        seen++;
      }
      const dislike: f32 = 255 * (1 - max<f32>(0, min<f32>(1, sum / <f32>seen)));
      const cost = seen > 0 ? <i32>dislike : UNSEEN;
      store<u8>(volume + <usize>((y * width + x) * planes + plane), <u8>cost);
    }
  }
}

/** Brightness less 128 of the source at each pixel; NaN where it does not show it. */
function warp(source: usize, to: usize, height: i32, stride: i32): void {
  const quads = <usize>load<u32>(source);
  const rightmost = <f32>(load<i32>(source, 4) - 1);
  const lowest = <f32>(load<i32>(source, 8) - 1);
  const sourceStride = i32x4.splat(load<i32>(source, 12));
  const h = source + 16;
  const zero = f32x4.splat(0);
  const right = f32x4.splat(rightmost);
  const low = f32x4.splat(lowest);
  // Columns 0 to 3 of the row, then four further at each step.
  const lanes = f32x4(0, 1, 2, 3);
  const hx = f32x4.splat(load<f32>(h));
  const hy = f32x4.splat(load<f32>(h, 12));
  const hz = f32x4.splat(load<f32>(h, 24));
  for (let y = 0; y < height; y++) {
    const atY = <f32>y;
    const x0 = f32x4.splat(load<f32>(h, 4) * atY + load<f32>(h, 8));
    const y0 = f32x4.splat(load<f32>(h, 16) * atY + load<f32>(h, 20));
    const z0 = f32x4.splat(load<f32>(h, 28) * atY + load<f32>(h, 32));
    const row = to + ((<usize>(y * stride)) << 2);
    for (let x = 0; x < stride; x += 4) {
      const across = f32x4.add(f32x4.splat(<f32>x), lanes);
      const z = f32x4.add(z0, f32x4.mul(hz, across));
      const u = f32x4.div(f32x4.add(x0, f32x4.mul(hx, across)), z);
      const v = f32x4.div(f32x4.add(y0, f32x4.mul(hy, across)), z);
      const shown = v128.and(
        v128.and(f32x4.gt(z, zero), v128.and(f32x4.ge(u, zero), f32x4.ge(v, zero))),
        v128.and(f32x4.lt(u, right), f32x4.lt(v, low)),
      );
      let value = f32x4.splat(f32.NaN);
      if (v128.any_true(shown)) {
        // Lanes that are not shown read pixel (0, 0).
        const seen = sampleFour(quads, sourceStride, v128.and(u, shown), v128.and(v, shown));
        value = v128.bitselect(f32x4.sub(seen, f32x4.splat(128)), value, shown);
      }
      v128.store(row + ((<usize>x) << 2), value);
    }
  }
}

/** Four pixels between pixels, bilinear: `u, v` lie in the image, its last row and column left out. */
function sampleFour(quads: usize, stride: v128, u: v128, v: v128): v128 {
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

/**
 * Keeps each pixel's score among its best three. Windows that reach beyond either image have none there: sums with a
 * NaN are NaN, and those fail every comparison.
 */
function correlate(
  photo: usize,
  sums: usize,
  scales: usize,
  warped: usize,
  scores: usize,
  imageBytes: usize,
  width: i32,
  height: i32,
  stride: i32,
  radius: i32,
  noise: f32,
  columns: usize,
): void {
  const rowBytes = (<usize>stride) << 2;
  const side = 2 * radius + 1;
  const n = <f32>(side * side);
  const perPixel = f32x4.splat(1 / n);
  const floor = f32x4.splat(noise * n);
  const b = columns + rowBytes + 64;
  const c = b + rowBytes + 64;
  const reach = (<usize>radius) << 2;
  // What lies behind the row is in no window that counts.
  for (let x = rowBytes; x < rowBytes + 64; x += 16) {
    v128.store(columns + x, f32x4.splat(f32.NaN));
    v128.store(b + x, f32x4.splat(f32.NaN));
    v128.store(c + x, f32x4.splat(f32.NaN));
  }
  for (let y = radius; y < height - radius; y++) {
    for (let x: usize = 0; x < rowBytes; x += 16) {
      let sum = f32x4.splat(0);
      let squares = sum;
      let products = sum;
      let at = <usize>(y - radius) * rowBytes + x;
      for (let j = -radius; j <= radius; j++, at += rowBytes) {
        const value = v128.load(warped + at);
        const other = f32x4.sub(v128.load(photo + at), f32x4.splat(128));
        sum = f32x4.add(sum, value);
        squares = f32x4.add(squares, f32x4.mul(value, value));
        products = f32x4.add(products, f32x4.mul(value, other));
      }
      v128.store(columns + x, sum);
      v128.store(b + x, squares);
      v128.store(c + x, products);
    }
    const row = <usize>y * rowBytes;
    for (let x = reach; x < (<usize>(width - radius)) << 2; x += 16) {
      let sum = f32x4.splat(0);
      let squares = sum;
      let products = sum;
      for (let at = x - reach; at <= x + reach; at += 4) {
        sum = f32x4.add(sum, v128.load(columns + at));
        squares = f32x4.add(squares, v128.load(b + at));
        products = f32x4.add(products, v128.load(c + at));
      }
      const at = row + x;
      const mean = f32x4.mul(sum, perPixel);
      const covariance = f32x4.sub(products, f32x4.mul(mean, v128.load(sums + at)));
      const variance = f32x4.add(f32x4.sub(squares, f32x4.mul(mean, sum)), floor);
      const score = f32x4.div(f32x4.mul(covariance, v128.load(scales + at)), f32x4.sqrt(variance));
      keep(scores + at, imageBytes, score);
    }
  }
}

/** Sorts a score in among the best three. */
function keep(at: usize, imageBytes: usize, score: v128): void {
  const first = v128.load(at);
  const second = v128.load(at + imageBytes);
  const third = v128.load(at + 2 * imageBytes);
  const next = pmin(score, first);
  const last = pmin(next, second);
  v128.store(at, pmax(first, score));
  v128.store(at + imageBytes, pmax(second, next));
  v128.store(at + 2 * imageBytes, pmax(third, last));
}

/** The larger; `a` where `b` is NaN. */
function pmax(a: v128, b: v128): v128 {
  return v128.bitselect(b, a, f32x4.gt(b, a));
}

/** The smaller; NaN where `a` is NaN. */
function pmin(a: v128, b: v128): v128 {
  return v128.bitselect(b, a, f32x4.lt(b, a));
}
