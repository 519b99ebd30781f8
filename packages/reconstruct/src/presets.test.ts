import assert from "node:assert/strict";
import { test } from "node:test";
import { PRESETS, rebuildPlan } from "./presets.ts";

test("the more photos a space has, the smaller are the pictures that its points come from, never smaller than live ones", () => {
  for (const plan of Object.values(PRESETS)) {
    if (!plan) continue;
    const sides = [20, 100, 101, 300, 301, 500, 5000].map((photos) => rebuildPlan(plan, photos).sidePx);
    assert.deepEqual(
      sides,
      sides.toSorted((p, q) => q - p),
    );
    assert.ok(Math.min(...sides) >= plan.live.sidePx);
  }
  assert.equal(rebuildPlan(PRESETS.balanced!, 300).sidePx, 640);
  assert.equal(rebuildPlan(PRESETS.balanced!, 500).sidePx, 480);
});
