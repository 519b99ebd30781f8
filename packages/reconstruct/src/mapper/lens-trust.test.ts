/** What is known of lenses, and that it can be had back as it was. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LensTrust } from "./lens-trust.ts";
import { Scene } from "./scene.ts";
import { Lenses } from "./view.ts";

const SIZE = { widthPx: 640, heightPx: 480, fullWidthPx: 640, fullHeightPx: 480 };

test("lenses that were split off, distrusted or rejoined after a mark are as if they had never been", () => {
  const lenses = new Lenses();
  lenses.add({ image: "a", name: "", digest: "", rgb: new Uint8Array(0), ...SIZE, focalPx: 500 });
  const trust = new LensTrust(lenses, 1);
  const scene = new Scene([]);
  scene.addLens(Float64Array.of(500, 500, 0, 0, 0, 0));
  const first = lenses.zoomed(0);
  trust.splitOff(first, 0, scene);
  const before = structuredClone(lenses.list);
  const goBack = [lenses.mark(), trust.mark()];
  trust.rejoined(first);
  trust.splitOff(lenses.zoomed(0), 0, scene);
  lenses.distrust(0);
  assert.ok(!trust.isCertain(0));
  for (const each of goBack) each();
  assert.deepEqual(lenses.list, before);
  assert.deepEqual(trust.splits, [[first, 0]]);
  assert.ok(trust.isCertain(0) && trust.isCertain(first));
});
