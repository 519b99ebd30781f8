import assert from "node:assert/strict";
import { test } from "node:test";
import { cameraCentre, rotationAngle } from "@cairn/geometry";
import { posedScene, tiedViews, truePose } from "../test/posed.ts";
import { arc, syntheticPhotos } from "../test/synthetic.ts";
import { placeView } from "./folds.ts";
import type { Pair } from "./pair.ts";
import type { RegistrationRule } from "./register.ts";
import { registerView } from "./register.ts";
import type { Scene } from "./scene.ts";

const HELD = [0, 1, 2, 3];
const LAST = 3;
const NEW = 4;
const photos = () => syntheticPhotos(arc(5), { told: true });
const TRUTH = truePose(photos(), NEW);

/** Four placed photos and a new one that is tied to the last of them alone, where only so many of its features have points. */
async function barelyOverlapping(points: number): Promise<{ scene: Scene; pairs: Pair[] }> {
  const synthetic = photos();
  const tied = await tiedViews(synthetic, (a, b) => b < NEW || a === LAST);
  const bridge = tied.pairs.find(({ b }) => b === NEW)!;
  const shared = new Set(bridge.kept.filter((_, k) => k % 2 === 0).slice(points));
  const pairs = tied.pairs.map((pair) => {
    if (pair.b !== LAST) return pair;
    const kept = Array.from({ length: pair.kept.length / 2 }, (_, k) => [pair.kept[2 * k], pair.kept[2 * k + 1]]);
    return { ...pair, kept: Int32Array.from(kept.filter(([, feature]) => !shared.has(feature)).flat()) };
  });
  return { scene: posedScene({ ...tied, pairs }, HELD, (view) => truePose(synthetic, view)), pairs };
}

function place({ scene, pairs }: { scene: Scene; pairs: Pair[] }, rule: RegistrationRule): boolean {
  return placeView(scene, pairs, NEW, { seed: 1, rule, doubted: new Set() });
}

test("MAP-10 a photo that sees few points of the model is placed by a strong pair and these few", async () => {
  const given = await barelyOverlapping(14);
  assert.ok(given.scene.tracks.countPoints(NEW) <= 14);
  assert.equal(registerView(given.scene, NEW, "lax", 1), false, "by its points alone it has no place");
  assert.equal(place(given, "lax"), true);
  const found = given.scene.pose(NEW);
  assert.ok(rotationAngle(found, 0, TRUTH, 0) < 0.002);
  const [here, there] = [cameraCentre(found), cameraCentre(TRUTH)];
  const off = Math.hypot(...here.map((x, axis) => x - there[axis]));
  assert.ok(off < 0.02, `${off} of 8 away from what it sees`);
});

test("MAP-10 not while the focal length is doubtful, nor by points that disagree or are too few", async () => {
  for (const rule of ["careful", "strict"] as const) assert.equal(place(await barelyOverlapping(14), rule), false);
  assert.equal(place(await barelyOverlapping(4), "lax"), false);
  const given = await barelyOverlapping(14);
  let k = 0;
  for (const [, track] of given.scene.tracks.ofView(NEW)) {
    if (track.point) track.point[0] += k++ % 2 ? 1 : -1;
  }
  assert.equal(place(given, "lax"), false);
  assert.equal(given.scene.isPosed(NEW), false);
});
