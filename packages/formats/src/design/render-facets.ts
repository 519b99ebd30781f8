/**
 * A small picture of a heap of triangles, without a graphics card: orthographic, seen from three quarters and fitted to the
 * picture, a z-buffer, light from over the shoulder, and darker where the surface folds or ends. Memory is bounded by the
 * picture's side, time by the facets and pixels that are looked at.
 */
import type { Facets } from "./facets.ts";

export type Picture = {
  readonly side: number;
  /** RGBA, sRGB, not premultiplied; transparent where nothing is. */
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
};

/** Of more facets, every n-th: there are several to a pixel by then. */
const MOST_FACETS = 4_000_000;
/** Pixels that all boxes of facets together may have; a heap that covers the picture thousands of times ends there. */
const MOST_PIXELS = 300_000_000;
/** Pixels of the drawing to one of the picture, each way. */
const OVERSAMPLING = 2;
/** Part of the side that the mesh takes. */
const FILL = 0.92;
const COLOR = [176, 190, 208] as const;
const EDGE = 0.42;
/** Neighbours whose normals turn by more than this are an edge. */
const EDGE_COSINE = 0.8;
/** Part of the mesh's size by which a neighbour lies behind to be an edge. */
const EDGE_DEPTH = 0.02;

type Axes = { readonly right: Float64Array; readonly up: Float64Array; readonly towards: Float64Array };

/** @param upAxis of the mesh: 2 for programs that construct, 1 for those that animate */
export function renderFacets(facets: Facets, side: number, upAxis: 1 | 2): Picture {
  const step = 9 * Math.max(1, Math.ceil(facets.length / 9 / MOST_FACETS));
  const axes = viewFrom(upAxis);
  const drawn = new Drawing(side * OVERSAMPLING);
  const fit = fitted(facets, step, axes, drawn.side);
  if (fit) drawn.draw(facets, step, axes, fit);
  return drawn.picture(side);
}

/** From the right, the front and above. */
function viewFrom(upAxis: 1 | 2): Axes {
  const [x, y, z] = [0.58, -0.68, 0.45];
  const length = Math.hypot(x, y, z);
  const towards = [x / length, y / length, z / length];
  const flat = Math.hypot(x, y);
  const right = [-y / flat, x / flat, 0];
  const up = [
    towards[1]! * right[2]! - towards[2]! * right[1]!,
    towards[2]! * right[0]! - towards[0]! * right[2]!,
    towards[0]! * right[1]! - towards[1]! * right[0]!,
  ];
  // With y up, what was depth is the z axis, the other way round.
  const turned = (v: number[]) => Float64Array.from(upAxis === 2 ? v : [v[0]!, v[2]!, -v[1]!]);
  return { right: turned(right), up: turned(up), towards: turned(towards) };
}

function along(axis: Float64Array, facets: Facets, at: number): number {
  return axis[0]! * facets[at]! + axis[1]! * facets[at + 1]! + axis[2]! * facets[at + 2]!;
}

type Fit = { readonly scale: number; readonly x: number; readonly y: number; readonly size: number };

function fitted(facets: Facets, step: number, { right, up }: Axes, side: number): Fit | undefined {
  let [left, rightmost, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let facet = 0; facet + 9 <= facets.length; facet += step) {
    for (let at = facet; at < facet + 9; at += 3) {
      const x = along(right, facets, at);
      const y = along(up, facets, at);
      if (x < left) left = x;
      if (x > rightmost) rightmost = x;
      if (y < low) low = y;
      if (y > high) high = y;
    }
  }
  const size = Math.max(rightmost - left, high - low);
  if (!(size > 0 && size < Infinity)) return undefined;
  const scale = (FILL * side) / size;
  return { scale, size, x: side / 2 - (scale * (left + rightmost)) / 2, y: side / 2 + (scale * (low + high)) / 2 };
}

class Drawing {
  readonly side: number;
  /** Towards the viewer, in the mesh's unit; −∞: nothing is there. */
  readonly #depth: Float32Array;
  /** Towards the viewer, per pixel x, y, z in the view. */
  readonly #normals: Float32Array;
  #size = 1;

  constructor(side: number) {
    this.side = side;
    this.#depth = new Float32Array(side * side).fill(-Infinity);
    this.#normals = new Float32Array(3 * side * side);
  }

  draw(facets: Facets, step: number, { right, up, towards }: Axes, { scale, x, y, size }: Fit): void {
    this.#size = size;
    let pixelsLeft = MOST_PIXELS;
    const [px, py, pz] = [new Float64Array(3), new Float64Array(3), new Float64Array(3)];
    for (let facet = 0; facet + 9 <= facets.length && pixelsLeft > 0; facet += step) {
      for (let corner = 0; corner < 3; corner++) {
        const at = facet + 3 * corner;
        px[corner] = x + scale * along(right, facets, at);
        py[corner] = y - scale * along(up, facets, at);
        pz[corner] = along(towards, facets, at);
      }
      pixelsLeft -= this.#facet(px, py, pz, scale);
    }
  }

  /** @returns pixels looked at, and one for the facet */
  #facet(px: Float64Array, py: Float64Array, pz: Float64Array, scale: number): number {
    const { side } = this;
    const [ax, ay, bx, by, cx, cy] = [px[0]!, py[0]!, px[1]!, py[1]!, px[2]!, py[2]!];
    const area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    if (!Number.isFinite(area)) return 1;
    // In the view: x right, y up, z towards the viewer, all in pixels.
    const [ux, uy, uz] = [bx - ax, ay - by, (pz[1]! - pz[0]!) * scale];
    const [vx, vy, vz] = [cx - ax, ay - cy, (pz[2]! - pz[0]!) * scale];
    let [nx, ny, nz] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
    // Files are not to be trusted with which side is outside.
    const length = Math.hypot(nx, ny, nz) * (nz < 0 ? -1 : 1);
    if (length === 0) return 1;
    nx /= length;
    ny /= length;
    nz /= length;
    const fromX = Math.max(0, Math.ceil(Math.min(ax, bx, cx) - 0.5));
    const toX = Math.min(side - 1, Math.floor(Math.max(ax, bx, cx) - 0.5));
    const fromY = Math.max(0, Math.ceil(Math.min(ay, by, cy) - 0.5));
    const toY = Math.min(side - 1, Math.floor(Math.max(ay, by, cy) - 0.5));
    // Smaller than a pixel, or seen edge on: it is where its middle is.
    if (area === 0 || toX < fromX || toY < fromY) {
      this.#put(
        Math.floor((ax + bx + cx) / 3),
        Math.floor((ay + by + cy) / 3),
        (pz[0]! + pz[1]! + pz[2]!) / 3,
        nx,
        ny,
        nz,
      );
      return 1;
    }
    for (let row = fromY; row <= toY; row++) {
      for (let column = fromX; column <= toX; column++) {
        const [x, y] = [column + 0.5, row + 0.5];
        const a = ((bx - x) * (cy - y) - (cx - x) * (by - y)) / area;
        const b = ((cx - x) * (ay - y) - (ax - x) * (cy - y)) / area;
        const c = 1 - a - b;
        if (a >= 0 && b >= 0 && c >= 0) this.#put(column, row, a * pz[0]! + b * pz[1]! + c * pz[2]!, nx, ny, nz);
      }
    }
    return 1 + (toX - fromX + 1) * (toY - fromY + 1);
  }

  #put(column: number, row: number, depth: number, nx: number, ny: number, nz: number): void {
    if (column < 0 || row < 0 || column >= this.side || row >= this.side) return;
    const pixel = row * this.side + column;
    if (!(depth > this.#depth[pixel]!)) return;
    this.#depth[pixel] = depth;
    this.#normals[3 * pixel] = nx;
    this.#normals[3 * pixel + 1] = ny;
    this.#normals[3 * pixel + 2] = nz;
  }

  /** Lambert's law for two lights and what comes from everywhere. */
  #light(pixel: number): number {
    const [nx, ny, nz] = [this.#normals[3 * pixel]!, this.#normals[3 * pixel + 1]!, this.#normals[3 * pixel + 2]!];
    const key = Math.max(0, -0.42 * nx + 0.63 * ny + 0.65 * nz);
    const fill = Math.max(0, 0.8 * nx + 0.6 * nz);
    return Math.min(1, 0.3 + 0.6 * key + 0.15 * fill);
  }

  #isEdge(pixel: number, neighbour: number): boolean {
    const behind = this.#depth[pixel]! - this.#depth[neighbour]!;
    if (behind > EDGE_DEPTH * this.#size) return true;
    const cosine =
      this.#normals[3 * pixel]! * this.#normals[3 * neighbour]! +
      this.#normals[3 * pixel + 1]! * this.#normals[3 * neighbour + 1]! +
      this.#normals[3 * pixel + 2]! * this.#normals[3 * neighbour + 2]!;
    return cosine < EDGE_COSINE && behind > -EDGE_DEPTH * this.#size;
  }

  picture(side: number): Picture {
    const rgba = new Uint8ClampedArray(4 * side * side);
    const parts = OVERSAMPLING * OVERSAMPLING;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        let light = 0;
        let covered = 0;
        for (let part = 0; part < parts; part++) {
          const y = row * OVERSAMPLING + Math.floor(part / OVERSAMPLING);
          const x = column * OVERSAMPLING + (part % OVERSAMPLING);
          const pixel = y * this.side + x;
          if (this.#depth[pixel] === -Infinity) continue;
          const edge =
            (x > 0 && this.#isEdge(pixel, pixel - 1)) ||
            (x + 1 < this.side && this.#isEdge(pixel, pixel + 1)) ||
            (y > 0 && this.#isEdge(pixel, pixel - this.side)) ||
            (y + 1 < this.side && this.#isEdge(pixel, pixel + this.side));
          light += this.#light(pixel) * (edge ? EDGE : 1);
          covered++;
        }
        if (covered === 0) continue;
        const at = 4 * (row * side + column);
        for (let c = 0; c < 3; c++) rgba[at + c] = (COLOR[c]! * light) / covered;
        rgba[at + 3] = (255 * covered) / parts;
      }
    }
    return { side, rgba };
  }
}
