import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EngineCore } from "../embedded/engine-core.ts";
import { arc, type Shot, shuffled, syntheticPhotos } from "../test/synthetic.ts";
import type { SceneCovariance } from "./adjust.ts";
import { bearsOut, focalSigmas, isMeasured, isOpen } from "./sureness.ts";

const FREE = { stop: () => {}, progress: () => {} };

/** A drone's round: straight at a wall, always from the same distance. Twice as far with twice the focal length looks the same. */
function overFlatGround(): Shot[] {
  return Array.from({ length: 9 }, (_, i) => {
    const [x, y] = [((i % 3) - 1) * 1.5, (Math.floor(i / 3) - 1) * 0.8];
    return { eye: [x, y, -8], target: [x, y, 1] };
  });
}

async function doubtsAfter(shots: Shot[], options: Parameters<typeof syntheticPhotos>[1]) {
  const synthetic = syntheticPhotos(shots, options);
  const core = new EngineCore(synthetic.kernels, 1);
  const early: (readonly string[])[] = [];
  for (const photo of synthetic.photos) {
    const { step } = await core.add(photo, undefined, FREE);
    if (core.focal()) early.push(step.doubts ?? []);
  }
  const { doubts, cameras } = await core.rebuild(FREE);
  return { early, doubts, focal: core.focal()!, placed: cameras.length };
}

describe("how sure a focal length is", () => {
  test("REC-12 over flat ground seen from one height nothing tells it, and the result says so", async () => {
    for (const seed of [1, 2, 3]) {
      const { early, doubts, focal, placed } = await doubtsAfter(shuffled(overFlatGround(), seed), {
        flat: true,
        seed,
      });
      assert.equal(placed, 9);
      assert.deepEqual([doubts, focal.certain], [["focal_uncertain"], false]);
      assert.ok(focal.sigmaPx > 0.04 * focal.focalPx, `${focal.sigmaPx} of ${focal.focalPx}`);
      assert.deepEqual(early[0], ["focal_uncertain"]);
    }
  });

  test("REC-12 told, or seen from around, it is no doubt; what EXIF tells is one where it is left far behind", async () => {
    assert.deepEqual((await doubtsAfter(overFlatGround(), { flat: true, told: true })).doubts, []);
    assert.deepEqual((await doubtsAfter(arc(8), {})).doubts, []);
    const { doubts, focal } = await doubtsAfter(arc(8), { exifPx: 1.05 * 1080 });
    assert.deepEqual([doubts, focal.source], [[], "exif"]);
  });

  test("more observations make the formal sigma smaller, and the true one never smaller than the formal", () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 50, noNaN: true }), fc.nat(1e6), (sigmaPx, count) => {
        const sureness: SceneCovariance = {
          pose: new Float64Array(0),
          pixelSigma: 1,
          views: [],
          calibrationSigma: Float64Array.of(sigmaPx, sigmaPx, 0, 0, 0, 0),
          observations: Int32Array.of(count),
        };
        const [sigma] = focalSigmas(sureness, Float64Array.of(1000, 1000, 0, 0, 0, 0));
        assert.ok(sigma >= sigmaPx / 1000);
        assert.ok(!(isMeasured(sigma) && isOpen(sigma)));
      }),
      { seed: 1 },
    );
    assert.deepEqual(
      [isMeasured(undefined), isMeasured(0), isOpen(undefined), isOpen(0)],
      [false, false, false, false],
    );
    assert.deepEqual([isMeasured(0.005), isOpen(0.1)], [true, true]);
  });

  test("what EXIF says is borne out near it, and beyond only by what is measured", () => {
    const lens = { priorPx: 1000 };
    assert.ok(bearsOut(lens, 1080, undefined) && bearsOut(lens, 930, 0.1));
    assert.ok(!bearsOut(lens, 1080, 0.2), "what could as well be a fifth off bears nothing out");
    assert.ok(!bearsOut(lens, 1300, undefined) && !bearsOut(lens, 1300, 0.1) && !bearsOut(lens, 700, 0));
    assert.ok(bearsOut(lens, 1300, 0.005));
  });
});
