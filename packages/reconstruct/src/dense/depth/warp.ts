/**
 * Where a pixel of one view is seen in another, by its inverse depth. Here pixels are counted from 0 at their centres,
 * as the kernel does; at level `n` of a pyramid a pixel is 2ⁿ × 2ⁿ of the view's own.
 */
import type { DenseView, DepthRange } from "../contract.ts";

/** The source's pixel (homogeneous) of the pixel p at inverse depth w is `turn · p + shift · w`. */
export type Warp = { readonly turn: Float64Array; readonly shift: Float64Array };

type Pinhole = readonly [number, number, number, number];

export function warpBetween(reference: DenseView, source: DenseView, level: number): Warp {
  const [fx, fy, cx, cy] = pinholeAt(reference.pinhole, level);
  const [gx, gy, dx, dy] = pinholeAt(source.pinhole, level);
  const p = reference.cameraFromWorld;
  const q = source.cameraFromWorld;
  const turn = new Float64Array(9);
  const shift = new Float64Array(3);
  const rays = [new Float64Array(3), new Float64Array(3), new Float64Array(3)];
  for (let row = 0; row < 3; row++) {
    shift[row] = q[4 * row + 3];
    for (let column = 0; column < 3; column++) {
      let sum = 0;
      for (let k = 0; k < 3; k++) sum += q[4 * row + k] * p[4 * column + k];
      rays[row][column] = sum;
      shift[row] -= sum * p[4 * column + 3];
    }
  }
  for (const row of rays) {
    // K⁻¹ of the reference, from the right.
    const [a, b, c] = row;
    row.set([a / fx, b / fy, c - (a * cx) / fx - (b * cy) / fy]);
  }
  for (let column = 0; column < 3; column++) {
    turn[column] = gx * rays[0][column] + dx * rays[2][column];
    turn[3 + column] = gy * rays[1][column] + dy * rays[2][column];
    turn[6 + column] = rays[2][column];
  }
  shift[0] = gx * shift[0] + dx * shift[2];
  shift[1] = gy * shift[1] + dy * shift[2];
  return { turn, shift };
}

function pinholeAt([fx, fy, cx, cy]: Pinhole, level: number): Pinhole {
  const scale = 0.5 ** level;
  return [fx * scale, fy * scale, cx * scale - 0.5, cy * scale - 0.5];
}

const GRID = 5;

/** Pixels that the source's pixel moves for a unit of inverse depth: the median over the view, at its middle depth. */
export function motionOf({ turn, shift }: Warp, widthPx: number, heightPx: number, { near, far }: DepthRange): number {
  const w = 0.5 * (1 / near + 1 / far);
  const motions: number[] = [];
  for (let j = 0; j < GRID; j++) {
    for (let i = 0; i < GRID; i++) {
      const x = (widthPx * (i + 0.5)) / GRID;
      const y = (heightPx * (j + 0.5)) / GRID;
      const z = turn[6] * x + turn[7] * y + turn[8] + shift[2] * w;
      if (z <= 0) continue;
      const u = (turn[0] * x + turn[1] * y + turn[2] + shift[0] * w) / z;
      const v = (turn[3] * x + turn[4] * y + turn[5] + shift[1] * w) / z;
      motions.push(Math.hypot(shift[0] - u * shift[2], shift[1] - v * shift[2]) / z);
    }
  }
  motions.sort((a, b) => a - b);
  return motions[motions.length >> 1] ?? 0;
}
