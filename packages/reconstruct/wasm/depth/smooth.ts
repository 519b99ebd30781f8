/** The plane through each pixel of an inverse depth map and those around it that lie on the same surface. */

/** A pixel counts at least so much, however little its photos say about depth. */
const LEAST_CERTAINTY: f32 = 0.002;
/** And no more than this. */
const MOST_CERTAINTY: f32 = 0.2;

/**
 * Weighted least squares over 5 × 5 pixels: they count by how certain they are, and the less the farther they are from
 * the plane known so far, so that what is on the other side of an edge does not count.
 *
 * @param field planes of floats: inverse depth; slope across; slope down (both read, then replaced); sources; scores;
 *   bends (certainty, read); out: inverse depth of the plane at the pixel
 * @param perPixel motion for a unit of inverse depth, pixels: a surface's pixels lie within about one of its plane
 */
export function fitPlanes(field: usize, width: i32, height: i32, stride: i32, perPixel: f32): void {
  const rowBytes = (<usize>stride) << 2;
  const plane = rowBytes * <usize>height;
  const scale = f32x4.splat(perPixel);
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  const least = f32x4.splat(LEAST_CERTAINTY);
  const most = f32x4.splat(MOST_CERTAINTY);
  const damping = f32x4.splat(0.002);
  for (let y = 0; y < height; y++) {
    const top = max(-2, -y);
    const bottom = min(2, height - 1 - y);
    for (let x = 0; x < stride; x += 4) {
      const at = field + <usize>y * rowBytes + ((<usize>x) << 2);
      const middle = v128.load(at);
      const gx = f32x4.mul(v128.load(at + plane), scale);
      const gy = f32x4.mul(v128.load(at + 2 * plane), scale);
      let w = zero;
      let wx = zero;
      let wy = zero;
      let wxx = zero;
      let wxy = zero;
      let wyy = zero;
      let wz = zero;
      let wxz = zero;
      let wyz = zero;
      for (let dx = -2; dx <= 2; dx++) {
        const column = i32x4.add(i32x4.splat(x + dx), i32x4(0, 1, 2, 3));
        const there = v128.andnot(i32x4.lt_s(column, i32x4.splat(width)), i32x4.lt_s(column, i32x4.splat(0)));
        const i = f32x4.splat(<f32>dx);
        for (let dy = top; dy <= bottom; dy++) {
          const from = at + <usize>((dy * stride + dx) << 2);
          const value = v128.load(from);
          const known = v128.and(there, f32x4.gt(value, zero));
          // Differences from the plane known so far, in pixels of motion.
          const j = f32x4.splat(<f32>dy);
          const slope = f32x4.add(f32x4.mul(gx, i), f32x4.mul(gy, j));
          const off = f32x4.sub(f32x4.mul(f32x4.sub(value, middle), scale), slope);
          const doubt = f32x4.add(one, f32x4.mul(off, off));
          const certainty = f32x4.min(most, f32x4.max(least, v128.load(from + 5 * plane)));
          const weight = v128.and(f32x4.div(certainty, f32x4.mul(doubt, doubt)), known);
          const z = v128.and(off, known);
          const right = f32x4.mul(weight, i);
          const low = f32x4.mul(weight, j);
          const heavy = f32x4.mul(weight, z);
          w = f32x4.add(w, weight);
          wx = f32x4.add(wx, right);
          wy = f32x4.add(wy, low);
          wxx = f32x4.add(wxx, f32x4.mul(right, i));
          wxy = f32x4.add(wxy, f32x4.mul(right, j));
          wyy = f32x4.add(wyy, f32x4.mul(low, j));
          wz = f32x4.add(wz, heavy);
          wxz = f32x4.add(wxz, f32x4.mul(heavy, i));
          wyz = f32x4.add(wyz, f32x4.mul(heavy, j));
        }
      }
      // About the centre of gravity, in which the constant falls out of the equations for the slopes.
      const all = f32x4.div(one, f32x4.max(w, f32x4.splat(1e-9)));
      const mx = f32x4.mul(wx, all);
      const my = f32x4.mul(wy, all);
      const mz = f32x4.mul(wz, all);
      const xx = f32x4.add(f32x4.sub(wxx, f32x4.mul(wx, mx)), damping);
      const yy = f32x4.add(f32x4.sub(wyy, f32x4.mul(wy, my)), damping);
      const xy = f32x4.sub(wxy, f32x4.mul(wx, my));
      const xz = f32x4.sub(wxz, f32x4.mul(wx, mz));
      const yz = f32x4.sub(wyz, f32x4.mul(wy, mz));
      const inverse = f32x4.div(one, f32x4.sub(f32x4.mul(xx, yy), f32x4.mul(xy, xy)));
      const turnX = f32x4.mul(f32x4.sub(f32x4.mul(xz, yy), f32x4.mul(yz, xy)), inverse);
      const turnY = f32x4.mul(f32x4.sub(f32x4.mul(yz, xx), f32x4.mul(xz, xy)), inverse);
      const rise = f32x4.sub(mz, f32x4.add(f32x4.mul(turnX, mx), f32x4.mul(turnY, my)));
      const known = f32x4.gt(middle, zero);
      v128.store(at + plane, v128.and(f32x4.div(f32x4.add(gx, turnX), scale), known));
      v128.store(at + 2 * plane, v128.and(f32x4.div(f32x4.add(gy, turnY), scale), known));
      v128.store(at + 6 * plane, v128.and(f32x4.add(middle, f32x4.div(rise, scale)), known));
    }
  }
}
