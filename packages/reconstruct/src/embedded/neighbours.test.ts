import assert from "node:assert/strict";
import { test } from "node:test";
import { makeView, type View } from "../mapper/view.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { Neighbours } from "./neighbours.ts";

/** Views of places whose photos come in turns, and a count of the photos that were compared. */
async function walk(places: number, each: number, gps?: (index: number) => number | undefined) {
  const arcs = Array.from({ length: places }, (_, place) => arc(each, 1.2, place));
  const shots = Array.from({ length: places * each }, (_, k) => arcs[k % places][Math.floor(k / places)]);
  const { photos, kernels } = syntheticPhotos(shots, { told: true });
  const views: View[] = [];
  for (const [index, photo] of photos.entries()) {
    const features = await kernels.extract(photo.rgb, photo.widthPx, photo.heightPx);
    const longitudeDeg = gps?.(index);
    const placed = { ...photo, ...(longitudeDeg !== undefined && { gps: { latitudeDeg: 50.8, longitudeDeg } }) };
    views.push(makeView(index, placed, 0, { x: 0, y: 0 }, features));
  }
  let compared = 0;
  const counting: typeof kernels = {
    ...kernels,
    matchMany(a, others, options) {
      compared += others.length;
      return kernels.matchMany(a, others, options);
    },
  };
  return { views, neighbours: new Neighbours(counting, views), compared: () => compared };
}

test("candidates are of the photo's own place, in any number of others, and their cost has a bound", async () => {
  const { views, neighbours, compared } = await walk(6, 12);
  const costs: number[] = [];
  for (const { index } of views) {
    const before = compared();
    const found = await neighbours.of(index);
    costs.push(compared() - before);
    assert.equal(new Set(found).size, found.length);
    assert.ok(found.every((other) => other < index));
    if (index < 36) continue;
    const own = found.filter((other) => other % 6 === index % 6);
    assert.ok(own.length >= Math.min(8, Math.floor(index / 6)) - 1, `${index}: ${found}`);
    assert.ok(found.includes(index - 1) && found.includes(index - 2), "the last two are always among them");
  }
  assert.ok(Math.max(...costs) <= 34, `${Math.max(...costs)} comparisons`);
});

test("photos taken near by are looked at even when the index would not name them", async () => {
  // Every third place says where it is: a photo of it far back is named by its place alone.
  const at = (index: number) => (index % 3 === 0 ? 0.001 * index : undefined);
  const { views, neighbours } = await walk(3, 14, at);
  const asked: number[][] = [];
  for (const { index } of views) asked.push(await neighbours.of(index));
  assert.ok(asked[39].includes(36) && asked[39].includes(33), `${asked[39]}`);
});
