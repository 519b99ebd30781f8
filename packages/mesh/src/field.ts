/**
 * The signed distance to the surface near the samples: at each corner of a sparse grid the weighted mean of the distances
 * to the planes of the samples around (an implicit moving least-squares surface, Kolluri 2005). Positive outside. A
 * sample reaches farther along its normal, so that all corners of a cell that the surface passes know it, than across it,
 * so that a surface ends where its samples do: where nothing was seen nothing is known.
 */
import { CellIndex } from "./cell-index.ts";

/** Corners along the edge of a block. */
export const BLOCK = 8;
export const BLOCK_CORNERS = BLOCK ** 3;
/** Values of a corner while samples are added: Σw, Σw·distance, Σw·r, Σw·g, Σw·b. */
export const FIELDS = 5;
const BLOCKS_PER_PAGE = 512;

/** Cells along the normal: more than a cell's diagonal, and some noise. */
const REACH_NORMAL = 2.25;
/** Spacings, and cells at least and at most, across it. */
const REACH_SPACINGS = 1.6;
const LEAST_ACROSS = 1.25;
const MOST_ACROSS = 4;
/** What lies farther from others than this (cells) cannot be bridged: it is no part of a surface. */
const MAX_SPACING = MOST_ACROSS / REACH_SPACINGS;

/** A block's corners, 8³, x fastest; the layout is {@link FIELDS} numbers a corner. */
export class SparseField {
  readonly blocks = new CellIndex();
  readonly #pages: Float32Array[] = [];

  /** The page that holds a block; the block begins at {@link offsetOf}. */
  page(block: number): Float32Array {
    return this.#pages[(block / BLOCKS_PER_PAGE) | 0];
  }

  offsetOf(block: number): number {
    return (block % BLOCKS_PER_PAGE) * BLOCK_CORNERS * FIELDS;
  }

  /** Adds a block where there is none yet. */
  block(x: number, y: number, z: number): number {
    const block = this.blocks.add(x, y, z);
    if (block >= this.#pages.length * BLOCKS_PER_PAGE) {
      this.#pages.push(new Float32Array(BLOCKS_PER_PAGE * BLOCK_CORNERS * FIELDS));
    }
    return block;
  }
}

type FieldSamples = {
  readonly count: number;
  /** `[n, 3]` cells; a corner lies at whole numbers. */
  readonly positions: Float32Array;
  readonly colors: Uint8Array;
  readonly weights: Float32Array;
  /** `[n, 3]` unit, outwards; 0 0 0: left out. */
  readonly normals: Float32Array;
  /** `[n]` cells; above {@link MAX_SPACING}: left out. */
  readonly spacings: Float32Array;
};

/** @returns `false` when it would need more than `maxBlocks` */
export function splat(
  field: SparseField,
  samples: FieldSamples,
  maxBlocks: number,
  onProgress?: (done: number) => void,
): boolean {
  const { count, positions, colors, weights, normals, spacings } = samples;
  for (let i = 0; i < count; i++) {
    if ((i & 0xffff) === 0) onProgress?.(i);
    const nx = normals[3 * i];
    const ny = normals[3 * i + 1];
    const nz = normals[3 * i + 2];
    if (!(spacings[i] <= MAX_SPACING) || (nx === 0 && ny === 0 && nz === 0)) continue;
    const across = Math.min(MOST_ACROSS, Math.max(LEAST_ACROSS, REACH_SPACINGS * spacings[i]));
    const x = positions[3 * i];
    const y = positions[3 * i + 1];
    const z = positions[3 * i + 2];
    // The box around a disc of radius `across` and height 2 · REACH_NORMAL.
    const hx = REACH_NORMAL * Math.abs(nx) + across * Math.sqrt(Math.max(0, 1 - nx * nx));
    const hy = REACH_NORMAL * Math.abs(ny) + across * Math.sqrt(Math.max(0, 1 - ny * ny));
    const hz = REACH_NORMAL * Math.abs(nz) + across * Math.sqrt(Math.max(0, 1 - nz * nz));
    const [x0, x1] = [Math.ceil(x - hx), Math.floor(x + hx)];
    const [y0, y1] = [Math.ceil(y - hy), Math.floor(y + hy)];
    const [z0, z1] = [Math.ceil(z - hz), Math.floor(z + hz)];
    for (let bz = z0 >> 3; bz <= z1 >> 3; bz++) {
      for (let by = y0 >> 3; by <= y1 >> 3; by++) {
        for (let bx = x0 >> 3; bx <= x1 >> 3; bx++) {
          const block = field.block(bx, by, bz);
          if (block >= maxBlocks) return false;
          const [left, front, bottom] = [bx * BLOCK, by * BLOCK, bz * BLOCK];
          addToBlock(
            field.page(block),
            field.offsetOf(block),
            Math.max(0, x0 - left),
            Math.min(BLOCK - 1, x1 - left),
            Math.max(0, y0 - front),
            Math.min(BLOCK - 1, y1 - front),
            Math.max(0, z0 - bottom),
            Math.min(BLOCK - 1, z1 - bottom),
            left - x,
            front - y,
            bottom - z,
            nx,
            ny,
            nz,
            1 / (across * across),
            weights[i],
            colors[3 * i],
            colors[3 * i + 1],
            colors[3 * i + 2],
          );
        }
      }
    }
  }
  return true;
}

/** Corners x0…x1, y0…y1, z0…z1 of a block whose first corner lies at `ox, oy, oz` from the sample. */
function addToBlock(
  page: Float32Array,
  offset: number,
  x0: number,
  x1: number,
  y0: number,
  y1: number,
  z0: number,
  z1: number,
  ox: number,
  oy: number,
  oz: number,
  nx: number,
  ny: number,
  nz: number,
  perAcross: number,
  weight: number,
  r: number,
  g: number,
  b: number,
): void {
  const perNormal = 1 / (REACH_NORMAL * REACH_NORMAL);
  for (let k = z0; k <= z1; k++) {
    const dz = oz + k;
    for (let j = y0; j <= y1; j++) {
      const dy = oy + j;
      let at = offset + ((k * BLOCK + j) * BLOCK + x0) * FIELDS;
      for (let i = x0; i <= x1; i++, at += FIELDS) {
        const dx = ox + i;
        const distance = nx * dx + ny * dy + nz * dz;
        const height = 1 - distance * distance * perNormal;
        const width = 1 - (dx * dx + dy * dy + dz * dz - distance * distance) * perAcross;
        if (height <= 0 || width <= 0) continue;
        const w = weight * height * height * width * width;
        page[at] += w;
        page[at + 1] += w * distance;
        page[at + 2] += w * r;
        page[at + 3] += w * g;
        page[at + 4] += w * b;
      }
    }
  }
}
