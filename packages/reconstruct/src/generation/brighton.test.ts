/** Photos of a drone with its GPS: the engine's model lies where the drone was. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { cameraCentre, ecefFromGeodetic, ecefFromModel, poseFromQuaternion } from "@cairn/geometry";
import type { Gps } from "@cairn/protocol";
import sharp from "sharp";
import { openEmbeddedEngine } from "../embedded/embedded-engine.ts";
import { placeOnEarth } from "./place.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../../../..");
const folder = join(process.env.CAIRN_DATASETS ?? join(root, "../shared/datasets"), "brighton");
const PHOTOS = 10;

test("GENR-13 MAP-7 ten photos of a drone over Brighton Beach lie within a metre of its GPS, on the earth, with z up", async (t) => {
  if (!existsSync(folder)) return t.skip(`SKIPPED: ${folder} not found`);
  const { poses }: { poses: { image: string; lat: number; lon: number; alt: number }[] } = JSON.parse(
    readFileSync(join(folder, "gt_gps.json"), "utf8"),
  );
  const flown = [...poses].sort((a, b) => (a.image < b.image ? -1 : 1)).slice(0, PHOTOS);
  const gps = new Map(
    flown.map(({ image, lat, lon, alt }): [string, Gps] => [
      image,
      { latitudeDeg: lat, longitudeDeg: lon, altitudeM: alt },
    ]),
  );
  const engine = await openEmbeddedEngine({
    cache: { get: async () => undefined, put: async () => {} },
    seed: 1,
    preset: "sparse",
  });
  t.after(() => engine.close());
  for (const [image, place] of gps) {
    const { data, info } = await sharp(join(folder, "images", image))
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
    await engine.add({
      image,
      name: image,
      rgb: new Uint8Array(data),
      digest: image,
      focalPx: 889,
      gps: place,
      ...size,
    });
  }
  const { cameras, upright } = await engine.rebuild();
  assert.equal(cameras.length, PHOTOS);
  const place = placeOnEarth(cameras, (image) => gps.get(image))?.georeference;
  assert.ok(place, "its place is found");
  assert.ok(place.residualM < 1, `${place.residualM} m`);
  // The cameras look down: how they are held says nothing of up.
  assert.equal(upright?.source, "gps");
  const [, x, y] = place.enuFromModel.rotation;
  const offDeg = (Math.acos(1 - 2 * (x * x + y * y)) * 180) / Math.PI;
  assert.ok(offDeg < 6 && upright.tiltDeg < 6, `${offDeg}° from the earth's up, ${upright.tiltDeg}° told`);
  const m = ecefFromModel(place);
  for (const { image, pose } of cameras) {
    const [x, y, z] = cameraCentre(poseFromQuaternion(pose.rotation, pose.translation));
    const at = gps.get(image)!;
    const seen = ecefFromGeodetic(at.latitudeDeg, at.longitudeDeg, at.altitudeM!);
    const offM = Math.hypot(...[0, 1, 2].map((k) => m[k] * x + m[4 + k] * y + m[8 + k] * z + m[12 + k] - seen[k]));
    assert.ok(offM < 3, `${image}: ${offM} m`);
  }
  // One receiver that jumps 60 m north is left out, and moves nothing.
  const jumped = placeOnEarth(cameras, (image) => {
    const at = gps.get(image)!;
    return image === flown[4].image ? { ...at, latitudeDeg: at.latitudeDeg + 60 / 111_000 } : at;
  })?.georeference;
  assert.ok(jumped && Math.abs(jumped.enuFromModel.scale / place.enuFromModel.scale - 1) < 0.02);
  t.diagnostic(`residual ${place.residualM.toFixed(3)} m, ${place.enuFromModel.scale.toFixed(3)} m a unit`);
});
