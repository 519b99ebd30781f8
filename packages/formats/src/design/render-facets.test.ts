/** Pictures of bodies whose outline is known, and of heaps that nobody should draw. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { renderFacets } from "./render-facets.ts";

/** A square plate of two facets in the plane of two axes. */
function plate(u: number, v: number, edge = 10, at = 0): number[] {
  const corner = (a: number, b: number) => {
    const point = [at, at, at];
    point[u] = at + a * edge;
    point[v] = at + b * edge;
    return point;
  };
  const [a, b, c, d] = [corner(0, 0), corner(1, 0), corner(1, 1), corner(0, 1)];
  return [...a, ...b, ...c, ...a, ...c, ...d];
}

const covered = ({ rgba }: { rgba: Uint8ClampedArray }) => rgba.filter((_, i) => i % 4 === 3).filter(Boolean).length;

function box({ rgba, side }: { rgba: Uint8ClampedArray; side: number }) {
  let [left, right, top, bottom] = [side, -1, side, -1];
  for (let i = 0; i < side * side; i++) {
    if (rgba[4 * i + 3] === 0) continue;
    left = Math.min(left, i % side);
    right = Math.max(right, i % side);
    top = Math.min(top, Math.floor(i / side));
    bottom = Math.max(bottom, Math.floor(i / side));
  }
  return { left, right, top, bottom };
}

test("a mesh is fitted to the picture, wherever it lies and however large it is", () => {
  for (const [edge, at] of [
    [10, 0],
    [1e-3, 5e-3],
    [1e9, -1e9],
  ] as const) {
    const { left, right, top, bottom } = box(renderFacets(Float64Array.from(plate(0, 1, edge, at)), 64, 2));
    assert.ok(Math.abs(right - left - 0.92 * 64) <= 2, `${left} ${right}`);
    assert.ok(
      Math.abs(left + right - 63) <= 2 && Math.abs(top + bottom - 63) <= 2,
      `${left} ${right} ${top} ${bottom}`,
    );
  }
});

test("what is nearer hides what is behind, and the lit side is brighter", () => {
  const floor = plate(0, 1);
  const wall = plate(0, 2, 10);
  const light = (facets: number[], x: number, y: number) => {
    const { rgba } = renderFacets(Float64Array.from(facets), 64, 2);
    return rgba[4 * (64 * y + x)]!;
  };
  assert.ok(light(floor, 32, 32) > light(wall, 32, 32));
  // The same in another order is the same picture.
  const [one, two] = [
    [...floor, ...wall],
    [...wall, ...floor],
  ].map((facets) => renderFacets(Float64Array.from(facets), 64, 2).rgba);
  assert.deepEqual(one, two);
});

test("up is z or y: a plate that lies in one stands in the other", () => {
  const height = (upAxis: 1 | 2) => {
    const { top, bottom } = box(renderFacets(Float64Array.from(plate(0, 1)), 64, upAxis));
    return bottom - top;
  };
  assert.ok(height(2) < height(1), `${height(2)} ${height(1)}`);
});

test("nothing, a point, and coordinates out of all bounds are pictures of nothing; a heap ends", () => {
  for (const facets of [
    [],
    [1, 1, 1, 1, 1, 1, 1, 1, 1],
    [Number.NaN, 0, 0, 1, 0, 0, 0, 1, 0],
    [0, 0, 0, 1e308, 0, 0, 0, 1e308, -1e308],
  ]) {
    assert.ok(covered(renderFacets(Float64Array.from(facets), 16, 2)) <= 256);
  }
  const facets = new Float32Array(9 * 1_000_000);
  const two = plate(0, 1);
  for (let i = 0; i < facets.length; i += 18) facets.set(two, i);
  const { user } = process.cpuUsage();
  assert.ok(covered(renderFacets(facets, 64, 2)) > 500);
  // Drawn to the end, a million facets across a picture would take half a minute.
  assert.ok((process.cpuUsage().user - user) / 1e6 < 20);
});
