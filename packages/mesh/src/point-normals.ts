/**
 * Normals of points that came without: the plane through what lies around each, facing the camera that saw it. Points
 * are taken a batch at a time, as a cloud of any size is read, and know no neighbours outside their batch.
 */
import { medianSpacing } from "./choose-voxel.ts";
import { type Neighbourhoods, neighbourhoods, noiseOf } from "./moments.ts";
import { mortonOrder } from "./morton.ts";
import { type Cameras, GRAZING } from "./orient.ts";
import type { PointBatch } from "./samples.ts";

/** Fewer say nothing about a surface. */
const ENOUGH = 8;
/** Edge of a cell, in distances between points: a plane is laid through what lies in three each way. */
const SPACINGS_PER_CELL = 3;
/** Of a cell: points that lie farther off their surface (standard deviation) ask for larger ones. */
const FLAT = 0.25;

/**
 * @param cameras where photos were taken, in the points' frame
 * @returns `[n, 3]` unit vectors × 127; 0 0 0 where the point's camera is not known or too little lies around
 */
export function normalsOf(batch: Omit<PointBatch, "colors">, cameras: Cameras): Int8Array {
  const { count, positions } = batch;
  const found = new Int8Array(3 * count);
  const middle = middleOf(positions, count);
  // 32 bits suffice from here on: neighbours lie within the batch.
  const local = new Float32Array(3 * count);
  let reach = 0;
  for (let k = 0; k < local.length; k++) {
    local[k] = positions[k] - middle[k % 3];
    reach = Math.max(reach, Math.abs(local[k]));
  }
  if (count < ENOUGH || !(reach > 0 && reach < Infinity)) return found;
  const cube = { corner: [-reach, -reach, -reach] as const, edge: 2.0001 * reach };
  const spacing = medianSpacing(mortonOrder(local, count, cube), cube.edge);
  if (!(spacing > 0)) return found;
  const weights = new Float32Array(count).fill(1);
  const cell = SPACINGS_PER_CELL * spacing;
  for (let k = 0; k < local.length; k++) local[k] /= cell;
  const wider = noiseOf(local, weights, count) / FLAT;
  if (wider > 1) {
    for (let k = 0; k < local.length; k++) local[k] /= wider;
  }
  orient(batch, neighbourhoods(local, weights, count), cameras, found);
  return found;
}

/** The sign is what the point's own photo says, or where that looks along the surface, those around it. */
function orient(
  { count, positions, photos }: Omit<PointBatch, "colors">,
  { cells, cellOf, normals }: Neighbourhoods,
  cameras: Cameras,
  out: Int8Array,
): void {
  const votes = new Float64Array(cells.count);
  const cosines = new Float32Array(count).fill(NaN);
  for (let i = 0; i < count; i++) {
    const camera = cameras.get(typeof photos === "number" ? photos : photos[i]);
    if (!camera) continue;
    const n = 3 * cellOf[i];
    const [x, y, z] = [
      camera[0] - positions[3 * i],
      camera[1] - positions[3 * i + 1],
      camera[2] - positions[3 * i + 2],
    ];
    const cosine = (x * normals[n] + y * normals[n + 1] + z * normals[n + 2]) / (Math.sqrt(x * x + y * y + z * z) || 1);
    cosines[i] = cosine;
    votes[cellOf[i]] += cosine;
  }
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(cosines[i])) continue;
    const sign = Math.sign(Math.abs(cosines[i]) < GRAZING ? votes[cellOf[i]] : cosines[i]);
    for (let axis = 0; axis < 3; axis++) out[3 * i + axis] = Math.round(127 * sign * normals[3 * cellOf[i] + axis]);
  }
}

function middleOf(positions: Float64Array, count: number): [number, number, number] {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let k = 0; k < 3 * count; k++) {
    low[k % 3] = Math.min(low[k % 3], positions[k]);
    high[k % 3] = Math.max(high[k % 3], positions[k]);
  }
  return [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2];
}
