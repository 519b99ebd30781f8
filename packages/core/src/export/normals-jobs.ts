/** What is asked of the thread that finds normals. */
import type { PointRun } from "@cairn/formats";
import type { Vec3 } from "@cairn/protocol";
import type { Report } from "@cairn/worker";

export interface NormalsJobs {
  /** @param cameras photos' numbers and where they were taken */
  begin(job: { cameras: readonly (readonly [number, Vec3])[] }): void;
  /** `[n, 3]` unit vectors times 127; 0 0 0 where none is known. */
  find(job: Pick<PointRun, "count" | "positions" | "photos">, report: Report): Int8Array;
}
