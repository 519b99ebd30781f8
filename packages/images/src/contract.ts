/** What the server and its decoding process say to each other (structured clone over the fork's pipe). */
import type { ErrorCode, ErrorFacts, Intrinsics } from "@cairn/protocol";
import type { EditedImage, ImageEdit } from "./edit.ts";
import type { ExifTexts } from "./exif.ts";
import type { ImageFacts } from "./image-facts.ts";

export type DecodedImage = {
  /** `[heightPx, widthPx, 3]` sRGB, upright. */
  rgb: Uint8Array;
  widthPx: number;
  heightPx: number;
  /** Upright size of the photo itself. */
  fullWidthPx: number;
  fullHeightPx: number;
};

type Jobs = {
  inspect: { bytes: Uint8Array };
  decode: { bytes: Uint8Array; maxSidePx: number };
  thumbnail: { bytes: Uint8Array; maxSidePx: number; format: "jpeg" | "png" };
  undistort: { bytes: Uint8Array; camera: Intrinsics };
  edit: { bytes: Uint8Array; edit: ImageEdit };
  exif: { bytes: Uint8Array };
};

export type Results = {
  inspect: ImageFacts;
  decode: DecodedImage;
  thumbnail: Uint8Array;
  undistort: Uint8Array;
  edit: EditedImage;
  exif: ExifTexts;
};

export type JobKind = keyof Jobs;

/** One job at a time: no ids. */
export type ToChild = { [K in JobKind]: { kind: K } & Jobs[K] }[JobKind];

export type FromChild =
  | { type: "ready" }
  | { type: "done"; result: Results[JobKind]; rssBytes: number }
  | { type: "failed"; code: ErrorCode; facts: ErrorFacts; rssBytes: number };
