import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import fc from "fast-check";
import type { Track } from "./tracks.ts";
import { partByWitnesses, type Witnessed } from "./witnesses.ts";

function seenBy(...views: number[]): Witnessed {
  const track: Track = {
    views,
    features: views.map(() => 0),
    fits: views.map(() => true),
    point: new Float64Array(3),
    handed: undefined,
  };
  return { track, views };
}

const many = (count: number, ...views: number[]) => Array.from({ length: count }, () => seenBy(...views));

test("what two photos alone see follows where both are firmly tied, leads where it is all there is", () => {
  const tied = [...many(100, 0, 1, 2), ...many(100, 1, 2, 3)];
  assert.deepEqual(partByWitnesses([...tied, seenBy(0, 3)]).following.length, 1);
  // A photo that little else sees; two places that nothing longer connects; two photos and no third.
  assert.deepEqual(partByWitnesses([...tied, ...many(99, 2, 3, 4), seenBy(0, 4)]).following.length, 0);
  const apart = [...many(150, 0, 1, 2), ...many(150, 3, 4, 5)];
  assert.deepEqual(partByWitnesses([...apart, seenBy(2, 3), seenBy(0, 1)]).following.length, 1);
  assert.deepEqual(partByWitnesses(many(500, 0, 1)).following.length, 0);
  // Too few common to tie the two places.
  assert.deepEqual(partByWitnesses([...apart, ...many(39, 2, 3, 4), seenBy(2, 3)]).following.length, 0);
  assert.deepEqual(partByWitnesses([...apart, ...many(40, 2, 3, 4), seenBy(2, 3)]).following.length, 1);
});

test("fine observations speak for coarse ones where there are enough of them, and only there", () => {
  const fine = [...many(100, 0, 1, 2), ...many(100, 1, 2, 3)];
  const coarse = (view: number) => (_: Track, each: number) => each !== view;
  // Photo 3 is seen by coarse features alone: they are all it has.
  assert.equal(partByWitnesses(fine, coarse(3)).following.length, 0);
  // One coarse observation of many is left out; a track that keeps fewer than three follows.
  const mixed = [...fine, ...many(100, 0, 1, 2, 3), seenBy(0, 1, 3)];
  const isFine = (track: Track, view: number) =>
    view !== 0 || (track !== mixed.at(-1)!.track && track.views.length === 3);
  const { led, following } = partByWitnesses(mixed, isFine);
  assert.deepEqual(following, [mixed.at(-1)]);
  assert.deepEqual(led[200].views, [1, 2, 3]);
  assert.deepEqual(led[0].views, [0, 1, 2]);
});

test("every track is in one part, in its order; those that lead tie the same photos together as all of them do", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 2, max: 9 }), (seed, photos) => {
      const random = seededRandom(seed);
      const tracks = Array.from({ length: 400 }, () => {
        const first = Math.floor(random() * (photos - 1));
        const length = 2 + Math.floor(random() * random() * 4);
        return seenBy(...Array.from({ length }, (_, k) => first + k).filter((view) => view < photos));
      }).filter(({ views }) => views.length >= 2);
      const { led, following } = partByWitnesses(tracks);
      const both = new Set([...led, ...following]);
      assert.equal(both.size, tracks.length);
      assert.deepEqual(
        led,
        tracks.filter((each) => led.includes(each)),
      );
      assert.ok(following.every(({ views }) => views.length === 2));
      assert.equal(groups(led, photos), groups(tracks, photos));
    }),
    { seed: 1, numRuns: 100 },
  );
});

/** How many groups of photos no track connects. */
function groups(tracks: readonly Witnessed[], photos: number): number {
  const of = Array.from({ length: photos }, (_, view) => view);
  for (const { views } of tracks) {
    for (const view of views) {
      const [from, to] = [of[view], of[views[0]]];
      for (let k = 0; k < photos; k++) if (of[k] === from) of[k] = to!;
    }
  }
  return new Set(of).size;
}
