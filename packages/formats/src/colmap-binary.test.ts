/** The binary model against COLMAP itself, which turns it back into text. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { colmapBinary, countColmapRecords } from "./colmap-binary.ts";
import { readColmapText, writeColmapText } from "./colmap-text.ts";
import type { SparseModel } from "./sparse-model.ts";

const FILES = ["cameras", "images", "points3D"] as const;

/** Photos of every camera kind, one without a single feature, points with tracks of different lengths. */
function model(): SparseModel {
  const kinds = [
    { model: "PINHOLE", width: 640, height: 480, params: [500, 510, 320, 240] },
    { model: "SIMPLE_RADIAL", width: 1600, height: 1067, params: [1437.2, 800, 533.5, -0.01] },
    { model: "RADIAL", width: 800, height: 600, params: [700.5, 400, 300, 0.02, -0.003] },
  ] as const;
  const n = 500;
  return {
    images: kinds.map((intrinsics, k) => ({
      image: `photo ${k}.jpg`,
      name: `photo ${k}.jpg`,
      camera: {
        image: `photo ${k}.jpg`,
        pose: { rotation: [0.5, 0.5, -0.5, 0.5], translation: [k, -k / 3, 2.5] },
        intrinsics: { ...intrinsics, params: [...intrinsics.params] },
        reprojectionPx: 0,
      },
      features: k === 2 ? new Float64Array(0) : Float64Array.from({ length: 2 * n }, (_, i) => i / 7 + k),
      points: k === 2 ? new Int32Array(0) : Int32Array.from({ length: n }, (_, i) => (i % (k + 2) === 0 ? i : -1)),
    })),
    positions: Float64Array.from({ length: 3 * n }, (_, i) => Math.sin(i) * 10),
    colors: Uint8Array.from({ length: 3 * n }, (_, i) => i * 11),
    errorsPx: Float32Array.from({ length: n }, (_, i) => i / 512),
  };
}

async function binary(text: string, file: (typeof FILES)[number]): Promise<Buffer> {
  const lines = text.split("\n");
  const pieces: Uint8Array[] = [];
  for await (const piece of colmapBinary(file, await countColmapRecords(file, lines), lines)) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("COLMAP binary", () => {
  test("EXC-4 COLMAP's model_converter reads it back as the text that it was made from", async (t) => {
    if (spawnSync("colmap", ["help"]).status !== 0) return t.skip("SKIPPED: colmap not found");
    const folder = mkdtempSync(join(tmpdir(), "cairn-colmap-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const text = writeColmapText(model());
    for (const file of FILES) writeFileSync(join(folder, `${file}.bin`), await binary(text[file], file));
    execFileSync(
      "colmap",
      ["model_converter", "--input_path", folder, "--output_path", folder, "--output_type", "TXT"],
      { stdio: "pipe" },
    );
    const read = (file: string) => readFileSync(join(folder, `${file}.txt`), "utf8");
    const back = readColmapText({ cameras: read("cameras"), images: read("images"), points3D: read("points3D") });
    const wanted = readColmapText(text);
    assert.equal(back.images.length, 3);
    for (const image of wanted.images) {
      const same = back.images.find(({ name }) => name === image.name);
      assert.ok(same, image.name);
      assert.deepEqual(same.camera.intrinsics, image.camera.intrinsics);
      assert.deepEqual(same.camera.pose, image.camera.pose);
      assert.deepEqual(rounded(same.features), rounded(image.features));
      assert.deepEqual(pointsOf(back, same.points), pointsOf(wanted, image.points));
    }
    assert.deepEqual(byPlace(back), byPlace(wanted));
  });

  test("a text file that is none is refused, an empty one is an empty model", async () => {
    assert.equal((await binary("# nothing\n", "points3D")).toString("hex"), "0000000000000000");
    const broken = [
      ["cameras", "1 FISHEYE 4 4 1 2 3\n"],
      ["images", "1 1 0 0 0 0 0 0\n1 2\n"],
      ["images", "1 1 0 0 0 0 0 0 1 a.jpg\n1 2\n"],
      ["points3D", "1 0 0 0 1 2 3 0.5 1\n"],
      ["points3D", "-1 0 0 0 1 2 3 0.5\n"],
    ] as const;
    for (const [file, text] of broken) await assert.rejects(binary(text, file), { code: "request.invalid" }, text);
  });
});

/** COLMAP writes 17 digits of what is exact in the file. */
function rounded(values: Float64Array): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(12)));
}

/** Ids change on the way; places do not. */
function pointsOf({ positions }: SparseModel, points: Int32Array): string[] {
  return Array.from(points, (p) => (p < 0 ? "-" : rounded(positions.subarray(3 * p, 3 * p + 3)).join(" ")));
}

function byPlace({ positions, colors, errorsPx }: SparseModel): string[] {
  return Array.from(errorsPx, (error, p) =>
    [...rounded(positions.subarray(3 * p, 3 * p + 3)), ...colors.subarray(3 * p, 3 * p + 3), error].join(" "),
  ).sort();
}
