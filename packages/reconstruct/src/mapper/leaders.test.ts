import assert from "node:assert/strict";
import { test } from "node:test";
import {
  alignmentDistances,
  alignPoints,
  cameraCentre,
  poseFromRotation,
  projectPoint,
  randomNormal,
  seededRandom,
} from "@cairn/geometry";
import fc from "fast-check";
import { adjust } from "./adjust.ts";
import {
  chooseLeaders,
  costOf,
  FEWEST_VIEWS,
  hearFewHeld,
  LEAST_HEARD,
  MOST_HELD,
  MOST_VIEWS,
  pickHeard,
  type Sighted,
} from "./leaders.ts";
import { Scene } from "./scene.ts";
import { triangulateTracks } from "./structure.ts";
import { makeView } from "./view.ts";

/** Tracks of which each photo has some or many, of any length and anywhere in the photos. */
const tracksOf = ({ seed, photos, tracks }: { seed: number; photos: number; tracks: number }): Sighted[] => {
  const random = seededRandom(seed);
  return Array.from({ length: tracks }, () => {
    const share = random() ** 2;
    const views = Array.from({ length: photos }, (_, view) => view).filter((view) => random() < share / (1 + view / 9));
    return { views, cells: views.map(() => Math.floor(25 * random())), worth: Math.floor(5 * random()) };
  }).filter(({ views }) => views.length >= 2);
};

test("MAP-13 every photo is heard on as many points as it needs or has, every point in enough photos to place it", () => {
  const places = fc.record({
    seed: fc.integer({ min: 1, max: 1e6 }),
    photos: fc.integer({ min: 2, max: 60 }),
    tracks: fc.integer({ min: 1, max: 1200 }),
  });
  fc.assert(
    fc.property(places, (place) => {
      const tracks = tracksOf(place);
      const heard = pickHeard(tracks);
      const [all, some] = [new Int32Array(place.photos), new Int32Array(place.photos)];
      for (const [k, { views }] of tracks.entries()) {
        for (const view of views) all[view]++;
        for (const view of heard[k]) some[view]++;
        assert.deepEqual(
          views.filter((view) => heard[k].includes(view)),
          heard[k],
          "its own photos, once each, in order",
        );
        if (heard[k].length > 0) assert.ok(heard[k].length >= Math.min(FEWEST_VIEWS, views.length));
      }
      for (let view = 0; view < place.photos; view++) assert.ok(some[view] >= Math.min(LEAST_HEARD, all[view]));
      assert.deepEqual(pickHeard(tracks), heard);
    }),
    { numRuns: 30, seed: 7 },
  );
});

test("what a step costs goes with the number of photos, however many see each point", () => {
  const costOfPhotos = (photos: number) => {
    const random = seededRandom(photos);
    const views = Array.from({ length: photos }, (_, view) => view);
    const tracks = Array.from({ length: 1500 }, () => ({
      views,
      cells: views.map(() => Math.floor(25 * random())),
      worth: random(),
    }));
    return costOf(pickHeard(tracks).map((each) => ({ views: each })));
  };
  // Sixteen points in each of 25 cells; where so many photos share few points these are heard in a half more photos.
  for (const photos of [50, 150]) assert.ok(costOfPhotos(photos) <= 25 * 16 * 1.5 * MOST_VIEWS * photos);
});

const [PHOTOS, POINTS] = [72, 450];
const FOCAL_PX = 800;

/** A wall that every photo shows whole, with poses and points somewhat off; `truth` are the centres. */
function wall(): { scene: Scene; truth: Float64Array; points: Float64Array } {
  const random = seededRandom(3);
  const points = Float64Array.from({ length: POINTS * 3 }, (_, k) => (k % 3 === 2 ? 0.6 : 3) * (random() - 0.5));
  const poses = Array.from({ length: PHOTOS }, (_, view) => {
    const turn = 0.9 * (view / (PHOTOS - 1) - 0.5) + 0.02 * random();
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    // Turned about the upright axis through the wall's middle, five away from it.
    return poseFromRotation(
      Float64Array.of(cos, 0, sin, 0, 1, 0, -sin, 0, cos),
      Float64Array.of(0, 0.4 * random(), 5 + 0.4 * random()),
    );
  });
  const calibrations = Float64Array.of(FOCAL_PX, FOCAL_PX, 0, 0, 0, 0);
  const pixel = new Float64Array(2);
  const size = { widthPx: 800, heightPx: 600, fullWidthPx: 800, fullHeightPx: 600 };
  const views = poses.map((pose, view) => {
    const [x, y] = [new Float32Array(POINTS), new Float32Array(POINTS)];
    for (let p = 0; p < POINTS; p++) {
      projectPoint(pose, 0, calibrations, 0, points[3 * p], points[3 * p + 1], points[3 * p + 2], pixel);
      x[p] = pixel[0] + 400 + 0.3 * randomNormal(random);
      y[p] = pixel[1] + 300 + 0.3 * randomNormal(random);
    }
    const photo = { image: `${view}`, name: `${view}`, digest: `${view}`, rgb: new Uint8Array(800 * 600 * 3), ...size };
    const scale = new Float32Array(POINTS).fill(2);
    const looks = { angle: scale, descriptors: new Uint8Array(0), sharpness: 1, brightness: 0.5 };
    return makeView(view, photo, 0, { x: 400, y: 300 }, { count: POINTS, x, y, scale, ...looks });
  });
  const scene = new Scene(views);
  scene.addLens(calibrations);
  for (const view of views) scene.addView(view);
  for (let p = 0; p < POINTS; p++) for (let view = 1; view < PHOTOS; view++) scene.tracks.join(0, p, view, p);
  for (const [view, pose] of poses.entries()) {
    scene.setPose(
      view,
      pose.map((value, k) => (view > 0 && k % 4 === 3 ? value + 0.02 * randomNormal(random) : value)),
    );
  }
  triangulateTracks(scene, 12);
  return { scene, truth: Float64Array.from(poses.flatMap((pose) => [...cameraCentre(pose, 0)])), points };
}

test("MAP-13 a wall that 72 photos show whole is adjusted by a part of what they see, and all of its points fit", () => {
  const { scene, truth, points } = wall();
  const speaking = [...scene.tracks.all()].map((track) => ({ track, views: track.views }));
  const led = chooseLeaders(scene, speaking);
  assert.ok(costOf(led) < costOf(speaking) / 4);
  adjust(scene, { iterations: 20, stop: () => {} });
  const centres = Float64Array.from(scene.posed.flatMap((view) => [...cameraCentre(scene.poses, view * 12)]));
  const similarity = alignPoints(centres, truth);
  assert.ok(similarity);
  const mostOff = (from: Float64Array, to: Float64Array) => {
    const distances = new Float64Array(from.length / 3);
    alignmentDistances(similarity, from, to, distances);
    return Math.max(...distances);
  };
  assert.ok(mostOff(centres, truth) < 0.015, `a camera is ${mostOff(centres, truth)} off`);
  const tracks = [...scene.tracks.all()];
  const made = Float64Array.from(tracks.flatMap(({ point }) => [...point!]));
  const where = Float64Array.from(tracks.flatMap(({ features: [p] }) => [...points.subarray(3 * p, 3 * p + 3)]));
  assert.equal(tracks.length, POINTS);
  assert.ok(mostOff(made, where) < 0.015, `a point is ${mostOff(made, where)} off`);
});

test("around free photos a dozen of those that are held are heard, and every free one", () => {
  const { scene } = wall();
  const free = new Set([70, 71, 3]);
  const whole = [...scene.tracks.all()].map((track) => ({ track, views: track.views }));
  const few = [0, 1, 2].flatMap(() => whole); // three times as many points as bear being heard in whole
  for (const [k, { track, views }] of hearFewHeld(few, free).entries()) {
    assert.equal(track, few[k].track);
    assert.deepEqual(
      views.filter((view) => free.has(view)),
      few[k].views.filter((view) => free.has(view)),
    );
    assert.equal(views.length, MOST_HELD + free.size);
  }
  assert.equal(hearFewHeld(whole, free), whole);
});

test("REC-8 an adjustment of many photos can be stopped at any moment, and leaves the scene as it was", () => {
  const { scene } = wall();
  const before = scene.poses.slice();
  for (const after of [1, 3, 4]) {
    let asked = 0;
    const stop = () => {
      if (++asked === after) throw new Error("stopped");
    };
    assert.throws(() => adjust(scene, { iterations: 3, stop }), /stopped/);
    assert.deepEqual(scene.poses, before);
  }
});
