import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import sharp from "sharp";
import { cameraAt, PHOTOS } from "./camera.ts";
import { readManifest, readTruth, samplePhotosDir, type TruePose, truthDir } from "./index.ts";
import { DEPTH_STEP, DEPTH_UNIT_M } from "./photo.ts";
import { develop, renderTile } from "./render.ts";
import { buildScene } from "./scene.ts";

async function readDepth(image: string): Promise<{ units: Uint16Array; width: number; height: number }> {
  const file = join(truthDir, "depth", image.replace("jpg", "png"));
  const { data, info } = await sharp(file)
    .toColourspace("grey16")
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  const units = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height);
  return { units, width: info.width, height: info.height };
}

/** Where a pixel of `from` at a depth is seen by `to`: pixels and depth. */
function carry(from: TruePose, u: number, v: number, depth: number, to: TruePose): [number, number, number] {
  const camera = [((u - from.K[2]!) / from.K[0]!) * depth, ((v - from.K[5]!) / from.K[4]!) * depth, depth];
  const shifted = camera.map((each, i) => each - from.t[i]!);
  const world = [0, 1, 2].map(
    (i) => from.R[i]! * shifted[0]! + from.R[3 + i]! * shifted[1]! + from.R[6 + i]! * shifted[2]!,
  );
  const [x, y, z] = [0, 3, 6].map(
    (row) => to.R[row]! * world[0]! + to.R[row + 1]! * world[1]! + to.R[row + 2]! * world[2]! + to.t[row / 3]!,
  ) as [number, number, number];
  return [(x / z) * to.K[0]! + to.K[2]!, (y / z) * to.K[4]! + to.K[5]!, z];
}

test("the photos are those of the list, byte for byte, and small enough to be carried along", () => {
  const { photos } = readManifest();
  assert.equal(photos.length, PHOTOS);
  const sums = photos.map(({ name }) => {
    return `${createHash("sha256")
      .update(readFileSync(join(samplePhotosDir, name)))
      .digest("hex")}  ${name}\n`;
  });
  assert.equal(sums.join(""), readFileSync(join(samplePhotosDir, "SHA256SUMS"), "utf8"));
  let totalBytes = 0;
  for (const { name, sizeBytes } of photos) {
    assert.equal(statSync(join(samplePhotosDir, name)).size, sizeBytes);
    totalBytes += sizeBytes;
  }
  for (const name of readdirSync(join(truthDir, "depth"))) totalBytes += statSync(join(truthDir, "depth", name)).size;
  assert.ok(totalBytes < 8e6, `${totalBytes} bytes`);
});

test("rotations are rotations, and neighbours stand 8° to 20° apart as seen from the scene", () => {
  const { poses } = readTruth();
  const angles = poses.map(({ R, t }) => {
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const dot = [0, 1, 2].reduce((sum, k) => sum + R[i * 3 + k]! * R[j * 3 + k]!, 0);
        assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-12);
      }
    }
    const [x, , z] = [0, 1, 2].map((i) => -(R[i]! * t[0]! + R[3 + i]! * t[1]! + R[6 + i]! * t[2]!));
    return (Math.atan2(x! - 0.35, z! - 0.5) * 180) / Math.PI;
  });
  for (let i = 1; i < angles.length; i++) {
    const step = angles[i]! - angles[i - 1]!;
    assert.ok(step > 8 && step < 20, `${step}° before photo ${i + 1}`);
  }
});

/** How many nearby pixels of `from` fall inside `to`, and how many of those meet its depth. */
async function agreement(from: TruePose, to: TruePose): Promise<{ seen: number; inside: number; equal: number }> {
  const [near, far] = [await readDepth(from.image), await readDepth(to.image)];
  let [seen, inside, equal] = [0, 0, 0];
  for (let p = 0; p < near.units.length; p += 7) {
    const depth = near.units[p]! * DEPTH_UNIT_M;
    if (depth === 0 || depth > 12) continue;
    seen++;
    const u = ((p % near.width) + 0.5) * DEPTH_STEP;
    const v = (Math.floor(p / near.width) + 0.5) * DEPTH_STEP;
    const [x, y, z] = carry(from, u, v, depth, to);
    const [column, row] = [Math.floor(x / DEPTH_STEP), Math.floor(y / DEPTH_STEP)];
    if (column < 0 || row < 0 || column >= far.width || row >= far.height) continue;
    inside++;
    if (Math.abs(far.units[row * far.width + column]! * DEPTH_UNIT_M - z) < 0.02 + 0.01 * z) equal++;
  }
  return { seen, inside, equal };
}

test("depth carried into the next photo meets that photo's depth, and most of the picture overlaps", async () => {
  const { poses } = readTruth();
  for (let i = 0; i + 1 < poses.length; i += 4) {
    const { seen, inside, equal } = await agreement(poses[i]!, poses[i + 1]!);
    assert.ok(seen > 1500 && inside > 0.7 * seen, `photo ${i + 1}: ${inside} of ${seen} inside`);
    // The rest is hidden from the second camera, or a blade of grass wide.
    assert.ok(equal > 0.6 * inside, `photo ${i + 1}: ${equal} of ${inside} agree`);
  }
});

test("control: a camera tilted by 2° would not agree", async () => {
  const { poses } = readTruth();
  const [from, to] = [poses[8]!, poses[9]!];
  const [c, s] = [Math.cos(Math.PI / 90), Math.sin(Math.PI / 90)];
  const tilt = (y: number, z: number) => [c * y - s * z, s * y + c * z] as const;
  const rows = [0, 1, 2].map((k) => tilt(to.R[3 + k]!, to.R[6 + k]!));
  const R = [...to.R.slice(0, 3), ...rows.map(([y]) => y), ...rows.map(([, z]) => z)];
  const tilted = { ...to, R, t: [to.t[0]!, ...tilt(to.t[1]!, to.t[2]!)] };
  const { inside, equal } = await agreement(from, tilted);
  assert.ok(equal < 0.3 * inside, `${equal} of ${inside} agree`);
});

test("there is something to hold on to in every part of the picture below the sky", async () => {
  for (const { name } of readManifest().photos.filter((_, i) => i % 3 === 0)) {
    const { data, info } = await sharp(join(samplePhotosDir, name))
      .greyscale()
      .raw()
      .toBuffer({ resolveWithObject: true });
    let textured = 0;
    let cells = 0;
    for (let top = info.height / 2; top + 40 <= info.height; top += 40) {
      for (let left = 0; left + 40 <= info.width; left += 40) {
        let energy = 0;
        for (let p = 0; p < 1600; p++) {
          const at = (top + Math.floor(p / 40)) * info.width + left + (p % 40);
          energy += Math.abs(data[at]! - data[at - 1 + (at % info.width === 0 ? 1 : 0)]!);
        }
        cells++;
        if (energy / 1600 > 3) textured++;
      }
    }
    assert.ok(textured > 0.85 * cells, `${name}: ${textured} of ${cells}`);
  }
});

test("the committed photos are what the script renders: a crop, twice the same, and as in the JPEG", async () => {
  const index = 8;
  const tile = { x: 440, y: 500, width: 64, height: 40 };
  const scene = buildScene();
  const first = develop(renderTile(scene, cameraAt(index), tile), cameraAt(index), tile);
  const inTheDark = { ...scene, skyLight: new Float32Array(scene.skyLight.length) };
  const second = develop(renderTile(inTheDark, cameraAt(index), tile), cameraAt(index), tile);
  assert.deepEqual(first, second);
  const stored = await sharp(join(samplePhotosDir, "09.jpg"))
    .extract({ left: tile.x, top: tile.y, width: tile.width, height: tile.height })
    .raw()
    .toBuffer();
  const spread = (a: Uint8Array, b: Uint8Array) => a.reduce((sum, v, i) => sum + Math.abs(v - b[i]!), 0) / a.length;
  const shifted = first.map((_, i) => first[(i + 6) % first.length]!);
  assert.ok(spread(first, stored) < 8, `${spread(first, stored)} levels from the JPEG`);
  assert.ok(
    spread(shifted, stored) > 1.5 * spread(first, stored),
    `${spread(shifted, stored)} levels two pixels aside`,
  );
});
