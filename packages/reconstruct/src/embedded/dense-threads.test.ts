/** The whole engine with dense points, on photos of the sample capture. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readTruth, samplePhotosDir } from "@cairn/sample";
import sharp from "sharp";
import type { Photo, Points } from "../engine.ts";
import { openEmbeddedEngine } from "./embedded-engine.ts";

/** Depth is sought at no more than this: smaller photos say the same in less time. */
const SIDE_PX = 320;

async function readPhoto(name: string): Promise<Photo> {
  const { data, info } = await sharp(join(samplePhotosDir, name))
    .resize(SIDE_PX, SIDE_PX, { fit: "inside" })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { K, width } = readTruth().poses[0];
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  const focalPx = (K[0] * info.width) / width;
  return { image: name, name, rgb: new Uint8Array(data), ...size, digest: name, focalPx };
}

test("REC-13 one thread or two, with or without points as photos come: the same dense points of a rebuild", async () => {
  const photos = await Promise.all(["07.jpg", "08.jpg", "09.jpg"].map(readPhoto));
  const run = async (threads: number, points: boolean) => {
    const engine = await openEmbeddedEngine({ threads, preset: "fast" });
    try {
      const live: Points[] = [];
      for (const photo of photos) live.push((await engine.add(photo, { points })).points);
      return { live, rebuilt: (await engine.rebuild()).points };
    } finally {
      await engine.close();
    }
  };
  const two = await run(2, true);
  const count = ({ positions }: Points) => positions.length / 3;
  assert.ok(count(two.live[1]) > 10_000, `${count(two.live[1])} points with the second photo`);
  assert.ok(count(two.rebuilt) > 13_000, `${count(two.rebuilt)} points of the rebuild`);
  assert.deepEqual(await run(1, true), two);
  assert.deepEqual((await run(2, false)).rebuilt, two.rebuilt);
});
