/** A thread that straightens photos and fuses depth maps. */
import { once } from "node:events";
import { serve } from "@cairn/worker";
import type { Gain } from "./exposure.ts";
import { emitPoints, evenedOut, lookThrough } from "./fuse.ts";
import type { FusionJobs } from "./fusion-jobs.ts";
import { undistortView } from "./undistort.ts";

serve<FusionJobs>({
  async undistort({ view, photo, calibration, cameraFromWorld, sidePx }, report) {
    const straight = undistortView(view, photo, calibration, cameraFromWorld, sidePx);
    report.move(straight.rgb.buffer as ArrayBuffer);
    return straight;
  },

  async fuse({ depths, options, ended, gains: port }, report) {
    const stop = (): void => {
      // The loop is deaf to messages while it works.
      if (Atomics.load(ended, 0) === 1) throw new DOMException("cancelled", "AbortError");
    };
    const looked = lookThrough(depths, { ...options, stop });
    const [known]: (ReadonlyMap<number, Gain> | undefined)[] = await once(port, "message", { signal: report.signal });
    const gains = evenedOut(looked, known);
    port.postMessage(gains);
    const { normals: _, ...part } = emitPoints(looked, gains, { ...options, stop });
    const { positions, colors, confidences, source } = part;
    for (const { buffer } of [positions, colors, confidences, source]) report.move(buffer as ArrayBuffer);
    return part;
  },
});
