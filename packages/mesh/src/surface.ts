/** Points in, surface out: the steps in their order. */
import { medianSpacing } from "./choose-voxel.ts";
import { extract } from "./extract.ts";
import { SparseField, splat } from "./field.ts";
import type { Mesh } from "./mesh.ts";
import { neighbourhoods, noiseOf } from "./moments.ts";
import { type Cube, mortonOrder } from "./morton.ts";
import { type Cameras, orientedNormals } from "./orient.ts";
import { withoutCrumbs, withoutPinholes } from "./pieces.ts";
import type { Samples } from "./samples.ts";
import { simplify } from "./simplify.ts";

export type SurfaceOptions = {
  /** Edge of a cell, in the samples' unit. Left out: from how far apart they lie. */
  readonly voxel?: number | undefined;
  /** Cells this much finer than they would be; 1 when left out. */
  readonly detail?: number | undefined;
  /** At most so many triangles, whatever that costs. Left out: as many as the shape needs. */
  readonly targetTriangles?: number | undefined;
  /** Blocks of 512 corners, 10 KiB each; without `voxel` cells grow until they suffice. */
  readonly maxBlocks?: number | undefined;
  /** Which way an open surface that no camera saw faces; z when left out. */
  readonly up?: readonly [number, number, number] | undefined;
  readonly onProgress?: ((stage: SurfaceStage, done: number, total: number) => void) | undefined;
};

export type SurfaceStage = "orienting" | "measuring" | "meshing" | "simplifying";

export type Surface = {
  /** In the samples' frame and unit. No triangles: the points make no surface. */
  readonly mesh: Mesh;
  /** Edge of a cell; 0 without a surface. */
  readonly voxel: number;
};

/** 400 MiB of field. */
const MAX_BLOCKS = 40_000;
/** Cells are this many times the distance between samples. */
const SPACINGS_PER_VOXEL = 2;
/** Of a cell: points that lie farther off their surface (standard deviation) would make several of one. */
const FLAT = 0.6;
/** Cells along the edge of the cube, at most: what 24 bits keep to 1/256 of one. */
const MOST_CELLS = 65_536;
/** Square cells: pieces below are crumbs. */
const CRUMB_AREA = 100;
const PINHOLE_EDGES = 16;
/** Cells. */
const SIMPLIFY_ERROR = 0.15;
const SIMPLIFY_COLOR_ERROR = 10;
const NOTHING: Mesh = { positions: new Float32Array(0), colors: new Uint8Array(0), triangles: new Uint32Array(0) };

/**
 * A surface that is closed where it was seen and open where nothing was. `too fine`: the `voxel` asked for needs more than
 * `maxBlocks`.
 */
export function surfaceOf(
  samples: Samples,
  cube: Cube,
  cameras: Cameras,
  options: SurfaceOptions = {},
): Surface | "too fine" {
  const { detail = 1, targetTriangles, maxBlocks = MAX_BLOCKS, onProgress } = options;
  const chosen = options.voxel ?? fittingVoxel(samples, cube) / detail;
  if (!(chosen > 0)) return { mesh: NOTHING, voxel: 0 };
  const finest = cube.edge / MOST_CELLS;
  if (options.voxel !== undefined && options.voxel < finest) return "too fine";
  let voxel = Math.max(chosen, finest);

  for (;;) {
    const field = new SparseField();
    if (fill(field, samples, cube, cameras, voxel, { ...options, maxBlocks })) {
      const raw = extract(field, (done, total) => onProgress?.("meshing", done, total));
      return { mesh: finish(raw, cube, voxel, targetTriangles, onProgress), voxel };
    }
    if (options.voxel !== undefined) return "too fine";
    voxel *= Math.SQRT2;
  }
}

/** As fine as points are near each other, and as coarse as they are off the surface. 0: all are in one place. */
function fittingVoxel({ positions, weights, count }: Samples, cube: Cube): number {
  const voxel = SPACINGS_PER_VOXEL * medianSpacing(mortonOrder(positions, count, cube), cube.edge);
  if (!(voxel > 0)) return 0;
  return voxel * Math.max(1, noiseOf(inCells(positions, cube, voxel), weights, count) / FLAT);
}

/** The cube's corner is 0, 0, 0. */
function inCells(positions: Float32Array, { corner }: Cube, voxel: number): Float32Array {
  return positions.map((value, i) => (value - corner[i % 3]) / voxel);
}

/** In cells: the cube's corner is 0, 0, 0. */
function fill(
  field: SparseField,
  samples: Samples,
  cube: Cube,
  cameras: Cameras,
  voxel: number,
  { maxBlocks, up, onProgress }: SurfaceOptions & { maxBlocks: number },
): boolean {
  const { count, colors, weights, photos, normals: given } = samples;
  const positions = inCells(samples.positions, cube, voxel);
  const placed = new Map<number, readonly [number, number, number]>();
  for (const [photo, at] of cameras) {
    const [x, y, z] = inCells(Float32Array.from(at), cube, voxel);
    placed.set(photo, [x, y, z]);
  }

  onProgress?.("orienting", 0, 1);
  const around = neighbourhoods(positions, weights, count);
  const normals = orientedNormals({ count, positions, weights, photos, normals: given }, around, placed, up);
  onProgress?.("orienting", 1, 1);
  const spacings = new Float32Array(count);
  for (let i = 0; i < count; i++) spacings[i] = around.spacings[around.cellOf[i]];
  return splat(field, { count, positions, colors, weights, normals, spacings }, maxBlocks, (done) =>
    onProgress?.("measuring", done, count),
  );
}

function finish(
  raw: Mesh,
  cube: Cube,
  voxel: number,
  targetTriangles: number | undefined,
  onProgress: SurfaceOptions["onProgress"],
): Mesh {
  const whole = withoutPinholes(withoutCrumbs(raw, CRUMB_AREA), PINHOLE_EDGES);
  const mesh = simplify(whole, {
    maxError: SIMPLIFY_ERROR,
    maxColorError: SIMPLIFY_COLOR_ERROR,
    targetTriangles,
    onProgress: (done, total) => onProgress?.("simplifying", done, total),
  });
  for (let i = 0; i < mesh.positions.length; i++) {
    mesh.positions[i] = mesh.positions[i] * voxel + cube.corner[i % 3];
  }
  return mesh;
}
