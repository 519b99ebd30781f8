import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SharedPoints } from "./shared-points.ts";

test("points that two photos share are counted as by looking at every point, in any order of its photos", () => {
  const photo = fc.integer({ min: 0, max: 11 });
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(photo, { maxLength: 12 }), { maxLength: 40 }), (points) => {
      const shared = new SharedPoints(12, points);
      let most = 0;
      for (let a = 0; a < 12; a++) {
        for (let b = 0; b < a; b++) {
          const count = points.filter((seenBy) => seenBy.includes(a) && seenBy.includes(b)).length;
          assert.equal(shared.of(a, b), count);
          assert.equal(shared.of(b, a), count);
          most = Math.max(most, count);
        }
      }
      const two = shared.most();
      assert.equal(two ? shared.of(...two) : 0, most);
    }),
    { seed: 1 },
  );
});
