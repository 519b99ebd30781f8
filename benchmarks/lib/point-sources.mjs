/**
 * Where the cloud benchmarks get their points: a seeded hall without end, depth frames of a real room fused with their
 * poses, and a PLY of airborne lidar. Each gives what an octree inserts: `{ positions, colors, photos }`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { dataset } from "../support.mjs";

/** Size of the hall, metres; its floor is z = 0. */
export const HALL = { width: 24, depth: 16, height: 6 };

/**
 * What one photo of a walk through a hall with columns and balls sees: floor, two walls, columns, balls, in a footprint
 * of 7 m around the walker, with 4 mm of noise. The same number gives the same points on every machine.
 * @param index 0, 1, 2, …: the place on the walk
 * @param count points
 */
export function hallPhoto(index, count) {
  const random = randomOf(index);
  const noise = (width) => (random() - 0.5) * width;
  const positions = new Float32Array(count * 3);
  const colors = new Uint8Array(count * 3);
  const [walkX, walkY] = [12 + 8 * Math.cos(index * 0.17), 8 + 5 * Math.sin(index * 0.17 * 1.3)];
  const column = [Math.round(walkX / 4) * 4, Math.round(walkY / 4) * 4];
  const ball = [Math.round(walkX / 3) * 3 + 1.5, Math.round(walkY / 3) * 3 + 1];

  for (let i = 0; i < count; i++) {
    const part = random();
    const u = walkX + (random() + random() - 1) * 3.5;
    const v = walkY + (random() + random() - 1) * 3.5;
    const h = random() * HALL.height;
    let [x, y, z, r, g, b] = [0, 0, 0, 0, 0, 0];
    if (part < 0.45) {
      const light = (Math.floor(u) + Math.floor(v)) & 1;
      [x, y, z] = [u, v, 0.02 * Math.sin(u * 3) * Math.cos(v * 2)];
      [r, g, b] = light ? [168, 168, 160] : [96, 96, 88];
    } else if (part < 0.6) {
      const band = Math.floor(h * 2) & 1;
      [x, y, z] = [u, walkY > 8 ? HALL.depth : 0, h];
      [r, g, b] = [196 - band * 24, 172 - band * 20, 138];
    } else if (part < 0.75) {
      const band = (Math.floor(h * 1.5) + Math.floor(v * 1.5)) & 1;
      [x, y, z] = [walkX > 12 ? HALL.width : 0, v, h];
      [r, g, b] = [128 - band * 20, 150 - band * 16, 184];
    } else if (part < 0.88) {
      const angle = random() * 2 * Math.PI;
      const groove = Math.floor((angle * 12) / Math.PI) & 1;
      [x, y, z] = [column[0] + 0.35 * Math.cos(angle), column[1] + 0.35 * Math.sin(angle), h];
      [r, g, b] = groove ? [198, 192, 182] : [228, 220, 204];
    } else {
      const [angle, up] = [random() * 2 * Math.PI, random() * 2 - 1];
      const across = 0.7 * Math.sqrt(1 - up * up);
      [x, y, z] = [ball[0] + across * Math.cos(angle), ball[1] + across * Math.sin(angle), 0.7 + 0.7 * up];
      [r, g, b] = [205, 96 + 50 * up, 64];
    }
    positions[3 * i] = x + noise(0.004);
    positions[3 * i + 1] = y + noise(0.004);
    positions[3 * i + 2] = z + noise(0.004);
    const shade = 0.8 + 0.2 * random();
    colors[3 * i] = r * shade;
    colors[3 * i + 1] = g * shade;
    colors[3 * i + 2] = b * shade;
  }
  return { positions, colors, photos: index + 1 };
}

/**
 * The frames of a real room (7-Scenes, Kinect), one after the other: 30,000 to 300,000 points each.
 * @param pixelStep every how many-th pixel of a row and of a column
 * @param frames how many of the 100
 * @yields `{ positions, colors, photos, worldFromCamera }`, metres; the pose is 4 × 4, row by row; without the pixels
 *   that have no depth
 */
export async function* sevenScenes({ pixelStep = 2, frames = 100 } = {}) {
  const folder = dataset("sevenscenes-rgbd");
  const numbers = (name) => readFileSync(join(folder, name), "utf8").trim().split(/\s+/).map(Number);
  const [focalX, , centreX, , focalY, centreY] = numbers("camera-intrinsics.txt");
  const names = readdirSync(join(folder, "frames")).filter((name) => name.endsWith(".depth.png"));
  for (const [index, file] of names.sort().slice(0, frames).entries()) {
    const name = join("frames", file.replace(".depth.png", ""));
    const depth = await depthOf(join(folder, `${name}.depth.png`));
    const { data: rgb, info } = await sharp(join(folder, `${name}.color.jpg`))
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.width !== depth.width || info.height !== depth.height || info.channels !== 3) {
      throw new Error(`${name}: colour is ${info.width} × ${info.height}, depth ${depth.width} × ${depth.height}`);
    }
    const worldFromCamera = numbers(`${name}.pose.txt`);
    const most = Math.ceil(depth.width / pixelStep) * Math.ceil(depth.height / pixelStep);
    const positions = new Float32Array(most * 3);
    const colors = new Uint8Array(most * 3);
    let n = 0;
    for (let row = 0; row < depth.height; row += pixelStep) {
      for (let column = 0; column < depth.width; column += pixelStep) {
        const pixel = row * depth.width + column;
        const millimetres = depth.values[pixel];
        if (millimetres === 0 || millimetres === 65535) continue;
        const z = millimetres / 1000;
        const x = ((column - centreX) / focalX) * z;
        const y = ((row - centreY) / focalY) * z;
        for (let axis = 0; axis < 3; axis++) {
          const m = axis * 4;
          positions[3 * n + axis] =
            worldFromCamera[m] * x + worldFromCamera[m + 1] * y + worldFromCamera[m + 2] * z + worldFromCamera[m + 3];
          colors[3 * n + axis] = rgb[3 * pixel + axis];
        }
        n++;
      }
    }
    yield {
      positions: positions.slice(0, n * 3),
      colors: colors.slice(0, n * 3),
      photos: index + 1,
      worldFromCamera,
    };
  }
}

/** @returns millimetres, row by row; 0 and 65535 where nothing was measured */
async function depthOf(file) {
  const { data, info } = await sharp(file)
    .toColourspace("grey16") // or the 16 bits are squeezed into 8
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 1) throw new Error(`${file} has ${info.channels} channels`);
  const values = new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
  return { width: info.width, height: info.height, values };
}

/** Autzen stadium from the air: 742,938 points over 0.6 km, in feet, coloured. */
export function autzen() {
  return readPly(join(dataset("clouds"), "autzen-crop.ply"));
}

/** A binary little-endian PLY whose vertices are float x y z, uchar red green blue and nothing else. */
export function readPly(file) {
  const bytes = readFileSync(file);
  const end = "end_header\n";
  const header = bytes.toString("latin1", 0, bytes.indexOf(end) + end.length);
  const count = Number(/^element vertex (\d+)$/m.exec(header)?.[1]);
  const properties = [...header.matchAll(/^property (.+)$/gm)].map(([, property]) => property).join();
  const wanted = "float x,float y,float z,uchar red,uchar green,uchar blue";
  if (properties !== wanted || !header.includes("binary_little_endian")) throw new Error(`${file}: ${properties}`);
  const positions = new Float32Array(count * 3);
  const colors = new Uint8Array(count * 3);
  for (let i = 0, at = header.length; i < count; i++, at += 15) {
    for (let axis = 0; axis < 3; axis++) positions[3 * i + axis] = bytes.readFloatLE(at + 4 * axis);
    for (let axis = 0; axis < 3; axis++) colors[3 * i + axis] = bytes[at + 12 + axis];
  }
  return { positions, colors, photos: 0 };
}

/** Numbers in 0…1: mulberry32, every seed its own sequence. */
function randomOf(seed) {
  let state = (seed * 0x9e3779b1 + 1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
