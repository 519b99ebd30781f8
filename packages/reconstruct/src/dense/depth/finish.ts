/** From what the kernel found to a depth map: doubtful pixels and specks go, planes become normals. */
import type { DenseView, DepthMap } from "../contract.ts";

export type FoundPlanes = {
  readonly width: number;
  readonly height: number;
  /** Floats from one row to the next. */
  readonly stride: number;
  /** Inverse depth. */
  readonly inverse: Float32Array;
  /** Change of inverse depth to the next pixel. */
  readonly across: Float32Array;
  readonly down: Float32Array;
  /** Mean correlation with the sources that agree most, -1 where there is no texture. */
  readonly scores: Float32Array;
};

/** Correlations below say nothing, and 1 would be full confidence. */
const LEAST_SCORE = 0.5;
/** Pieces of surface of a smaller part of the photo are chance. */
const LEAST_PIECE = 1 / 5000;
const LEAST_PIECE_PX = 12;
/** Neighbours on one surface: inverse depths differ from their plane by no more than this motion, pixels. */
const SAME_SURFACE_PX = 1;

/** @param pixel inverse depth that moves a source's pixel by one */
export function finishDepth(found: FoundPlanes, pinhole: DenseView["pinhole"], pixel: number): DepthMap {
  const { width, height, stride, inverse, across, down, scores } = found;
  const depths = new Float32Array(width * height);
  const normals = new Int8Array(width * height * 3);
  const confidences = new Uint8Array(width * height);
  const inverses = new Float32Array(width * height);
  const agreed = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = y * stride + x;
      inverses[y * width + x] = inverse[from];
      if (scores[from] >= LEAST_SCORE) agreed[y * width + x] = 1;
    }
  }
  removeSpecks(inverses, agreed, width, SAME_SURFACE_PX * pixel);
  const [fx, fy, cx, cy] = pinhole;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (!agreed[i]) continue;
      const from = y * stride + x;
      depths[i] = 1 / inverses[i];
      confidences[i] = Math.max(1, Math.min(255, Math.round((255 * (scores[from] - LEAST_SCORE)) / (1 - LEAST_SCORE))));
      // 1/z = a x/z + b y/z + c is the plane a X + b Y + c Z = 1.
      const a = across[from] * fx;
      const b = down[from] * fy;
      const c = inverses[i] - across[from] * (x + 0.5 - cx) - down[from] * (y + 0.5 - cy);
      const length = -127 / Math.sqrt(a * a + b * b + c * c);
      normals[3 * i] = Math.round(a * length);
      normals[3 * i + 1] = Math.round(b * length);
      normals[3 * i + 2] = Math.round(c * length);
    }
  }
  return { widthPx: width, heightPx: height, depths, normals, confidences };
}

/**
 * Takes out the pixels of pieces of surface that are too small. A piece hangs together by pixels on which the photos
 * do not agree as well, but those do not make it larger.
 */
function removeSpecks(inverses: Float32Array, agreed: Uint8Array, width: number, tolerance: number): void {
  const least = Math.max(LEAST_PIECE_PX, inverses.length * LEAST_PIECE);
  const seen = new Uint8Array(inverses.length);
  const piece = new Int32Array(inverses.length);
  for (let start = 0; start < inverses.length; start++) {
    if (seen[start]) continue;
    let size = 0;
    let agreeing = 0;
    piece[size++] = start;
    seen[start] = 1;
    for (let next = 0; next < size; next++) {
      const i = piece[next];
      const x = i % width;
      agreeing += agreed[i];
      if (x > 0) size = join(i, i - 1, size);
      if (x < width - 1) size = join(i, i + 1, size);
      if (i >= width) size = join(i, i - width, size);
      if (i < inverses.length - width) size = join(i, i + width, size);
    }
    if (agreeing < least) for (let k = 0; k < size; k++) agreed[piece[k]] = 0;
  }

  function join(from: number, to: number, size: number): number {
    if (seen[to] || Math.abs(inverses[to] - inverses[from]) > tolerance) return size;
    seen[to] = 1;
    piece[size] = to;
    return size + 1;
  }
}
