/** What is printed on the photos is told from what stands still for other reasons, and ruins no model. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion, seededRandom } from "@cairn/geometry";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { viewOf } from "../test/slants.ts";
import { arc, type Synthetic, syntheticPhotos } from "../test/synthetic.ts";
import { Printed } from "./printed.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** How many photos are placed, and how far the farthest is from its true place after the best similarity. */
async function built({ kernels, photos, truth }: Synthetic) {
  const core = new EngineCore(kernels, 1);
  for (const photo of photos) await core.add(photo, undefined, FREE);
  const { cameras, doubts } = await core.rebuild(FREE);
  const source = cameras.flatMap(({ pose }) => [...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation))]);
  const target = cameras.flatMap(({ image }) => [...truth[Number(image.slice("photo-".length))].eye]);
  const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
  const distances = new Float64Array(cameras.length);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return { placed: cameras.length, worst: Math.max(...distances), doubts };
}

test("MAP-20 a strip printed on all photos, of more features than the scene has, changes nothing", async () => {
  const { placed, worst, doubts } = await built(syntheticPhotos(arc(8), { printed: 1500 }));
  assert.deepEqual([placed, doubts], [8, []]);
  assert.ok(worst < 0.05, `off by ${worst}, the arc is 8 wide`);
});

/** Places all over a photo of 640 × 480, or of its lower part. */
function spread(count: number, seed: number, topPx = 0): [x: number, y: number][] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => [640 * random(), topPx + (480 - topPx) * random()]);
}

type Move = (x: number, y: number) => [x: number, y: number];
const still: Move = (x, y) => [x, y];
const shift: Move = (x, y) => [x + 40, y - 5];

/** Two photos: what both show, and where the second one shows it. */
function pairOf(parts: readonly (readonly [places: readonly [x: number, y: number][], move: Move])[]) {
  const before = parts.flatMap(([places]) => places);
  const after = parts.flatMap(([places, move]) => places.map(([x, y]) => move(x, y)));
  const views = [viewOf(0, before), viewOf(1, after)];
  return { views, pair: { a: 0, b: 1, matches: Int32Array.from({ length: 2 * before.length }, (_, k) => k >> 1) } };
}

describe("MAP-20 what is printed is told by what has moved all around it", () => {
  const strip = spread(60, 1, 430);
  const scene = spread(300, 2);

  test("a strip of which the rest of a pair has moved is known, in every photo of that size", () => {
    const printed = new Printed();
    const told = pairOf([
      [strip, still],
      [scene, shift],
    ]);
    assert.equal(printed.learn(told.views, told.pair), true);
    assert.equal(printed.learn(told.views, told.pair), false, "that is known already");
    assert.equal(printed.without(told.views, told.pair).length / 2, 300);
    const stripAlone = pairOf([[strip, still]]);
    assert.equal(printed.learn(stripAlone.views, stripAlone.pair), false);
    assert.equal(printed.without(stripAlone.views, stripAlone.pair).length, 0);
  });

  for (const [name, parts] of [
    ["photos from one spot", [[scene, still]]],
    [
      "photos from one spot, and something that moves before it",
      [
        [scene, still],
        [spread(60, 3, 430), shift],
      ],
    ],
    [
      "photos of a video, of which little has moved",
      [
        [strip, still],
        [scene, (x, y) => [x + 5, y]],
      ],
    ],
    [
      "what is near the point towards which the camera moves",
      [
        [scene, (x, y) => [320 + 1.06 * (x - 320), 240 + 1.06 * (y - 240)]],
        [spread(900, 4), shift],
      ],
    ],
    [
      "a few that stand still by chance",
      [
        [strip.slice(0, 8), still],
        [scene, shift],
      ],
    ],
  ] as const satisfies readonly (readonly [string, Parameters<typeof pairOf>[0]])[]) {
    test(`nothing is printed: ${name}`, () => {
      const { views, pair } = pairOf(parts);
      const printed = new Printed();
      assert.equal(printed.learn(views, pair), false);
      assert.equal(printed.without(views, pair), pair.matches);
    });
  }
});
