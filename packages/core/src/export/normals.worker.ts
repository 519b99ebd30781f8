/** A thread that finds normals of what is written. */
import { normalsOf } from "@cairn/mesh";
import type { Vec3 } from "@cairn/protocol";
import { serve } from "@cairn/worker";
import type { NormalsJobs } from "./normals-jobs.ts";

serve<NormalsJobs>({
  find({ cameras, ...run }, report) {
    const centres = new Map<number, Vec3>();
    for (let at = 0; at < cameras.length; at += 4)
      centres.set(cameras[at]!, [cameras[at + 1]!, cameras[at + 2]!, cameras[at + 3]!]);
    const normals = normalsOf(run, centres);
    report.move(normals.buffer as ArrayBuffer);
    return normals;
  },
});
