/** The thread that finds normals of what is written. */
import { normalsOf } from "@cairn/mesh";
import type { Vec3 } from "@cairn/protocol";
import { serve } from "@cairn/worker";
import type { NormalsJobs } from "./normals-jobs.ts";

let cameras = new Map<number, Vec3>();

serve<NormalsJobs>({
  begin(job) {
    cameras = new Map(job.cameras);
  },

  find(run, report) {
    const normals = normalsOf(run, cameras);
    report.move(normals.buffer as ArrayBuffer);
    return normals;
  },
});
