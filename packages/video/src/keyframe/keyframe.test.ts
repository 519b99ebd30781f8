import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import sharp from "sharp";
import { type GrayPicture, grayOf, i420Bytes, jpegOf, rgbOf, type VideoFrame } from "../decode/frame.ts";
import { openVideoFile } from "../file/open.ts";
import { hasFfmpeg } from "../test/ffmpeg.ts";
import { dataset, SMALL } from "../test/streams.ts";
import { type Keyframe, KeyframeChooser, type PosePrior } from "./choose.ts";
import { keyframesOf } from "./of-file.ts";
import { sharpnessOf } from "./sharpness.ts";
import { cornersOf, pyramidOf, track } from "./track.ts";

const [WIDTH, HEIGHT] = [160, 120];

/** A made-up wall of random squares of 11 pixels with smooth edges, repeated after its own size. */
const FIELD = 1024;
const field = Float32Array.from({ length: FIELD * 512 }, (_, i) => brightness(i % FIELD, Math.floor(i / FIELD)));

function brightness(x: number, y: number): number {
  const [a, b] = [x / 11, y / 11];
  const [i, j] = [Math.floor(a), Math.floor(b)];
  const smooth = (t: number): number => Math.max(0, (t - 0.85) / 0.15);
  const [fx, fy] = [smooth(a - i), smooth(b - j)];
  const at = (m: number, n: number): number => {
    const hash = Math.imul((m * 73856093) ^ (n * 19349663), 0x9e3779b1);
    return 30 + ((hash >>> 13) & 127) * 1.5;
  };
  const upper = at(i, j) + fx * (at(i + 1, j) - at(i, j));
  const lower = at(i, j + 1) + fx * (at(i + 1, j + 1) - at(i, j + 1));
  return upper + fy * (lower - upper);
}

/** The wall seen from `x`, `y` (pixels, any fraction, not negative), blurred over `blur` pixels sideways. */
function wall(x: number, y: number, blur = 0): GrayPicture {
  const pixels = new Uint8Array(WIDTH * HEIGHT);
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - left, y - top];
  for (let v = 0; v < HEIGHT; v++)
    for (let u = 0; u < WIDTH; u++) {
      let sum = 0;
      for (let s = 0; s <= blur; s++) {
        const at = ((v + top) & 511) * FIELD;
        const below = ((v + top + 1) & 511) * FIELD;
        const [l, r] = [(u + left + s) & (FIELD - 1), (u + left + s + 1) & (FIELD - 1)];
        const upper = field[at + l]! * (1 - fx) + field[at + r]! * fx;
        sum += upper * (1 - fy) + (field[below + l]! * (1 - fx) + field[below + r]! * fx) * fy;
      }
      pixels[v * WIDTH + u] = sum / (blur + 1);
    }
  return { width: WIDTH, height: HEIGHT, pixels };
}

const everyFrameNs = (i: number): bigint => BigInt(i) * 33_333_333n;

function chosen(
  pictures: readonly { gray: GrayPicture; trusted?: boolean; prior?: PosePrior }[],
  options = {},
  timeOf = everyFrameNs,
): Keyframe<number>[] {
  const chooser = new KeyframeChooser<number>(options);
  const keyframes: Keyframe<number>[] = [];
  pictures.forEach(({ gray, trusted = true, prior }, i) => {
    const keyframe = chooser.offer({ gray, timeNs: timeOf(i), trusted, ...(prior && { prior }) }, i);
    if (keyframe) keyframes.push(keyframe);
  });
  const last = chooser.flush();
  return last ? [...keyframes, last] : keyframes;
}

test("VID-18 corners are followed to a fraction of a pixel, over shifts of a sixteenth of the picture", () => {
  fc.assert(
    fc.property(
      fc.double({ min: -10, max: 10, noNaN: true }),
      fc.double({ min: -8, max: 8, noNaN: true }),
      (dx, dy) => {
        const [from, to] = [wall(100, 100), wall(100 + dx, 100 + dy)];
        const corners = cornersOf(from);
        assert.ok(corners.length / 2 >= 20, `${corners.length / 2} corners`);
        const points = corners.slice();
        track(pyramidOf(from), pyramidOf(to), points);
        const errors: number[] = [];
        for (let i = 0; i < points.length; i += 2)
          if (!Number.isNaN(points[i]!))
            errors.push(Math.hypot(points[i]! - corners[i]! + dx, points[i + 1]! - corners[i + 1]! + dy));
        errors.sort((a, b) => a - b);
        assert.ok(errors.length >= corners.length / 4, `${errors.length} of ${corners.length / 2} followed`);
        assert.ok(errors[errors.length >> 1]! < 0.25, `median error ${errors[errors.length >> 1]} px`);
      },
    ),
    { seed: 1, numRuns: 12 },
  );
});

test("VID-19 keyframes come with movement: twice as fast, twice as often; none while the camera stands", () => {
  const pan = (perFrame: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ gray: wall(i * perFrame, 0) }));
  const slow = chosen(pan(1, 90));
  const fast = chosen(pan(2, 45));
  assert.ok(slow.length >= 4 && slow.length <= 9, `${slow.length} keyframes`);
  assert.ok(Math.abs(slow.length - fast.length) <= 1, `${slow.length} and ${fast.length} over the same way`);
  const gaps = slow.slice(2).map(({ item }, i) => item - slow[i + 1]!.item);
  for (const gap of gaps) assert.ok(gap >= 9 && gap <= 22, `${gap} pictures of one pixel each`);
  // 10 seconds, with hands that tremble by a pixel.
  const still = Array.from({ length: 300 }, (_, i) => ({
    gray: wall(50 + 0.6 * Math.sin(i), 50 + 0.6 * Math.cos(1.7 * i)),
  }));
  assert.equal(chosen(still).length, 1);
});

test("VID-19 the rate has bounds: never more often than the shortest interval, and a slow camera still gives some", () => {
  const racing = Array.from({ length: 30 }, (_, i) => ({ gray: wall(14 * i, 0) }));
  const keyframes = chosen(racing, { minIntervalMs: 200 });
  for (const [i, { timeNs }] of keyframes.slice(1).entries())
    assert.ok(Number(timeNs - keyframes[i]!.timeNs) >= 200e6, `${timeNs} after ${keyframes[i]!.timeNs}`);
  assert.ok(keyframes.length >= 3);
  const creeping = Array.from({ length: 150 }, (_, i) => ({ gray: wall(0.1 * i, 0) }));
  const few = chosen(creeping, { maxIntervalMs: 2000 });
  assert.ok(few.length >= 2 && few.length <= 4, `${few.length} keyframes`);
});

test("VID-19 a clock that is set back stops no keyframes, and keeps them apart", () => {
  const pan = Array.from({ length: 180 }, (_, i) => ({ gray: wall(i, 0) }));
  const setBackAt = 90;
  const items = chosen(pan, {}, (i) => everyFrameNs(i < setBackAt ? 3000 + i : i)).map(({ item }) => item);
  const gaps = items.slice(2).map((item, i) => item - items[i + 1]!);
  for (const gap of gaps) assert.ok(gap >= 5 && gap <= 25, `keyframes at ${items}`);
  assert.ok(items.at(-1)! > 150, `keyframes at ${items}`);
});

test("VID-25 of whom more is demanded keyframes come further apart, but not so far that they cannot be placed", () => {
  const pan = Array.from({ length: 300 }, (_, i) => wall(i, 0));
  const shiftsAt = (demand: number): Keyframe<number>[] => {
    const chooser = new KeyframeChooser<number>();
    chooser.demand(demand);
    return pan.flatMap((gray, i) => chooser.offer({ gray, timeNs: everyFrameNs(i), trusted: true }, i) ?? []);
  };
  const [usual, twice, far] = [shiftsAt(1), shiftsAt(2), shiftsAt(50)];
  assert.ok(twice.length < 0.75 * usual.length, `${twice.length} of ${usual.length}`);
  assert.ok(far.length >= 2, `${far.length}`);
  for (const { overlap, shift } of far.slice(1)) assert.ok(overlap > 0.4 && shift < 0.16, `${overlap}, ${shift}`);
});

test("VID-25 pictures of another size begin anew", () => {
  const chooser = new KeyframeChooser<string>();
  const half = ({ width, height, pixels }: GrayPicture): GrayPicture => ({
    width: width / 2,
    height,
    pixels: pixels.filter((_, i) => i % width < width / 2),
  });
  const chosenOf: string[] = [];
  for (let i = 0; i < 60; i++) {
    const large = wall(i, 0);
    const gray = i < 30 ? large : half(large);
    const keyframe = chooser.offer({ gray, timeNs: everyFrameNs(i), trusted: true }, `${gray.width}:${i}`);
    if (keyframe) chosenOf.push(keyframe.item);
  }
  assert.ok(chosenOf.some((item) => item.startsWith("160:")));
  const [first] = chosenOf.filter((item) => item.startsWith("80:"));
  assert.ok(first && Number(first.slice(3)) >= 30 && Number(first.slice(3)) < 36, `${chosenOf}`);
});

test("VID-20 among pictures that would do the sharpest is taken, and none that damage has spoilt", () => {
  const pictures = Array.from({ length: 79 }, (_, i) => ({
    gray: wall(0.7 * i, 0, i % 2 === 0 ? 0 : 3),
    trusted: i % 10 !== 0,
  }));
  const keyframes = chosen(pictures);
  assert.ok(keyframes.length >= 4, `${keyframes.length} keyframes`);
  for (const { item } of keyframes) {
    assert.equal(item % 2, 0, `picture ${item} is blurred`);
    assert.equal(pictures[item]!.trusted, true);
  }
  assert.ok(sharpnessOf(wall(0, 0)) > 1.5 * sharpnessOf(wall(0, 0, 3)));
});

test("VID-20 when what was followed is gone at once, the next sharp picture is a keyframe", () => {
  const cut = Array.from({ length: 40 }, (_, i) => ({ gray: i < 20 ? wall(0, 0) : wall(500, 300) }));
  const keyframes = chosen(cut);
  assert.equal(keyframes.length, 2);
  assert.ok(keyframes[1]!.item >= 20 && keyframes[1]!.item <= 22, `${keyframes[1]!.item}`);
});

test("VID-21 a prior that knows of movement makes keyframes where the pictures show little", () => {
  const far = (withPrior: boolean) =>
    Array.from({ length: 60 }, (_, i) => ({
      gray: wall(0.1 * i, 0),
      ...(withPrior && { prior: { position: [0, 0, 0.05 * i] as const, sceneDistance: 4 } }),
    }));
  assert.equal(chosen(far(false)).length, 1);
  const keyframes = chosen(far(true));
  assert.ok(keyframes.length >= 4 && keyframes.length <= 8, `${keyframes.length} keyframes`);
  const broken = far(true).map((picture) => ({
    ...picture,
    prior: { position: [Number.NaN, 0, 0] as const, sceneDistance: 0 },
  }));
  assert.equal(chosen(broken).length, 1);
});

test("VID-19 the same pictures give the same keyframes, and white walls and tiny pictures do no harm", () => {
  const pictures = Array.from({ length: 40 }, (_, i) => ({ gray: wall(3 * i, i) }));
  assert.deepEqual(chosen(pictures), chosen(pictures));
  for (const side of [1, 3, 9, 40]) {
    const blank = Array.from({ length: 200 }, () => ({
      gray: { width: side, height: side, pixels: new Uint8Array(side * side).fill(200) },
    }));
    assert.ok(chosen(blank).length <= 3);
  }
});

function frameOf(
  width: number,
  height: number,
  fill: (i: number) => number,
  colors = { fullRange: false, bt709: false },
): VideoFrame {
  const i420 = Uint8Array.from({ length: i420Bytes(width, height) }, (_, i) => fill(i));
  return { timeNs: 0n, width, height, i420, colors, key: true, trusted: true };
}

test("VID-22 colours are those the stream means: white, black and the primaries, of either matrix and range", () => {
  const one = (y: number, u: number, v: number, colors = { fullRange: false, bt709: false }) => [
    ...rgbOf(frameOf(2, 2, (i) => (i < 4 ? y : i === 4 ? u : v), colors)).subarray(0, 3),
  ];
  const near = (got: number[], wanted: number[]) =>
    assert.ok(
      got.every((value, i) => Math.abs(value - wanted[i]!) <= 2),
      `${got} instead of ${wanted}`,
    );
  near(one(235, 128, 128), [255, 255, 255]);
  near(one(16, 128, 128), [0, 0, 0]);
  near(one(81, 90, 240), [255, 0, 0]);
  near(one(145, 54, 34), [0, 255, 0]);
  near(one(41, 240, 110), [0, 0, 255]);
  near(one(63, 102, 240, { fullRange: false, bt709: true }), [255, 0, 0]);
  near(one(76, 85, 255, { fullRange: true, bt709: false }), [254, 0, 0]);
});

test("VID-22 a JPEG is upright, has no metadata, and shows the picture", async () => {
  const frame = frameOf(64, 32, (i) => (i < 64 * 32 ? 16 + (i % 64) * 3 : 128));
  for (const [rotation, width, height] of [
    [0, 64, 32],
    [90, 32, 64],
    [180, 64, 32],
    [270, 32, 64],
  ] as const) {
    const jpeg = await jpegOf(frame, { rotation });
    const facts = await sharp(jpeg).metadata();
    assert.deepEqual(
      [facts.format, facts.width, facts.height, facts.exif, facts.orientation],
      ["jpeg", width, height, undefined, undefined],
    );
    const raw = await sharp(jpeg).raw().toBuffer();
    const darkFirst = raw[0]! < 40;
    assert.equal(darkFirst, rotation === 0 || rotation === 90, `${rotation}`);
  }
  const odd = frameOf(7, 5, (i) => i);
  assert.equal((await sharp(await jpegOf(odd)).metadata()).width, 7);
  const gray = grayOf(
    frameOf(8, 4, (i) => (i < 32 ? i : 0)),
    4,
  );
  assert.deepEqual([gray.width, gray.height, [...gray.pixels]], [4, 2, [5, 7, 9, 11, 21, 23, 25, 27]]);
});

test("VID-23 a file's keyframes come one after the other, each as a JPEG with its time, whoever takes them slowly", async () => {
  const file = await openVideoFile(SMALL);
  const times: bigint[] = [];
  let taking = 0;
  const end = await keyframesOf(file, {
    backend: "tinyh264",
    choose: { dueShift: 0.01, minIntervalMs: 50 },
    async onKeyframe({ jpeg, timeNs, index, width, height }) {
      assert.equal(++taking, 1);
      assert.equal(index, times.push(timeNs) - 1);
      assert.deepEqual([width, height], [90, 74]);
      assert.equal((await sharp(jpeg).metadata()).width, 90);
      taking--;
    },
  });
  assert.deepEqual([end.frames, end.untrusted, end.cutOff], [24, 0, false]);
  assert.equal(end.keyframes, times.length);
  assert.ok(times.length >= 1);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  const stopped = openVideoFile(SMALL).then((again) =>
    keyframesOf(again, { backend: "tinyh264", onKeyframe: () => Promise.reject(new Error("no room")) }),
  );
  await assert.rejects(stopped, /no room/);
});

test("VID-19 a handheld take and a drone that stands: as many keyframes as the true poses tell", async (t) => {
  const [take, drone] = [dataset("sevenscenes-video/handheld.mp4"), dataset("micro-euroc/cam0_20fps.mp4")];
  if (!take || !drone) return t.skip("SKIPPED: the data sets sevenscenes-video and micro-euroc were not found");
  if (!(await hasFfmpeg())) return t.skip("SKIPPED: ffmpeg is not installed");
  const choose = async (path: string, untilS = Number.POSITIVE_INFINITY) => {
    const file = await openVideoFile(path);
    const chooser = new KeyframeChooser<number>();
    const keyframes: number[] = [];
    let frame = 0;
    const enough = new Error("enough");
    await file
      .decode({
        onFrame(each) {
          const { timeNs, trusted } = each;
          if (Number(timeNs) > untilS * 1e9) throw enough;
          const keyframe = chooser.offer({ gray: grayOf(each, 320), timeNs, trusted }, frame++);
          if (keyframe) keyframes.push(keyframe.item);
        },
      })
      .catch((error) => assert.equal(error, enough));
    file.close();
    return keyframes;
  };
  // The drone moves by 3 mm in its 4.7 seconds.
  assert.ok((await choose(drone)).length <= 2);
  const keyframes = await choose(take, 5);
  const { poses } = JSON.parse(readFileSync(take.replace("handheld.mp4", "gt.json"), "utf8")) as {
    poses: { R: number[]; t: number[] }[];
  };
  const centre = (i: number) => {
    const { R, t: shift } = poses[i]!;
    return [0, 1, 2].map((k) => -(R[k]! * shift[0]! + R[3 + k]! * shift[1]! + R[6 + k]! * shift[2]!));
  };
  const apart = keyframes
    .slice(1)
    .map((frame, i) => Math.hypot(...centre(frame).map((value, k) => value - centre(keyframes[i]!)[k]!)));
  apart.sort((a, b) => a - b);
  assert.ok(keyframes.length >= 8 && keyframes.length <= 25, `${keyframes.length} keyframes in 5 s`);
  assert.ok(
    apart[apart.length >> 1]! > 0.03 && apart[apart.length >> 1]! < 0.2,
    `median ${apart[apart.length >> 1]} m apart`,
  );
});
