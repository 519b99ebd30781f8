/** For tests: pictures to send to image tools, and what their answers look like. */
import assert from "node:assert/strict";
import sharp, { type Metadata } from "sharp";
import { png } from "./png.ts";

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const MICROS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/;
export const SECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

export async function picture(url: string): Promise<{ meta: Metadata; response: Response; bytes: Buffer }> {
  const response = await fetch(url);
  const bytes = Buffer.from(await response.arrayBuffer());
  assert.equal(response.status, 200);
  return { meta: await sharp(bytes).metadata(), response, bytes };
}

/** A photo with a tall picture stored lying down, and tags of a camera. */
export function photo(): Promise<Buffer> {
  return sharp(png(9, 640, 400))
    .withExif({ IFD0: { Make: "Cairn" }, IFD2: { FNumber: "28/10" } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
}
