import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Vec3 } from "@cairn/protocol";
import { assertClean, gridPoints, placesOf, readAll, srgbLinear, throughThree } from "../test/glb.ts";
import { encodePointGlb } from "./encode-point-glb.ts";

describe("a node's points as GLB", () => {
  for (const bits of [8, 12, 14, 16]) {
    test(`TIL-1 ${bits} bits: the validator finds nothing, three reads every point within quantisation`, async () => {
      const points = gridPoints(3000, bits, bits);
      const glb = await encodePointGlb(points);
      await assertClean(glb);
      const { places, linear } = await throughThree(glb);
      assert.equal(places.length, points.count);
      // All coordinates are odd multiples of half a step: the cell names the point.
      const step = points.edge / 2 ** Math.min(14, bits);
      const cells = new Map<string, number[]>();
      for (const [i, place] of placesOf(points).entries()) {
        const key = place.map((value) => Math.floor(value / step)).join();
        cells.set(key, [...(cells.get(key) ?? []), i]);
      }
      for (const [i, place] of places.entries()) {
        const sources = cells.get(place.map((value) => Math.floor(value / step)).join());
        assert.ok(sources, `nothing was at ${place.join()}`);
        const near = sources.some((source) =>
          [0, 1, 2].every(
            (axis) => Math.abs(srgbLinear(points.colors[3 * source + axis]!) - linear[i]![axis]!) < 1 / 255,
          ),
        );
        assert.ok(near, "its colour is within one step of linear light");
      }
    });
  }

  test("TIL-1 a point of the file is written where it is: Z up becomes Y up and comes back", async () => {
    const corner: Vec3 = [10, 20, 30];
    const points = {
      count: 1,
      bits: 8,
      coords: Uint16Array.of(0, 64, 255),
      colors: Uint8Array.of(0, 255, 0),
      corner,
      edge: 256,
    };
    const glb = await encodePointGlb(points);
    assert.deepEqual((await readAll(glb)).positions, [10.5, 84.5, 285.5]);
    assert.deepEqual((await throughThree(glb)).places, [[10.5, 84.5, 285.5]]);
  });

  test("TIL-2 the same points give the same bytes; dither keeps the mean of dark colours and greys grey", async () => {
    const points = { ...gridPoints(20_000, 14), colors: new Uint8Array(60_000).fill(40) };
    const glb = await encodePointGlb(points);
    assert.deepEqual(glb, await encodePointGlb(points));
    const { linear } = await throughThree(glb);
    assert.ok(linear.every(([r, g, b]) => r === g && g === b));
    const mean = linear.reduce((sum, [red]) => sum + red, 0) / linear.length;
    assert.ok(Math.abs(mean - srgbLinear(40)) < 0.0002, `${mean} for ${srgbLinear(40)}`);
    for (const level of [0, 255]) {
      const flat = await encodePointGlb({ ...points, colors: new Uint8Array(60_000).fill(level) });
      assert.ok((await throughThree(flat)).linear.every(([red]) => red === level / 255));
    }
  });
});
