/** SIFT features of one photo, in the calling thread. The pixel work is in `wasm/sift.as.ts`. */
import { allocateFeatures, type Features } from "./features.ts";
import { Kernel } from "./kernel.ts";
import { sharpnessOf } from "./quality.ts";
import { type Keypoint, selectKeypoints } from "./selection.ts";

export type ExtractOptions = {
  /** Most features, by default 3000. */
  readonly maxFeatures?: number;
  /** Starts from the photo at twice its size: finds finer detail, at four times the cost. */
  readonly upsample?: boolean;
};

export interface Extractor {
  /**
   * @param rgb `[heightPx, widthPx, 3]` sRGB; read, not kept
   * @throws {RangeError} when the array does not fit the size, or the photo has more than 16 million pixels
   */
  extract(rgb: Uint8Array, widthPx: number, heightPx: number, options?: ExtractOptions): Features;
}

const DEFAULT_MAX_FEATURES = 3000;
const MOST_PIXELS = 1 << 24;

// Lowe's values; the threshold is COLMAP's (0.02 / 3).
const LEVELS = 3;
const FIRST_SIGMA = 1.6;
const CAMERA_SIGMA = 0.5;
const CONTRAST = 0.02 / 3;
const EDGE = 10;
/** An octave with a shorter side than this holds no feature whose surroundings are known. */
const SHORTEST_SIDE = 24;
/** The kernel is cut off at this many sigmas. */
const KERNEL_SIGMAS = 3;
const MOST_RADIUS = 16;
const RECORD_FLOATS = 5;

type SiftFunctions = {
  grey(rgb: number, to: number, width: number, height: number, stride: number): void;
  upsample(from: number, width: number, height: number, stride: number, to: number, toStride: number): void;
  halve(from: number, width: number, height: number, stride: number, to: number, toStride: number): void;
  mean(plane: number, width: number, height: number, stride: number): number;
  energy(plane: number, width: number, height: number, stride: number): number;
  blur(
    from: number,
    to: number,
    difference: number,
    width: number,
    height: number,
    stride: number,
    kernel: number,
    radius: number,
    scratch: number,
  ): void;
  detect(
    stack: number,
    planeBytes: number,
    width: number,
    height: number,
    stride: number,
    contrast: number,
    edge: number,
    sigma: number,
    out: number,
    capacity: number,
  ): number;
  describe(
    plane: number,
    width: number,
    height: number,
    stride: number,
    x: number,
    y: number,
    sigma: number,
    workspace: number,
    outAngles: number,
    outDescriptors: number,
  ): number;
  workspaceBytes(): number;
};

/** The levels that keypoints are found in (1 to 3) are kept for describing; the others are shared by all octaves. */
type Octave = {
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly levels: readonly number[];
  /** Pixels of the photo to one of the octave. */
  readonly pixelPx: number;
};

type Scratch = {
  readonly kernel: number;
  readonly row: number;
  readonly difference: number;
  readonly found: number;
  readonly capacity: number;
};

export function openExtractor(): Extractor {
  const sift = new Kernel<SiftFunctions>("sift");
  return {
    extract(rgb, widthPx, heightPx, options = {}) {
      if (rgb.length !== widthPx * heightPx * 3 || rgb.length === 0) {
        throw new RangeError(`rgb holds ${rgb.length} bytes, not ${widthPx} × ${heightPx} × 3`);
      }
      if (widthPx * heightPx > MOST_PIXELS) throw new RangeError(`${widthPx} × ${heightPx} pixels are too many`);
      return extract(sift, rgb, widthPx, heightPx, options);
    },
  };
}

function extract(
  sift: Kernel<SiftFunctions>,
  rgb: Uint8Array,
  widthPx: number,
  heightPx: number,
  options: ExtractOptions,
): Features {
  sift.reset();
  const zoom = options.upsample ? 2 : 1;
  const octaves = layOut(sift, widthPx * zoom, heightPx * zoom, 1 / zoom);
  const [first] = octaves;
  const planeBytes = first.stride * first.height * 4;
  const pixels = first.width * first.height;
  const capacity = Math.max(64, pixels >> 4);
  const scratch: Scratch = {
    kernel: sift.take((MOST_RADIUS + 1) * 4),
    row: sift.take((first.stride + 5 * MOST_RADIUS) * 4),
    difference: sift.take(Math.max((LEVELS + 2) * planeBytes, rgb.length + planeBytes)),
    found: sift.take(capacity * RECORD_FLOATS * 4),
    capacity,
  };
  const workspace = sift.take(sift.call.workspaceBytes());
  const described = sift.take(2 * 4 + 2 * 128);

  const brightness = readPhoto(sift, rgb, widthPx, heightPx, first, scratch, zoom);
  const keypoints: Keypoint[] = [];
  const energies: number[] = [];
  for (const [index, octave] of octaves.entries()) {
    if (index > 0) {
      const finer = octaves[index - 1];
      const from = finer.levels[LEVELS];
      sift.call.halve(from, finer.width, finer.height, finer.stride, octave.levels[0], octave.stride);
    }
    buildLevels(sift, octave, scratch);
    energies.push(sift.call.energy(scratch.difference, octave.width, octave.height, octave.stride));
    if (Math.min(octave.width, octave.height) >= SHORTEST_SIDE) findKeypoints(sift, octaves, index, scratch, keypoints);
  }

  const most = options.maxFeatures ?? DEFAULT_MAX_FEATURES;
  const chosen = selectKeypoints(keypoints, widthPx, heightPx, most);
  const sharpness = sharpnessOf(options.upsample ? energies.slice(1) : energies);
  return describeAll(sift, octaves, chosen, most, workspace, described, sharpness, brightness);
}

/** Takes memory for the Gaussian levels of all octaves. */
function layOut(sift: Kernel<SiftFunctions>, width: number, height: number, pixelPx: number): Octave[] {
  const octaves: Octave[] = [];
  const strideOf = (w: number): number => Math.ceil(w / 16) * 16;
  const plane = (w: number, h: number): number => sift.take(strideOf(w) * h * 4);
  const shared = [plane(width, height), plane(width, height), plane(width, height)];
  do {
    const own = [plane(width, height), plane(width, height), plane(width, height)];
    octaves.push({
      width,
      height,
      stride: strideOf(width),
      levels: [shared[0], ...own, shared[1], shared[2]],
      pixelPx,
    });
    width = (width + 1) >> 1;
    height = (height + 1) >> 1;
    pixelPx *= 2;
  } while (Math.min(width, height) >= SHORTEST_SIDE);
  return octaves;
}

/** Fills the first level from the photo; the photo's bytes lie where the differences come later. Mean luma. */
function readPhoto(
  sift: Kernel<SiftFunctions>,
  rgb: Uint8Array,
  widthPx: number,
  heightPx: number,
  first: Octave,
  scratch: Scratch,
  zoom: number,
): number {
  const { width, height, stride, levels } = first;
  const luma = levels[LEVELS + 2];
  const bytes = scratch.difference;
  sift.bytes(bytes, rgb.length).set(rgb);
  let brightness: number;
  if (zoom === 1) {
    sift.call.grey(bytes, luma, width, height, stride);
    brightness = sift.call.mean(luma, width, height, stride);
  } else {
    const small = levels[LEVELS + 1];
    const smallStride = Math.ceil(widthPx / 16) * 16;
    sift.call.grey(bytes, small, widthPx, heightPx, smallStride);
    brightness = sift.call.mean(small, widthPx, heightPx, smallStride);
    sift.call.upsample(small, widthPx, heightPx, smallStride, luma, stride);
  }
  blurTo(sift, luma, levels[0], 0, first, Math.sqrt(FIRST_SIGMA ** 2 - (CAMERA_SIGMA * zoom) ** 2), scratch);
  return brightness;
}

function buildLevels(sift: Kernel<SiftFunctions>, octave: Octave, scratch: Scratch): void {
  const planeBytes = octave.stride * octave.height * 4;
  for (let level = 1; level < LEVELS + 3; level++) {
    const before = FIRST_SIGMA * 2 ** ((level - 1) / LEVELS);
    const sigma = before * Math.sqrt(2 ** (2 / LEVELS) - 1);
    const difference = scratch.difference + (level - 1) * planeBytes;
    blurTo(sift, octave.levels[level - 1], octave.levels[level], difference, octave, sigma, scratch);
  }
}

function blurTo(
  sift: Kernel<SiftFunctions>,
  from: number,
  to: number,
  difference: number,
  octave: Octave,
  sigma: number,
  scratch: Scratch,
): void {
  const kernel = gaussianKernel(sigma);
  sift.f32(scratch.kernel, kernel.length).set(kernel);
  const { width, height, stride } = octave;
  sift.call.blur(from, to, difference, width, height, stride, scratch.kernel, kernel.length - 1, scratch.row);
}

/** The middle tap and one side of a Gaussian; the whole sums to 1. */
export function gaussianKernel(sigma: number): Float32Array {
  const radius = Math.min(MOST_RADIUS, Math.ceil(KERNEL_SIGMAS * sigma));
  const taps = Float32Array.from({ length: radius + 1 }, (_, i) => Math.exp((-i * i) / (2 * sigma * sigma)));
  const sum = taps.reduce((total, tap, i) => total + (i === 0 ? tap : 2 * tap), 0);
  return taps.map((tap) => tap / sum);
}

function findKeypoints(
  sift: Kernel<SiftFunctions>,
  octaves: readonly Octave[],
  index: number,
  { difference, found, capacity }: Scratch,
  keypoints: Keypoint[],
): void {
  const { width, height, stride, pixelPx } = octaves[index];
  const planeBytes = stride * height * 4;
  const call = sift.call;
  const count = call.detect(
    difference,
    planeBytes,
    width,
    height,
    stride,
    CONTRAST,
    EDGE,
    FIRST_SIGMA,
    found,
    capacity,
  );
  const records = sift.f32(found, count * RECORD_FLOATS);
  for (let r = 0; r < records.length; r += RECORD_FLOATS) {
    keypoints.push({
      octave: index,
      level: records[r + 3],
      octaveX: records[r],
      octaveY: records[r + 1],
      octaveSigma: records[r + 2],
      x: records[r] * pixelPx + 0.5,
      y: records[r + 1] * pixelPx + 0.5,
      scale: records[r + 2] * pixelPx,
      response: records[r + 4],
    });
  }
}

/** Describes keypoints in the order given until there are `most` features; orders them by scale, largest first. */
function describeAll(
  sift: Kernel<SiftFunctions>,
  octaves: readonly Octave[],
  chosen: readonly Keypoint[],
  most: number,
  workspace: number,
  described: number,
  sharpness: number,
  brightness: number,
): Features {
  const angles = sift.f32(described, 2);
  const bytes = sift.bytes(described + 8, 256);
  const owners: Keypoint[] = [];
  const turns: number[] = [];
  const rows = new Uint8Array(most * 128);
  for (const keypoint of chosen) {
    const { width, height, stride, levels } = octaves[keypoint.octave];
    const { octaveX, octaveY, octaveSigma, level } = keypoint;
    const plane = levels[level];
    const directions = Math.min(
      sift.call.describe(
        plane,
        width,
        height,
        stride,
        octaveX,
        octaveY,
        octaveSigma,
        workspace,
        described,
        described + 8,
      ),
      most - owners.length,
    );
    rows.set(bytes.subarray(0, directions * 128), owners.length * 128);
    for (let i = 0; i < directions; i++) {
      owners.push(keypoint);
      turns.push(angles[i]);
    }
    if (owners.length === most) break;
  }

  const order = owners.map((_, i) => i).sort((a, b) => owners[b].scale - owners[a].scale || a - b);
  const features = allocateFeatures(order.length, sharpness, brightness);
  for (const [to, from] of order.entries()) {
    features.x[to] = owners[from].x;
    features.y[to] = owners[from].y;
    features.scale[to] = owners[from].scale;
    features.angle[to] = turns[from];
    features.descriptors.set(rows.subarray(from * 128, from * 128 + 128), to * 128);
  }
  return features;
}
