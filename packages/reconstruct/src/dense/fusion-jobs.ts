/**
 * The jobs of a fusion worker. Pictures and depth maps are copied to it, or moved. (Not shared: what lies in shared memory
 * is not counted as the garbage of any thread, so that none would collect it, and hundreds of photos filled the memory.)
 */
import type { MessagePort } from "node:worker_threads";
import type { Report } from "@cairn/worker";
import type { DenseView, PosedDepth } from "./contract.ts";
import type { FusedPoints, FuseOptions } from "./fuse.ts";
import type { DecodedPhoto } from "./undistort.ts";

/** Without normals, which nobody shows: they would be a third of what hundreds of photos leave. */
export type FusedPart = Omit<FusedPoints, "normals">;

export type FuseJobOptions = Omit<FuseOptions, "stop" | "gains">;

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
  /** Over the port come the gains that stay, one message, and then go back those of all the views. */
  fuse(
    job: { depths: readonly PosedDepth[]; options: FuseJobOptions; ended: Int32Array; gains: MessagePort },
    report: Report,
  ): Promise<FusedPart>;
}
