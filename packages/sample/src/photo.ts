/** One photo as it is stored: JPEG with EXIF, and the depth map that belongs to it. */
import sharp from "sharp";
import { cameraAt, FOCAL_35MM, HEIGHT, WIDTH } from "./camera.ts";
import { depthAt, develop, renderTile } from "./render.ts";
import type { Scene } from "./scene.ts";

/** A photo is stored at quality 88, or the best below it that keeps all of them within 7 MB. */
const QUALITY = 88;
const PHOTO_LIMIT_BYTES = 380_000;

/** A depth map has one value for every block of this many pixels squared, at the block's middle. */
export const DEPTH_STEP = 6;
/** Metres of one unit in a depth map. 0 is the sky, or farther than 65.535 m. */
export const DEPTH_UNIT_M = 0.001;

export function photoName(index: number): string {
  return `${String(index + 1).padStart(2, "0")}.jpg`;
}

export async function renderPhoto(scene: Scene, index: number): Promise<Buffer> {
  const camera = cameraAt(index);
  const whole = { x: 0, y: 0, width: WIDTH, height: HEIGHT };
  const rgb = develop(renderTile(scene, camera, whole), camera, whole);
  for (let quality = QUALITY; ; quality -= 2) {
    const jpeg = await sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .withExif({
        IFD0: { Make: "Cairn", Model: "Modelled camera", Artist: "Cairn sample capture, CC0" },
        IFD2: { FocalLengthIn35mmFilm: String(FOCAL_35MM) },
      })
      .jpeg({ quality, mozjpeg: true, chromaSubsampling: "4:2:0" })
      .toBuffer();
    if (jpeg.length <= PHOTO_LIMIT_BYTES || quality <= 60) return jpeg;
  }
}

/** 16-bit PNG, `HEIGHT / DEPTH_STEP` rows of `WIDTH / DEPTH_STEP`. */
export async function renderDepth(scene: Scene, index: number): Promise<Buffer> {
  const camera = cameraAt(index);
  const [width, height] = [WIDTH / DEPTH_STEP, HEIGHT / DEPTH_STEP];
  const units = new Uint16Array(width * height);
  for (let p = 0; p < units.length; p++) {
    const u = ((p % width) + 0.5) * DEPTH_STEP;
    const v = (Math.floor(p / width) + 0.5) * DEPTH_STEP;
    const value = Math.round(depthAt(scene, camera, u, v) / DEPTH_UNIT_M);
    units[p] = value <= 65_535 ? value : 0;
  }
  return sharp(units, { raw: { width, height, channels: 1 } })
    .toColourspace("grey16")
    .png({ compressionLevel: 9, adaptiveFiltering: true })
    .toBuffer();
}
