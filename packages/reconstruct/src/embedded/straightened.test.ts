import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { undistortView } from "../dense/undistort.ts";
import { Pictures } from "./pictures.ts";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";
import type { Stand } from "./sought-depth.ts";
import { Straightened } from "./straightened.ts";

const SIZE = { widthPx: 24, heightPx: 16 };
const SIDE_PX = 12;
const ONE_VIEW_BYTES = 3 * 12 * 8;
const PLAN = { sidePx: SIDE_PX, sources: 1, minViews: 1, quality: {} };

const stand = (view: number, focalPx = 20): Stand => ({
  view,
  calibration: Float64Array.of(focalPx, focalPx, 12, 8, -0.1, 0),
  pose: Float64Array.from({ length: 12 }, (_, k) => view + k),
});

async function world(maxBytes: number) {
  const count = { straightened: 0 };
  const kernels = {
    async undistort(...given: Parameters<typeof undistortView>) {
      count.straightened++;
      return undistortView(...given);
    },
  };
  const pictures = new Pictures(kernels, new Shelf(new Scratch(tmpdir())), [PLAN]);
  for (const view of [0, 1, 2]) {
    const rgb = Uint8Array.from({ length: 3 * 24 * 16 }, (_, k) => (k * (view + 3)) % 251);
    pictures.put(view, await pictures.shrink({ rgb, ...SIZE }), SIZE);
  }
  count.straightened = 0;
  return { straightened: new Straightened(kernels, pictures, maxBytes), pictures, count };
}

test("a photo is straightened once while it is kept, and what is given away is the taker's own", async () => {
  const { straightened, pictures, count } = await world(2 * ONE_VIEW_BYTES);
  const [first, again] = await Promise.all([0, 0].map((view) => straightened.lend(stand(view), SIDE_PX, undefined)));
  assert.equal(count.straightened, 1);
  const { photo, calibration } = pictures.at(stand(0));
  assert.deepEqual(first, undistortView(0, photo, calibration, stand(0).pose, SIDE_PX));
  assert.equal(first.rgb, again.rgb);
  const moved = { ...stand(0), pose: stand(2).pose };
  const own = await straightened.give(moved, SIDE_PX, undefined);
  assert.deepEqual(own, { ...first, cameraFromWorld: moved.pose });
  own.rgb.fill(0);
  assert.notDeepEqual((await straightened.lend(stand(0), SIDE_PX, undefined)).rgb, own.rgb);
  assert.equal(count.straightened, 1);

  await straightened.lend(stand(0, 21), SIDE_PX, undefined);
  assert.equal(count.straightened, 2, "another lens");
  await straightened.lend(stand(0), SIDE_PX, undefined);
  await straightened.lend(stand(1), SIDE_PX, undefined);
  assert.equal(count.straightened, 3);
  await straightened.lend(stand(0), SIDE_PX, undefined);
  assert.equal(count.straightened, 3, "it was asked for after the one that has gone");
  await straightened.lend(stand(0, 21), SIDE_PX, undefined);
  assert.equal(count.straightened, 4);
});

test("what was cancelled is straightened again", async () => {
  let fails = true;
  const kernels = {
    async undistort(...given: Parameters<typeof undistortView>) {
      if (fails) throw new Error("cancelled");
      return undistortView(...given);
    },
  };
  const { pictures } = await world(1);
  const straightened = new Straightened(kernels, pictures);
  await assert.rejects(straightened.lend(stand(1), SIDE_PX, undefined), /cancelled/);
  fails = false;
  assert.equal((await straightened.lend(stand(1), SIDE_PX, undefined)).widthPx, SIDE_PX);
});
