/**
 * Semi-global matching: of all depths of a pixel the one whose cost, together with the cheapest way to neighbours in
 * eight directions, is least. It carries depth over places without texture and decides between repetitions.
 * Source: Hirschmüller, "Stereo processing by semiglobal matching and mutual information", PAMI 2008.
 */

/** Larger than any cost of a path; far enough from the limit of 16 bits to be added to. */
const NEVER: u16 = 16_000;
/** Values before the first depth of a path and behind the last: `NEVER`. */
const PAD: i32 = 8;

/** Of scratch for `aggregate`. */
export function aggregateBytes(width: i32, planes: i32): usize {
  // Three paths arrive by way of two rows, one by way of two pixels; and there is where paths begin.
  return <usize>(3 * 2 * (width + 2) + 3) * pathBytes(planes);
}

function pathBytes(planes: i32): usize {
  return (<usize>(planes + 2 * PAD)) << 1;
}

/**
 * @param volume `[height, width, planes]` bytes; `planes` a multiple of 8
 * @param quads brightness (first of each four bytes): depth may jump where it does
 * @param small what a step to the next depth costs
 * @param large what a jump costs where brightness is even, at least `small`
 * @param sums out `[height, width, planes]` u16
 */
export function aggregate(
  volume: usize,
  quads: usize,
  width: i32,
  height: i32,
  stride: i32,
  planes: i32,
  small: i32,
  large: i32,
  sums: usize,
  scratch: usize,
): void {
  const size = (<usize>(width * height * planes)) << 1;
  for (let at: usize = 0; at < size; at += 16) v128.store(sums + at, i16x8.splat(0));
  pass(volume, quads, width, height, stride, planes, small, large, sums, scratch, 1);
  pass(volume, quads, width, height, stride, planes, small, large, sums, scratch, -1);
}

/** Four directions at once: from the left and the three above, or (`step` -1) their opposites. */
function pass(
  volume: usize,
  quads: usize,
  width: i32,
  height: i32,
  stride: i32,
  planes: i32,
  small: i32,
  large: i32,
  sums: usize,
  scratch: usize,
  step: i32,
): void {
  const path = pathBytes(planes);
  const rowBytes = <usize>(width + 2) * path;
  const all = aggregateBytes(width, planes);
  for (let at: usize = 0; at < all; at += 2) store<u16>(scratch + at, NEVER);
  let before = scratch; // the last row's paths, three directions one after the other, a path beyond either end
  let now = scratch + 3 * rowBytes;
  const side = scratch + 6 * rowBytes; // two, in turn
  const nothing = side + 2 * path; // costs nothing: what a path begins with is its own
  memory.fill(nothing, 0, path);
  for (let row = 0; row < height; row++) {
    const y = step > 0 ? row : height - 1 - row;
    let last = side;
    let next = side + path;
    for (let column = 0; column < width; column++) {
      const x = step > 0 ? column : width - 1 - column;
      const pixel = quads + ((<usize>(y * stride + x)) << 2);
      const brightness = <i32>load<u8>(pixel);
      const at = <usize>(y * width + x) * <usize>planes;
      const here = <usize>(x + 1) * path;
      const acrossBytes = (<isize>step) << 2;
      const downBytes = (<isize>(step * stride)) << 2;
      const beside = column === 0 ? large : jump(brightness, pixel - acrossBytes, large, small);
      extend(volume + at, planes, column === 0 ? nothing : last, next, sums + (at << 1), small, beside);
      for (let direction = 0; direction < 3; direction++) {
        const shift = (direction - 1) * step;
        const begins = row === 0 || x - shift < 0 || x - shift >= width;
        const from = before + <usize>direction * rowBytes + <usize>(<isize>here - <isize>shift * <isize>path);
        const to = now + <usize>direction * rowBytes + here;
        const other = pixel - downBytes - ((<isize>shift) << 2);
        const far = begins ? large : jump(brightness, other, large, small);
        extend(volume + at, planes, begins ? nothing : from, to, sums + (at << 1), small, far);
      }
      const swap = last;
      last = next;
      next = swap;
    }
    const swap = before;
    before = now;
    now = swap;
  }
}

/** What a jump between two pixels costs: the less, the more their brightness differs. */
function jump(brightness: i32, other: usize, large: i32, small: i32): i32 {
  return max(small, (large << 4) / (16 + abs(brightness - <i32>load<u8>(other))));
}

/** The next pixel of a path; of its first, `from` is nothing. The first of a path's padding holds its minimum. */
function extend(costs: usize, planes: i32, from: usize, to: usize, sums: usize, small: i32, large: i32): void {
  const leastBefore = load<u16>(from);
  const base = i16x8.splat(<i16>leastBefore);
  const far = i16x8.splat(<i16>(<i32>leastBefore + large));
  const near = i16x8.splat(<i16>small);
  let least = i16x8.splat(<i16>NEVER);
  const source = from + ((<usize>PAD) << 1);
  const values = to + ((<usize>PAD) << 1);
  for (let at: usize = 0; at < (<usize>planes) << 1; at += 16) {
    const beside = i16x8.min_u(v128.load(source + at - 2), v128.load(source + at, 2));
    const way = i16x8.min_u(i16x8.min_u(v128.load(source + at), i16x8.add(beside, near)), far);
    const cost = i16x8.add(v128.load8x8_u(costs + (at >> 1)), i16x8.sub(way, base));
    least = i16x8.min_u(least, cost);
    v128.store(values + at, cost);
    v128.store(sums + at, i16x8.add(v128.load(sums + at), cost));
  }
  store<u16>(to, minimum(least));
}

function minimum(values: v128): u16 {
  let least = i16x8.min_u(values, i8x16.shuffle(values, values, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  least = i16x8.min_u(least, i8x16.shuffle(least, least, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  least = i16x8.min_u(least, i8x16.shuffle(least, least, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
  return <u16>i16x8.extract_lane_u(least, 0);
}

/**
 * The plane of least sum of each pixel, between planes by a parabola, as inverse depth `first + plane · step`.
 *
 * @param inverse plane of floats, out
 */
export function winners(
  sums: usize,
  width: i32,
  height: i32,
  stride: i32,
  planes: i32,
  first: f32,
  step: f32,
  inverse: usize,
): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < stride; x++) {
      const row = sums + ((<usize>((y * width + min(x, width - 1)) * planes)) << 1);
      let best = 0;
      let least: u16 = 0xffff;
      for (let d = 0; d < planes; d++) {
        const sum = load<u16>(row + ((<usize>d) << 1));
        if (sum < least) {
          least = sum;
          best = d;
        }
      }
      let between: f32 = 0;
      if (best > 0 && best < planes - 1) {
        const before = <f32>load<u16>(row + ((<usize>best) << 1) - 2);
        const after = <f32>load<u16>(row + ((<usize>best) << 1) + 2);
        const bend = before + after - 2 * <f32>least;
        if (bend > 0) between = (0.5 * (before - after)) / bend;
      }
      store<f32>(inverse + ((<usize>(y * stride + x)) << 2), first + (<f32>best + between) * step);
    }
  }
}
