/** Points on their way between a file and the cloud: as many at a time as fit in memory easily. */

export type PointRun = {
  readonly count: number;
  /** `[n, 3]`. Double precision, because coordinates may be of UTM magnitude. */
  readonly positions: Float64Array;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
  /** Number of the photo each came from: 1 is the space's first photo, 0 none. One number: all of them. */
  readonly photos: Uint32Array | number;
  /** `[n]` 0…255, 255 as sure as can be. Left out: all 255. */
  readonly confidences?: Uint8Array | undefined;
  /** `[n, 3]` unit vectors times 127. Left out: not known. */
  readonly normals?: Int8Array | undefined;
};
