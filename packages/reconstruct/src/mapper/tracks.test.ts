import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Tracks } from "./tracks.ts";

const tracksOf = (...counts: number[]) => {
  const tracks = new Tracks();
  for (const count of counts) tracks.addView(count);
  return tracks;
};

const shape = (tracks: Tracks) =>
  [...tracks.all()]
    .map((track) =>
      track.views
        .map((view, k) => `${view}:${track.features[k]}`)
        .sort()
        .join(" "),
    )
    .sort();

describe("tracks", () => {
  test("matches chain into one track", () => {
    const tracks = tracksOf(3, 3, 3, 3);
    assert.ok(tracks.join(0, 1, 1, 2));
    assert.ok(tracks.join(2, 0, 3, 1));
    assert.ok(tracks.join(1, 2, 2, 0));
    assert.deepEqual(shape(tracks), ["0:1 1:2 2:0 3:1"]);
  });

  test("a track never has two features of one photo", () => {
    const tracks = tracksOf(3, 3, 3);
    tracks.join(0, 0, 1, 0);
    assert.equal(tracks.join(0, 1, 1, 0), false, "photo 0 is in it with another feature");
    tracks.join(0, 1, 2, 2);
    assert.equal(tracks.join(1, 0, 2, 2), false, "both have photo 0");
    assert.deepEqual(shape(tracks), ["0:0 1:0", "0:1 2:2"]);
  });

  test("two points that are not compatible stay two", () => {
    const tracks = tracksOf(2, 2, 2, 2);
    tracks.join(0, 0, 1, 0);
    tracks.join(2, 0, 3, 0);
    tracks.of(0, 0)!.point = Float64Array.of(0, 0, 1);
    tracks.of(2, 0)!.point = Float64Array.of(5, 0, 1);
    assert.equal(
      tracks.join(1, 0, 2, 0, (a, b) => a.point![0] === b.point![0]),
      false,
    );
    assert.equal(shape(tracks).length, 2);
    assert.ok(tracks.join(1, 0, 2, 0, () => true));
    assert.equal(shape(tracks).length, 1);
  });

  test("taking an observation out leaves the rest, and a track of one is none", () => {
    const tracks = tracksOf(1, 1, 1);
    tracks.join(0, 0, 1, 0);
    tracks.join(1, 0, 2, 0);
    tracks.remove(1, 0);
    assert.deepEqual(shape(tracks), ["0:0 2:0"]);
    tracks.remove(0, 0);
    assert.deepEqual(shape(tracks), []);
    assert.equal(tracks.of(2, 0), undefined);
  });

  test("any order of joins and removals keeps tracks and features in step", () => {
    const feature = fc.tuple(fc.nat(4), fc.nat(5));
    const step = fc.record({ a: feature, b: feature, remove: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const tracks = tracksOf(6, 6, 6, 6, 6);
        for (const { a, b, remove } of steps) {
          if (remove) tracks.remove(...a);
          else if (a[0] !== b[0]) tracks.join(...a, ...b);
        }
        const copy = tracks.clone();
        for (const track of tracks.all()) {
          assert.ok(track.views.length > 1);
          assert.equal(new Set(track.views).size, track.views.length);
          assert.equal(track.features.length, track.views.length);
          assert.equal(track.fits.length, track.views.length);
          for (const [k, view] of track.views.entries()) assert.equal(tracks.of(view, track.features[k]), track);
        }
        assert.deepEqual(shape(copy), shape(tracks));
      }),
      { numRuns: 100, seed: 5 },
    );
  });
});
