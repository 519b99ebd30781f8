/** The ground: nearly level where people walk, hills far away; and what grows on it. Metres, +Y up. */
import { BLADE, FLOWER, GROUND, type MeshBuilder } from "./mesh.ts";
import { fractal, noise, randomStream, smoothstep } from "./noise.ts";

export function groundHeight(x: number, z: number): number {
  const r = Math.hypot(x, z);
  const near = 0.16 * noise(x * 0.23, 3.1, z * 0.23) + 0.05 * noise(x * 0.8, 8.4, z * 0.8);
  const fine = r < 14 ? 0.022 * fractal(x * 3.1, 1.7, z * 3.1, 3) : 0;
  const hills = smoothstep(16, 130, r) * (13 + 22 * fractal(x * 0.013 + 4.2, 6.6, z * 0.013 - 1.3, 4));
  return near + fine + Math.max(hills, -0.8) - 0.0016 * Math.min(r, 40) ** 1.5;
}

/** 0 on the trodden way through the arch, 1 away from it. */
export function offPath(x: number, z: number): number {
  const middle = 0.28 * Math.sin(z * 0.7) + 0.1 * noise(z * 0.9, 2.2, 5.5);
  return smoothstep(0.35, 0.95, Math.abs(x - middle) + 0.18 * noise(x * 2, 4.4, z * 2));
}

/** A square grid, 2 cm wide cells in the middle growing to metres at 260 m. */
export function addGround(mesh: MeshBuilder, cells: number): void {
  const spread = (i: number): number => {
    const u = (i / cells) * 2 - 1;
    return 8 * u + 252 * u ** 5;
  };
  const first = mesh.vertexCount;
  for (let j = 0; j <= cells; j++) {
    for (let i = 0; i <= cells; i++) mesh.vertex(spread(i), groundHeight(spread(i), spread(j)), spread(j));
  }
  for (let j = 0; j < cells; j++) {
    for (let i = 0; i < cells; i++) {
      const a = first + j * (cells + 1) + i;
      const c = a + cells + 1;
      mesh.triangle(a, c, a + 1, GROUND, 0);
      mesh.triangle(a + 1, c, c + 1, GROUND, 0);
    }
  }
}

/** Grass in tufts, and some small flowers, within `radius` of the middle. Owner indices number the tufts. */
export function addPlants(
  mesh: MeshBuilder,
  tufts: number,
  radius: number,
  covered: (x: number, z: number) => boolean,
) {
  const random = randomStream(77);
  for (let tuft = 0; tuft < tufts; tuft++) {
    const r = radius * Math.sqrt(random());
    const angle = random() * Math.PI * 2;
    const x = r * Math.cos(angle);
    const z = r * Math.sin(angle);
    const lush = 0.5 + 0.5 * fractal(x * 0.55 + 3, 0.5, z * 0.55, 3);
    const keep = lush * (0.15 + 0.85 * offPath(x, z));
    const size = 0.05 + 0.12 * lush * random() ** 1.5 + (random() < 0.03 ? 0.12 : 0);
    if (random() > keep * 1.35 || covered(x, z)) continue;
    const blades = 5 + Math.floor(random() * 6);
    for (let b = 0; b < blades; b++) addBlade(mesh, x, z, size, random, tuft);
    if (random() < 0.045) addFlower(mesh, x, z, size, random, tuft);
  }
}

function addBlade(mesh: MeshBuilder, x: number, z: number, size: number, random: () => number, tuft: number): void {
  const bx = x + (random() - 0.5) * 0.07;
  const bz = z + (random() - 0.5) * 0.07;
  const y = groundHeight(bx, bz) - 0.01;
  const height = size * (0.6 + 0.7 * random());
  const angle = random() * Math.PI * 2;
  const lean = height * (0.25 + 0.6 * random());
  const dx = Math.cos(angle);
  const dz = Math.sin(angle);
  const w = 0.0032 + 0.0028 * random();
  const a = mesh.vertex(bx - dz * w, y, bz + dx * w);
  const b = mesh.vertex(bx + dz * w, y, bz - dx * w);
  const c = mesh.vertex(bx + dx * lean * 0.35 - dz * w * 0.8, y + height * 0.6, bz + dz * lean * 0.35 + dx * w * 0.8);
  const d = mesh.vertex(bx + dx * lean * 0.35 + dz * w * 0.8, y + height * 0.6, bz + dz * lean * 0.35 - dx * w * 0.8);
  const tip = mesh.vertex(bx + dx * lean, y + height, bz + dz * lean);
  mesh.triangle(a, b, d, BLADE, tuft);
  mesh.triangle(a, d, c, BLADE, tuft);
  mesh.triangle(c, d, tip, BLADE, tuft);
}

function addFlower(mesh: MeshBuilder, x: number, z: number, size: number, random: () => number, tuft: number): void {
  const y = groundHeight(x, z) + size * (0.9 + 0.4 * random());
  const r = 0.009 + 0.007 * random();
  const ring = Array.from({ length: 6 }, (_, i) => {
    const angle = (i / 6) * Math.PI * 2;
    return mesh.vertex(x + r * Math.cos(angle), y + (i % 2) * r * 0.35, z + r * Math.sin(angle));
  });
  const top = mesh.vertex(x, y + r * 0.55, z);
  const bottom = mesh.vertex(x, y - r * 0.4, z);
  for (let i = 0; i < 6; i++) {
    mesh.triangle(ring[(i + 1) % 6], ring[i], top, FLOWER, tuft);
    mesh.triangle(ring[i], ring[(i + 1) % 6], bottom, FLOWER, tuft);
  }
}
