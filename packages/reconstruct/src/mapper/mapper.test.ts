/** What the mapper does with ties that turn out to be none, and what it forgets when it goes back. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Photo } from "../engine.ts";
import { allocateFeatures, type Features } from "../features/features.ts";
import { arc, GREY, HEIGHT_PX, type Synthetic, syntheticPhotos, WIDTH_PX } from "../test/synthetic.ts";
import { Mapper } from "./mapper.ts";
import { answerTwoView } from "./two-view.ts";
import type { Candidate } from "./unprinted.ts";

const PHOTOS = 6;
const GONE = 3;
const go = () => {};

/** Six photos of one place with a calibration, all placed. */
async function placed(): Promise<{ mapper: Mapper; synthetic: Synthetic }> {
  const synthetic = syntheticPhotos(arc(PHOTOS), { told: true, points: 400 });
  const { kernels } = synthetic;
  const mapper = new Mapper({ seed: 1 });
  for (const photo of synthetic.photos) {
    const { widthPx, heightPx } = photo;
    const { index, features } = mapper.addView(photo, await kernels.extract(photo.rgb, widthPx, heightPx));
    const others = mapper.views.slice(0, index);
    const found = await kernels.matchMany(
      features,
      others.map((other) => other.features),
    );
    const candidates = found.map((matches, other): Candidate => ({ other, matches: otherFirst(matches) }));
    const answers = mapper.questions(index, candidates).map((each) => each && answerTwoView(each));
    mapper.link(index, candidates, answers);
    mapper.settle(go);
  }
  assert.equal(mapper.scene.posed.length, PHOTOS);
  return { mapper, synthetic };
}

function otherFirst(matches: Uint32Array): Int32Array {
  return Int32Array.from(matches, (_, k) => matches[k ^ 1]);
}

/** Two more photos of that size, which say that something is printed wherever one of the others has a feature. */
function tellPrinted(mapper: Mapper, { photos }: Synthetic, gone = GONE): Candidate[] {
  const { places } = mapper.views[gone];
  const moved = Array.from({ length: 700 }, (_, k) => [(k % 35) * 30 + 20, Math.floor(k / 35) * 35 + 20] as const);
  const still = Array.from({ length: places.count }, (_, k) => [places.x[k], places.y[k]] as const);
  const before = [...still, ...moved];
  const after = [...still, ...moved.map(([x, y]) => [x + 40, y] as const)];
  const photo = (k: number): Photo => ({ ...photos[0], image: `told-${k}`, rgb: GREY });
  const first = mapper.addView(photo(0), featuresAt(before)).index;
  const second = mapper.addView(photo(1), featuresAt(after)).index;
  const matches = Int32Array.from({ length: 2 * before.length }, (_, k) => k >> 1);
  return mapper.unprinted(second, [{ other: first, matches }]);
}

function featuresAt(places: readonly (readonly [x: number, y: number])[]): Features {
  const features = allocateFeatures(places.length, 1, 0.5);
  for (const [k, [x, y]] of places.entries()) {
    assert.ok(x < WIDTH_PX && y < HEIGHT_PX);
    [features.x[k], features.y[k], features.scale[k]] = [x, y, 2];
  }
  return features;
}

/** How many features of a photo are tied to any of another. */
function tied(mapper: Mapper, view: number): number {
  return [...mapper.scene.tracks.ofView(view)].filter(([, { views }]) => views.length > 1).length;
}

describe("going back to a mark", () => {
  test("MAP-20 forgets what photos since have told to be printed", async () => {
    const { mapper, synthetic } = await placed();
    const goBack = mapper.mark();
    const [told] = tellPrinted(mapper, synthetic);
    assert.ok(told.matches.length / 2 < 710, "the test tells of something printed");
    goBack();
    const { count } = mapper.views[GONE].places;
    const matches = Int32Array.from({ length: 2 * count }, (_, k) => k >> 1);
    const [kept] = mapper.unprinted(GONE, [{ other: GONE, matches }]);
    assert.equal(kept.matches.length / 2, count);
  });

  test("MAP-20 has ties by what is printed again, and knows that they are to be looked at", async () => {
    const { mapper, synthetic } = await placed();
    tellPrinted(mapper, synthetic);
    assert.ok(tied(mapper, GONE) > 200);
    const goBack = mapper.mark();
    mapper.settle(go);
    assert.equal(tied(mapper, GONE), 0);
    goBack();
    assert.ok(tied(mapper, GONE) > 200);
    mapper.settle(go);
    assert.equal(tied(mapper, GONE), 0);
  });
});

test("MAP-23 a photo that no point bears out once all is refined has no place, and a reason", async () => {
  const { mapper, synthetic } = await placed();
  tellPrinted(mapper, synthetic);
  const { verdicts, cameras } = mapper.refine(go, go).take();
  const word = verdicts.find(({ image }) => image === `photo-${GONE}`);
  assert.equal(word?.verdict, "waiting");
  assert.ok(word.reason);
  assert.deepEqual(
    cameras.map(({ image }) => image).sort(),
    [0, 1, 2, 4, 5].map((index) => `photo-${index}`),
  );
});

test("MAP-23 a model of which nothing is borne out any more is none, and later rebuilds go on from there", async () => {
  const { mapper, synthetic } = await placed();
  for (let index = 0; index < PHOTOS; index++) tellPrinted(mapper, synthetic, index);
  const { verdicts, cameras, points, doubts } = mapper.refine(go, go).take();
  assert.deepEqual([cameras, points.positions.length, doubts], [[], 0, []]);
  assert.equal(verdicts.filter(({ verdict }) => verdict === "registered").length, 0);
  mapper.settle(go);
  assert.deepEqual(mapper.refine(go, go).take().cameras, []);
});
