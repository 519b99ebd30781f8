import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NearPoints } from "./near.ts";

const cloud = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 0, maxLength: 120 });

test("GENR-7 the points that a cloud lacks are those that comparing all with all finds", () => {
  fc.assert(
    fc.property(cloud, cloud, fc.double({ min: 0.01, max: 1, noNaN: true }), (a, b, distance) => {
      const [points, others] = [a.slice(0, a.length - (a.length % 3)), b.slice(0, b.length - (b.length % 3))];
      const expected: number[] = [];
      for (let i = 0; i < points.length / 3; i++) {
        let near = false;
        for (let j = 0; j < others.length / 3; j++) {
          const square = [0, 1, 2].reduce((sum, k) => sum + (points[3 * i + k]! - others[3 * j + k]!) ** 2, 0);
          near ||= square <= distance * distance;
        }
        if (!near) expected.push(i);
      }
      assert.deepEqual(new NearPoints(others, distance).lacks(points), expected);
    }),
    { seed: 1 },
  );
});

test("GENR-7 points that are no numbers are lacked, and nothing lacks nothing", () => {
  const near = new NearPoints([0, 0, 0], 1);
  assert.deepEqual(near.lacks([Number.NaN, 0, 0, 0.5, 0, 0, Number.POSITIVE_INFINITY, 0, 0]), [0, 2]);
  assert.deepEqual(near.lacks([]), []);
  assert.deepEqual(new NearPoints([], 1).lacks([0, 0, 0]), [0]);
});
