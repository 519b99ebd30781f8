import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readColmapText, writeColmapText } from "./colmap-text.ts";
import type { SparseModel } from "./sparse-model.ts";

const INTRINSICS = { model: "SIMPLE_RADIAL", width: 1600, height: 1067, params: [1437.2, 800, 533.5, -0.01] } as const;

/** Two photos that see three points exactly; the second also has a feature that sees none. */
function sample(names: readonly [string, string] = ["a.jpg", "b.jpg"]): SparseModel {
  const positions = Float64Array.of(0, 0, 4, 0.5, -0.25, 5, -1, 0.5, 6);
  const camera = (image: string, x: number) => ({
    image,
    pose: {
      rotation: [1, 0, 0, 0] as [number, number, number, number],
      translation: [x, 0, 0] as [number, number, number],
    },
    intrinsics: { ...INTRINSICS, params: [...INTRINSICS.params] },
    reprojectionPx: 0,
  });
  const project = (p: number, x: number) => {
    const [f, cx, cy, k] = INTRINSICS.params;
    const u = (positions[3 * p]! + x) / positions[3 * p + 2]!;
    const v = positions[3 * p + 1]! / positions[3 * p + 2]!;
    const radial = 1 + k * (u * u + v * v);
    return [f * radial * u + cx, f * radial * v + cy];
  };
  return {
    images: [
      {
        image: names[0],
        name: names[0],
        camera: camera(names[0], 0),
        features: Float64Array.from([0, 1, 2].flatMap((p) => project(p, 0))),
        points: Int32Array.of(0, 1, 2),
      },
      {
        image: names[1],
        name: names[1],
        camera: camera(names[1], -1),
        features: Float64Array.from([12.5, 7.25, ...[2, 0, 1].flatMap((p) => project(p, -1))]),
        points: Int32Array.of(-1, 2, 0, 1),
      },
    ],
    positions,
    colors: Uint8Array.of(255, 0, 0, 0, 255, 0, 1, 2, 3),
    errorsPx: Float32Array.of(0.25, 0.5, 0),
  };
}

describe("COLMAP text", () => {
  test("what is written is read back, number for number", () => {
    const model = sample();
    const back = readColmapText(writeColmapText(model));
    for (const image of back.images) assert.ok(image.camera.reprojectionPx < 1e-9, "points land on their features");
    const exact = back.images.map((image) => ({ ...image, camera: { ...image.camera, reprojectionPx: 0 } }));
    assert.deepEqual({ ...back, images: exact }, model);
  });

  test("any finite numbers survive the round trip", () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(finite, { minLength: 9, maxLength: 9 }), fc.array(finite, { minLength: 4 }), (xyz, uv) => {
        const base = sample();
        const features = Float64Array.from(uv.slice(0, uv.length & ~1));
        const blind = { ...base.images[0]!, features, points: new Int32Array(features.length / 2).fill(-1) };
        const back = readColmapText(
          writeColmapText({ ...base, images: [blind], positions: Float64Array.from(xyz, (x) => x + 0) }),
        );
        // −0 is written as 0.
        assert.deepEqual(
          Array.from(back.positions, (x) => x + 0),
          xyz.map((x) => x + 0),
        );
        assert.deepEqual(
          Array.from(back.images[0]!.features, (x) => x + 0),
          Array.from(features, (x) => x + 0),
        );
      }),
      { numRuns: 50, seed: 7 },
    );
  });

  test("photos with the same intrinsics share one camera", () => {
    const { cameras, images } = writeColmapText(sample());
    assert.deepEqual(dataLines(cameras), ["1 SIMPLE_RADIAL 1600 1067 1437.2 800 533.5 -0.01"]);
    assert.ok(images.includes("2 1 0 0 0 -1 0 0 1 b.jpg"));
  });

  test("names are unique and have no white space", () => {
    const back = readColmapText(writeColmapText(sample(["my photo.jpg", "my\nphoto.jpg"])));
    assert.deepEqual(
      back.images.map((image) => image.name),
      ["my_photo.jpg", "my_photo_2.jpg"],
    );
  });

  test("an image that sees nothing has an empty line and comes back", () => {
    const model = sample();
    const blind = { ...model.images[0]!, features: new Float64Array(0), points: new Int32Array(0) };
    const back = readColmapText(writeColmapText({ ...model, images: [blind, model.images[1]!] }));
    assert.equal(back.images.length, 2);
    assert.equal(back.images[0]!.points.length, 0);
    assert.equal(back.images[1]!.points.length, 4);
  });

  test("a damaged file is refused and the line is named", () => {
    const good = writeColmapText(sample());
    const broken = [
      { ...good, cameras: good.cameras.replace("SIMPLE_RADIAL", "FISHEYE") },
      { ...good, cameras: good.cameras.replace("1067", "many") },
      { ...good, images: good.images.replace("1 b.jpg", "9 b.jpg") },
      { ...good, images: good.images.replace("12.5 7.25", "12.5") },
      { ...good, images: good.images.replace(/^1( \S+){4}/m, "1 0 0 0 0") },
      { ...good, points3D: good.points3D.replace(/^3 .*$/m, "") },
      { ...good, points3D: good.points3D.replace(/^1 .*$/m, "1 2 3") },
    ];
    for (const text of broken) {
      assert.throws(() => readColmapText(text), { code: "request.invalid" });
    }
  });

  test("COLMAP itself reads what is written", (t) => {
    if (spawnSync("colmap", ["help"], { stdio: "ignore" }).error) {
      t.skip("SKIPPED: colmap not found");
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), "cairn-colmap-"));
    try {
      const text = writeColmapText(sample());
      for (const name of ["in", "bin", "out"]) mkdirSync(join(folder, name));
      for (const [name, content] of Object.entries(text)) writeFileSync(join(folder, "in", `${name}.txt`), content);
      const env = { ...process.env, QT_QPA_PLATFORM: "offscreen" };
      const convert = (from: string, to: string, type: string) =>
        execFileSync(
          "colmap",
          [
            "model_converter",
            "--input_path",
            join(folder, from),
            "--output_path",
            join(folder, to),
            "--output_type",
            type,
          ],
          { env, stdio: "ignore" },
        );
      convert("in", "bin", "BIN");
      convert("bin", "out", "TXT");
      const read = (name: string) => readFileSync(join(folder, "out", `${name}.txt`), "utf8");
      const back = readColmapText({ cameras: read("cameras"), images: read("images"), points3D: read("points3D") });
      const byName = [...back.images].sort((a, b) => (a.name < b.name ? -1 : 1));
      assert.equal(back.positions.length, 9);
      assert.deepEqual(
        byName.map((image) => image.points.filter((p) => p >= 0).length),
        [3, 3],
      );
      for (const image of byName) assert.ok(image.camera.reprojectionPx < 1e-6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function dataLines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}
