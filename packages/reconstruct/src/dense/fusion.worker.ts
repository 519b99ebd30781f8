/** A thread that straightens photos and fuses depth maps. */
import { serve } from "@cairn/worker";
import { fuse } from "./fuse.ts";
import type { FusionJobs } from "./fusion-jobs.ts";
import { undistortView } from "./undistort.ts";

serve<FusionJobs>({
  async undistort({ view, photo, calibration, cameraFromWorld, sidePx }, report) {
    const straight = undistortView(view, photo, calibration, cameraFromWorld, sidePx);
    report.move(straight.rgb.buffer as ArrayBuffer);
    return straight;
  },

  async fuse({ depths, options, ended }, report) {
    const stop = (): void => {
      // The loop is deaf to messages while it works.
      if (Atomics.load(ended, 0) === 1) throw new DOMException("cancelled", "AbortError");
    };
    const fused = fuse(depths, { ...options, stop });
    const { positions, normals, colors, confidences, source } = fused;
    for (const { buffer } of [positions, normals, colors, confidences, source]) report.move(buffer as ArrayBuffer);
    return fused;
  },
});
