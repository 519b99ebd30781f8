/** Cameras and undistorted photos for nerfstudio. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readPly } from "@cairn/formats";
import { openImageDecoder } from "@cairn/images";
import type { Intrinsics } from "@cairn/protocol";
import { openCore } from "../core.ts";
import { unzip } from "../test/exported.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { exportNerfstudio } from "./nerfstudio.ts";

type Transforms = {
  ply_file_path: string;
  applied_transform: number[][];
  frames: {
    file_path: string;
    w: number;
    h: number;
    fl_x: number;
    fl_y: number;
    cx: number;
    cy: number;
    transform_matrix: number[][];
  }[];
};

test("EXC-7 a point is where the undistorted photo's camera sees it, along −z with y up; the photo has that size", async (t) => {
  const core = await openCore({ dataDir: await temporaryFolder(t) });
  afterwards(t, () => core.close());
  const decoder = openImageDecoder({ processes: 1 });
  afterwards(t, () => decoder.close());
  const space = await core.spaces.create({ id: "place" });
  const photo = await readFile(fileURLToPath(new URL("../../../sample/photos/01.jpg", import.meta.url)));
  const { width, height, ...facts } = await decoder.inspect(photo);
  const { digest } = await core.blobs.put(photo);
  const [f, cx, cy, k] = [width * 0.9, width / 2 + 3, height / 2 - 5, -0.08] as const;
  const intrinsics: Intrinsics = { model: "SIMPLE_RADIAL", width, height, params: [f, cx, cy, k] };
  const image = idOf(1);
  // A tenth of a turn about y, and a step aside.
  const angle = Math.PI / 10;
  const pose = {
    rotation: [Math.cos(angle / 2), 0, Math.sin(angle / 2), 0] as [number, number, number, number],
    translation: [0.5, -0.25, 1] as [number, number, number],
  };
  const point = [0.3, 0.2, 4] as const;
  const writer = core.layers.start(space, { kind: "model", name: "", generation: 1 });
  await space.log.append([
    { type: "image.added", data: { image, blob: digest, width, height, ...facts, name: "a b/01.jpg", source: "http" } },
    { type: "generation.started", data: { generation: 1 } },
    { type: "camera.posed", data: { generation: 1, image, pose, intrinsics, reprojectionPx: 0 } },
  ]);
  await space.log.append([
    ...(await writer.insert([{ positions: Float64Array.from(point), colors: Uint8Array.of(1, 2, 3), photos: 1 }])),
    { type: "generation.published", data: { generation: 1, cameras: 1, points: 1, refined: 0 } },
  ]);
  const pieces: Uint8Array[] = [];
  const stages: string[] = [];
  const options = { space, blobs: core.blobs, tables: core.layers.tables, undistort: decoder.undistort };
  for await (const piece of exportNerfstudio({
    ...options,
    onProgress: (stage, done, total) => stages.push(`${stage} ${done}/${total}`),
  })) {
    pieces.push(piece);
  }
  const files = unzip(Buffer.concat(pieces));
  const json = JSON.parse(files.get("transforms.json")!.toString()) as Transforms;
  const [frame] = json.frames;
  assert.ok(frame);
  assert.equal(frame.file_path, "images/00001-a-b-01.jpg");
  assert.deepEqual([frame.w, frame.h, frame.cx, frame.cy], [width, height, cx, cy]);
  assert.deepEqual(json.applied_transform, [
    [1, 0, 0, 0],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
  ]);
  assert.deepEqual(stages.slice(0, 2), ["photos 0/1", "photos 1/1"]);

  // By their matrix and pinhole: camera = inverse of the matrix, pixel = f · (x, −y) / −z + c.
  const m = frame.transform_matrix;
  const [dx, dy, dz] = [0, 1, 2].map((axis) => point[axis]! - m[axis]![3]!) as [number, number, number];
  const [x, y, z] = [0, 1, 2].map((axis) => m[0]![axis]! * dx + m[1]![axis]! * dy + m[2]![axis]! * dz) as [
    number,
    number,
    number,
  ];
  assert.ok(z < 0, "in front");
  const seen = [(frame.fl_x * x) / -z + frame.cx, (frame.fl_y * -y) / -z + frame.cy];
  // By ours: R about y, then the lens; undistorted by its own formula.
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const ours = [c * point[0] + s * point[2] + 0.5, point[1] - 0.25, -s * point[0] + c * point[2] + 1] as const;
  const zoom = frame.fl_x / f;
  const wanted = [f * zoom * (ours[0] / ours[2]) + cx, f * zoom * (ours[1] / ours[2]) + cy];
  for (const axis of [0, 1]) assert.ok(Math.abs(seen[axis]! - wanted[axis]!) < 1e-9, `${seen} ${wanted}`);

  const jpeg = files.get(frame.file_path)!;
  const undistorted = await decoder.inspect(jpeg);
  assert.deepEqual([undistorted.mediaType, undistorted.width, undistorted.height], ["image/jpeg", width, height]);
  assert.equal(readPly(files.get(json.ply_file_path)!).positions.length, 3);
});
