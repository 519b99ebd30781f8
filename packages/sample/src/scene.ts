/**
 * The scene: a ruined arch with what is left of its wall, a cairn beside it, fallen blocks, flagstones, scattered
 * rocks, a low dry-stone wall behind, grass and distant hills. Metres, right-handed, +Y up; the arch stands in z = 0.
 */
import { type Bvh, buildBvh } from "./bvh.ts";
import { addGround, addPlants, groundHeight, offPath } from "./ground.ts";
import { type Mesh, MeshBuilder, sharedF32, type Vec } from "./mesh.ts";
import { noise, randomStream } from "./noise.ts";
import { addStone, type StoneShape } from "./stone.ts";

export type Scene = {
  /** Stones and ground. */
  readonly solid: Mesh;
  readonly solidTree: Bvh;
  /** Grass and flowers: they catch and cast light but are left out of the baked sky light. */
  readonly plants: Mesh;
  readonly plantTree: Bvh;
  /** `[vertices of solid, 4]` sky light r, g, b and 1 once it is known; filled as it is needed. */
  readonly skyLight: Float32Array;
};

const COURSE = 0.33; // metres, height of a row of blocks
const RING_INNER = 0.95;
const RING_OUTER = 1.36;
const SPRING = 1.72; // metres, where the arch leaves its pillars

export function buildScene(): Scene {
  const mesh = new MeshBuilder();
  const footprints: number[] = [];
  let stones = 0;
  const put = (shape: StoneShape): void => {
    addStone(mesh, shape, ++stones);
    if (shape.centre[1] - groundHeight(shape.centre[0], shape.centre[2]) < 0.4) {
      footprints.push(shape.centre[0], shape.centre[2], Math.max(shape.half[0], shape.half[2]) * 0.85);
    }
  };
  addGround(mesh, 520);
  addArch(put);
  addCairn(put, 2.35, 1.75);
  addFallen(put);
  addLowWall(put);
  addScattered(put);

  const plants = new MeshBuilder();
  addPlants(plants, 30_000, 10.5, (x, z) => {
    for (let i = 0; i < footprints.length; i += 3) {
      if ((x - footprints[i]) ** 2 + (z - footprints[i + 1]) ** 2 < footprints[i + 2] ** 2) return true;
    }
    return false;
  });
  const solid = mesh.finish();
  const grown = plants.finish();
  return {
    solid,
    solidTree: buildBvh(solid),
    plants: grown,
    plantTree: buildBvh(grown),
    skyLight: sharedF32((solid.positions.length / 3) * 4),
  };
}

type Put = (shape: StoneShape) => void;

/** How high the ruin still stands at `x`. */
function outline(x: number): number {
  const ragged = 0.22 * noise(x * 2.6, 9.1, 0.5);
  if (x < -1.2) return 0.55 + 2.6 * Math.max(0, 1 - (-1.2 - x) / 2.5) ** 1.2 + ragged;
  if (x < 0.7) return 3.0 + ragged;
  return 3.05 - 1.15 * Math.max(0, x - 0.7) - (x > 1.9 ? 0.55 : 0) + ragged;
}

function addArch(put: Put): void {
  const random = randomStream(5);
  const base = groundHeight(0, 0) - 0.08;
  for (let course = 0; course < 10; course++) {
    const y = course * COURSE + COURSE / 2;
    const rise = Math.max(0, y - SPRING);
    const opening = y < SPRING ? RING_INNER : rise < RING_OUTER ? Math.sqrt(RING_OUTER ** 2 - rise ** 2) - 0.04 : 0;
    const depth = y < SPRING ? 0.4 : 0.33;
    addCourse(put, random, base + y, y, -3.5, -opening, depth);
    addCourse(put, random, base + y, y, opening, 2.55, depth);
  }
  const voussoirs = 13;
  for (let i = 0; i < voussoirs; i++) {
    const angle = ((i + 0.5) / voussoirs) * Math.PI;
    const r = (RING_INNER + RING_OUTER) / 2 + (random() - 0.5) * 0.04;
    const width = (Math.PI * r) / voussoirs;
    put({
      centre: [Math.cos(angle) * r, base + SPRING + Math.sin(angle) * r, (random() - 0.5) * 0.06],
      half: [width * 0.515, (RING_OUTER - RING_INNER) / 2 + 0.015 + random() * 0.03, 0.4 + random() * 0.05],
      turn: [(random() - 0.5) * 0.06, (random() - 0.5) * 0.04, angle - Math.PI / 2 + (random() - 0.5) * 0.05],
      squareness: 11,
      cuts: 5,
      roughness: 0.11,
      grid: 20,
      taper: 0.17,
    });
  }
}

/** One row of blocks between two places, as far as the outline lets it stand. */
function addCourse(put: Put, random: () => number, y: number, height: number, from: number, to: number, depth: number) {
  let x = from + random() * 0.2;
  while (x < to - 0.08) {
    let width = 0.34 + random() * 0.4;
    if (to - x - width < 0.2) width = to - x;
    const middle = x + width / 2;
    const nearEnd = from < 0 ? x + width > to - 0.02 : x < from + 0.22;
    if (height < outline(middle) || (nearEnd && height < SPRING)) {
      put({
        centre: [middle, y + (random() - 0.5) * 0.015, (random() - 0.5) * 0.07],
        half: [width / 2 + 0.004, COURSE / 2 + 0.004, depth + (random() - 0.3) * 0.05],
        turn: [(random() - 0.5) * 0.05, (random() - 0.5) * 0.03, (random() - 0.5) * 0.03],
        squareness: 9 + random() * 5,
        cuts: 5,
        roughness: 0.13,
        grid: 22,
      });
    }
    x += width;
  }
}

function addCairn(put: Put, cx: number, cz: number): void {
  const random = randomStream(11);
  const base = groundHeight(cx, cz) - 0.05;
  const layers = 8;
  for (let layer = 0; layer < layers; layer++) {
    const t = layer / layers;
    const radius = 0.98 * (1 - t) ** 0.85 + 0.1;
    const size = 0.2 - 0.055 * t;
    const count = Math.max(5, Math.floor((2 * Math.PI * radius) / (size * 1.55)));
    for (let ring = 0; ring < 2; ring++) {
      const r = radius - ring * size * 1.3;
      if (r < 0.05) continue;
      for (let i = 0; i < count - ring * 3; i++) {
        const angle = ((i + (layer % 2) / 2 + random() * 0.35) / (count - ring * 3)) * Math.PI * 2;
        const s = size * (0.75 + random() * 0.6);
        put({
          centre: [
            cx + Math.cos(angle) * r,
            base + 0.1 + layer * 0.145 + (random() - 0.5) * 0.05,
            cz + Math.sin(angle) * r,
          ],
          half: [s * (0.9 + random() * 0.35), s * (0.5 + random() * 0.3), s * (0.75 + random() * 0.35)],
          turn: [-angle + (random() - 0.5), (random() - 0.5) * 0.5, (random() - 0.5) * 0.4 - 0.15],
          squareness: 2.4 + random() * 1.8,
          cuts: 9,
          roughness: 0.16,
          grid: 14,
        });
      }
    }
  }
  let y = base + 0.08 + layers * 0.145;
  for (const [width, thickness] of [
    [0.3, 0.085],
    [0.235, 0.1],
    [0.2, 0.07],
    [0.14, 0.085],
    [0.085, 0.055],
  ]) {
    y += thickness;
    put({
      centre: [cx + (random() - 0.5) * 0.07, y, cz + (random() - 0.5) * 0.07],
      half: [width, thickness, width * (0.75 + random() * 0.2)],
      turn: [random() * 6, (random() - 0.5) * 0.12, (random() - 0.5) * 0.12],
      squareness: 2.7,
      cuts: 8,
      roughness: 0.14,
      grid: 18,
    });
    y += thickness * 0.86;
  }
}

/** Blocks that fell from the ruin, and a few boulders. */
function addFallen(put: Put): void {
  const random = randomStream(23);
  const places: [number, number, number][] = [
    [3.1, -0.5, 0.3],
    [3.5, 0.35, 0.24],
    [2.75, 0.75, 0.17],
    [4.1, -0.9, 0.2],
    [-1.5, 1.1, 0.26],
    [-2.1, 1.55, 0.2],
    [-2.75, 0.95, 0.28],
    [-1.15, 1.75, 0.13],
    [-3.7, -0.3, 0.3],
    [-4.0, 0.6, 0.22],
    [1.3, -1.4, 0.24],
    [-1.9, -1.3, 0.3],
    [0.9, 2.9, 0.16],
    [-0.9, -2.4, 0.22],
    [3.3, -2.4, 0.34],
    [-3.3, -2.3, 0.38],
    [-0.8, 3.3, 0.2],
  ];
  for (const [x, z, size] of places) {
    const block = random() < 0.6;
    put({
      centre: [x, groundHeight(x, z) + size * 0.35, z],
      half: [size * (1 + random() * 0.5), size * (0.65 + random() * 0.25), size * (0.8 + random() * 0.3)],
      turn: [random() * 6, (random() - 0.5) * 0.7, (random() - 0.5) * 0.6],
      squareness: block ? 8 : 2.6,
      cuts: block ? 6 : 11,
      roughness: 0.14,
      grid: 24,
    });
  }
}

/** A dry-stone wall on an arc behind the ruin, three to five stones high. */
function addLowWall(put: Put): void {
  const random = randomStream(31);
  for (let row = 0; row < 4; row++) {
    let angle = -2.55;
    while (angle < -0.5) {
      const size = 0.17 + random() * 0.13 - row * 0.012;
      const r = 9.3 + 0.35 * Math.sin(angle * 3);
      const x = r * Math.cos(angle);
      const z = 0.9 + r * Math.sin(angle);
      const gap = Math.abs(angle + 1.2) < 0.1 || noise(angle * 3, row, 2.5) > 0.75 - row * 0.14;
      if (!gap) {
        put({
          centre: [x, groundHeight(x, z) + 0.12 + row * 0.21, z + (random() - 0.5) * 0.08],
          half: [size, 0.12 + random() * 0.03, 0.2 + random() * 0.08],
          turn: [-angle - Math.PI / 2 + (random() - 0.5) * 0.3, (random() - 0.5) * 0.2, (random() - 0.5) * 0.2],
          squareness: 3.2 + random() * 2,
          cuts: 8,
          roughness: 0.15,
          grid: 10,
        });
      }
      angle += (size * 1.9) / r;
    }
  }
}

/** Flagstones on the way through the arch, stones in the grass, pebbles on the way. */
function addScattered(put: Put): void {
  const random = randomStream(47);
  for (let z = -3.4; z < 5.4; z += 0.62) {
    const x = 0.28 * Math.sin(z * 0.7) + (random() - 0.5) * 0.3;
    put({
      centre: [x, groundHeight(x, z) - 0.012, z],
      half: [0.3 + random() * 0.16, 0.045, 0.22 + random() * 0.08],
      turn: [(random() - 0.5) * 0.9, (random() - 0.5) * 0.08, (random() - 0.5) * 0.08],
      squareness: 4,
      cuts: 7,
      roughness: 0.3,
      grid: 20,
    });
  }
  for (let i = 0; i < 900; i++) {
    const r = 6.6 * Math.sqrt(random());
    const angle = random() * Math.PI * 2;
    const x = r * Math.cos(angle) + 0.3;
    const z = r * Math.sin(angle) + 0.4;
    const trodden = 1 - offPath(x, z);
    if (i > 230 && random() > 0.12 + trodden) continue;
    const size = i < 230 ? 0.035 + 0.12 * random() ** 2.5 : 0.012 + 0.022 * random();
    put({
      centre: [x, groundHeight(x, z) + size * 0.25, z],
      half: [size * (1 + random() * 0.5), size * (0.55 + random() * 0.3), size * (0.8 + random() * 0.3)],
      turn: [random() * 6, (random() - 0.5) * 0.8, (random() - 0.5) * 0.8],
      squareness: 2.3 + random(),
      cuts: 7,
      roughness: 0.14,
      grid: size > 0.08 ? 12 : size > 0.035 ? 8 : 5,
    });
  }
}

/** The stones' own corner of the noise, so that no two look alike. */
export function stoneOffset(stone: number): Vec {
  return [(stone * 37.17) % 211, (stone * 71.93) % 197, (stone * 13.31) % 223];
}
