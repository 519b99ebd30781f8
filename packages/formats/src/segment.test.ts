import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { bounds, decodeSegment, encodeSegment } from "./segment.ts";

describe("segments", () => {
  test("points come back to within a part in 10⁷ of the segment's size, colours exactly", () => {
    const coordinate = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1000, max: 1000 });
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate, coordinate), { maxLength: 40 }), (points) => {
        const positions = Float32Array.from(points.flat());
        const colors = Uint8Array.from({ length: positions.length }, (_, i) => i * 37);
        const back = decodeSegment(encodeSegment(positions, colors));
        assert.deepEqual(back.colors, colors);
        const { min, max } = bounds(positions);
        const size = Math.max(...max.map((value, axis) => value - min[axis]!), 1e-30);
        for (let i = 0; i < positions.length; i++) {
          assert.ok(Math.abs(back.positions[i]! + back.origin[i % 3]! - positions[i]!) <= size * 1e-7);
        }
      }),
      { numRuns: 50, seed: 3 },
    );
  });

  test("bytes that are not a whole segment are refused", () => {
    const good = encodeSegment(Float32Array.of(1, 2, 3), Uint8Array.of(1, 2, 3));
    const wrongCount = good.slice();
    wrongCount[4] = 2;
    for (const bytes of [good.subarray(1), good.subarray(0, 46), wrongCount, new Uint8Array(0)]) {
      assert.throws(() => decodeSegment(bytes), { code: "request.invalid" });
    }
  });
});
