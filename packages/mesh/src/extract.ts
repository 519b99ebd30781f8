/** The surface where the field is 0: marching cubes over the cells whose eight corners are known. */
import { CUBE_TRIANGLES } from "./cube-table.ts";
import { BLOCK, BLOCK_CORNERS, FIELDS, type SparseField } from "./field.ts";
import { compact, type Mesh } from "./mesh.ts";

/** A corner that less weight has reached is not known. */
const LEAST_WEIGHT = 1e-3;
/** Along an edge of a cell distances change by 1 at most; where they change by more, two surfaces contradict each other. */
const MOST_CHANGE = 1.6;
/** A vertex keeps this far from the corners, so that no triangle is without area. */
const MARGIN = 0.02;

const SIDE = BLOCK + 1;
const CORNERS = SIDE ** 3;
/** From a corner to the one at (1, 0, 0), (0, 1, 0), (0, 0, 1) in a block with a margin. */
const STEPS = [1, SIDE, SIDE * SIDE] as const;
/** From a cell's first corner to its corner c. */
const CORNER_STEPS = Int32Array.from({ length: 8 }, (_, c) => (c & 1) + SIDE * ((c >> 1) & 1) + SIDE * SIDE * (c >> 2));

/** A block's corners and the first ones of the blocks after it, 9³. */
type Window = { readonly distances: Float32Array; readonly vertices: Int32Array; readonly colors: Float32Array };

/** Leaves the field in another form: it can be extracted once. */
export function extract(field: SparseField, onProgress?: (done: number, total: number) => void): Mesh {
  const { blocks } = field;
  normalize(field);
  const window: Window = {
    distances: new Float32Array(CORNERS),
    vertices: new Int32Array(CORNERS),
    colors: new Float32Array(3 * CORNERS),
  };
  const vertices = new VertexList();
  for (let block = 0; block < blocks.count; block++) {
    if ((block & 255) === 0) onProgress?.(block, 2 * blocks.count);
    open(field, block, window);
    makeVertices(field, block, window, vertices);
  }
  const triangles = new TriangleList();
  for (let block = 0; block < blocks.count; block++) {
    if ((block & 255) === 0) onProgress?.(blocks.count + block, 2 * blocks.count);
    open(field, block, window);
    makeTriangles(window, triangles);
  }
  return compact({ positions: vertices.positions(), colors: vertices.colors(), triangles: triangles.take() });
}

/**
 * Sums become means, NaN where nothing is known; the place of the weight becomes that of the corner's vertices: the number
 * of the first times 8, and which of its three edges have one.
 */
function normalize(field: SparseField): void {
  for (let block = 0; block < field.blocks.count; block++) {
    const page = field.page(block);
    const end = field.offsetOf(block) + BLOCK_CORNERS * FIELDS;
    for (let at = field.offsetOf(block); at < end; at += FIELDS) {
      const weight = page[at];
      page[at] = 0;
      if (weight < LEAST_WEIGHT) page[at + 1] = NaN;
      else for (let i = 1; i < FIELDS; i++) page[at + i] /= weight;
    }
  }
}

function open(field: SparseField, block: number, { distances, vertices, colors }: Window): void {
  const { blocks } = field;
  const [bx, by, bz] = blocks.coords.subarray(3 * block, 3 * block + 3);
  for (let neighbour = 0; neighbour < 8; neighbour++) {
    const [right, back, top] = [neighbour & 1, (neighbour >> 1) & 1, neighbour >> 2];
    const other = neighbour === 0 ? block : blocks.find(bx + right, by + back, bz + top);
    const [width, depth, height] = [right ? 1 : BLOCK, back ? 1 : BLOCK, top ? 1 : BLOCK];
    const page = other < 0 ? undefined : field.page(other);
    const whole = page && new Int32Array(page.buffer);
    const offset = other < 0 ? 0 : field.offsetOf(other);
    for (let z = 0; z < height; z++) {
      for (let y = 0; y < depth; y++) {
        let to = right * BLOCK + (back * BLOCK + y) * SIDE + (top * BLOCK + z) * SIDE * SIDE;
        let from = offset + (z * BLOCK + y) * BLOCK * FIELDS;
        for (let x = 0; x < width; x++, to++, from += FIELDS) {
          if (!page || !whole) {
            distances[to] = NaN;
            continue;
          }
          vertices[to] = whole[from];
          distances[to] = page[from + 1];
          colors[3 * to] = page[from + 2];
          colors[3 * to + 1] = page[from + 3];
          colors[3 * to + 2] = page[from + 4];
        }
      }
    }
  }
}

/** One on each edge that begins in the block and passes the surface; a corner's are numbered from its first. */
function makeVertices(field: SparseField, block: number, { distances, colors }: Window, vertices: VertexList): void {
  const whole = new Int32Array(field.page(block).buffer);
  const offset = field.offsetOf(block);
  const [bx, by, bz] = field.blocks.coords.subarray(3 * block, 3 * block + 3);
  for (let z = 0; z < BLOCK; z++) {
    for (let y = 0; y < BLOCK; y++) {
      for (let x = 0; x < BLOCK; x++) {
        const corner = x + y * SIDE + z * SIDE * SIDE;
        const here = distances[corner];
        if (!(here * here < 100)) continue;
        const first = vertices.count;
        let crossed = 0;
        for (let axis = 0; axis < 3; axis++) {
          const next = corner + STEPS[axis];
          const there = distances[next];
          if (!crosses(here, there)) continue;
          crossed |= 1 << axis;
          const t = Math.max(MARGIN, Math.min(1 - MARGIN, here / (here - there)));
          vertices.add(
            bx * BLOCK + x + (axis === 0 ? t : 0),
            by * BLOCK + y + (axis === 1 ? t : 0),
            bz * BLOCK + z + (axis === 2 ? t : 0),
            colors[3 * corner] + t * (colors[3 * next] - colors[3 * corner]),
            colors[3 * corner + 1] + t * (colors[3 * next + 1] - colors[3 * corner + 1]),
            colors[3 * corner + 2] + t * (colors[3 * next + 2] - colors[3 * corner + 2]),
          );
        }
        whole[offset + ((z * BLOCK + y) * BLOCK + x) * FIELDS] = (first << 3) | crossed;
      }
    }
  }
}

/** Outside is 0 and above. NaN crosses nothing. */
function crosses(a: number, b: number): boolean {
  return (a < 0 && b >= 0) || (a >= 0 && b < 0);
}

function makeTriangles({ distances, vertices }: Window, out: TriangleList): void {
  for (let z = 0; z < BLOCK; z++) {
    for (let y = 0; y < BLOCK; y++) {
      for (let x = 0; x < BLOCK; x++) {
        const cell = x + y * SIDE + z * SIDE * SIDE;
        let inside = 0;
        let sum = 0;
        for (let c = 0; c < 8; c++) {
          const distance = distances[cell + CORNER_STEPS[c]];
          if (distance < 0) inside |= 1 << c;
          sum += distance;
        }
        if (inside === 0 || inside === 255 || !(sum * sum < 1e4)) continue; // NaN too
        const edges = CUBE_TRIANGLES[inside];
        if (contradicts(distances, cell, edges)) continue;
        for (let e = 0; e < edges.length; e++) out.add(vertexOn(vertices, cell, edges[e]));
      }
    }
  }
}

function contradicts(distances: Float32Array, cell: number, edges: Uint8Array): boolean {
  for (let e = 0; e < edges.length; e++) {
    const from = cell + CORNER_STEPS[(edges[e] / 3) | 0];
    if (Math.abs(distances[from] - distances[from + STEPS[edges[e] % 3]]) > MOST_CHANGE) return true;
  }
  return false;
}

function vertexOn(vertices: Int32Array, cell: number, edge: number): number {
  const packed = vertices[cell + CORNER_STEPS[(edge / 3) | 0]];
  const before = packed & ((1 << (edge % 3)) - 1);
  return (packed >> 3) + (before & 1) + (before >> 1);
}

class VertexList {
  count = 0;
  #positions = new Float32Array(3 * 65_536);
  #colors = new Uint8Array(3 * 65_536);

  add(x: number, y: number, z: number, r: number, g: number, b: number): void {
    const at = 3 * this.count++;
    if (at === this.#positions.length) this.#grow();
    this.#positions[at] = x;
    this.#positions[at + 1] = y;
    this.#positions[at + 2] = z;
    this.#colors[at] = r + 0.5;
    this.#colors[at + 1] = g + 0.5;
    this.#colors[at + 2] = b + 0.5;
  }

  positions(): Float32Array {
    return this.#positions.subarray(0, 3 * this.count);
  }

  colors(): Uint8Array {
    return this.#colors.subarray(0, 3 * this.count);
  }

  #grow(): void {
    const [positions, colors] = [this.#positions, this.#colors];
    this.#positions = new Float32Array(2 * positions.length);
    this.#positions.set(positions);
    this.#colors = new Uint8Array(2 * colors.length);
    this.#colors.set(colors);
  }
}

class TriangleList {
  #corners = new Uint32Array(3 * 65_536);
  #length = 0;

  add(corner: number): void {
    if (this.#length === this.#corners.length) {
      const grown = new Uint32Array(2 * this.#length);
      grown.set(this.#corners);
      this.#corners = grown;
    }
    this.#corners[this.#length++] = corner;
  }

  take(): Uint32Array {
    return this.#corners.subarray(0, this.#length);
  }
}
