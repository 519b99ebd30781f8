/**
 * Bytes to pixels. Runs in the decoding process only. libvips would open SVG, PDF and more from any bytes, each a parser
 * that a stranger could aim at: all loaders are blocked but those that are needed.
 */
import type { Intrinsics } from "@cairn/protocol";
import { CairnError } from "@cairn/protocol/errors";
import sharp, { type Sharp } from "sharp";
import { bmpSize, decodeBmp } from "./bmp.ts";
import type { DecodedImage } from "./contract.ts";
import { displayP3ToSrgb } from "./display-p3.ts";
import { readExif } from "./exif.ts";
import { readHeifBoxes } from "./heif-boxes.ts";
import { type ImageFacts, MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, type MediaType } from "./image-facts.ts";
import { recognise } from "./media-type.ts";
import { undistort } from "./undistort.ts";

sharp.block({ operation: ["VipsForeignLoad"] });
sharp.unblock({
  operation: ["Jpeg", "Png", "Webp", "Nsgif", "Tiff"].map((name) => `VipsForeignLoad${name}Buffer`),
});
sharp.cache(false);
sharp.concurrency(1);

/** Side to which a photo is decoded only to see that it can be. */
const PROBE_SIDE_PX = 256;

export type Opened = {
  mediaType: MediaType;
  orientation: number;
  fullWidthPx: number;
  fullHeightPx: number;
  /** A pipeline that yields upright pixels; of any colour space for sharp's own formats, already 8-bit for HEIC. */
  upright: Sharp;
  /** Still Display P3: sharp manages colour by itself, libheif does not. */
  displayP3: boolean;
};

/** @throws {CairnError} `image.empty`, `image.too_large`, `image.unsupported`, `image.corrupt` */
export async function open(bytes: Uint8Array): Promise<Opened> {
  if (bytes.length === 0) throw new CairnError("image.empty");
  if (bytes.length > MAX_IMAGE_BYTES) throw new CairnError("image.too_large", { sizeBytes: bytes.length });
  const mediaType = recognise(bytes);
  if (!mediaType) throw new CairnError("image.unsupported");
  if (mediaType === "image/heic") return openHeic(bytes);
  return mediaType === "image/bmp" ? openBmp(bytes) : openBySharp(bytes, mediaType);
}

function openBmp(bytes: Uint8Array): Opened {
  const { width, height } = bmpSize(bytes);
  checkPixels(width, height);
  const raw = { width, height, channels: 3 } as const;
  return {
    mediaType: "image/bmp",
    orientation: 1,
    fullWidthPx: width,
    fullHeightPx: height,
    upright: sharp(decodeBmp(bytes).rgb, { raw, limitInputPixels: MAX_IMAGE_PIXELS }),
    displayP3: false,
  };
}

async function openBySharp(bytes: Uint8Array, mediaType: MediaType): Promise<Opened> {
  // The limit is ours, below, so that a photo over it is not mistaken for a broken one.
  const metadata = await sharp(bytes, { limitInputPixels: false }).metadata();
  checkPixels(metadata.width, metadata.height);
  const { width: fullWidthPx, height: fullHeightPx } = metadata.autoOrient;
  const orientation = metadata.orientation ?? 1;
  return {
    mediaType,
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
    fullWidthPx,
    fullHeightPx,
    upright: sharp(bytes, { limitInputPixels: MAX_IMAGE_PIXELS, sequentialRead: true, pages: 1 }).autoOrient(),
    displayP3: false,
  };
}

async function openHeic(bytes: Uint8Array): Promise<Opened> {
  const declared = readHeifBoxes(bytes);
  if (declared.pixels > MAX_IMAGE_PIXELS) throw new CairnError("image.too_large", { pixels: declared.pixels });
  if (declared.pixels === 0) throw new CairnError("image.corrupt");
  const { default: decodeHeic } = await import("heic-decode"); // a decoder in WebAssembly, for few photos
  const { width, height, data } = await decodeHeic({ buffer: bytes });
  checkPixels(width, height);
  return {
    mediaType: "image/heic",
    orientation: 1,
    fullWidthPx: width,
    fullHeightPx: height,
    upright: sharp(data, { raw: { width, height, channels: 4 }, limitInputPixels: MAX_IMAGE_PIXELS }),
    displayP3: declared.displayP3,
  };
}

function checkPixels(width: number, height: number): void {
  if (width * height > MAX_IMAGE_PIXELS) throw new CairnError("image.too_large", { width, height });
}

/** The same in sRGB, for what is written anew: nothing there says which colours those of HEIC were. */
export async function inSrgb(opened: Opened): Promise<Opened> {
  if (!opened.displayP3) return opened;
  const { data, info } = await opened.upright.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  displayP3ToSrgb(data);
  const raw = { width: info.width, height: info.height, channels: 3 } as const;
  return { ...opened, upright: sharp(data, { raw, limitInputPixels: MAX_IMAGE_PIXELS }), displayP3: false };
}

/** Upright 8-bit sRGB without alpha, at most `maxSidePx` on the long side. */
async function shrink(opened: Opened, maxSidePx: number): Promise<DecodedImage> {
  const { data, info } = await opened.upright
    .resize({ width: maxSidePx, height: maxSidePx, fit: "inside", withoutEnlargement: true })
    .flatten({ background: "#ffffff" })
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new CairnError("image.corrupt", { channels: info.channels });
  if (opened.displayP3) displayP3ToSrgb(data);
  const { fullWidthPx, fullHeightPx } = opened;
  return { rgb: data, widthPx: info.width, heightPx: info.height, fullWidthPx, fullHeightPx };
}

/** Reads every byte of the picture, so that one cut off or damaged is refused here and not by the reconstruction. */
export async function inspect(bytes: Uint8Array): Promise<ImageFacts> {
  const opened = await open(bytes);
  await shrink(opened, PROBE_SIDE_PX);
  const { mediaType, orientation, fullWidthPx: width, fullHeightPx: height } = opened;
  return { mediaType, sizeBytes: bytes.length, width, height, orientation, ...readExif(bytes, width, height) };
}

export async function decode(bytes: Uint8Array, maxSidePx: number): Promise<DecodedImage> {
  return shrink(await open(bytes), maxSidePx);
}

/** Without any metadata: where the photo was taken stays in the photo. */
export async function thumbnail(bytes: Uint8Array, maxSidePx: number, format: "jpeg" | "png"): Promise<Uint8Array> {
  const { rgb, widthPx, heightPx } = await decode(bytes, maxSidePx);
  const picture = sharp(rgb, { raw: { width: widthPx, height: heightPx, channels: 3 } });
  return (format === "png" ? picture.png() : picture.jpeg({ quality: 82 })).toBuffer();
}

/** A JPEG of full size without distortion and without metadata. @param camera of the upright photo */
export async function undistorted(bytes: Uint8Array, camera: Intrinsics): Promise<Uint8Array> {
  const opened = await open(bytes);
  const { fullWidthPx: width, fullHeightPx: height } = opened;
  if (camera.width !== width || camera.height !== height) throw new CairnError("image.corrupt", { width, height });
  const { rgb } = await shrink(opened, Math.max(width, height));
  return sharp(undistort(rgb, camera), { raw: { width, height, channels: 3 }, limitInputPixels: MAX_IMAGE_PIXELS })
    .jpeg({ quality: 95, chromaSubsampling: "4:4:4" })
    .toBuffer();
}
