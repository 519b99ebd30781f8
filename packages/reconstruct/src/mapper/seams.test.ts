/** How well the parts of a model hang together, by what three photos see. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { EngineCore, type JobOptions } from "../embedded/engine-core.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { isWeak, seamsOf, type Witnessing } from "./seams.ts";

const many = (count: number, ...photos: number[]): Witnessing[] =>
  Array.from({ length: count }, () => ({ views: photos, seeing: photos }));
const torn = (count: number, by: number, ...photos: number[]): Witnessing[] =>
  Array.from({ length: count }, () => ({ views: photos, seeing: photos.filter((photo) => photo !== by) }));
const weakest = (photos: number[], points: Witnessing[]) =>
  Math.min(Number.POSITIVE_INFINITY, ...seamsOf(photos, points).map(({ held }) => held));

test("REC-12 a seam is as strong as the points that three photos see across it, however much two of them see", () => {
  const [left, right] = [many(200, 0, 1, 2), many(150, 3, 4, 5)];
  const photos = [0, 1, 2, 3, 4, 5];
  assert.equal(weakest(photos, [...left, ...right]), 0);
  assert.equal(weakest(photos, [...left, ...right, ...many(7, 1, 2, 3), ...many(90, 2, 3)]), 0);
  // The second of a part is held by what it and the first see together with the other part.
  assert.equal(weakest(photos, [...left, ...right, ...many(7, 1, 2, 3), ...many(12, 2, 3, 4)]), 7);
  assert.equal(weakest(photos, [...left, ...right, ...many(40, 1, 2, 3), ...many(50, 2, 3, 4)]), 40);
  assert.equal(weakest([0, 1], many(500, 0, 1)), Number.POSITIVE_INFINITY);
  assert.deepEqual(seamsOf([], []), []);
  assert.deepEqual(seamsOf([3], []), []);
});

test("REC-12 what three photos should see and do not, where one is joined, is torn there and nowhere else", () => {
  const points = [...many(200, 0, 1, 2), ...many(20, 1, 2, 3), ...torn(35, 3, 1, 2, 3), ...torn(9, 0, 0, 1, 2)];
  assert.deepEqual(seamsOf([0, 1, 2, 3], points), [
    { held: 200, torn: 9 },
    { held: 20, torn: 35 },
  ]);
});

test("REC-12 a seam of few points is weak, one of some where they contradict one another, one of many is not", () => {
  assert.ok(isWeak({ held: 7, torn: 0 }), "too few to be no chance");
  assert.ok(!isWeak({ held: 14, torn: 8 }), "few, and they agree");
  assert.ok(isWeak({ held: 14, torn: 40 }), "most of what should hold says something else");
  assert.ok(!isWeak({ held: 100, torn: 250 }), "wrong matches do not agree a hundred times");
});

test("REC-12 a seam is told alike in any order of photos and points, and more points never weaken it below the least", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 3, max: 8 }), (seed, count) => {
      const random = seededRandom(seed);
      const strengths = Array.from({ length: count - 2 }, () => 1 + Math.floor(random() * 100));
      const points = strengths.flatMap((strength, k) => many(strength, k, k + 1, k + 2));
      const photos = Array.from({ length: count }, (_, k) => k);
      const shuffled = [...points].sort(() => random() - 0.5);
      // A chain: it begins with its strongest three photos, and each seam is crossed once.
      assert.equal(weakest(photos.reverse(), shuffled), Math.min(...strengths));
    }),
    { numRuns: 50, seed: 1 },
  );
});

test("REC-12 a model of few and coarse features, whose cameras may be two per cent of it off, has a doubt; one of many has none", async () => {
  const job: JobOptions = { stop: () => {}, progress: () => {} };
  const modelOf = async (options: Parameters<typeof syntheticPhotos>[1]) => {
    const { kernels, photos } = syntheticPhotos(arc(5, 0.3), { told: true, ...options });
    const core = new EngineCore(kernels, 1);
    for (const photo of photos) await core.add(photo, undefined, job);
    const { doubts, cameras } = await core.rebuild(job);
    return { doubts, placed: cameras.length };
  };
  for (const seed of [1, 2, 3]) {
    assert.deepEqual(await modelOf({ seed, points: 120, noisePx: 0.8 }), { doubts: ["weak_seam"], placed: 5 });
    assert.deepEqual(await modelOf({ seed }), { doubts: [], placed: 5 });
  }
});
