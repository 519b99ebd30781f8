import type { PosedCamera } from "@cairn/protocol";

/** The sparse model with its observations, as the COLMAP text format needs it. */
export type SparseModel = {
  readonly images: readonly {
    readonly image: string;
    readonly name: string;
    readonly camera: PosedCamera;
    /** `[m, 2]` features, pixels at full size. */
    readonly features: Float64Array;
    /** `[m]` index into the points, or −1. */
    readonly points: Int32Array;
  }[];
  /** `[n, 3]` */
  readonly positions: Float64Array;
  /** `[n, 3]` sRGB */
  readonly colors: Uint8Array;
  /** `[n]` mean reprojection error, pixels at full size. */
  readonly errorsPx: Float32Array;
};
