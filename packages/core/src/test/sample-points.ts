/** What the sample capture's photos see, exactly: every pixel of its depth maps as a point, photo by photo. */
import { join } from "node:path";
import type { CloudPoints } from "@cairn/cloud";
import { readTruth, samplePhotosDir, type TruePose, truthDir } from "@cairn/sample";
import sharp from "sharp";

/** Pixels of a photo for one of its depth map, and metres of one unit in it. */
const STEP = 6;
const UNIT_M = 0.001;

export type SeenPoints = { readonly pose: TruePose; readonly points: CloudPoints & { positions: Float64Array } };

/** Metres, +Y up. @param farthestM left out beyond @param every how many-th pixel of a row and of a column */
export async function* samplePoints(farthestM: number, every = 1): AsyncGenerator<SeenPoints> {
  for (const [index, pose] of readTruth().poses.entries()) {
    const { data, info } = await sharp(join(truthDir, "depth", pose.image.replace("jpg", "png")))
      .toColourspace("grey16")
      .raw({ depth: "ushort" })
      .toBuffer({ resolveWithObject: true });
    const units = new Uint16Array(data.buffer, data.byteOffset, info.width * info.height);
    const photo = await sharp(join(samplePhotosDir, pose.image)).raw().toBuffer({ resolveWithObject: true });
    const positions: number[] = [];
    const colors: number[] = [];
    for (let j = 0; j < info.height; j += every) {
      for (let i = 0; i < info.width; i += every) {
        const depth = units[j * info.width + i]! * UNIT_M;
        if (depth === 0 || depth > farthestM) continue;
        const [u, v] = [(i + 0.5) * STEP, (j + 0.5) * STEP];
        const [fx, , cx, , fy, cy] = pose.K as [number, number, number, number, number, number];
        const camera = [((u - cx) / fx) * depth - pose.t[0]!, ((v - cy) / fy) * depth - pose.t[1]!, depth - pose.t[2]!];
        for (let axis = 0; axis < 3; axis++) {
          positions.push(pose.R[axis]! * camera[0]! + pose.R[3 + axis]! * camera[1]! + pose.R[6 + axis]! * camera[2]!);
          colors.push(photo.data[3 * (Math.floor(v) * photo.info.width + Math.floor(u)) + axis]!);
        }
      }
    }
    const points = { positions: Float64Array.from(positions), colors: Uint8Array.from(colors), photos: index + 1 };
    yield { pose, points };
  }
}
