/** What a lens is held to is asked: whole models of synthetic photos with a calibration that is wrong, or squeezed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineCore } from "../embedded/engine-core.ts";
import type { Photo } from "../engine.ts";
import { arc, HEIGHT_PX, type Shot, syntheticPhotos, WIDTH_PX } from "../test/synthetic.ts";

const FREE = { stop: () => {}, progress: () => {} };
/** Cameras that look up at the place and down on it, in turn: photos from one height tell little of how high pixels are. */
const SHOTS = arc(8, 1.6).map(({ eye: [x, , z], target }, i): Shot => ({ eye: [x, i % 2 === 0 ? -2 : 2, z], target }));
/** Of the full photo. */
const TRUE_PX = 2160;

type Given = { readonly fx?: number; readonly fy?: number; readonly cx?: number };

function given({ fx = TRUE_PX, fy = fx, cx = WIDTH_PX }: Given): Photo["camera"] {
  const size = { width: 2 * WIDTH_PX, height: 2 * HEIGHT_PX };
  return { model: "PINHOLE", ...size, params: [fx, fy, cx, HEIGHT_PX] };
}

async function modelOf(options: Parameters<typeof syntheticPhotos>[1], camera?: Photo["camera"], shots = SHOTS) {
  const synthetic = syntheticPhotos(shots, { points: 600, ...options });
  const core = new EngineCore(synthetic.kernels, 1);
  for (const photo of synthetic.photos) await core.add({ ...photo, ...(camera && { camera }) }, undefined, FREE);
  const { doubts, cameras } = await core.rebuild(FREE);
  const [lens] = core.report().lenses;
  return { doubts, focal: core.focal()!, lens, placed: cameras.length };
}

test("MAP-22 a calibration of another camera is held, doubted, and the focal length that the photos tell is said", async () => {
  for (const fx of [0.8 * TRUE_PX, 0.95 * TRUE_PX, 1.2 * TRUE_PX]) {
    const { doubts, focal, lens } = await modelOf({}, given({ fx }));
    assert.deepEqual([doubts, focal.focalPx, focal.certain], [["calibration_denied"], fx, false]);
    assert.ok(Math.abs(focal.toldPx! / TRUE_PX - 1) < 0.03, `${focal.toldPx}`);
    assert.equal(lens.toldPx, focal.toldPx);
  }
});

test("MAP-22 so is one that looks straight ahead far from where the photos do, and one squeezed", async () => {
  const { doubts, focal } = await modelOf({}, given({ cx: WIDTH_PX + 160 }));
  assert.deepEqual([doubts, focal.certain, focal.toldPx], [["calibration_denied"], false, undefined]);
  assert.deepEqual((await modelOf({}, given({ fy: 0.95 * TRUE_PX }))).doubts, ["calibration_denied"]);
});

test("MAP-22 a lens that bends light more than most is asked like any other", async () => {
  const k1 = -0.4;
  const shots = SHOTS.map((shot) => ({ ...shot, k1 }));
  const camera = given({})!;
  for (const [part, expected] of [
    [1, []],
    [0.8, ["calibration_denied"]],
  ] as const) {
    const [fx, , cx, cy] = camera.params;
    const { doubts } = await modelOf({}, { ...camera, model: "SIMPLE_RADIAL", params: [part * fx, cx, cy, k1] }, shots);
    assert.deepEqual(doubts, expected);
  }
});

test("MAP-22 the right one is never doubted, nor one that is a little off, nor where nothing tells", async () => {
  for (const seed of [1, 2, 3]) {
    const { doubts, focal } = await modelOf({ seed, noisePx: 0.2 * seed }, given({}));
    assert.deepEqual([doubts, focal.certain, focal.toldPx], [[], true, undefined]);
  }
  assert.deepEqual((await modelOf({}, given({ fx: 1.01 * TRUE_PX }))).doubts, []);
  const level = Array.from({ length: 9 }, (_, i) => {
    const [x, y] = [((i % 3) - 1) * 1.5, (Math.floor(i / 3) - 1) * 0.8];
    return { eye: [x, y, -8], target: [x, y, 1] } as const;
  });
  assert.deepEqual((await modelOf({ flat: true }, given({ fx: 1.2 * TRUE_PX }), level)).doubts, []);
});

test("MAP-22 photos that were squeezed one way are doubted, told by EXIF or not; with their calibration they are not", async () => {
  for (const pixelAspect of [0.95, 1.05]) {
    for (const exifPx of [undefined, TRUE_PX / 2]) {
      const { doubts, focal } = await modelOf({ pixelAspect, ...(exifPx && { exifPx }) });
      assert.ok(doubts?.includes("pixels_not_square"), `${pixelAspect} ${exifPx}: ${doubts}`);
      assert.equal(focal.certain, false);
    }
    assert.deepEqual((await modelOf({ pixelAspect }, given({ fy: pixelAspect * TRUE_PX }))).doubts, []);
  }
  for (const seed of [1, 2, 3]) assert.deepEqual((await modelOf({ seed })).doubts, []);
});
