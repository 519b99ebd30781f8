import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pointsOf } from "../test/random-points.ts";
import { decodeSegment } from "./decode.ts";
import { encodeSegment } from "./encode.ts";
import { INFLATE_BASE64, POINTS_BASE64 } from "./kernel-bytes.ts";
import { bytesOf } from "./wasm.ts";

describe("the kernel that reads segments", () => {
  test("is small enough, each part, for older Chromium to make it at once on a page's own thread", () => {
    for (const { length } of [INFLATE_BASE64, POINTS_BASE64].map(bytesOf)) assert.ok(length <= 4096, `${length} bytes`);
  });

  test("gives points that later ones do not overwrite, while its memory grows and after", () => {
    const about = { seed: 3, bits: 14, spread: 0.2, photos: 3, confidences: true, normals: true };
    const segments = [10, 70_000, 900, 300_000, 10].map((count) => encodeSegment(pointsOf({ ...about, count })));
    const together = segments.map((bytes) => decodeSegment(bytes));
    const apart = segments.map((bytes) => structuredClone(decodeSegment(bytes)));
    for (const [i, points] of together.entries()) assert.deepEqual(points, apart[i]);
  });
});
