import assert from "node:assert/strict";
import { after, test } from "node:test";
import { boxViews } from "../test/boxes.ts";
import { fuse } from "./fuse.ts";
import { openFusion } from "./fusion.ts";
import { undistortView } from "./undistort.ts";

const fusion = openFusion({ threads: 1 });
after(() => fusion.close());

test("a thread fuses and straightens to the same bytes", async () => {
  const views = boxViews(4, { widthPx: 80 });
  assert.deepEqual(await fusion.fuse(views, { emit: new Set([3]) }), fuse(views, { emit: new Set([3]) }));
  const { rgb, widthPx, heightPx, cameraFromWorld } = views[0].view;
  const lens = Float64Array.of(72, 72, 40, 28, -0.1, 0.01);
  const photo = { rgb, widthPx, heightPx };
  assert.deepEqual(
    await fusion.undistort(0, photo, lens, cameraFromWorld, 50),
    undistortView(0, photo, lens, cameraFromWorld, 50),
  );
});

test("an abort refuses at once and leaves the thread free", async () => {
  const views = boxViews(6);
  const controller = new AbortController();
  const running = fusion.fuse(views, { signal: controller.signal });
  controller.abort();
  await assert.rejects(running, { name: "AbortError" });
  assert.ok((await fusion.fuse(views.slice(0, 3))).source.length > 0);
});
