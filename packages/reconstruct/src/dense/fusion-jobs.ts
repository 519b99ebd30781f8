/** The jobs of a fusion worker. Pictures and depth maps in shared memory are read where they lie; others are copied. */
import type { Report } from "@cairn/worker";
import type { DenseView, PosedDepth } from "./contract.ts";
import type { FusedPoints, FuseOptions } from "./fuse.ts";
import type { DecodedPhoto } from "./undistort.ts";

export type FuseJobOptions = Omit<FuseOptions, "stop">;

export interface FusionJobs {
  undistort(
    job: {
      view: number;
      photo: DecodedPhoto;
      calibration: Float64Array;
      cameraFromWorld: Float64Array;
      sidePx: number;
    },
    report: Report,
  ): Promise<DenseView>;
  fuse(
    job: { depths: readonly PosedDepth[]; options: FuseJobOptions; ended: Int32Array },
    report: Report,
  ): Promise<FusedPoints>;
}
