/** What the thread that reads a file of points is asked: to open it, to look at all of it, then for one run after the other. */
import type { PointRun } from "@cairn/formats";
import type { PointFile } from "@cairn/formats/read";
import type { Report } from "@cairn/worker";
import type { Survey } from "./survey.ts";

export type FileFacts = Omit<PointFile, "chunks">;

export interface ReadJobs {
  /** @throws {CairnError} `import.invalid` */
  open(job: { path: string }): Promise<FileFacts>;
  /** Looks at one more run; the survey when that was the last. @throws {CairnError} `import.invalid` */
  look(job: Record<string, never>): Promise<{ readonly points: number; readonly survey?: Survey }>;
  /** `undefined` at the end. @throws {CairnError} `import.invalid` */
  next(job: Record<string, never>, report: Report): Promise<PointRun | undefined>;
}
