import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { noisePaint, type Sheet, show } from "../../test/scene.ts";
import { openDense } from "./dense.ts";
import { openDepthEstimator } from "./estimator.ts";

const WALL: Sheet = { corner: [-4, -4, 1], right: [8, 0, 1], down: [0, 8, 2], paint: noisePaint(4, 0.008) };
const VIEWS = [-0.3, 0, 0.3].map(
  (x, index) =>
    show([WALL], index, { eye: [x, 0, -1], target: [0, 0, 2], widthPx: 250, heightPx: 130, focalPx: 200 }).view,
);
const RANGE = { near: 1, far: 8 };

describe("depth on threads", () => {
  const two = openDense({ threads: 2 });
  after(() => two.close());

  test("any number of threads finds the same, to the last bit", async () => {
    const estimator = openDepthEstimator();
    const expected = VIEWS.map((view) =>
      estimator.estimate(
        view,
        VIEWS.filter((other) => other !== view),
        RANGE,
      ),
    );
    const found = await Promise.all(
      VIEWS.map((view) =>
        two.depth(
          view,
          VIEWS.filter((other) => other !== view),
          RANGE,
        ),
      ),
    );
    assert.deepEqual(found, expected);
    assert.ok(expected[0].depths.some((depth) => depth > 0));
  });

  test("given up, it is refused at once, and the thread is free again", async () => {
    const controller = new AbortController();
    const given = two.depth(VIEWS[0], VIEWS.slice(1), RANGE, { signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(given, reason);
    const { depths } = await two.depth(VIEWS[0], VIEWS.slice(1), RANGE);
    assert.equal(depths.length, 250 * 130);
  });

  test("what the estimator refuses is refused", async () => {
    await assert.rejects(two.depth(VIEWS[0], [], RANGE), RangeError);
  });

  test("it works in steps of which each is short", () => {
    const work = openDepthEstimator().steps(VIEWS[0], VIEWS.slice(1), RANGE);
    let steps = 0;
    while (!work.next().done) steps++;
    assert.ok(steps > 15, `${steps} steps`);
  });
});
