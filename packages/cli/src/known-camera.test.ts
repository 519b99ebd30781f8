/** What a calibration says of photos of several sizes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Problem } from "./exit.ts";
import { type CameraOptions, KnownCamera } from "./known-camera.ts";
import type { PhotoFile } from "./named-files.ts";

describe("a known camera", () => {
  const { signal } = new AbortController();
  /** Photos are nothing but their facts here. */
  const decoder = { inspect: async (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) };
  const photo = (name: string, width: number, height: number, orientation = 1): PhotoFile => {
    const bytes = new TextEncoder().encode(JSON.stringify({ width, height, orientation }));
    return { name, sizeBytes: bytes.length, read: async () => bytes };
  };

  /** Of each photo what the camera says, without a camera `undefined`. */
  async function cameras(options: CameraOptions, photos: readonly PhotoFile[]) {
    const known = (await KnownCamera.open(options, photos, decoder, signal))!;
    const each = [];
    for (const { name, read } of photos) {
      const { width, height, params } = known.cameraOf(name, await decoder.inspect(await read())) ?? {};
      each.push(params && [width, height, ...params]);
    }
    return { each, known };
  }

  const large = photo("large.jpg", 160, 120);
  const small = photo("small.jpg", 80, 60);
  const wide = photo("wide.jpg", 160, 90);
  const cameraParams = [150, 152, 78, 62];
  const said = [
    [160, 120, 150, 152, 78, 62],
    [80, 60, 75, 76, 39, 31],
  ];

  test("it is of the first photo's size; photos of other sizes carry it scaled, of other shapes not at all", async () => {
    const { each, known } = await cameras({ cameraParams }, [large, small, wide]);
    assert.deepEqual(each, [...said, undefined]);
    assert.deepEqual(known.unlike, ["wide.jpg"]);
    assert.match(known.note!, /wide\.jpg: not of the shape of 160 × 120/);
  });

  test("it is of the size that is said, whichever photo is first", async () => {
    const cameraSize = { width: 160, height: 120 };
    const { each, known } = await cameras({ cameraParams, cameraSize }, [small, large]);
    assert.deepEqual(each, said.toReversed());
    assert.equal(known.note, undefined);
  });

  test("photos for which the camera was held another way carry it turned; where nobody knows which way, not", async () => {
    const [up, down, unknown] = [
      photo("up.jpg", 120, 160, 6),
      photo("down.jpg", 160, 120, 3),
      photo("u.jpg", 120, 160),
    ];
    const turned = [
      [120, 160, 152, 150, 58, 78],
      [160, 120, 150, 152, 82, 58],
    ];
    const first = await cameras({ cameraParams }, [large, up, down, unknown]);
    assert.deepEqual(first.each, [said[0], ...turned, undefined]);
    const upright = { cameraParams: [304, 300, 116, 156], cameraSize: { width: 240, height: 320 } };
    const second = await cameras(upright, [up, large, down]);
    assert.deepEqual(second.each, [turned[0], said[0], turned[1]]);
  });

  test("a first photo that it cannot be for is named, and so is a size without it", async () => {
    const usage = (error: unknown) => error instanceof Problem && error.exitCode === 2;
    await assert.rejects(KnownCamera.open({ cameraParams }, [small, large], decoder, signal), usage);
    await assert.rejects(KnownCamera.open({ cameraSize: { width: 1, height: 1 } }, [small], decoder, signal), usage);
  });
});
