/** The embedded engine on real photos with surveyed cameras: every photo placed, and to the millimetre. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { alignmentDistances, alignPoints, cameraCentre, poseFromQuaternion } from "@cairn/geometry";
import type { Intrinsics, PosedCamera, Verdict } from "@cairn/protocol";
import sharp from "sharp";
import { DECODE_SIDE_PX, type Engine, type FeatureCache, type Photo } from "../engine.ts";
import { openEmbeddedEngine } from "./embedded-engine.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const datasets = process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets");

/** The calibration of the fountain and Herz-Jesus sets at 1600 px, COLMAP's convention. */
const KNOWN: Intrinsics = {
  model: "PINHOLE",
  width: 1600,
  height: 1067,
  params: [1437.229, 1440.117, 792.29, 524.8],
};

function photosOf(set: string, t: TestContext): string[] | undefined {
  const folder = join(datasets, set, "images");
  if (!existsSync(folder)) {
    t.skip(`SKIPPED: ${folder} not found`);
    return undefined;
  }
  return readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));
}

async function readPhoto(path: string, camera?: Intrinsics): Promise<Photo> {
  const { data, info } = await sharp(path)
    .rotate()
    .resize(DECODE_SIDE_PX, DECODE_SIDE_PX, { fit: "inside", withoutEnlargement: true })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const image = path.split("/").slice(-3).join("/");
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  return { image, name: image, rgb: new Uint8Array(data), ...size, digest: image, ...(camera && { camera }) };
}

/** The last word on each photo, after all of them and a rebuild. */
async function reconstruct(engine: Engine, photos: AsyncIterable<Photo> | Iterable<Photo>) {
  const verdicts = new Map<string, Verdict>();
  for await (const photo of photos) {
    for (const verdict of (await engine.add(photo)).verdicts) verdicts.set(verdict.image, verdict);
  }
  const { cameras, verdicts: last, points } = await engine.rebuild();
  for (const verdict of last) verdicts.set(verdict.image, verdict);
  return { verdicts, cameras, points };
}

/** Mean distance, metres, of the cameras from the surveyed ones after the best similarity. */
function meanErrorM(set: string, cameras: readonly PosedCamera[]): number {
  const survey: { poses: { image: string; R: number[]; t: number[] }[] } = JSON.parse(
    readFileSync(join(datasets, set, "gt.json"), "utf8"),
  );
  const known = new Map(survey.poses.map(({ image, R, t }) => [`${set}/images/${image}`, { R, t }]));
  const source: number[] = [];
  const target: number[] = [];
  for (const { image, pose } of cameras) {
    const truth = known.get(image);
    if (!truth) continue;
    source.push(...cameraCentre(poseFromQuaternion(pose.rotation, pose.translation)));
    for (let k = 0; k < 3; k++) target.push(-[0, 1, 2].reduce((sum, i) => sum + truth.R[3 * i + k] * truth.t[i], 0));
  }
  const [from, to] = [Float64Array.from(source), Float64Array.from(target)];
  const distances = new Float64Array(from.length / 3);
  alignmentDistances(alignPoints(from, to)!, from, to, distances);
  return distances.reduce((sum, each) => sum + each, 0) / distances.length;
}

describe("the embedded engine on surveyed photos", () => {
  test("fountain-P11, known calibration, and a photo of another place: 4 mm, and the stranger is named", async (t) => {
    const paths = photosOf("fountain-P11", t);
    const others = paths && photosOf("Herz-Jesus-P8", t);
    if (!paths || !others) return;
    const stranger = await readPhoto(others[4], KNOWN);
    const engine = await openEmbeddedEngine();
    try {
      async function* arriving() {
        for (const [index, path] of paths!.entries()) {
          if (index === 3) yield stranger;
          yield await readPhoto(path, KNOWN);
        }
      }
      const { verdicts, cameras, points } = await reconstruct(engine, arriving());
      assert.equal(cameras.length, 11);
      assert.deepEqual(verdicts.get(stranger.image), { image: stranger.image, verdict: "waiting", reason: "overlap" });
      const error = meanErrorM("fountain-P11", cameras);
      assert.ok(error <= 0.004, `mean position error ${error} m`);
      assert.ok(points.positions.length / 3 > 3000);
      assert.equal(engine.model().images.length, 11);
      assert.deepEqual(engine.focal()?.source, "given");
    } finally {
      await engine.close();
    }
  });

  test("Herz-Jesus-P8, unknown focal length: 10 mm; another number of threads and kept features change no number", async (t) => {
    const paths = photosOf("Herz-Jesus-P8", t);
    if (!paths) return;
    const photos = await Promise.all(paths.map((path) => readPhoto(path)));
    const kept = new Map<string, Uint8Array>();
    const cache: FeatureCache = {
      async get(key) {
        return kept.get(key);
      },
      async put(key, bytes) {
        kept.set(key, bytes);
      },
    };
    const run = async (threads: number) => {
      const engine = await openEmbeddedEngine({ threads, cache });
      try {
        const { cameras } = await reconstruct(engine, photos);
        return { cameras, focal: engine.focal(), model: engine.model() };
      } finally {
        await engine.close();
      }
    };
    const first = await run(2);
    assert.equal(first.cameras.length, 8);
    const error = meanErrorM("Herz-Jesus-P8", first.cameras);
    assert.ok(error <= 0.01, `mean position error ${error} m`);
    assert.equal(first.focal?.source, "estimated");
    assert.ok(first.focal.certain);
    assert.ok(Math.abs(first.focal.focalPx - 1438) < 4 * first.focal.sigmaPx + 10, `f ${first.focal.focalPx}`);
    assert.equal(kept.size, 8);
    assert.deepEqual(await run(1), first);
  });

  test("a rebuild on real photos ends within 2 s of being cancelled, and the model stays", async (t) => {
    const paths = photosOf("fountain-P11", t);
    if (!paths) return;
    const engine = await openEmbeddedEngine();
    try {
      for (const path of paths.slice(0, 4)) await engine.add(await readPhoto(path, KNOWN));
      const before = engine.model();
      const controller = new AbortController();
      const rebuild = engine.rebuild({ signal: controller.signal, onProgress: () => controller.abort() });
      let abortedMs = 0;
      controller.signal.addEventListener("abort", () => (abortedMs = performance.now()), { once: true });
      await assert.rejects(rebuild, { code: "operation.cancelled" });
      assert.ok(performance.now() - abortedMs < 2000);
      assert.deepEqual(engine.model(), before);
      assert.equal((await engine.rebuild()).cameras.length, 4);
    } finally {
      await engine.close();
    }
  });
});
