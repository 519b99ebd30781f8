/**
 * Which way is out: towards the camera that saw a sample, and where no camera is known, as the neighbours say.
 * The latter goes from what is known, and then from some cell of each piece, along the neighbours whose planes agree best
 * (Hoppe et al. 1992: a minimum spanning tree over 1 − |nᵢ·nⱼ|).
 */
import type { CellIndex } from "./cell-index.ts";
import type { Neighbourhoods } from "./moments.ts";
import type { Samples } from "./samples.ts";

/** Where each photo was taken, in the samples' frame and unit. */
export type Cameras = ReadonlyMap<number, readonly [number, number, number]>;

/** Below this cosine a photo sees the plane too much from the side to say which side it sees. */
export const GRAZING = 0.15;
/** Costs 0 to 1 are told apart in this many steps. */
const STEPS = 256;

/**
 * `[n, 3]` unit normal of each sample; 0 0 0 where nothing is known. Those that samples bring stay as they are.
 * @param up a direction that open surfaces without any camera face, when they do not close around themselves
 */
export function orientedNormals(
  samples: Pick<Samples, "count" | "positions" | "weights" | "photos" | "normals">,
  around: Neighbourhoods,
  cameras: Cameras,
  up: readonly [number, number, number] = [0, 0, 1],
): Float32Array {
  const { count, positions, weights, photos, normals } = samples;
  const out = new Float32Array(3 * count);
  const votes = new Float64Array(around.cells.count);
  /** 1, −1: the sample has said itself; 0: as its cell. */
  const said = new Int8Array(count);
  for (let i = 0; i < count; i++) {
    const cell = 3 * around.cellOf[i];
    const [nx, ny, nz] = [around.normals[cell], around.normals[cell + 1], around.normals[cell + 2]];
    let cosine = 0;
    if (normals[3 * i] || normals[3 * i + 1] || normals[3 * i + 2]) {
      for (let axis = 0; axis < 3; axis++) out[3 * i + axis] = normals[3 * i + axis] / 127;
      cosine = (normals[3 * i] * nx + normals[3 * i + 1] * ny + normals[3 * i + 2] * nz) / 127;
      said[i] = 1;
    } else {
      const camera = cameras.get(photos[i]);
      if (!camera) continue;
      const [x, y, z] = [
        camera[0] - positions[3 * i],
        camera[1] - positions[3 * i + 1],
        camera[2] - positions[3 * i + 2],
      ];
      cosine = (x * nx + y * ny + z * nz) / (Math.hypot(x, y, z) || 1);
      if (Math.abs(cosine) < GRAZING) continue;
      const sign = Math.sign(cosine);
      said[i] = sign;
      out[3 * i] = sign * nx;
      out[3 * i + 1] = sign * ny;
      out[3 * i + 2] = sign * nz;
    }
    votes[around.cellOf[i]] += weights[i] * cosine;
  }
  const signs = propagate(around, votes, up);
  for (let i = 0; i < count; i++) {
    if (said[i]) continue;
    const cell = around.cellOf[i];
    for (let axis = 0; axis < 3; axis++) out[3 * i + axis] = signs[cell] * around.normals[3 * cell + axis];
  }
  return out;
}

/** `[cells]` the factor that turns each cell's normal outwards. */
function propagate({ cells, normals }: Neighbourhoods, votes: Float64Array, up: readonly number[]): Int8Array {
  const signs = new Int8Array(cells.count);
  const queue = new BucketQueue();
  const cheapest = new Uint16Array(cells.count).fill(STEPS);
  const reach = (from: number): void => {
    forNeighbours(cells, from, (to) => {
      if (signs[to]) return;
      const cost = Math.min(STEPS - 1, Math.floor(Math.max(0, 1 - Math.abs(dot(normals, from, to))) * STEPS));
      if (cost >= cheapest[to]) return;
      cheapest[to] = cost;
      queue.push(cost, from, to);
    });
  };
  const spread = (take: (cell: number) => void): void => {
    for (let link = queue.pop(); link; link = queue.pop()) {
      const [from, to] = link;
      if (signs[to]) continue;
      signs[to] = dot(normals, from, to) < 0 ? -signs[from] : signs[from];
      take(to);
      reach(to);
    }
  };
  for (let cell = 0; cell < cells.count; cell++) signs[cell] = Math.sign(votes[cell]);
  for (let cell = 0; cell < cells.count; cell++) if (signs[cell]) reach(cell);
  spread(() => undefined);
  for (let seed = 0; seed < cells.count; seed++) {
    if (signs[seed]) continue;
    const piece = [seed];
    signs[seed] = 1;
    reach(seed);
    spread((cell) => piece.push(cell));
    if (!facesOut(cells, normals, signs, piece, up)) for (const cell of piece) signs[cell] = -signs[cell];
  }
  return signs;
}

/** By the volume it encloses; what encloses next to none faces up. */
function facesOut(
  { coords }: CellIndex,
  normals: Float32Array,
  signs: Int8Array,
  piece: readonly number[],
  up: readonly number[],
): boolean {
  const middle = [0, 0, 0];
  for (const cell of piece) for (let axis = 0; axis < 3; axis++) middle[axis] += coords[3 * cell + axis] / piece.length;
  let flux = 0;
  let reach = 0;
  let upward = 0;
  for (const cell of piece) {
    let distance = 0;
    for (let axis = 0; axis < 3; axis++) {
      const offset = coords[3 * cell + axis] - middle[axis];
      const normal = signs[cell] * normals[3 * cell + axis];
      flux += normal * offset;
      upward += normal * up[axis];
      distance += offset * offset;
    }
    reach += Math.sqrt(distance);
  }
  return Math.abs(flux) > 0.25 * reach ? flux > 0 : upward >= 0;
}

function dot(normals: Float32Array, a: number, b: number): number {
  return (
    normals[3 * a] * normals[3 * b] + normals[3 * a + 1] * normals[3 * b + 1] + normals[3 * a + 2] * normals[3 * b + 2]
  );
}

/** The cells that touch it; where there are few, those within two or three cells. */
function forNeighbours(cells: CellIndex, cell: number, tell: (other: number) => void): void {
  const [cx, cy, cz] = cells.coords.subarray(3 * cell, 3 * cell + 3);
  let found = 0;
  for (let radius = 1; radius <= 3 && found < 3; radius++) {
    for (let z = -radius; z <= radius; z++) {
      for (let y = -radius; y <= radius; y++) {
        const inside = Math.abs(y) < radius && Math.abs(z) < radius;
        for (let x = -radius; x <= radius; x += inside ? 2 * radius : 1) {
          const other = cells.find(cx + x, cy + y, cz + z);
          if (other < 0) continue;
          found++;
          tell(other);
        }
      }
    }
  }
}

/** Cheapest first; within a step last in, first out. */
class BucketQueue {
  readonly #buckets: number[][] = Array.from({ length: STEPS }, () => []);
  #lowest = 0;

  push(cost: number, from: number, to: number): void {
    this.#buckets[cost].push(from, to);
    if (cost < this.#lowest) this.#lowest = cost;
  }

  pop(): [number, number] | undefined {
    while (this.#lowest < STEPS && this.#buckets[this.#lowest].length === 0) this.#lowest++;
    if (this.#lowest === STEPS) return undefined;
    const bucket = this.#buckets[this.#lowest];
    const to = bucket.pop()!;
    return [bucket.pop()!, to];
  }
}
