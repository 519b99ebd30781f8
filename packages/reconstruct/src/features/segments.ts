/**
 * Straight edges of a photo, after LSD (Grompone von Gioi, Jakob, Morel, Randall 2010): pixels whose gradients point the
 * same way grow into regions, and a region that is long and thin is a segment. On the photo halved until it has about
 * 800 pixels on its long side, where edges of buildings are still sharp and grain is gone.
 */

const LONG_SIDE_PX = 900;
/** Grey values a pixel; twice what rounding to whole values may turn by the tolerance. */
const LEAST_GRADIENT = 6;
/** A region begins only at a clear edge. */
const LEAST_SEED = 12;
const TOLERANCE_RAD = (22.5 * Math.PI) / 180;
/** Of the long side of the reduced photo. */
const LEAST_LENGTH = 0.03;
/** Width of a segment as a part of its length, and how much of that rectangle its pixels fill. */
const MOST_WIDTH = 0.12;
const LEAST_FILL = 0.5;
/** The longest are kept. */
const MOST_SEGMENTS = 300;
const BINS = 512;

/** @returns `[n, 4]` x, y of both ends, decoded pixels with pixel centres at 0.5, the longest first */
export function findSegments(rgb: Uint8Array, widthPx: number, heightPx: number): Float32Array {
  const factor = Math.max(1, Math.round(Math.max(widthPx, heightPx) / LONG_SIDE_PX));
  const width = Math.floor(widthPx / factor);
  const height = Math.floor(heightPx / factor);
  if (width < 3 || height < 3) return new Float32Array(0);
  const edges = gradients(softened(reduced(rgb, widthPx, width, height, factor), width, height), width, height);
  const least = LEAST_LENGTH * Math.max(width, height);
  const found: { length: number; ends: readonly number[] }[] = [];
  const region = new Int32Array(width * height);
  for (const seed of edges.order) {
    if (edges.angle[seed] === TAKEN) continue;
    const size = grow(edges, width, seed, region);
    if (size < least) continue;
    const ends = segmentOf(region.subarray(0, size), edges.strength, width);
    if (!ends) continue;
    const length = Math.hypot(ends[2] - ends[0], ends[3] - ends[1]);
    // Gradients lie between four pixels: the first at (1, 1) of the reduced photo.
    if (length >= least) found.push({ length, ends: ends.map((x) => (x + 1) * factor) });
  }
  const longest = found.sort((p, q) => q.length - p.length).slice(0, MOST_SEGMENTS);
  return Float32Array.from(longest.flatMap(({ ends }) => ends));
}

/** Mean luma of each block of `factor` × `factor` pixels. */
function reduced(rgb: Uint8Array, widthPx: number, width: number, height: number, factor: number): Float32Array {
  const grey = new Float32Array(width * height);
  const scale = 1 / (factor * factor);
  for (let y = 0; y < height * factor; y++) {
    const row = Math.floor(y / factor) * width;
    let at = y * widthPx * 3;
    for (let x = 0; x < width; x++) {
      let sum = 0;
      for (let k = 0; k < factor; k++, at += 3) sum += 0.299 * rgb[at] + 0.587 * rgb[at + 1] + 0.114 * rgb[at + 2];
      grey[row + x] += sum * scale;
    }
  }
  return grey;
}

/** Weights 1 2 1 each way: without it the steps of a slanted edge point this way and that. */
function softened(grey: Float32Array, width: number, height: number): Float32Array {
  const across = grey.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 1, at = y * width + 1; x < width - 1; x++, at++) {
      across[at] = (grey[at - 1] + 2 * grey[at] + grey[at + 1]) / 4;
    }
  }
  const soft = across.slice();
  for (let at = width; at < width * (height - 1); at++) {
    soft[at] = (across[at - width] + 2 * across[at] + across[at + width]) / 4;
  }
  return soft;
}

type Edges = {
  /** Direction of the gradient, radians; {@link TAKEN} where it is weak or belongs to a region. */
  readonly angle: Float32Array;
  readonly strength: Float32Array;
  /** Where regions may begin, the strongest first. */
  readonly order: Int32Array;
};

const TAKEN = 100;

function gradients(grey: Float32Array, width: number, height: number): Edges {
  const angle = new Float32Array(width * height).fill(TAKEN);
  const strength = new Float32Array(width * height);
  const counts = new Int32Array(BINS + 1);
  const binOf = (value: number) => BINS - 1 - Math.min(BINS - 1, Math.floor(value * 2));
  for (let y = 0; y < height - 1; y++) {
    for (let x = 0; x < width - 1; x++) {
      const at = y * width + x;
      const down = grey[at + width + 1] - grey[at];
      const across = grey[at + 1] - grey[at + width];
      const gx = (down + across) / 2;
      const gy = (down - across) / 2;
      const square = gx * gx + gy * gy;
      if (square < LEAST_GRADIENT * LEAST_GRADIENT) continue;
      strength[at] = Math.sqrt(square);
      angle[at] = Math.atan2(gy, gx);
      if (strength[at] >= LEAST_SEED) counts[binOf(strength[at]) + 1]++;
    }
  }
  for (let bin = 0; bin < BINS; bin++) counts[bin + 1] += counts[bin];
  const order = new Int32Array(counts[BINS]);
  for (let at = 0; at < strength.length; at++)
    if (strength[at] >= LEAST_SEED) order[counts[binOf(strength[at])]++] = at;
  return { angle, strength, order };
}

/** Takes what lies next to one another and points the region's way. @returns how many pixels `region` holds */
function grow({ angle }: Edges, width: number, seed: number, region: Int32Array): number {
  let size = 0;
  let mean = angle[seed];
  let sumCos = Math.cos(mean);
  let sumSin = Math.sin(mean);
  region[size++] = seed;
  angle[seed] = TAKEN;
  for (let k = 0; k < size; k++) {
    for (let dy = -width; dy <= width; dy += width) {
      for (let dx = -1; dx <= 1; dx++) {
        const at = region[k] + dy + dx;
        const direction = angle[at];
        // Outside the array there is nothing; a row's end and the next one's beginning hold no gradient.
        if (direction === undefined || direction === TAKEN) continue;
        let off = Math.abs(direction - mean);
        if (off > Math.PI) off = 2 * Math.PI - off;
        if (off > TOLERANCE_RAD) continue;
        region[size++] = at;
        angle[at] = TAKEN;
        sumCos += Math.cos(direction);
        sumSin += Math.sin(direction);
        mean = Math.atan2(sumSin, sumCos);
      }
    }
  }
  return size;
}

/** The axis of a region, weighed by the gradients, when it is thin and full. @returns its ends, pixels of the gradients */
function segmentOf(region: Int32Array, strength: Float32Array, width: number): number[] | undefined {
  let [total, meanX, meanY] = [0, 0, 0];
  for (const at of region) {
    const weight = strength[at];
    total += weight;
    meanX += weight * (at % width);
    meanY += weight * Math.floor(at / width);
  }
  meanX /= total;
  meanY /= total;
  let [xx, xy, yy] = [0, 0, 0];
  for (const at of region) {
    const [x, y] = [(at % width) - meanX, Math.floor(at / width) - meanY];
    xx += strength[at] * x * x;
    xy += strength[at] * x * y;
    yy += strength[at] * y * y;
  }
  const direction = Math.atan2(2 * xy, xx - yy) / 2;
  const [cos, sin] = [Math.cos(direction), Math.sin(direction)];
  let [from, to, left, right] = [0, 0, 0, 0];
  for (const at of region) {
    const [x, y] = [(at % width) - meanX, Math.floor(at / width) - meanY];
    const along = x * cos + y * sin;
    const aside = y * cos - x * sin;
    from = Math.min(from, along);
    to = Math.max(to, along);
    left = Math.min(left, aside);
    right = Math.max(right, aside);
  }
  const length = to - from;
  const broad = Math.max(1, right - left);
  if (broad > Math.max(3, MOST_WIDTH * length) || region.length < LEAST_FILL * length * broad) return undefined;
  return [meanX + from * cos, meanY + from * sin, meanX + to * cos, meanY + to * sin];
}
