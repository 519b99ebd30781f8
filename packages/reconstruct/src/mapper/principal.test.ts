import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { posedScene, refining, tiedViews, truePose } from "../test/posed.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";
import { refineScene } from "./grow.ts";
import type { Lens } from "./lens.ts";
import {
  beliefOf,
  believablePrincipals,
  heldPrincipals,
  principalLenses,
  principalPriors,
  putUnsoughtBack,
} from "./principal.ts";
import { Scene } from "./scene.ts";

const LONG_PX = 1200;
const lens: Lens = { key: "one", source: "exif", longSidePx: LONG_PX, fullScale: 2, priorPx: 1080 };
/** 0.5 % of the long side. */
const KNOWN_PX = 6;
const BOTH = new Map([[0, { cx: KNOWN_PX, cy: KNOWN_PX }]]);
/** Right of the middle, and at its height. */
const TRUE_PX = 5;
/** A twentieth of the long side: the left tenth was cut away. */
const CUT_PX = 60;

/** Cameras that look up at the place and down on it, in turn. */
function upAndDown(): Shot[] {
  return arc(8, 2.4).map(({ eye: [x, , z], target }, i) => ({ eye: [x, i % 2 === 0 ? -4 : 4, z], target }));
}

async function posed(shots: Shot[], principalOffPx = TRUE_PX): Promise<Scene> {
  const synthetic = syntheticPhotos(shots, { told: true, principalOffPx });
  const all = shots.map((_, view) => view);
  return posedScene(await tiedViews(synthetic, () => true), all, (view) => truePose(synthetic, view));
}

/** The principal point as rounds of refinement find it; the last one knows how sure it is. */
async function found(shots: Shot[], principalOffPx = TRUE_PX) {
  const scene = await posed(shots, principalOffPx);
  refineScene(scene, { ...refining(lens), principal: BOTH }, 3);
  const [cx, cy] = scene.calibration(0).subarray(2, 4);
  return { cx, cy };
}

/** What the beliefs are after an adjustment that was so sure. */
function heldAfter(cx: number, cy: number, { observations = 0, pixelSigma = 1 }) {
  const calibrationSigma = Float64Array.of(1, 1, cx, cy, 0, 0);
  return heldPrincipals(BOTH, { calibrationSigma, pixelSigma, observations: Int32Array.of(observations) });
}

describe("where a camera looks straight ahead", () => {
  test("photos from around at one height tell it across; up and down it stays near the middle", async () => {
    // Left to the photos alone it is found 5.8 px off.
    const { cx, cy } = await found(arc(8, 2.4));
    assert.ok(Math.abs(cx - TRUE_PX) < 1, `${cx} px`);
    assert.ok(Math.abs(cy) < 1.5, `${cy} px`);
  });

  test("photos that look up and down at a place tell it both ways", async () => {
    const { cx, cy } = await found(upAndDown());
    assert.ok(Math.abs(cx - TRUE_PX) < 1, `${cx} px`);
    assert.ok(Math.abs(cy) < 1, `${cy} px`);
  });

  test("photos that were cut off-centre tell it though no camera has it so far off", async () => {
    const { cx, cy } = await found(upAndDown(), CUT_PX);
    assert.ok(Math.abs(cx - CUT_PX) < 4, `${cx} px`);
    assert.ok(Math.abs(cy) < 4, `${cy} px`);
  });

  test("it is sought from four photos on where the focal length is well told, and nobody told it", async () => {
    const sought = async (photos: number, { focalPart = 0.001, source = lens.source } = {}) => {
      const scene = await posed(arc(photos, 2.4));
      const calibrationSigma = Float64Array.of(focalPart * scene.calibration(0)[0], 0, 0, 0, 0, 0);
      const sureness = { calibrationSigma, pose: new Float64Array(0), pixelSigma: 1 };
      return [...principalLenses(scene, [{ ...lens, source }], sureness).keys()];
    };
    assert.deepEqual([await sought(3), await sought(4)], [[], [0]]);
    assert.deepEqual([await sought(4, { focalPart: 0.003 }), await sought(4, { focalPart: 0 })], [[], []]);
    assert.deepEqual(await sought(4, { source: "given" }), []);
  });

  test("a coordinate of which photos say less than is known without them is held, each by itself", () => {
    assert.equal(heldAfter(5.9, 0.1, {}), undefined);
    assert.deepEqual(heldAfter(6.1, 0.1, {})?.get(0), { cx: KNOWN_PX, cy: KNOWN_PX });
    // 2000 of which a five-hundredth may lean one way: √(1 + 8) = 3 times as far off.
    assert.equal(heldAfter(1.99, 1.99, { observations: 2000 }), undefined);
    assert.deepEqual(heldAfter(1.99, 2.01, { observations: 2000 })?.get(0), { cx: KNOWN_PX, cy: KNOWN_PX / 3 });
    assert.deepEqual(heldAfter(2.01, 9, { observations: 2000 })?.get(0), { cx: KNOWN_PX / 3, cy: KNOWN_PX / 3 });
  });

  test("a held one is weighed as Bayes has it: by what the photos and the belief are truly worth", () => {
    const [observations, pixelSigma, formalPx, saidPx] = [2000, 0.8, 4, 10];
    const { cy } = heldAfter(0.1, formalPx, { observations, pixelSigma })!.get(0)!;
    // An adjustment takes σ = 1 for granted: what it weighs photos by is 1 / (formal / pixelSigma)².
    const [byPhotos, byBelief] = [(pixelSigma / formalPx) ** 2, 1 / cy ** 2];
    const adjusted = (byPhotos * saidPx) / (byPhotos + byBelief);
    const trulyPx = 3 * formalPx;
    assert.ok(Math.abs(adjusted - (saidPx * KNOWN_PX ** 2) / (KNOWN_PX ** 2 + trulyPx ** 2)) < 1e-12, `${adjusted}`);
  });

  test("what no camera has goes back, and what is not to be found; what somebody told stays", () => {
    const far = 0.016 * LONG_PX;
    const scene = new Scene([]);
    for (const [cx, cy] of [
      [7, -8],
      [far, 1],
      [2, 3],
      [far, 0],
    ]) {
      scene.addLens(Float64Array.of(1080, 1080, cx, cy, 0, 0));
    }
    const belief = beliefOf(lens);
    const free = new Map([0, 1].map((index) => [index, belief]));
    const lenses: Lens[] = [lens, lens, lens, { ...lens, source: "given" }];
    putUnsoughtBack(scene, lenses, free);
    const { kept, denied } = believablePrincipals(scene, lenses, free, () => "refused");
    assert.deepEqual([[...kept], denied], [[[0, belief]], []]);
    const offs = [0, 1, 2, 3].map((index) => [...scene.calibration(index).subarray(2, 4)]);
    // The third was found in an earlier rebuild.
    assert.deepEqual(offs, [
      [7, -8],
      [0, 0],
      [0, 0],
      [far, 0],
    ]);
  });

  test("far off it stays where the photos were cut, and is believed anywhere from then on", () => {
    const scene = new Scene([]);
    for (const cx of [CUT_PX, CUT_PX]) scene.addLens(Float64Array.of(1080, 1080, cx, 0, 0, 0));
    const free = new Map([0, 1].map((index) => [index, beliefOf(lens)]));
    const { kept, denied } = believablePrincipals(scene, [lens, lens], free, (index) =>
      index === 0 ? "found" : "denied",
    );
    assert.deepEqual([[...kept.keys()], denied], [[0], [1]]);
    assert.ok(kept.get(0)!.cx > CUT_PX && kept.get(0)!.cy > CUT_PX);
    assert.deepEqual([scene.calibration(0)[2], scene.calibration(1)[2]], [CUT_PX, 0]);
    const again = believablePrincipals(scene, [lens, lens], kept, () => assert.fail("is asked once"));
    assert.deepEqual([...again.kept], [...kept]);
  });

  test("there is a belief about what may change, and no other", () => {
    const free = new Map([[2, { cx: 6, cy: 3 }]]);
    const ofCy = { calibration: 2, parameter: "cy", value: 0, sigma: 3 };
    assert.deepEqual(principalPriors(free, 2, ["f", "k1", "cy"]), [ofCy]);
    assert.deepEqual(principalPriors(free, 2, ["f"]), []);
    assert.deepEqual(principalPriors(free, 1, ["f", "k1", "cx", "cy"]), []);
  });
});
