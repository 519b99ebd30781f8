/** What the thread that reads a file of points is asked: to open it, then for one run after the other. */
import type { PointRun } from "@cairn/formats";
import type { PointFile } from "@cairn/formats/read";
import type { Report } from "@cairn/worker";

export type FileFacts = Omit<PointFile, "chunks">;

export interface ReadJobs {
  /** @throws {CairnError} `import.invalid` */
  open(job: { path: string }): Promise<FileFacts>;
  /** `undefined` at the end. @throws {CairnError} `import.invalid` */
  next(job: Record<string, never>, report: Report): Promise<PointRun | undefined>;
}
