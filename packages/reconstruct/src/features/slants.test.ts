import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { photograph, randoms } from "../test/photos.ts";
import { noisePaint } from "../test/scene.ts";
import { type Extractor, openExtractor } from "./extractor.ts";
import { allocateFeatures } from "./features.ts";
import { type Grey, greyOf } from "./grey.ts";
import { extractSlants, slanted } from "./slants.ts";

const TILTS = [Math.SQRT2, 2];
const TURNS_DEG = [0, 17.3, 36, 90, 101.8, 144, 179];
const looks = TILTS.flatMap((tilt) => TURNS_DEG.map((deg) => ({ tilt, turnRad: (deg * Math.PI) / 180 })));

/** A picture whose pixels are `of` their centres. */
function drawn(widthPx: number, heightPx: number, of: (x: number, y: number) => number): Grey {
  const grey = Uint8Array.from({ length: widthPx * heightPx }, (_, i) =>
    Math.round(of((i % widthPx) + 0.5, Math.floor(i / widthPx) + 0.5)),
  );
  return { grey, widthPx, heightPx };
}

const dot = (px: number, py: number, sigma: number) => (x: number, y: number) =>
  220 * Math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma ** 2));

/** The middle of all that is bright. */
function brightest({ rgb, widthPx }: { rgb: Uint8Array; widthPx: number }): readonly [x: number, y: number] {
  let [sum, x, y] = [0, 0, 0];
  for (let i = 0; 3 * i < rgb.length; i++) {
    sum += rgb[3 * i];
    x += rgb[3 * i] * ((i % widthPx) + 0.5);
    y += rgb[3 * i] * (Math.floor(i / widthPx) + 0.5);
  }
  return [x / sum, y / sum];
}

test("luma is that of BT.601, to a rounding; white stays white and black black", () => {
  const random = randoms(1);
  const rgb = Uint8Array.from({ length: 3 * 5000 }, () => Math.floor(256 * random()));
  rgb.set([255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]);
  const { grey, widthPx, heightPx } = greyOf(rgb, 100, 50);
  assert.deepEqual([widthPx, heightPx, grey.length], [100, 50, 5000]);
  assert.deepEqual([...grey.subarray(0, 5)], [255, 0, 76, 150, 29]);
  for (const [i, luma] of grey.entries()) {
    const exact = 0.299 * rgb[3 * i] + 0.587 * rgb[3 * i + 1] + 0.114 * rgb[3 * i + 2];
    assert.ok(Math.abs(luma - exact) < 0.51, `${luma}, not ${exact}`);
  }
});

test("a dot is seen where it is, however turned and narrowed", () => {
  const random = randoms(2);
  for (const look of looks) {
    for (const [widthPx, heightPx] of [
      [120, 90],
      [77, 113],
    ]) {
      const [x, y] = [30 + random() * (widthPx - 60), 30 + random() * (heightPx - 60)];
      const seen = slanted(drawn(widthPx, heightPx, dot(x, y, 3)), look);
      const [u, v] = seen.back(...brightest(seen));
      assert.ok(Math.hypot(u - x, v - y) < 0.06, `${u - x}, ${v - y} px off at ${JSON.stringify(look)}`);
    }
  }
});

test("what is even or rises evenly is the same aslant, up to where the blur meets the edge", () => {
  const size = fc.integer({ min: 1, max: 61 });
  const slope = fc.integer({ min: -20, max: 20 }).map((tenths) => tenths / 10);
  const property = fc.property(size, size, fc.constantFrom(...looks), slope, slope, (widthPx, heightPx, look, p, q) => {
    const plane = (x: number, y: number) => 128 + p * (x - widthPx / 2) + q * (y - heightPx / 2);
    for (const [of, error] of [
      [plane, 1.15],
      [() => 200, 0],
    ] as const) {
      const picture = drawn(widthPx, heightPx, of);
      const seen = slanted(picture, look);
      assert.equal(seen.rgb.length, 3 * seen.widthPx * seen.heightPx);
      const most = Math.max(...picture.grey);
      for (let i = 0; 3 * i < seen.rgb.length; i++) {
        const [x, y] = seen.back((i % seen.widthPx) + 0.5, Math.floor(i / seen.widthPx) + 0.5);
        const value = seen.rgb[3 * i];
        const inside = Math.min(x, y, widthPx - x, heightPx - y);
        assert.ok(value === seen.rgb[3 * i + 1] && value === seen.rgb[3 * i + 2] && value <= most);
        if (inside > 5.6) assert.ok(Math.abs(value - of(x, y)) <= error, `${value}, not ${of(x, y)} at ${x}, ${y}`);
        else if (inside < -5.6) assert.equal(value, 0);
      }
    }
  });
  fc.assert(property, { numRuns: 150, seed: 1, examples: [[37, 23, looks[1], 2, -2]] });
});

test("nothing is lost or added at the edges", () => {
  const even = drawn(64, 40, () => 200);
  for (const look of looks) {
    const { rgb } = slanted(even, look);
    const share = (rgb.reduce((sum, value) => sum + value, 0) / (3 * 200 * 64 * 40)) * look.tilt;
    assert.ok(share > 0.95 && share < 1.001, `${share} at ${JSON.stringify(look)}`);
  }
  for (const [deg, width, height] of [
    [0, 32, 40],
    [90, 20, 64],
  ]) {
    const { rgb, widthPx, heightPx } = slanted(even, { tilt: 2, turnRad: (deg * Math.PI) / 180 });
    assert.deepEqual([widthPx, heightPx], [width, height]);
    for (let y = 0; y < height; y++) {
      const row = Array.from({ length: width }, (_, x) => rgb[3 * (y * width + x)]);
      assert.equal(row[width >> 1], 200, `row ${y} at ${deg}°`);
      for (const [x, value] of row.entries()) {
        // The tilt of 2 falls between two of the places that the blur tells apart.
        assert.ok(Math.abs(value - row[width - 1 - x]) <= 3, `${row} at ${deg}°`);
      }
    }
  }
});

test("stripes too fine for a look are blurred away, those along it stay", () => {
  const stripe = (t: number) => (Math.floor(t) % 3 === 0 ? 240 : 0);
  for (const tilt of TILTS) {
    const [across, along] = [(x: number) => stripe(x), (_: number, y: number) => stripe(y)].map((of) =>
      slanted(drawn(90, 60, of), { tilt, turnRad: 0 }),
    );
    for (let x = 6; x < across.widthPx - 6; x++) {
      assert.ok(Math.abs(across.rgb[3 * (30 * across.widthPx + x)] - 80) < (tilt === 2 ? 6 : 45));
      for (const y of [30, 31, 32]) assert.equal(along.rgb[3 * (y * along.widthPx + x)], y === 30 ? 240 : 0);
    }
  }
});

/** Takes the middle of what is bright for the only feature, and numbers the looks in its description. */
function dotFinder(scale: number) {
  const widths: number[] = [];
  const extract: Extractor["extract"] = (rgb, widthPx) => {
    const features = allocateFeatures(1, 1, 1);
    const [x, y] = brightest({ rgb, widthPx });
    features.x[0] = x;
    features.y[0] = y;
    features.scale[0] = scale;
    features.descriptors.fill(widths.push(widthPx));
    return features;
  };
  return { extract, widths };
}

test("every look tells the place in the picture, the scale in the coarser direction, and its description", async () => {
  const picture = drawn(160, 120, dot(70.3, 52.8, 3));
  const { extract, widths } = dotFinder(1.5);
  const slants = await extractSlants({ extract }, picture, async () => {});
  assert.ok(widths.length > 1);
  assert.equal(slants.count, widths.length);
  assert.deepEqual([...slants.first], [...widths.keys(), widths.length]);
  for (let k = 0; k < slants.count; k++) {
    assert.ok(Math.hypot(slants.x[k] - 70.3, slants.y[k] - 52.8) < 0.1, `${slants.x[k]}, ${slants.y[k]}`);
    assert.deepEqual([...new Set(slants.descriptors.subarray(128 * k, 128 * k + 128))], [k + 1]);
  }
  assert.ok(Math.abs(slants.scale[0] - (1.5 * 160) / widths[0]) < 0.02, `${slants.scale[0]}`); // the first is not turned
  // The same place, for a feature that reaches over the picture's edge.
  const none = await extractSlants(dotFinder(10), picture, async () => {});
  assert.deepEqual([none.count, none.x.length, none.first.some((first) => first > 0)], [0, 0, false]);
});

test("features of all looks lie in the picture, look behind look", async () => {
  const { rgb } = photograph(noisePaint(5, 10), 203, 151);
  const slants = await extractSlants(openExtractor(), greyOf(rgb, 203, 151), async () => {});
  const { count, x, y, scale, first, descriptors } = slants;
  assert.ok(count > 200, `${count} features`);
  assert.deepEqual([first[0], first.at(-1), descriptors.length], [0, count, 128 * count]);
  for (let k = 1; k < first.length; k++) assert.ok(first[k] > first[k - 1]);
  for (let i = 0; i < count; i++) assert.ok(x[i] > 0 && y[i] > 0 && x[i] < 203 && y[i] < 151 && scale[i] > 1);
});

test("lets others breathe between two looks, and ends when told so", async () => {
  const picture = drawn(64, 48, dot(32, 24, 3));
  const events: string[] = [];
  const finder = dotFinder(1);
  const extract: Extractor["extract"] = (...photo) => {
    events.push("look");
    return finder.extract(...photo);
  };
  const slants = await extractSlants({ extract }, picture, async () => {
    await new Promise(setImmediate);
    events.push("breath");
  });
  assert.equal(events.join(" "), `look${" breath look".repeat(slants.first.length - 2)}`);
  events.length = 0;
  const ended = extractSlants({ extract }, picture, async () => {
    if (events.length === 3) throw new Error("enough");
  });
  await assert.rejects(ended, /enough/);
  assert.equal(events.length, 3);
});
