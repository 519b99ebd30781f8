/** The thread in which tiles are made: segments in, GLB out. */
import { concatPoints } from "@cairn/cloud";
import { decodeSegmentSync } from "@cairn/cloud/node";
import { encodePointGlb } from "@cairn/formats/glb";
import { serve } from "@cairn/worker";
import type { TileJobs } from "./tile-jobs.ts";

serve<TileJobs>({
  async encode({ segments, corner, edge }, report) {
    const points = concatPoints(segments.map((segment) => decodeSegmentSync(segment)));
    const glb = await encodePointGlb({ ...points, corner, edge });
    report.move(glb.buffer as ArrayBuffer);
    return glb;
  },
});
