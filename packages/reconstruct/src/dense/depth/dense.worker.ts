/** A thread that finds depth. */
import { setImmediate } from "node:timers/promises";
import { serve } from "@cairn/worker";
import { type DepthEstimator, openDepthEstimator } from "./estimator.ts";
import type { DepthJobs } from "./jobs.ts";

let estimator: DepthEstimator | undefined;

serve<DepthJobs>({
  async depth({ reference, sources, range, options }, report) {
    estimator ??= openDepthEstimator();
    const work = estimator.steps(reference, sources, range, options);
    for (;;) {
      const { done, value } = work.next();
      if (done) {
        return value;
      }
      await setImmediate(); // lets a cancellation in
      report.signal.throwIfAborted();
    }
  },
});
