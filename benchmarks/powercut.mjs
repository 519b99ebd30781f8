/**
 * Power cuts under a writer of events and blobs, on a file system that forgets what was not synced; and the control,
 * the same without the fsync, which must lose something. node benchmarks/powercut.mjs [--cuts 50]
 */
import { parseArgs } from "node:util";
import { cutPower, missingForPowerCuts } from "../packages/core/dist/test/power-cut.js";

const { values } = parseArgs({ options: { cuts: { type: "string", default: "50" } } });
const cuts = Number(values.cuts);
const missing = missingForPowerCuts();
if (missing) {
  console.error(`SKIPPED: ${missing}`);
  process.exit(2);
}
const real = await cutPower(cuts);
const control = await cutPower(cuts, "no-sync");
const row = (what, found) => ({
  what,
  acknowledged: found.acknowledged,
  lost: found.lost.length,
  doubled: found.doubled.length,
  "half batches": found.halfBatches,
  problems: found.problems.length,
});
console.table([row(`${cuts} power cuts`, real), row("control: no fsync, until the first loss", control)]);
const held = real.lost.length + real.doubled.length + real.halfBatches + real.problems.length === 0;
process.exit(held && control.lost.length > 0 ? 0 : 1);
