/**
 * From scene and camera to light, and from light to a photo. Primary and sun rays are traced, light of the sky and
 * one bounce is gathered at the vertices when first needed (`skyLightAt`) and kept.
 */
import { type Hit, trace } from "./bvh.ts";
import { type Camera, FOCAL_PX, HEIGHT, WIDTH } from "./camera.ts";
import { BLADE, FLOWER } from "./mesh.ts";
import { fractal, hash01, smoothstep } from "./noise.ts";
import { paint, paintAt } from "./paint.ts";
import type { Scene } from "./scene.ts";

const SUN = [-0.704, 0.529, 0.474] as const; // unit, towards it
const SUN_LIGHT = [3.5, 2.72, 1.9] as const;
const GATHER = 40; // rays per vertex

type Tile = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

const sky = new Float64Array(3);

function skyAt(dx: number, dy: number, dz: number, clouds: boolean): void {
  const up = Math.max(0, dy);
  const t = 1 - (1 - up) ** 2.6;
  sky[0] = 0.84 + (0.11 - 0.84) * t;
  sky[1] = 0.86 + (0.31 - 0.86) * t;
  sky[2] = 0.9 + (0.8 - 0.9) * t;
  const sun = Math.max(0, dx * SUN[0] + dy * SUN[1] + dz * SUN[2]);
  const glow = 0.35 * sun ** 6;
  sky[0] += glow;
  sky[1] += glow * 0.8;
  sky[2] += glow * 0.55;
  if (!clouds || dy <= 0.015) return;
  const s = 1.15 / (dy + 0.14);
  const density = fractal(dx * s * 1.3, 2.5, dz * s * 1.3 + 3, 6, 0.52);
  const cover = smoothstep(0.05, 0.75, density) * smoothstep(0.015, 0.14, dy) * 0.88;
  const lit = 1.06 - 0.3 * smoothstep(0.3, 1.1, density);
  sky[0] += (lit - sky[0]) * cover;
  sky[1] += (lit * 0.985 - sky[1]) * cover;
  sky[2] += (lit * 0.98 - sky[2]) * cover;
}

const gatherHit: Hit = { distance: 0, triangle: 0, u: 0, v: 0 };

/** Light of sky and one bounce at a vertex, into `skyLight`; the same whoever asks first. */
function gather(scene: Scene, vertex: number): void {
  const { solid, skyLight } = scene;
  const [nx, ny, nz] = [solid.normals[vertex * 3], solid.normals[vertex * 3 + 1], solid.normals[vertex * 3 + 2]];
  const ox = solid.positions[vertex * 3] + nx * 0.006;
  const oy = solid.positions[vertex * 3 + 1] + ny * 0.006;
  const oz = solid.positions[vertex * 3 + 2] + nz * 0.006;
  let [r, g, b] = [0, 0, 0];
  const start = hash01(vertex, 3, 5);
  for (let i = 0; i < GATHER; i++) {
    // Uniform on the sphere plus the normal is cosine-weighted about the normal; the golden angle spreads it evenly.
    const up = 1 - (2 * (i + 0.5)) / GATHER;
    const angle = (i * 0.618034 + start) * Math.PI * 2;
    const ring = Math.sqrt(1 - up * up);
    let dx = nx + ring * Math.cos(angle);
    let dy = ny + up;
    let dz = nz + ring * Math.sin(angle);
    const length = Math.hypot(dx, dy, dz) || 1;
    dx /= length;
    dy /= length;
    dz /= length;
    gatherHit.distance = 12;
    if (!trace(scene.solidTree, ox, oy, oz, dx, dy, dz, gatherHit, false)) {
      if (dy > 0) {
        skyAt(dx, dy, dz, false);
        r += sky[0];
        g += sky[1];
        b += sky[2];
      } else {
        r += 0.2;
        g += 0.2;
        b += 0.12;
      }
      continue;
    }
    const at = solid.triangles[gatherHit.triangle * 3] * 3;
    const facing = solid.normals[at] * SUN[0] + solid.normals[at + 1] * SUN[1] + solid.normals[at + 2] * SUN[2];
    const bounce = 0.05 + 0.2 * Math.max(0, facing) * smoothstep(0.02, 0.5, gatherHit.distance);
    r += bounce * 1.5;
    g += bounce * 1.25;
    b += bounce * 0.85;
  }
  skyLight[vertex * 4] = r / GATHER;
  skyLight[vertex * 4 + 1] = g / GATHER;
  skyLight[vertex * 4 + 2] = b / GATHER;
  skyLight[vertex * 4 + 3] = 1; // last: another thread may read
}

const hit: Hit = { distance: 0, triangle: 0, u: 0, v: 0 };
const plantHit: Hit = { distance: 0, triangle: 0, u: 0, v: 0 };
const shadowHit: Hit = { distance: 0, triangle: 0, u: 0, v: 0 };
const light = new Float64Array(3);

/** Light along a ray, into `light`; answers the distance, Infinity for the sky. */
function look(scene: Scene, o: Camera["centre"], dx: number, dy: number, dz: number, dither: number): number {
  hit.distance = Infinity;
  const onSolid = trace(scene.solidTree, o[0], o[1], o[2], dx, dy, dz, hit, false);
  plantHit.distance = hit.distance;
  const onPlant = trace(scene.plantTree, o[0], o[1], o[2], dx, dy, dz, plantHit, false);
  if (!onSolid && !onPlant) {
    skyAt(dx, dy, dz, true);
    light.set(sky);
    return Infinity;
  }
  const mesh = onPlant ? scene.plants : scene.solid;
  const found = onPlant ? plantHit : hit;
  const { distance, triangle, u, v } = found;
  const [a, b, c] = [mesh.triangles[triangle * 3], mesh.triangles[triangle * 3 + 1], mesh.triangles[triangle * 3 + 2]];
  const w = 1 - u - v;
  let nx = mesh.normals[a * 3] * w + mesh.normals[b * 3] * u + mesh.normals[c * 3] * v;
  let ny = mesh.normals[a * 3 + 1] * w + mesh.normals[b * 3 + 1] * u + mesh.normals[c * 3 + 1] * v;
  let nz = mesh.normals[a * 3 + 2] * w + mesh.normals[b * 3 + 2] * u + mesh.normals[c * 3 + 2] * v;
  const side = onPlant && nx * dx + ny * dy + nz * dz > 0 ? -1 : 1;
  const length = Math.hypot(nx, ny, nz) * side || 1;
  nx /= length;
  ny /= length;
  nz /= length;
  const x = o[0] + dx * distance;
  const y = o[1] + dy * distance;
  const z = o[2] + dz * distance;
  const owner = mesh.owners[triangle];
  paintAt(owner, x, y, z, nx, ny, nz);

  let [skyR, skyG, skyB] = [0.36, 0.45, 0.6];
  const leaf = (owner & 3) === BLADE || (owner & 3) === FLOWER;
  if (onPlant) {
    // Dark at the root, light at the tip: corners 0 and 1 of a blade's first two triangles are at the root.
    const tip = (owner & 3) === FLOWER || triangle % 3 === 2 ? 1 : 0.72;
    skyR *= tip;
    skyG *= tip;
    skyB *= tip;
  } else {
    const kept = scene.skyLight;
    for (const vertex of [a, b, c]) if (kept[vertex * 4 + 3] === 0) gather(scene, vertex);
    skyR = kept[a * 4] * w + kept[b * 4] * u + kept[c * 4] * v;
    skyG = kept[a * 4 + 1] * w + kept[b * 4 + 1] * u + kept[c * 4 + 1] * v;
    skyB = kept[a * 4 + 2] * w + kept[b * 4 + 2] * u + kept[c * 4 + 2] * v;
  }

  let sun = paint.nx * SUN[0] + paint.ny * SUN[1] + paint.nz * SUN[2];
  if (leaf) sun = 0.28 + 0.5 * Math.abs(sun); // light shines through leaves
  if (sun > 0) {
    const angle = dither * Math.PI * 2;
    const spread = 0.018 * Math.sqrt((dither * 7.31) % 1); // a soft sun, in radians
    const sx = SUN[0] + spread * Math.cos(angle);
    const sy = SUN[1] + spread * Math.sin(angle);
    const sz = SUN[2] + spread * Math.sin(angle + 1);
    const lift = 0.004 + distance * 2e-4;
    const [px, py, pz] = [x + nx * lift, y + ny * lift, z + nz * lift];
    shadowHit.distance = 60;
    if (trace(scene.solidTree, px, py, pz, sx, sy, sz, shadowHit, true)) sun = 0;
    else {
      shadowHit.distance = 1.2;
      if (trace(scene.plantTree, px, py, pz, sx, sy, sz, shadowHit, true)) sun *= 0.35;
    }
  }
  sun = Math.max(0, sun);
  const relief = 0.72 + 0.28 * (paint.nx * nx + paint.ny * ny + paint.nz * nz);
  light[0] = paint.r * (sun * SUN_LIGHT[0] + skyR * relief);
  light[1] = paint.g * (sun * SUN_LIGHT[1] + skyG * relief);
  light[2] = paint.b * (sun * SUN_LIGHT[2] + skyB * relief);
  const haze = 1 - Math.exp(-distance / 330);
  light[0] += (0.72 - light[0]) * haze;
  light[1] += (0.78 - light[1]) * haze;
  light[2] += (0.86 - light[2]) * haze;
  return distance;
}

/** Light of a part of a photo, `[height, width, 3]` linear; `scale` renders smaller pictures of the same view. */
export function renderTile(scene: Scene, camera: Camera, tile: Tile, scale = 1, rays = 4): Float32Array {
  const out = new Float32Array(tile.width * tile.height * 3);
  const grid = Math.round(Math.sqrt(rays));
  for (let j = 0; j < tile.height; j++) {
    for (let i = 0; i < tile.width; i++) {
      const [px, py] = [tile.x + i, tile.y + j];
      const at = (j * tile.width + i) * 3;
      for (let s = 0; s < grid * grid; s++) {
        const u = px + ((s % grid) + hash01(px, py, s)) / grid;
        const v = py + (Math.floor(s / grid) + hash01(py, s, px)) / grid;
        const d = directionAt(camera, u / scale, v / scale);
        look(scene, camera.centre, d[0], d[1], d[2], (hash01(px, s, py) + s) / (grid * grid));
        for (let c = 0; c < 3; c++) out[at + c] += Math.min(4, light[c]) / (grid * grid);
      }
    }
  }
  return out;
}

/** Unit world direction through a point of the picture, pixels. */
function directionAt({ R }: Camera, u: number, v: number): [number, number, number] {
  const x = (u - WIDTH / 2) / FOCAL_PX;
  const y = (v - HEIGHT / 2) / FOCAL_PX;
  const length = Math.sqrt(x * x + y * y + 1);
  return [
    (R[0] * x + R[3] * y + R[6]) / length,
    (R[1] * x + R[4] * y + R[7]) / length,
    (R[2] * x + R[5] * y + R[8]) / length,
  ];
}

/** Distance along the camera's z axis of what is seen at a point of the picture, metres; Infinity for the sky. */
export function depthAt(scene: Scene, camera: Camera, u: number, v: number): number {
  const d = directionAt(camera, u, v);
  const [x, y, z] = camera.centre;
  const seen: Hit = { distance: Infinity, triangle: 0, u: 0, v: 0 };
  const solid = trace(scene.solidTree, x, y, z, d[0], d[1], d[2], seen, false);
  const plant = trace(scene.plantTree, x, y, z, d[0], d[1], d[2], seen, false);
  if (!solid && !plant) return Infinity;
  return seen.distance * (camera.R[6] * d[0] + camera.R[7] * d[1] + camera.R[8] * d[2]);
}

/** Light to sRGB bytes: vignette, exposure, white balance, a film-like curve (Narkowicz 2015), sensor noise. */
export function develop(linear: Float32Array, camera: Camera, tile: Tile, scale = 1): Uint8Array {
  const out = new Uint8Array(linear.length);
  for (let p = 0; p < linear.length / 3; p++) {
    const px = tile.x + (p % tile.width);
    const py = tile.y + Math.floor(p / tile.width);
    const r2 = ((px / scale - WIDTH / 2) ** 2 + (py / scale - HEIGHT / 2) ** 2) / (WIDTH / 2) ** 2;
    const gain = 0.6 * camera.exposure * (1 - 0.09 * r2);
    for (let c = 0; c < 3; c++) {
      const x = linear[p * 3 + c] * gain * camera.whiteBalance[c];
      const film = Math.min(1, (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14));
      const srgb = film <= 0.0031308 ? film * 12.92 : 1.055 * film ** (1 / 2.4) - 0.055;
      const seed = Math.round(camera.centre[0] * 1e5);
      const grain = hash01(px * 3 + c, py, seed) + hash01(py, px * 3 + c, seed + 1) - 1;
      out[p * 3 + c] = Math.max(0, Math.min(255, Math.round(srgb * 255 + grain * 2.2)));
    }
  }
  return out;
}
