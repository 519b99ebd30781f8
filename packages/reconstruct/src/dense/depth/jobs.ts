/** The job of a depth worker. Views are shared or copied, never moved: they are only lent. */
import type { Report } from "@cairn/worker";
import type { DenseView, DepthMap, DepthRange } from "../contract.ts";
import type { DepthOptions } from "./options.ts";

type DepthJob = {
  readonly reference: DenseView;
  readonly sources: readonly DenseView[];
  readonly range: DepthRange;
  readonly options: DepthOptions;
};

export interface DepthJobs {
  depth(job: DepthJob, report: Report): Promise<DepthMap>;
}
