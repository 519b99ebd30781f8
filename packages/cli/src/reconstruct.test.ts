/** `cairn reconstruct`: photos to a model in a folder, by the real binary and without a server. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readColmapText, readPly } from "@cairn/formats";
import { readTruth, samplePhotosDir, truthDir } from "@cairn/sample";
import { shuffled } from "./reconstruct.ts";
import { workplace } from "./test/workplace.ts";

const { binary, folder, cairn } = workplace();
const photo = (name: string) => join(samplePhotosDir, name);
const FAST = ["--preset", "fast"];

describe("without a server", () => {
  const out = join(folder, "model");
  const photos = ["07.jpg", "08.jpg", "09.jpg", "10.jpg"].map(photo);

  test("REC-11 reconstruct with the preset sparse writes the points of the cameras' model and no more", async () => {
    const folderOut = join(folder, "sparse");
    const few = await cairn(["reconstruct", ...photos.slice(0, 3), "--preset", "sparse", "--out", folderOut, "--json"]);
    assert.deepEqual([few.code, few.err], [0, ""]);
    const { points, sparsePoints } = JSON.parse(few.out.toString()) as Report;
    assert.ok(points <= sparsePoints && points > 500, `${points} of ${sparsePoints}`);
  });

  test("reconstruct writes a COLMAP model, a cloud and a report, and the cameras are where they really were", async () => {
    const stranger = join(truthDir, "depth", "01.png"); // a picture, but of nothing that the photos show
    const ended = await cairn([
      "reconstruct",
      ...photos,
      stranger,
      "--out",
      out,
      "--rebuild-every",
      "3",
      ...FAST,
      "--json",
    ]);
    assert.deepEqual([ended.code, ended.err], [3, ""]);
    const report = JSON.parse(ended.out.toString()) as Report;
    assert.deepEqual(report, JSON.parse(readFileSync(join(out, "report.json"), "utf8")));
    assert.deepEqual(
      report.photos.map(({ name, verdict }) => [name, verdict.verdict === "registered"]),
      [...["07.jpg", "08.jpg", "09.jpg", "10.jpg"].map((name) => [name, true]), ["01.png", false]],
    );
    assert.equal(report.focal.source, "exif");
    assert.ok(Math.abs(report.focal.focalPx - 1128) < 0.01 * 1128, `focal ${report.focal.focalPx}`);
    assert.deepEqual(
      report.rebuilds.map(({ afterPhotos }) => afterPhotos),
      [3, 5],
    );

    const read = (name: string) => readFileSync(join(out, name), "utf8");
    const model = readColmapText({
      cameras: read("cameras.txt"),
      images: read("images.txt"),
      points3D: read("points3D.txt"),
    });
    assert.equal(readPly(new Uint8Array(readFileSync(join(out, "points.ply")))).positions.length / 3, report.points);
    assert.ok(report.sparsePoints > 1000 && report.sparsePoints === model.positions.length / 3);
    assert.ok(report.points > 20 * report.sparsePoints, `${report.points} dense points`);
    const angles = relativeAngles(model.images.map(({ name, camera }) => ({ name, rotation: camera.pose.rotation })));
    for (const { pair, offDeg } of angles) assert.ok(offDeg < 0.2, `${pair}: ${offDeg.toFixed(3)}° off`);
    assert.equal(angles.length, 3);
  });

  test("one photo is no model, and a file that cannot be read is named", async () => {
    const one = await cairn(["reconstruct", photos[0]!, binary, "--out", join(folder, "one")]);
    assert.equal(one.code, 1);
    assert.match(one.err, /^cairn: no model/);
    assert.match(one.out.toString(), /cairn\.mjs {2}refused {3}Not a photo/);
    assert.deepEqual(readdirSync(join(folder, "one")), ["report.json"]);
  });

  test("the same seed takes the same order, another seed another", () => {
    const items = Array.from({ length: 12 }, (_, i) => i);
    assert.deepEqual(shuffled(items, 4), shuffled(items, 4));
    assert.notDeepEqual(shuffled(items, 4), shuffled(items, 5));
    assert.deepEqual(
      shuffled(items, 4).sort((a, b) => a - b),
      items,
    );
  });
});

type Report = {
  photos: { name: string; verdict: { verdict: string } }[];
  focal: { source: string; focalPx: number };
  rebuilds: { afterPhotos: number }[];
  points: number;
  sparsePoints: number;
};

/** How far the turn from each camera to the next is from the true one, degrees. */
function relativeAngles(cameras: { name: string; rotation: readonly [number, number, number, number] }[]) {
  const truth = new Map(readTruth().poses.map(({ image, R }) => [image, R]));
  const turn = (a: readonly number[], b: readonly number[]) =>
    [0, 1, 2].flatMap((i) =>
      [0, 1, 2].map((j) => [0, 1, 2].reduce((sum, k) => sum + b[3 * i + k]! * a[3 * j + k]!, 0)),
    );
  return cameras.slice(1).map((camera, i) => {
    const before = cameras[i]!;
    const found = turn(matrix(before.rotation), matrix(camera.rotation));
    const real = turn(truth.get(before.name)!, truth.get(camera.name)!);
    const trace = found.reduce((sum, value, k) => sum + value * real[k]!, 0);
    const offDeg = (Math.acos(Math.min(1, (trace - 1) / 2)) * 180) / Math.PI;
    return { pair: `${before.name} to ${camera.name}`, offDeg };
  });
}

/** Row-major rotation of a unit quaternion, w first. */
function matrix([w, x, y, z]: readonly [number, number, number, number]): number[] {
  return [
    ...[1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    ...[2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    ...[2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
}
