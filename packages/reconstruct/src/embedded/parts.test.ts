import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import { type PartView, partsOf } from "./parts.ts";

const WITNESSES = 5;
const sizeOf = (views: readonly PartView[], asked: readonly number[]) =>
  views.filter(({ view }) => asked.includes(view)).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

test("every view is wanted once, among those that are asked about it, in no more memory than there is", () => {
  const places = fc.record({
    seed: fc.integer({ min: 1, max: 1e6 }),
    count: fc.integer({ min: 1, max: 40 }),
    maxBytes: fc.integer({ min: 1, max: 400 }),
  });
  fc.assert(
    fc.property(places, ({ seed, count, maxBytes }) => {
      const random = seededRandom(seed);
      const views = Array.from({ length: count }, (_, k) => ({
        view: 2 * k,
        sizeBytes: 1 + Math.floor(9 * random()),
        // Some of them are not there.
        around: Array.from({ length: count + 3 }, (_, other) => 2 * other).filter(
          (other) => other !== 2 * k && random() < 0.4,
        ),
      }));
      const parts = partsOf(views, { witnesses: WITNESSES, maxBytes });
      const emitted = parts.flatMap(({ emit }) => [...emit]);
      assert.deepEqual(
        emitted.toSorted((a, b) => a - b),
        views.map(({ view }) => view),
      );
      for (const { emit, asked } of parts) {
        assert.equal(new Set(asked).size, asked.length);
        if (emit.size > 1) assert.ok(sizeOf(views, asked) <= maxBytes);
        for (const { view, around } of views.filter(({ view }) => emit.has(view))) {
          assert.ok(asked.includes(view));
          const there = around.filter((other) => other < 2 * count);
          const heard = there.filter((other) => asked.includes(other));
          assert.ok(heard.length >= Math.min(WITNESSES, there.length));
        }
      }
      assert.deepEqual(partsOf(views, { witnesses: WITNESSES, maxBytes }), parts);
    }),
    { numRuns: 60, seed: 3 },
  );
});

test("photos of ten places, taken in any order, are fused place by place", () => {
  const [places, photos] = [10, 200];
  const placeOf = (view: number) => (view * 7) % places;
  const views = Array.from({ length: photos }, (_, view) => ({
    view,
    sizeBytes: 1,
    around: Array.from({ length: photos }, (_, other) => other).filter(
      (other) => other !== view && placeOf(other) === placeOf(view),
    ),
  }));
  const parts = partsOf(views, { witnesses: WITNESSES, maxBytes: 40 });
  const looks = parts.reduce((sum, { asked }) => sum + asked.length, 0);
  assert.ok(looks <= 1.3 * photos, `${looks} looks at ${photos} photos`);
});

test("what memory holds is one part", () => {
  const all = [3, 5, 9];
  const views = all.map((view) => ({ view, sizeBytes: 10, around: all.filter((other) => other !== view) }));
  assert.deepEqual(partsOf(views, { witnesses: 10, maxBytes: 30 }), [{ emit: new Set([3, 5, 9]), asked: [3, 5, 9] }]);
});
