/** The thread in which tiles are made: segments in, GLB out. */
import { concatPoints, decodeSegment } from "@cairn/cloud";
import { encodePointGlb } from "@cairn/formats/glb";
import { serve } from "@cairn/worker";
import type { TileJobs } from "./tile-jobs.ts";

serve<TileJobs>({
  async encode({ segments, corner, edge }, report) {
    const points = concatPoints(segments.map((segment) => decodeSegment(segment)));
    const glb = await encodePointGlb({ ...points, corner, edge });
    report.move(glb.buffer as ArrayBuffer);
    return glb;
  },
});
