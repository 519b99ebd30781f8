import assert from "node:assert/strict";
import { test } from "node:test";
import { answerTwoView, type TwoViewQuestion } from "../mapper/two-view.ts";
import { discs, photograph } from "../test/photos.ts";
import { openExtractor } from "./extractor.ts";
import { encodeFeatures, type Features } from "./features.ts";
import { openFrontEnd } from "./front-end.ts";
import { openMatcher } from "./matcher.ts";
import { findSegments } from "./segments.ts";

test("threads give what one thread gives, share their arrays and can be stopped", async () => {
  const surface = discs(500, 260, 9);
  const photos = [0, 9, 18, 27].map((shift) => photograph(surface, 220, 200, (x, y) => [x + shift, y + 0.4 * shift]));
  const extractor = openExtractor();
  const matcher = openMatcher();
  const expected = photos.map(({ rgb, widthPx, heightPx }) => extractor.extract(rgb, widthPx, heightPx));

  const frontEnd = await openFrontEnd({ threads: 2 });
  try {
    const features = await Promise.all(
      photos.map((photo) => frontEnd.extract(photo.rgb, photo.widthPx, photo.heightPx)),
    );
    assert.deepEqual(features.map(encodeFeatures), expected.map(encodeFeatures));
    assert.ok(features.every(({ descriptors }) => descriptors.buffer instanceof SharedArrayBuffer));
    assert.ok(photos[0].rgb.length > 0, "a photo is lent, not moved");

    const [{ rgb, widthPx, heightPx }] = photos;
    assert.deepEqual(await frontEnd.segments(rgb, widthPx, heightPx), findSegments(rgb, widthPx, heightPx));

    const [first, ...others] = features;
    const matches = await frontEnd.matchMany(first, others);
    const alone = others.map((other) => matcher.match(first, other));
    assert.deepEqual(matches, alone);
    assert.ok(alone[0].length > 100, `${alone[0].length / 2} matches`);
    assert.deepEqual(
      await frontEnd.match(first, others[0], { first: 40 }),
      matcher.match(first, others[0], { first: 40 }),
    );
    assert.deepEqual(await frontEnd.matchMany(first, []), []);

    const questions = () =>
      others.map((other, k): TwoViewQuestion | undefined => {
        const side = ({ x, y }: Features, from: number) =>
          Float64Array.from(alone[k], (_, at) => {
            const feature = alone[k][at - (at % 2) + from];
            return (at % 2 === 0 ? x : y)[feature] / 200;
          });
        return k === 1 ? undefined : { first: side(first, 0), second: side(other, 1), maxError: 0.01, seed: k };
      });
    const verified = await frontEnd.verifyMany(questions());
    assert.deepEqual(
      verified,
      questions().map((question) => question && answerTwoView(question)),
    );
    assert.ok(verified[0] && verified[0].inlierCount > 50 && !verified[1]);

    const controller = new AbortController();
    const stopped = frontEnd.extract(photos[0].rgb, 220, 200, { signal: controller.signal });
    controller.abort();
    await assert.rejects(stopped, { name: "AbortError" });
    await assert.rejects(frontEnd.extract(photos[0].rgb, 220, 201), RangeError);
  } finally {
    await frontEnd.close();
  }
});
