import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "@cairn/geometry";
import type { DepthMap } from "../dense/contract.ts";
import { deflateDepth, inflateDepth, packDepth, unpackDepth } from "./packed-depth.ts";

function someDepth(widthPx: number, heightPx: number): DepthMap {
  const random = seededRandom(5);
  const n = widthPx * heightPx;
  const depths = Float32Array.from({ length: n }, () => (random() < 0.2 ? 0 : 2 * 50 ** random()));
  const normals = new Int8Array(3 * n);
  for (let i = 0; i < n; i++) {
    const [x, y] = [random() - 0.5, random() - 0.5];
    const length = Math.hypot(x, y, 0.8);
    normals.set([127 * (x / length), 127 * (y / length), -127 * (0.8 / length)].map(Math.round), 3 * i);
  }
  return { widthPx, heightPx, depths, normals, confidences: Uint8Array.from({ length: n }, () => 256 * random()) };
}

test("a packed depth map is the same to 0.005 %, and packing it again changes nothing", async () => {
  const range = { near: 2, far: 100 };
  const map = someDepth(64, 40);
  const packed = packDepth(map, range);
  assert.ok(packed.byteLength < 5.1 * 64 * 40);
  const back = unpackDepth(packed);
  for (const [i, z] of map.depths.entries()) {
    if (z === 0) assert.equal(back.depths[i], 0);
    else assert.ok(Math.abs(back.depths[i] / z - 1) < 5e-5, `${back.depths[i]} for ${z}`);
    if (z === 0) continue;
    for (let k = 0; k < 3; k++) assert.ok(Math.abs(back.normals[3 * i + k] - map.normals[3 * i + k]) <= 1);
    assert.equal(back.confidences[i], map.confidences[i]);
  }
  assert.deepEqual(unpackDepth(packDepth(back, range)), back);
  assert.deepEqual(await inflateDepth(await deflateDepth(packed)), packed);
  const grown = unpackDepth(packed, 3);
  for (const [i, z] of back.depths.entries()) assert.ok(Math.abs(grown.depths[i] - 3 * z) <= 1e-6 * z);
});

test("bytes that are no packed depth are told: cut off, damaged, of another version", async () => {
  const kept = await deflateDepth(packDepth(someDepth(8, 8), { near: 1, far: 9 }));
  assert.equal(await inflateDepth(kept.subarray(0, kept.length - 3)), undefined);
  assert.equal(await inflateDepth(new Uint8Array(10)), undefined);
  const packed = packDepth(someDepth(8, 8), { near: 1, far: 9 });
  packed[0] = 99;
  assert.equal(await inflateDepth(await deflateDepth(packed)), undefined);
  assert.equal(
    await inflateDepth(await deflateDepth(packDepth(someDepth(8, 8), { near: 1, far: 9 }).subarray(0, 100))),
    undefined,
  );
});
