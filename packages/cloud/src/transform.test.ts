import assert from "node:assert/strict";
import { test } from "node:test";
import type { Similarity, Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { layerFromModel, modelFromLayer, movePoints, viewInLayer } from "./transform.ts";
import type { LayerView } from "./view.ts";

const number = fc.double({ min: -10, max: 10, noNaN: true });
const turn = fc.tuple(number, number, number, number).filter((q) => Math.hypot(...q) > 0.1);
const similarity = fc.record({
  scale: fc.double({ min: 0.01, max: 100, noNaN: true }),
  rotation: turn.map((q) => q.map((part) => part / Math.hypot(...q)) as Similarity["rotation"]),
  translation: fc.tuple(number, number, number),
});
const points = fc
  .array(number, { minLength: 3, maxLength: 30 })
  .map((all) => all.slice(0, all.length - (all.length % 3)));

test("GENR-8 out of the layer and back in is nothing, and 90° about z turns x to y", () => {
  fc.assert(
    fc.property(similarity, points, (transform, given) => {
      const there = movePoints(modelFromLayer({ transform }), Float64Array.from(given), new Float64Array(given.length));
      const back = movePoints(layerFromModel({ transform }), there, there);
      for (const [i, value] of given.entries()) assert.ok(Math.abs(value - back[i]!) < 1e-9);
    }),
    { seed: 1 },
  );
  const transform: Similarity = { scale: 2, rotation: [Math.SQRT1_2, 0, 0, Math.SQRT1_2], translation: [10, 0, 0] };
  const moved = movePoints(modelFromLayer({ transform }), Float64Array.of(1, 0, 0), new Float64Array(3));
  for (const [i, value] of [10, 2, 0].entries()) assert.ok(Math.abs(moved[i]! - value) < 1e-12);
  assert.deepEqual([...modelFromLayer({})], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
});

test("GENR-8 a camera sees a point of a moved layer where it sees the point in the model", () => {
  const view: LayerView = {
    position: [1, 2, -5],
    axes: [
      [1, 0, 0],
      [0, 0.6, 0.8],
      [0, -0.8, 0.6],
    ],
    tanX: 0.7,
    tanY: 0.5,
    focalPx: 800,
  };
  const seen = ({ position, axes }: LayerView, [x, y, z]: Vec3) => {
    const d = [x - position[0], y - position[1], z - position[2]] as const;
    const [u, v, depth] = axes.map((axis) => axis[0] * d[0] + axis[1] * d[1] + axis[2] * d[2]) as [
      number,
      number,
      number,
    ];
    return [u / depth, v / depth] as const;
  };
  fc.assert(
    fc.property(similarity, fc.tuple(number, number, number), (transform, point) => {
      const inModel = movePoints(modelFromLayer({ transform }), Float64Array.from(point), new Float64Array(3));
      const [u, v] = seen(view, [inModel[0]!, inModel[1]!, inModel[2]!]);
      fc.pre(Math.hypot(u, v) < 100);
      const [lu, lv] = seen(viewInLayer(view, { transform }), point);
      assert.ok(Math.hypot(u - lu, v - lv) < 1e-6);
    }),
    { seed: 2 },
  );
});
