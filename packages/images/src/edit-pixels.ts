/** A picture made of another: turned, scaled, packed smaller. Runs in the decoding process only. */
import { CairnError } from "@cairn/protocol/errors";
import sharp, { type OutputInfo, type Sharp } from "sharp";
import type { EditedImage, ImageEdit } from "./edit.ts";
import { MAX_IMAGE_PIXELS, type MediaType } from "./image-facts.ts";
import { inSrgb, type Opened, open } from "./pixels.ts";

type Compress = Extract<ImageEdit, { name: "compress" }>;

/** Of a picture that is changed and keeps its format: hardly to be seen. */
const KEPT_QUALITY = 95;
/** Towards a target size: at most so many times, in these steps, and not below. */
const TRIES = 10;
const STEP = 5;
const LEAST_QUALITY = 10;

const COMPRESSED: Readonly<Record<Compress["format"], MediaType>> = {
  JPEG: "image/jpeg",
  PNG: "image/png",
  WEBP: "image/webp",
};

/** @throws {CairnError} as `open` does */
export async function edited(bytes: Uint8Array, edit: ImageEdit): Promise<EditedImage> {
  const opened = await inSrgb(await open(bytes));
  if (edit.name === "compress") return compressed(opened, edit);
  const { picture, mediaType } = packed(changed(opened, edit), opened.mediaType);
  return result(await picture.keepExif().toBuffer({ resolveWithObject: true }), mediaType);
}

function changed({ upright }: Opened, edit: Exclude<ImageEdit, Compress>): Sharp {
  switch (edit.name) {
    case "rotate":
      return upright.rotate(edit.degrees);
    case "flip":
      return edit.direction === "horizontal" ? upright.flop() : upright.flip();
    case "resize": {
      const { width, height } = edit;
      if (width * height > MAX_IMAGE_PIXELS) throw new CairnError("image.too_large", { width, height });
      return upright.resize({ width, height, fit: "fill" });
    }
  }
}

/** In the format it had; what nothing here writes becomes what everything reads. */
function packed(picture: Sharp, had: MediaType): { picture: Sharp; mediaType: MediaType } {
  switch (had) {
    case "image/png":
    case "image/bmp":
      return { picture: picture.png(), mediaType: "image/png" };
    case "image/webp":
      return { picture: picture.webp({ quality: KEPT_QUALITY }), mediaType: had };
    case "image/gif":
      return { picture: picture.gif(), mediaType: had };
    case "image/tiff":
      return { picture: picture.tiff({ compression: "lzw" }), mediaType: had };
    default:
      return { picture: picture.jpeg({ quality: KEPT_QUALITY }), mediaType: "image/jpeg" };
  }
}

async function compressed(opened: Opened, edit: Compress): Promise<EditedImage> {
  const { data, info } = await opened.upright
    .resize({ width: edit.maxWidth, height: edit.maxHeight, fit: "inside", withoutEnlargement: true })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const small = { width: info.width, height: info.height, channels: info.channels };
  const encode = (quality: number, lossy: boolean) =>
    encoded(sharp(data, { raw: small, limitInputPixels: MAX_IMAGE_PIXELS }), edit.format, quality, lossy);
  const mediaType = COMPRESSED[edit.format];
  // A PNG keeps every colour unless its size says otherwise.
  let made = await encode(edit.quality, false);
  const { targetBytes = Number.POSITIVE_INFINITY } = edit;
  let quality = edit.format === "PNG" ? edit.quality + STEP : edit.quality;
  for (let tries = 1; made.data.length > targetBytes && tries < TRIES; tries++) {
    if (quality - STEP < LEAST_QUALITY) break;
    quality -= STEP;
    made = await encode(quality, true);
  }
  return result(made, mediaType);
}

function encoded(picture: Sharp, format: Compress["format"], quality: number, lossy: boolean) {
  const by = {
    JPEG: () => picture.flatten({ background: "#ffffff" }).jpeg({ quality }),
    WEBP: () => picture.webp({ quality }),
    PNG: () => picture.png(lossy ? { palette: true, quality } : { compressionLevel: 9 }),
  };
  return by[format]().toBuffer({ resolveWithObject: true });
}

function result({ data, info }: { data: Buffer; info: OutputInfo }, mediaType: MediaType): EditedImage {
  return { bytes: data, mediaType, width: info.width, height: info.height };
}
