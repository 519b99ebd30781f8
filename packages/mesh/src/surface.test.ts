/** Surfaces of points whose truth is known. Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Measures, measure, vertexNormals } from "./measure.ts";
import type { Mesh } from "./mesh.ts";
import type { Cameras } from "./orient.ts";
import type { PointBatch } from "./samples.ts";
import { type Surface, type SurfaceOptions, surfaceOf } from "./surface.ts";
import { box, collected, sheet, sphere, torus } from "./test/shapes.ts";

type Found = Surface & { about: Measures; middle: readonly number[] };

/** @param cameras in the points' frame */
function surface(batches: readonly PointBatch[], options: SurfaceOptions = {}, cameras: Cameras = new Map()): Found {
  const collector = collected(batches);
  const { middle, cube } = collector;
  const placed = new Map(
    [...cameras].map(([photo, at]) => [photo, [at[0] - middle[0], at[1] - middle[1], at[2] - middle[2]]] as const),
  );
  const found = surfaceOf(collector.take(), cube, placed, options);
  assert.ok(found !== "too fine");
  return { ...found, about: measure(found.mesh), middle };
}

function within(actual: number, wanted: number, share: number): void {
  assert.ok(Math.abs(actual / wanted - 1) <= share, `${actual}, not ${wanted} ± ${share * 100} %`);
}

function assertSound({ positions, triangles }: Mesh, about: Measures): void {
  assert.ok(positions.every(Number.isFinite), "every coordinate is a number");
  assert.ok(triangles.every((vertex) => vertex < positions.length / 3));
  assert.equal(about.brokenEdges, 0, "an edge has one triangle, or two that face the same way");
}

describe("EXC-20 closed where it was seen", () => {
  test("EXC-20 a sphere is watertight, without handles, within 1 % in area and volume, facing outwards", () => {
    for (const noise of [0, 0.005]) {
      const { mesh, about, voxel } = surface([sphere(30_000, { noise })]);
      assertSound(mesh, about);
      assert.deepEqual([about.boundaryEdges, about.euler], [0, 2]);
      within(about.area, 4 * Math.PI, 0.01);
      within(about.volume, (4 / 3) * Math.PI, 0.01);
      let worst = 0;
      for (let i = 0; i < mesh.positions.length; i += 3) {
        worst = Math.max(worst, Math.abs(Math.hypot(...mesh.positions.subarray(i, i + 3)) - 1) / voxel);
      }
      assert.ok(worst < 1, `a vertex is ${worst} cells off`);
    }
  });

  test("EXC-20 a box keeps its edges, a ring its hole", () => {
    const cube = surface([box(60_000)]);
    assertSound(cube.mesh, cube.about);
    assert.deepEqual([cube.about.boundaryEdges, cube.about.euler], [0, 2]);
    within(cube.about.area, 24, 0.02);
    within(cube.about.volume, 8, 0.02);
    const ring = surface([torus(30_000)]);
    assertSound(ring.mesh, ring.about);
    assert.deepEqual([ring.about.boundaryEdges, ring.about.euler], [0, 0]);
    within(ring.about.area, 4 * Math.PI ** 2 * 0.4, 0.02);
    within(ring.about.volume, 2 * Math.PI ** 2 * 0.16, 0.02);
  });

  test("EXC-20 what nobody saw stays open: a box without a lid, a sheet with a hole", () => {
    const open = surface([box(50_000, [0, 1, 2, 3, 4])]);
    assertSound(open.mesh, open.about);
    assert.ok(open.about.boundaryEdges > 0);
    within(open.about.area, 20, 0.04);
    const hole = surface([sheet(50_000, (x, y) => Math.hypot(x, y) > 0.4)], {}, new Map([[1, [0, 0, 5] as const]]));
    assertSound(hole.mesh, hole.about);
    // A ring: V − E + F = 0.
    assert.equal(hole.about.euler, 0);
    within(hole.about.area, 4 - Math.PI * 0.16, 0.05);
  });

  test("EXC-20 whatever lies where, edges have at most two triangles and agree which way is out", () => {
    const ball = fc.record({
      seed: fc.nat(1000),
      noise: fc.double({ min: 0, max: 0.3, noNaN: true }),
      centre: fc.tuple(...[0, 1, 2].map(() => fc.double({ min: -1, max: 1, noNaN: true }))) as fc.Arbitrary<
        [number, number, number]
      >,
    });
    fc.assert(
      fc.property(fc.array(ball, { minLength: 1, maxLength: 3 }), fc.nat(3), (balls, detail) => {
        const { mesh, about } = surface(
          balls.map((each) => sphere(600, each)),
          { detail: 0.5 + detail / 2 },
        );
        assertSound(mesh, about);
      }),
      { numRuns: 20, seed: 7 },
    );
  });
});

describe("EXC-21 which way is out", () => {
  test("EXC-21 a sheet faces the camera that saw it, whichever side that is on", () => {
    for (const height of [3, -3]) {
      const { mesh } = surface([sheet(5000)], {}, new Map([[1, [0.2, 0, height] as const]]));
      const normals = vertexNormals(mesh);
      let facing = 0;
      for (let i = 2; i < normals.length; i += 3) if (normals[i] * height > 0) facing++;
      assert.ok(facing > (0.99 * normals.length) / 3);
    }
  });

  test("EXC-21 normals that points bring count, also when they point inwards", () => {
    const ball = sphere(20_000);
    const normals = Int8Array.from(ball.positions, (value) => Math.round(-127 * value));
    assert.ok(surface([{ ...ball, normals }]).about.volume < -4);
  });

  test("EXC-21 without cameras and normals a closed piece faces outwards, two that are apart as well", () => {
    const { about } = surface([sphere(20_000), sphere(20_000, { seed: 2, centre: [5, 0, 0] })]);
    within(about.volume, (8 / 3) * Math.PI, 0.02);
    assert.equal(about.euler, 4);
  });

  test("EXC-21 seen from the inside, a room faces inwards", () => {
    const seen = { ...box(50_000), photos: 1 };
    const { about } = surface([seen], {}, new Map([[1, [0.1, 0, -0.2] as const]]));
    within(about.volume, -8, 0.03);
    assert.equal(about.boundaryEdges, 0);
  });
});

describe("EXC-22 how fine", () => {
  test("EXC-22 cells follow the distance between points, and detail; a given size is taken", () => {
    const [coarse, fine] = [surface([sphere(5000)]), surface([sphere(45_000)])];
    within(coarse.voxel / fine.voxel, 3, 0.15);
    within(coarse.voxel, 2 * Math.sqrt((4 * Math.PI) / 5000), 0.25);
    within(surface([sphere(5000)], { detail: 0.5 }).voxel, 2 * coarse.voxel, 1e-9);
    assert.equal(surface([sphere(5000)], { voxel: 0.1 }).voxel, 0.1);
  });

  test("EXC-22 where points lie off their surface by more than cells, cells are larger, and it is one surface", () => {
    const [thin, thick] = [surface([sphere(80_000)]), surface([sphere(80_000, { noise: 0.06 })])];
    assert.ok(thick.voxel > 1.5 * thin.voxel, `${thick.voxel} ${thin.voxel}`);
    assert.deepEqual([thick.about.boundaryEdges, thick.about.euler], [0, 2]);
    within(thick.about.area, 4 * Math.PI, 0.03);
  });

  test("EXC-22 cells grow until the memory suffices; a size that was asked for is refused instead", () => {
    const { mesh, about, voxel } = surface([sphere(20_000)], { maxBlocks: 60 });
    assertSound(mesh, about);
    assert.equal(about.boundaryEdges, 0);
    assert.ok(voxel > surface([sphere(20_000)]).voxel);
    const collector = collected([sphere(20_000)]);
    const tooFine = surfaceOf(collector.take(), collector.cube, new Map(), { maxBlocks: 60, voxel: 0.02 });
    assert.equal(tooFine, "too fine");
  });

  test("EXC-22 points are as many as memory allows: more are thinned, and the surface stays", () => {
    const collector = collected([sphere(100_000, { noise: 0.003 })], 20_000);
    const samples = collector.take();
    assert.ok(samples.count <= 20_000 && samples.count > 4000, `${samples.count}`);
    within(
      samples.weights.reduce((sum, weight) => sum + weight, 0),
      100_000,
      1e-3,
    );
    const found = surfaceOf(samples, collector.cube, new Map());
    assert.ok(found !== "too fine");
    const about = measure(found.mesh);
    assert.equal(about.boundaryEdges, 0);
    within(about.volume, (4 / 3) * Math.PI, 0.02);
  });

  test("EXC-22 far from the origin nothing is lost", () => {
    const far = sphere(20_000, { centre: [600_000, 6_000_000, 100] });
    const { mesh, about, middle } = surface([far]);
    within(about.volume, (4 / 3) * Math.PI, 0.01);
    assert.ok(Math.abs(middle[1] - 6_000_000) < 0.01);
    assert.ok(mesh.positions.every((value) => Math.abs(value) < 1.2));
  });
});

describe("EXC-24 crumbs and pinholes", () => {
  test("EXC-24 a handful of points in the air leaves nothing, and the largest piece stays however small", () => {
    const speck = sphere(60, { seed: 3, centre: [0, 0, 3] });
    const small = { ...speck, positions: speck.positions.map((v, i) => (i % 3 === 2 ? 3 + (v - 3) * 0.02 : v * 0.02)) };
    const { about } = surface([sphere(30_000), small]);
    assert.equal(about.euler, 2);
    assert.ok(surface([sphere(300)]).about.triangles > 0);
  });

  test("EXC-24 a few cells without points are closed", () => {
    const { about } = surface(
      [sheet(60_000, (x, y) => Math.hypot(x, y) > 0.02)],
      {},
      new Map([[1, [0, 0, 5] as const]]),
    );
    assert.equal(about.euler, 1, "a disc");
  });

  test("EXC-24 nothing, one point, one place and a line are no surface", () => {
    const at = (points: number[]): PointBatch => ({
      count: points.length / 3,
      positions: Float64Array.from(points),
      colors: new Uint8Array(points.length),
      photos: 0,
    });
    const line = Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? i / 1000 : 0));
    const slanted = Array.from({ length: 3000 }, (_, i) => Math.floor(i / 3) * [0.3, 0.5, -0.7][i % 3]);
    for (const points of [[1, 2, 3], Array(300).fill(5), [0, 0, 0, 1, 1, 1], line, slanted, [NaN, 0, 0, 1, 2, 3]]) {
      const collector = collected([at(points.map((value) => (Number.isNaN(value) ? 0 : value)))]);
      collector.add(at(points));
      const found = surfaceOf(collector.take(), collector.cube, new Map());
      assert.ok(found !== "too fine" && found.mesh.triangles.length === 0);
    }
    // A plane is one: an open sheet.
    const flat = surface([sheet(3000)]);
    within(flat.about.area, 4, 0.15);
  });
});
