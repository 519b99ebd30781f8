/** A worker for the tests of the pool; `nested` runs a pool of its own kind inside. */
import { CairnError } from "@cairn/protocol";
import type { Report } from "../contract.ts";
import { workers } from "../pool.ts";
import { serve } from "../serve.ts";

export interface TestJobs {
  add(job: { a: number; b: number }, report: Report): number;
  double(job: { values: Float64Array }, report: Report): { values: Float64Array };
  fail(job: { as: "coded" | "range" | "crash" | "exit" }, report: Report): Promise<void>;
  /** Tells that it has begun, then waits to be cancelled, and notes that in `flag`. */
  hang(job: { flag: Int32Array }, report: Report): Promise<void>;
  nested(job: { a: number; b: number }, report: Report): Promise<number>;
}

serve<TestJobs>({
  add: ({ a, b }) => a + b,

  double({ values }, report) {
    const doubled = Float64Array.from(values, (value) => 2 * value);
    report.move(doubled.buffer);
    return { values: doubled };
  },

  async fail({ as }) {
    if (as === "coded") throw new CairnError("blob.missing", { digest: "d" });
    if (as === "range") throw new RangeError("too far");
    if (as === "exit") process.exit(3);
    setImmediate(() => {
      throw new Error("out of the blue");
    });
    await new Promise(() => {});
  },

  async hang({ flag }, report) {
    report.progress(1, 2);
    await new Promise<void>((resolve) => report.signal.addEventListener("abort", () => resolve()));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
  },

  async nested(job) {
    const pool = workers<TestJobs>(new URL(import.meta.url), 1);
    const sum = await pool.run("add", job);
    await pool.close();
    return sum;
  },
});
