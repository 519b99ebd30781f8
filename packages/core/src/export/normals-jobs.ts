/** What is asked of the threads that find normals: one run of points, which may be of another file than the one before. */
import type { PointRun } from "@cairn/formats";
import type { Report } from "@cairn/worker";

export interface NormalsJobs {
  /**
   * `[n, 3]` unit vectors times 127; 0 0 0 where none is known.
   * @param cameras `[m, 4]`: a photo's number, then where it was taken
   */
  find(job: Pick<PointRun, "count" | "positions" | "photos"> & { cameras: Float64Array }, report: Report): Int8Array;
}
