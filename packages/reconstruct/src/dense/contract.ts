/**
 * What the dense stage works on: photos freed of their distortion, and the depth found for each pixel of one.
 * Frames and units: poses are world→camera (COLMAP), pixel centres at 0.5, lengths in model units.
 */

/** A photo as a camera without distortion would have taken it, at the size at which depth is sought. */
export type DenseView = {
  /** The mapper's index of the photo. */
  readonly view: number;
  readonly widthPx: number;
  readonly heightPx: number;
  /** `[heightPx, widthPx, 3]` sRGB */
  readonly rgb: Uint8Array;
  /** fx, fy, cx, cy. */
  readonly pinhole: readonly [number, number, number, number];
  /** `[12]` cameraFromWorld, row-major `[R | t]`. */
  readonly cameraFromWorld: Float64Array;
};

/** What is known of each pixel of a view; the same index in all arrays is one pixel. */
export type DepthMap = {
  readonly widthPx: number;
  readonly heightPx: number;
  /** `[heightPx, widthPx]` z along the optical axis; 0 where nothing was found. */
  readonly depths: Float32Array;
  /** `[heightPx, widthPx, 3]` unit normal × 127, camera frame, towards the camera (z < 0). */
  readonly normals: Int8Array;
  /** `[heightPx, widthPx]` 0…255 how well the photos agree there (photometric). */
  readonly confidences: Uint8Array;
};

/** A view with its depth. */
export type PosedDepth = {
  readonly view: DenseView;
  readonly depth: DepthMap;
  /** The same view in more detail: a pixel of depth then becomes as many points as it has pixels here. */
  readonly picture?: Pick<DenseView, "widthPx" | "heightPx" | "rgb" | "pinhole">;
};

/** Where depth is sought. */
export type DepthRange = {
  readonly near: number;
  readonly far: number;
};

/** A sparse point seen in the view, to begin with: `x, y` pixels of the view, `z` depth. `[n, 3]` */
export type DepthSeeds = Float32Array;
