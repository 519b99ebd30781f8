/**
 * Orientation and descriptor of a keypoint.
 *
 * The gradient of the patch is computed once, in polar form (angles in eighths of a turn, 0 to 8), and serves the
 * orientation histogram and one or two descriptors. The Gaussian windows are separable and isotropic, so a table along
 * x and one along y weigh every pixel.
 */

/** Longest side of a patch. The largest blur in an octave, 1.6 · 2^(3.6 / 3), has a radius of 39. */
const SIDE: i32 = 96;
const LARGEST_RADIUS: f32 = 46;
const PLANE: usize = <usize>(SIDE * SIDE * 4);

/** Scratch for one patch: magnitudes, angles, two window tables, histograms and a lane buffer. */
export function workspaceBytes(): i32 {
  return 2 * SIDE * SIDE * 4 + 2 * SIDE * 4 + 4096;
}

/** Bins of the orientation histogram. */
const BINS: i32 = 36;
/** A second direction counts when its peak is this part of the highest. */
const SECOND_PEAK: f32 = 0.8;
/** Width of one of the 4 × 4 cells, in sigmas of the keypoint. */
const CELL_SIGMAS: f32 = 3;
/** The cells with a margin of one on every side, 8 directions and one that wraps round; so nothing needs a test. */
const GRID: i32 = 6;
const SLOTS: i32 = 9;

// The patch in the workspace: first column and row in the plane, size, and addresses.
let left: i32 = 0;
let top: i32 = 0;
let columns: i32 = 0;
let rows: i32 = 0;
let magnitudes: usize = 0;
let angles: usize = 0;
let windowX: usize = 0;
let windowY: usize = 0;
let histogram: usize = 0;
let lanes: usize = 0;

/**
 * Finds the one or two directions of a keypoint and describes it in each.
 *
 * @param plane the Gaussian level the keypoint was found in
 * @param x,y,sigma pixels of the octave, centre of the first pixel at 0
 * @param outAngles `[2]` f32 radians, 0 to 2π, from x towards y
 * @param outDescriptors `[2, 128]` bytes, RootSIFT (Arandjelović and Zisserman, CVPR 2012): the sum of squares is 512²
 * @returns how many directions were written: 1 or 2; 0 on a patch without any gradient
 */
export function describe(
  plane: usize,
  width: i32,
  height: i32,
  stride: i32,
  x: f32,
  y: f32,
  sigma: f32,
  workspace: usize,
  outAngles: usize,
  outDescriptors: usize,
): i32 {
  magnitudes = workspace;
  angles = workspace + PLANE;
  windowX = angles + PLANE;
  windowY = windowX + <usize>(SIDE * 4);
  histogram = windowY + <usize>(SIDE * 4);
  lanes = histogram + 2048;

  const cell = CELL_SIGMAS * sigma;
  // Half the diagonal of the four cells and the half cell round them.
  const radius: f32 = min(cell * 3.5355339, LARGEST_RADIUS);
  left = max(1, <i32>ceil(x - radius));
  top = max(1, <i32>ceil(y - radius));
  columns = min(width - 2, <i32>floor(x + radius)) - left + 1;
  rows = min(height - 2, <i32>floor(y + radius)) - top + 1;
  if (columns <= 0 || rows <= 0) return 0;
  patchGradient(plane, stride);

  fillOrientations(x, y, 1.5 * sigma);
  smoothOrientations();
  const found = peaks(outAngles);

  fillWindow(windowX, columns, <f32>left - x, 2 * cell);
  fillWindow(windowY, rows, <f32>top - y, 2 * cell);
  for (let i = 0; i < found; i++) {
    const angle = load<f32>(outAngles + ((<usize>i) << 2));
    fillCells(x, y, cell, angle);
    writeDescriptor(outDescriptors + ((<usize>i) << 7));
  }
  return found;
}

/** Magnitude and angle of the gradient, four pixels at a time; rows of `SIDE` floats. */
function patchGradient(plane: usize, stride: i32): void {
  const down = (<usize>stride) << 2;
  for (let row = 0; row < rows; row++) {
    const source = plane + ((<usize>((top + row) * stride + left)) << 2);
    const magnitude = magnitudes + ((<usize>(row * SIDE)) << 2);
    const angle = angles + ((<usize>(row * SIDE)) << 2);
    for (let x: usize = 0; x < (<usize>columns) << 2; x += 16) {
      const p = source + x;
      const dx = f32x4.sub(v128.load(p + 4), v128.load(p - 4));
      const dy = f32x4.sub(v128.load(p + down), v128.load(p - down));
      v128.store(magnitude + x, f32x4.sqrt(f32x4.add(f32x4.mul(dx, dx), f32x4.mul(dy, dy))));
      v128.store(angle + x, eighths(dx, dy));
    }
  }
}

/** The direction of (dx, dy) in eighths of a turn, 0 to 8; off by less than a thousandth. */
function eighths(dx: v128, dy: v128): v128 {
  const ax = f32x4.abs(dx);
  const ay = f32x4.abs(dy);
  const ratio = f32x4.div(f32x4.min(ax, ay), f32x4.max(f32x4.max(ax, ay), f32x4.splat(1e-20)));
  const square = f32x4.mul(ratio, ratio);
  // atan on 0 to 1, times 4/π.
  let angle = f32x4.add(f32x4.mul(square, f32x4.splat(-0.0592011703)), f32x4.splat(0.20284517));
  angle = f32x4.add(f32x4.mul(square, angle), f32x4.splat(-0.417148459));
  angle = f32x4.add(f32x4.mul(square, angle), f32x4.splat(1.27323954));
  angle = f32x4.mul(angle, ratio);
  const zero = f32x4.splat(0);
  angle = v128.bitselect(f32x4.sub(f32x4.splat(2), angle), angle, f32x4.gt(ay, ax));
  angle = v128.bitselect(f32x4.sub(f32x4.splat(4), angle), angle, f32x4.lt(dx, zero));
  return v128.bitselect(f32x4.sub(f32x4.splat(8), angle), angle, f32x4.lt(dy, zero));
}

/** `exp(-d² / 2 sigma²)` for d = first, first + 1, … */
function fillWindow(table: usize, count: i32, first: f32, sigma: f32): void {
  const scale: f32 = -0.5 / (sigma * sigma);
  for (let i = 0; i < count; i++) {
    const d = first + <f32>i;
    store<f32>(table + ((<usize>i) << 2), NativeMathf.exp(d * d * scale));
  }
}

/** Adds the gradients within three sigmas to the histogram of directions. */
function fillOrientations(x: f32, y: f32, sigma: f32): void {
  memory.fill(histogram, 0, BINS * 4);
  fillWindow(windowX, columns, <f32>left - x, sigma);
  fillWindow(windowY, rows, <f32>top - y, sigma);
  const reach: f32 = 3.0 * sigma;
  const firstRow = max(0, <i32>ceil(y - reach) - top);
  const lastRow = min(rows - 1, <i32>floor(y + reach) - top);
  for (let row = firstRow; row <= lastRow; row++) {
    const dy = <f32>(top + row) - y;
    const half = sqrt<f32>(max<f32>(reach * reach - dy * dy, 0));
    const firstColumn = max(0, <i32>ceil(x - half) - left);
    const lastColumn = min(columns - 1, <i32>floor(x + half) - left);
    const weight = load<f32>(windowY + ((<usize>row) << 2));
    for (let column = firstColumn; column <= lastColumn; column++) {
      const offset = (<usize>(row * SIDE + column)) << 2;
      const bin = min(<i32>(load<f32>(angles + offset) * (<f32>BINS / 8)), BINS - 1);
      const p = histogram + ((<usize>bin) << 2);
      const share = weight * load<f32>(windowX + ((<usize>column) << 2)) * load<f32>(magnitudes + offset);
      store<f32>(p, load<f32>(p) + share);
    }
  }
}

/** Twice the binomial filter 1 4 6 4 1, round the circle. */
function smoothOrientations(): void {
  const copy = histogram + BINS * 4;
  for (let pass = 0; pass < 2; pass++) {
    memory.copy(copy, histogram, BINS * 4);
    for (let i = 0; i < BINS; i++) {
      const sum = bin(copy, i - 2) + bin(copy, i + 2) + 4 * (bin(copy, i - 1) + bin(copy, i + 1)) + 6 * bin(copy, i);
      store<f32>(histogram + ((<usize>i) << 2), sum / 16);
    }
  }
}

function bin(table: usize, i: i32): f32 {
  return load<f32>(table + ((<usize>(i < 0 ? i + BINS : i >= BINS ? i - BINS : i)) << 2));
}

/** The highest peak, and the next where it is high enough; radians, placed by a parabola. */
function peaks(out: usize): i32 {
  let first = -1;
  let second = -1;
  for (let i = 0; i < BINS; i++) {
    const value = bin(histogram, i);
    if (value <= bin(histogram, i - 1) || value < bin(histogram, i + 1)) continue;
    if (first < 0 || value > bin(histogram, first)) {
      second = first;
      first = i;
    } else if (second < 0 || value > bin(histogram, second)) {
      second = i;
    }
  }
  if (first < 0) return 0;
  store<f32>(out, peakAngle(first));
  if (second < 0 || bin(histogram, second) < SECOND_PEAK * bin(histogram, first)) return 1;
  store<f32>(out, peakAngle(second), 4);
  return 2;
}

function peakAngle(i: i32): f32 {
  const before = bin(histogram, i - 1);
  const after = bin(histogram, i + 1);
  const curvature = before - 2 * bin(histogram, i) + after;
  const place = <f32>i + 0.5 + (curvature < 0 ? (0.5 * (before - after)) / curvature : 0);
  const turn: f32 = 6.28318531;
  const angle = (place * turn) / <f32>BINS;
  return angle < 0 ? angle + turn : angle >= turn ? angle - turn : angle;
}

/** Shares every gradient of the patch out over the nearest cells and directions (trilinear). */
function fillCells(x: f32, y: f32, cell: f32, angle: f32): void {
  memory.fill(histogram, 0, GRID * GRID * SLOTS * 4 + 8);
  const cosine = NativeMathf.cos(angle) / cell;
  const sine = NativeMathf.sin(angle) / cell;
  const steps = f32x4(0, 1, 2, 3);
  const zero = f32x4.splat(0);
  const eight = f32x4.splat(8);
  const gridEnd = f32x4.splat(5);
  const turned = f32x4.splat(angle * 1.27323954);
  const cosines = f32x4.splat(cosine);
  const sines = f32x4.splat(sine);
  for (let row = 0; row < rows; row++) {
    const dy = <f32>(top + row) - y;
    // Place in the grid with its margin: the middle of the four cells is at 2.5.
    const baseU = f32x4.splat(sine * dy + 2.5);
    const baseV = f32x4.splat(cosine * dy + 2.5);
    const weight = v128.load32_splat(windowY + ((<usize>row) << 2));
    for (let column = 0; column < columns; column += 4) {
      const dx = f32x4.add(f32x4.splat(<f32>(left + column) - x), steps);
      const u = f32x4.add(f32x4.mul(cosines, dx), baseU);
      const v = f32x4.sub(baseV, f32x4.mul(sines, dx));
      const inside = v128.and(
        v128.and(f32x4.gt(u, zero), f32x4.lt(u, gridEnd)),
        v128.and(f32x4.gt(v, zero), f32x4.lt(v, gridEnd)),
      );
      let mask = i32x4.bitmask(inside);
      if (columns - column < 4) mask &= (1 << (columns - column)) - 1;
      if (mask === 0) continue;

      const offset = (<usize>(row * SIDE + column)) << 2;
      let direction = f32x4.sub(v128.load(angles + offset), turned);
      direction = f32x4.add(direction, v128.and(eight, f32x4.lt(direction, zero)));
      direction = f32x4.sub(direction, v128.and(eight, f32x4.ge(direction, eight)));
      const share = f32x4.mul(
        v128.load(magnitudes + offset),
        f32x4.mul(weight, v128.load(windowX + ((<usize>column) << 2))),
      );
      spread(u, v, direction, share, mask);
    }
  }
}

/** Adds four gradients to the histogram, each to 2 × 2 cells and 2 directions. */
function spread(u: v128, v: v128, direction: v128, share: v128, mask: i32): void {
  const wholeU = f32x4.floor(u);
  const wholeV = f32x4.floor(v);
  const wholeO = f32x4.floor(direction);
  const partU = f32x4.sub(u, wholeU);
  const partV = f32x4.sub(v, wholeV);
  const lower = f32x4.mul(share, partV);
  const upper = f32x4.sub(share, lower);
  const lowerRight = f32x4.mul(lower, partU);
  const upperRight = f32x4.mul(upper, partU);
  const index = f32x4.add(
    f32x4.mul(f32x4.add(f32x4.mul(wholeV, f32x4.splat(<f32>GRID)), wholeU), f32x4.splat(<f32>SLOTS)),
    wholeO,
  );
  v128.store(lanes, i32x4.shl(i32x4.trunc_sat_f32x4_s(index), 2));
  v128.store(lanes, f32x4.sub(direction, wholeO), 16);
  v128.store(lanes, f32x4.sub(upper, upperRight), 32);
  v128.store(lanes, upperRight, 48);
  v128.store(lanes, f32x4.sub(lower, lowerRight), 64);
  v128.store(lanes, lowerRight, 80);
  while (mask !== 0) {
    const lane = lanes + ((<usize>ctz(mask)) << 2);
    mask &= mask - 1;
    const p = histogram + <usize>load<i32>(lane);
    const part = load<f32>(lane, 16);
    const pair = f32x4.replace_lane(f32x4.splat(1 - part), 1, part);
    addPair(p, pair, lane + 32);
    addPair(p + <usize>(SLOTS * 4), pair, lane + 48);
    addPair(p + <usize>(GRID * SLOTS * 4), pair, lane + 64);
    addPair(p + <usize>((GRID + 1) * SLOTS * 4), pair, lane + 80);
  }
}

/** Adds to two neighbouring directions of a cell. */
function addPair(p: usize, pair: v128, weight: usize): void {
  v128.store64_lane(p, f32x4.add(v128.load64_zero(p), f32x4.mul(pair, v128.load32_splat(weight))), 0);
}

/** Normalises, cuts off at 0.2, normalises by the sum and takes the root; bytes. */
function writeDescriptor(out: usize): void {
  const values = histogram + 1536;
  let squares: f32 = 0;
  for (let i = 0; i < 16; i++) {
    const cell = histogram + ((<usize>(((i >> 2) + 1) * GRID + (i & 3) + 1) * SLOTS) << 2);
    store<f32>(cell, load<f32>(cell) + load<f32>(cell, 32));
    for (let slot: usize = 0; slot < 32; slot += 4) {
      const value = load<f32>(cell + slot);
      store<f32>(values + ((<usize>i) << 5) + slot, value);
      squares += value * value;
    }
  }
  const limit: f32 = 0.2 * sqrt<f32>(squares);
  let sum: f32 = 0;
  for (let i: usize = 0; i < 512; i += 4) {
    const value = min<f32>(load<f32>(values + i), limit);
    store<f32>(values + i, value);
    sum += value;
  }
  const scale: f32 = sum > 0 ? 1 / sum : 0;
  for (let i: usize = 0; i < 128; i++) {
    const root: f32 = 512.0 * sqrt<f32>(load<f32>(values + (i << 2)) * scale);
    store<u8>(out + i, <u8>min<f32>(nearest<f32>(root), 255));
  }
}
