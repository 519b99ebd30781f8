/** The photos at half their size, for tests of what happens to photos: a quarter of the pixels to look at. */
import { join } from "node:path";
import sharp from "sharp";
import { samplePhotosDir } from "./index.ts";

/** JPEG, 720 × 480, with the EXIF of the whole one. @param name `07.jpg` */
export function smallPhoto(name: string): Promise<Buffer> {
  const photo = sharp(join(samplePhotosDir, name));
  return photo.resize({ width: 720 }).keepExif().jpeg({ quality: 92 }).toBuffer();
}
