/** The kernel's arithmetic against its definition, one pixel at a time. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Kernel } from "../../features/kernel.ts";
import { randoms } from "../../test/photos.ts";
import type { DepthFunctions } from "./functions.ts";
import { windowSamples } from "./window.ts";

const kernel = new Kernel<DepthFunctions>("depth");
const seeds = fc.integer({ min: 1, max: 1 << 30 });

type Image = { readonly width: number; readonly height: number; readonly stride: number; readonly values: Uint8Array };

/** Smooth noise, so that a small error in where it is sampled gives a small error in what is found. */
function image(width: number, height: number, random: () => number): Image {
  const waves = Array.from({ length: 6 }, () => [random() * 0.8, random() * 0.8, 6 * random()]);
  const values = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let sum = 128;
      for (const [a, b, c] of waves) sum += 18 * Math.sin(a * x + b * y + c);
      values[y * width + x] = Math.round(Math.max(0, Math.min(255, sum)));
    }
  }
  return { width, height, stride: Math.ceil(width / 4) * 4, values };
}

/** Takes an image through the kernel's own reading of photos; gives floats and packed pixels. */
function read({ width, height, stride, values }: Image): { floats: number; quads: number } {
  const rgb = kernel.take(width * height * 3);
  const floats = kernel.take(stride * height * 4);
  const quads = kernel.take(stride * height * 4);
  const bytes = kernel.bytes(rgb, width * height * 3);
  for (let i = 0; i < bytes.length; i++) bytes[i] = values[Math.floor(i / 3)];
  kernel.call.grey(rgb, floats, width, height, stride);
  kernel.call.packQuads(floats, width, height, stride, quads);
  return { floats, quads };
}

function sample({ width, values }: Image, u: number, v: number): number {
  const x = Math.floor(u);
  const y = Math.floor(v);
  const at = (i: number, j: number) => values[j * width + i];
  const top = at(x, y) + (at(x + 1, y) - at(x, y)) * (u - x);
  const bottom = at(x, y + 1) + (at(x + 1, y + 1) - at(x, y + 1)) * (u - x);
  return top + (bottom - top) * (v - y);
}

type Source = { readonly image: Image; readonly turn: readonly number[]; readonly shift: readonly number[] };
type Piece = { readonly x: number; readonly y: number; readonly inverse: number; readonly slope: readonly number[] };

const ALIKE = 40;
const NOISE = 2;

/** Weighted correlation of one source; undefined where the window is not wholly in it. */
function correlation(photo: Image, { image, turn, shift }: Source, piece: Piece, radius: number): number | undefined {
  const { x, y, inverse, slope } = piece;
  const [X, Y, Z] = [0, 3, 6].map((k) => turn[k] * x + turn[k + 1] * y + turn[k + 2] + shift[k / 3] * inverse);
  const derivative = (k: number, axis: number) => turn[k + axis] + shift[k / 3] * slope[axis];
  const u = X / Z;
  const v = Y / Z;
  const du = [0, 1].map((axis) => (derivative(0, axis) - u * derivative(6, axis)) / Z);
  const dv = [0, 1].map((axis) => (derivative(3, axis) - v * derivative(6, axis)) / Z);
  const extentU = radius * (Math.abs(du[0]) + Math.abs(du[1]));
  const extentV = radius * (Math.abs(dv[0]) + Math.abs(dv[1]));
  if (u - extentU < 0 || v - extentV < 0) return undefined;
  if (u + extentU >= image.width - 1 || v + extentV >= image.height - 1) return undefined;
  const middle = photo.values[y * photo.width + x];
  const rows: [weight: number, here: number, there: number][] = [];
  for (let j = -radius; j <= radius; j++) {
    for (let i = -radius; i <= radius; i++) {
      if ((i + j) % 2 === 0) continue;
      const inside = x + i >= 0 && y + j >= 0 && x + i < photo.width && y + j < photo.height;
      if (!inside) continue;
      const here = photo.values[(y + j) * photo.width + x + i];
      const weight = 1 / (1 + ((here - middle) / ALIKE) ** 2) ** 2;
      rows.push([weight, here, sample(image, u + i * du[0] + j * du[1], v + i * dv[0] + j * dv[1])]);
    }
  }
  const all = rows.reduce((sum, [weight]) => sum + weight, 0);
  const mean = (k: 1 | 2) => rows.reduce((sum, row) => sum + row[0] * row[k], 0) / all;
  const [here, there] = [mean(1), mean(2)];
  const product = (a: 1 | 2, b: 1 | 2) =>
    rows.reduce(
      (sum, row) => sum + row[0] * (row[a] - (a === 1 ? here : there)) * (row[b] - (b === 1 ? here : there)),
      0,
    ) / all;
  return product(1, 2) / Math.sqrt((product(1, 1) + NOISE) * (product(2, 2) + NOISE));
}

/** Mean of the best `most`; a source that sees nothing counts a tenth against. */
function bestOf(scores: readonly (number | undefined)[], most: number): number {
  const seen = scores.filter((score) => score !== undefined).sort((a, b) => b - a);
  const used = seen.slice(0, most);
  if (used.length === 0) return -2;
  return used.reduce((sum, score) => sum + score, 0) / used.length - 0.1 * (Math.min(most, 3) - used.length);
}

describe("the depth kernel", () => {
  test("scores pieces of planes as the definition says", () => {
    let seenAtAll = 0;
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 2, max: 5 }), (seed, count, radius) => {
        const random = randoms(seed);
        const near = (value: number, by: number) => value + by * (2 * random() - 1);
        const photo = image(40 + Math.floor(9 * random()), 31, random);
        const sources = Array.from({ length: count }, (): Source => {
          const turn = [
            near(1, 0.1),
            near(0, 0.1),
            near(0, 4),
            near(0, 0.1),
            near(1, 0.1),
            near(0, 4),
            0,
            0,
            near(1, 0.1),
          ];
          turn[6] = near(0, 0.001);
          turn[7] = near(0, 0.001);
          const size = 36 + Math.floor(12 * random());
          return { image: image(size, size - 3, randoms(seed)), turn, shift: [near(0, 10), near(0, 10), near(0, 0.1)] };
        });
        const piece = {
          x: Math.floor(photo.width * random()),
          y: Math.floor(photo.height * random()),
          inverse: random(),
          slope: [near(0, 0.02), near(0, 0.02)],
        };
        const most = Math.ceil(count / 2);
        kernel.reset();
        const { quads } = read(photo);
        const read4 = sources.map((source) => read(source.image).quads);
        const { count: samples, table } = windowSamples(radius, photo.stride);
        const window = kernel.take(table.byteLength);
        const scratch = kernel.take(table.byteLength);
        const rows = kernel.take(64 * count);
        kernel.f32(window, table.length).set(table);
        for (const [s, { image: from, turn, shift }] of sources.entries()) {
          kernel.i32(rows + 64 * s, 4).set([read4[s], from.width, from.height, from.stride]);
          kernel.f32(rows + 64 * s + 16, 12).set([...turn, ...shift]);
        }
        const { width, height, stride } = photo;
        kernel.call.setPatch(quads, width, height, stride, radius, samples, window, ALIKE, NOISE, scratch);
        kernel.call.setSources(rows, count, most);
        const { x, y, inverse, slope } = piece;
        const found = kernel.call.evaluate(x, y, inverse, slope[0], slope[1], (1 << count) - 1);
        const expected = bestOf(
          sources.map((source) => correlation(photo, source, piece, radius)),
          most,
        );
        if (expected > -2) seenAtAll++;
        assert.ok(Math.abs(found - expected) < 2e-3, `${found} is not ${expected}`);
      }),
      { numRuns: 300, seed: 7 },
    );
    assert.ok(seenAtAll > 100, `only ${seenAtAll} pieces were seen`);
  });

  test("semi-global matching adds up the cheapest ways of eight directions", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 6 }), (seed, width, height) => {
        const random = randoms(seed);
        const planes = 16;
        const photo = image(width, height, random);
        const costs = Uint8Array.from({ length: width * height * planes }, () => Math.floor(256 * random()));
        const [small, large] = [9, 120];
        kernel.reset();
        const { quads } = read(photo);
        const volume = kernel.take(costs.length);
        const sums = kernel.take(2 * costs.length);
        const scratch = kernel.take(kernel.call.aggregateBytes(width, planes));
        const inverses = kernel.take(4 * photo.stride * height);
        kernel.bytes(volume, costs.length).set(costs);
        kernel.call.aggregate(volume, quads, width, height, photo.stride, planes, small, large, sums, scratch);
        const expected = semiGlobal(photo, costs, planes, small, large);
        const bytes = kernel.bytes(sums, 2 * costs.length);
        const found = Array.from(costs, (_, i) => bytes[2 * i] + 256 * bytes[2 * i + 1]);
        assert.deepEqual(found, expected);

        kernel.call.winners(sums, width, height, photo.stride, planes, 0, 1, inverses);
        const chosen = kernel.f32(inverses, photo.stride * height);
        for (let y = 0; y < height; y++) {
          for (let x = 0; x < width; x++) {
            const at = (y * width + x) * planes;
            const row = expected.slice(at, at + planes);
            assert.ok(Math.abs(chosen[y * photo.stride + x] - row.indexOf(Math.min(...row))) <= 0.5);
          }
        }
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test("the plane through a pixel is that of its surface, not of what is behind it", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 9, max: 22 }), (seed, width) => {
        const random = randoms(seed);
        const height = 11;
        const stride = Math.ceil(width / 4) * 4;
        const [a, b] = [0.2 * (random() - 0.5), 0.2 * (random() - 0.5)];
        const edge = 3 + Math.floor((width - 6) * random());
        const at = (x: number, y: number) => (x < edge ? 5 + a * x + b * y : 25 - b * x + a * y);
        kernel.reset();
        const plane = stride * height;
        const field = kernel.take(7 * plane * 4);
        const values = kernel.f32(field, 7 * plane);
        values.fill(Number.NaN, plane); // what is not read must not matter
        values.fill(0, plane, 3 * plane);
        values.fill(0.1, 5 * plane, 6 * plane);
        for (let y = 0; y < height; y++) for (let x = 0; x < stride; x++) values[y * stride + x] = at(x, y);
        kernel.call.fitPlanes(field, width, height, stride, 1);
        for (let y = 2; y < height - 2; y++) {
          for (let x = 2; x < width - 2; x++) {
            const i = y * stride + x;
            const [across, down] = x < edge ? [a, b] : [-b, a];
            assert.ok(Math.abs(values[plane + i] - across) < 0.02, `${values[plane + i]} across, not ${across}`);
            assert.ok(Math.abs(values[2 * plane + i] - down) < 0.02, `${values[2 * plane + i]} down, not ${down}`);
            assert.ok(Math.abs(values[6 * plane + i] - at(x, y)) < 0.02, `${values[6 * plane + i]}, not ${at(x, y)}`);
          }
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});

/** The recurrence as it is written in the paper, less each path's least value so far. */
function semiGlobal(photo: Image, costs: Uint8Array, planes: number, small: number, large: number): number[] {
  const { width, height, values } = photo;
  const sums = new Array<number>(costs.length).fill(0);
  for (const [dx, dy] of [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
    [1, 1],
    [-1, -1],
    [1, -1],
    [-1, 1],
  ]) {
    const known = new Map<number, number[]>();
    const path = (x: number, y: number): number[] => {
      const at = y * width + x;
      const before = known.get(at);
      if (before) return before;
      const own = [...costs.subarray(at * planes, (at + 1) * planes)];
      const [px, py] = [x - dx, y - dy];
      let made = own;
      if (px >= 0 && py >= 0 && px < width && py < height) {
        const last = path(px, py);
        const least = Math.min(...last);
        const contrast = Math.abs(values[at] - values[py * width + px]);
        const jump = Math.max(small, Math.floor((large * 16) / (16 + contrast)));
        made = own.map((cost, d) => {
          const beside = Math.min(last[d - 1] ?? Number.POSITIVE_INFINITY, last[d + 1] ?? Number.POSITIVE_INFINITY);
          return cost + Math.min(last[d], beside + small, least + jump) - least;
        });
      }
      known.set(at, made);
      return made;
    };
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        for (const [d, value] of path(x, y).entries()) sums[(y * width + x) * planes + d] += value;
      }
    }
  }
  return sums;
}
