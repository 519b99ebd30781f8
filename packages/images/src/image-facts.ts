/** What is known of a photo without its pixels, and how large one may be. */
import type { Gps, TimeNs } from "@cairn/protocol";

export type MediaType =
  | "image/jpeg"
  | "image/png"
  | "image/webp"
  | "image/heic"
  | "image/gif"
  | "image/tiff"
  | "image/bmp";

export type ImageFacts = {
  mediaType: MediaType;
  sizeBytes: number;
  /** Upright size, pixels: the orientation is applied. */
  width: number;
  height: number;
  /** EXIF orientation 1–8 of the stored bytes; 1 for HEIC, whose container turns the picture itself. */
  orientation: number;
  /** Focal length as EXIF tells it, pixels of the upright photo. */
  focalPx?: number;
  gps?: Gps;
  /** When it was taken; without a zone in the file the camera's clock is taken for UTC. */
  capturedNs?: TimeNs;
};

/** Largest file, bytes. */
export const MAX_IMAGE_BYTES = 64 * 2 ** 20;

/** Most pixels of a photo; checked against the header, before anything is decoded. */
export const MAX_IMAGE_PIXELS = 100_000_000;
