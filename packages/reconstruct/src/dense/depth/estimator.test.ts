import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noisePaint, type Sheet, type Shown, show } from "../../test/scene.ts";
import type { DepthMap } from "../contract.ts";
import { openDepthEstimator } from "./estimator.ts";

const RANGE = { near: 1.2, far: 6 };
const SIZE = { widthPx: 320, heightPx: 240, focalPx: 300 };
const estimator = openDepthEstimator();

/** The middle camera and four around it, all looking at (0, 0, 2). */
function around(sheets: readonly Sheet[], exposures: readonly number[] = []): Shown[] {
  const eyes = [
    [0, 0, -1],
    [-0.4, 0, -1],
    [0.4, 0, -1],
    [0, -0.3, -1],
    [0.05, 0.3, -1],
  ] as const;
  return eyes.map((eye, index) => {
    const gain = exposures[index] ?? 1;
    return show(sheets, index, { eye, target: [0, 0, 2], gain, offset: 0.1 * (1 - gain), ...SIZE });
  });
}

function estimate([reference, ...sources]: readonly Shown[]): DepthMap {
  return estimator.estimate(
    reference.view,
    sources.map(({ view }) => view),
    RANGE,
  );
}

/** A wall through (0, 0, 2) leaning by so many radians about the upright axis and about the level one. */
function wall(yaw: number, pitch: number, paint = noisePaint(3, 0.006)): Sheet {
  const right = [8 * Math.cos(yaw), 0, 8 * Math.sin(yaw)] as const;
  const down = [0, 8 * Math.cos(pitch), 8 * Math.sin(pitch)] as const;
  const corner = [-(right[0] + down[0]) / 2, -(right[1] + down[1]) / 2, 2 - (right[2] + down[2]) / 2] as const;
  return { corner, right, down, paint };
}

/** Share of the pixels in `where` with depth, and errors relative to the true depth, ascending. */
function compare(found: DepthMap, { depths }: Shown, where: (x: number, y: number, i: number) => boolean) {
  const errors: number[] = [];
  let pixels = 0;
  for (let y = 0; y < found.heightPx; y++) {
    for (let x = 0; x < found.widthPx; x++) {
      const i = y * found.widthPx + x;
      if (!where(x, y, i)) continue;
      pixels++;
      if (found.depths[i] > 0) errors.push(Math.abs(found.depths[i] / depths[i] - 1));
    }
  }
  errors.sort((a, b) => a - b);
  const at = (part: number) => errors[Math.floor(part * (errors.length - 1))];
  return { found: errors.length / pixels, median: at(0.5), most: at(0.95) };
}

/** Angles between the normals found and one that is right everywhere, degrees: the median. */
function normalError(found: DepthMap, normal: readonly number[]): number {
  const angles: number[] = [];
  for (let i = 0; i < found.depths.length; i++) {
    if (found.depths[i] <= 0) continue;
    const [x, y, z] = found.normals.subarray(3 * i, 3 * i + 3);
    const cosine = (x * normal[0] + y * normal[1] + z * normal[2]) / Math.hypot(x, y, z);
    angles.push((Math.acos(Math.min(1, cosine)) * 180) / Math.PI);
  }
  return angles.sort((a, b) => a - b)[angles.length >> 1];
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const inside = (x: number, y: number): boolean => x > 12 && y > 12 && x < SIZE.widthPx - 12 && y < SIZE.heightPx - 12;

describe("depth of one view", () => {
  for (const [yaw, pitch] of [
    [0, 0],
    [0.6, 0],
    [-0.4, 0.5],
    [0, 1.05],
  ]) {
    test(`a wall leaning by ${yaw} and ${pitch} rad lies where it is`, () => {
      const shown = around([wall(yaw, pitch)]);
      const found = estimate(shown);
      const within = (x: number, y: number, i: number) =>
        inside(x, y) && shown[0].depths[i] > RANGE.near * 1.1 && shown[0].depths[i] < RANGE.far * 0.8;
      const { found: share, median, most } = compare(found, shown[0], within);
      assert.ok(share > 0.9, `${share} found`);
      assert.ok(median < 0.001, `median error ${median}`);
      assert.ok(most < 0.005, `95 % within ${most}`);
      const right = [Math.cos(yaw), 0, Math.sin(yaw)];
      const down = [0, Math.cos(pitch), Math.sin(pitch)];
      const normal = [
        -(right[1] * down[2] - right[2] * down[1]),
        -(right[2] * down[0] - right[0] * down[2]),
        -(right[0] * down[1] - right[1] * down[0]),
      ];
      const length = Math.hypot(...normal);
      const angle = normalError(
        found,
        normal.map((value) => value / length),
      );
      assert.ok(angle < 6, `normals off by ${angle}°`);
    });
  }

  test("other exposures change nothing that matters", () => {
    const same = estimate(around([wall(0.3, 0.2)]));
    const shown = around([wall(0.3, 0.2)], [1, 0.6, 1.15, 0.75, 0.5]);
    const within = (x: number, y: number) => inside(x, y);
    const { found, median } = compare(estimate(shown), shown[0], within);
    assert.ok(found > 0.95 * compare(same, shown[0], within).found, `${found} found`);
    assert.ok(median < 0.002, `median error ${median}`);
  });

  test("where there is no texture there is no depth", () => {
    const shown = around([wall(0.2, 0, () => 0.6)]);
    assert.equal(
      estimate(shown).depths.findIndex((depth) => depth > 0),
      -1,
    );
  });

  /** A sheet before a wall, and the depth that is found of it. */
  function sheetBeforeWall() {
    const front: Sheet = { corner: [-0.5, -0.6, 1], right: [1, 0, 0], down: [0, 1.2, 0], paint: noisePaint(9, 0.035) };
    const shown = around([wall(0, 0), front]);
    return { shown, found: estimate(shown) };
  }
  const ofSheet = lazily(sheetBeforeWall);

  test("what only some sources see has its depth from those", () => {
    const { shown, found } = ofSheet();
    const { sheets } = shown[0];
    const { widthPx } = SIZE;
    // Pixels of either surface some way off the edge: each strip beside it is hidden from one of the sources.
    const clear = (sheet: number) => (x: number, y: number, i: number) =>
      inside(x, y) && [-4, 4, -4 * widthPx, 4 * widthPx, 0].every((step) => sheets[i + step] === sheet);
    for (const sheet of [0, 1]) {
      const { found: share, median, most } = compare(found, shown[0], clear(sheet));
      assert.ok(share > 0.9, `${share} of sheet ${sheet} found`);
      assert.ok(median < 0.001, `sheet ${sheet}: median error ${median}`);
      assert.ok(most < 0.01, `sheet ${sheet}: 95 % within ${most}`);
    }
  });

  test("one source is enough where it sees the surface", () => {
    const shown = around([wall(0.4, 0.2)]).slice(0, 2);
    const { found, median, most } = compare(estimate(shown), shown[0], (x, y) => inside(x, y) && x > 90 && x < 230);
    assert.ok(found > 0.95, `${found} found`);
    assert.ok(median < 0.002, `median error ${median}`);
    assert.ok(most < 0.01, `95 % within ${most}`);
  });

  test("an edge in depth is where it is in the photo", () => {
    const { shown, found } = ofSheet();
    const { sheets, depths } = shown[0];
    let wrong = 0;
    let edge = 0;
    for (let y = 12; y < SIZE.heightPx - 12; y++) {
      for (let x = 12; x < SIZE.widthPx - 12; x++) {
        const i = y * SIZE.widthPx + x;
        const beside = [-3, 3, -3 * SIZE.widthPx, 3 * SIZE.widthPx].some((step) => sheets[i + step] !== sheets[i]);
        if (!beside) continue;
        edge++;
        if (found.depths[i] > 0 && Math.abs(found.depths[i] / depths[i] - 1) > 0.05) wrong++;
      }
    }
    assert.ok(wrong < 0.2 * edge, `${wrong} of ${edge} pixels beside the edge have the other side's depth`);
  });

  test("refuses what it cannot work on", () => {
    const { view } = show([wall(0, 0)], 0, { eye: [0, 0, -1], target: [0, 0, 2], ...SIZE });
    assert.throws(() => estimator.estimate(view, [], RANGE), RangeError);
    assert.throws(() => estimator.estimate(view, [view], { near: 2, far: 1 }), RangeError);
    assert.throws(() => estimator.estimate(view, [{ ...view, widthPx: 7 }], RANGE), RangeError);
    assert.throws(() => estimator.estimate(view, [view], RANGE, { windowRadiusPx: 1 }), RangeError);
  });
});
