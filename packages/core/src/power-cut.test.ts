/** Acknowledged means on disk. Rules: LOG-3, BLOB-5. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cutPower, missingForPowerCuts } from "./test/power-cut.ts";

describe("power cuts", () => {
  const missing = missingForPowerCuts();

  test("LOG-3 BLOB-5 5 power cuts: 0 acknowledged lost, 0 doubled, 0 half batches", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    const found = await cutPower(5);
    assert.deepEqual(found, { lost: [], doubled: [], halfBatches: 0, problems: [], acknowledged: found.acknowledged });
    assert.ok(found.acknowledged > 100);
    t.diagnostic(`5 cuts, ${found.acknowledged} acknowledged, lost 0`);
  });

  test("LOG-3 the control: without the fsync the same cuts do lose what was acknowledged", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    const found = await cutPower(5, "no-sync");
    assert.ok(found.lost.length > 0);
  });
});
