/** What can be done to a picture. Everything begins with the upright one. */
import type { MediaType } from "./image-facts.ts";

export type ImageEdit =
  /** Clockwise. */
  | { readonly name: "rotate"; readonly degrees: 90 | 180 | 270 }
  /** `horizontal`: left and right change places. */
  | { readonly name: "flip"; readonly direction: "horizontal" | "vertical" }
  /** To exactly this size, whatever the proportions were. */
  | { readonly name: "resize"; readonly width: number; readonly height: number }
  | {
      readonly name: "compress";
      /** The box it must fit in; it is never enlarged. */
      readonly maxWidth: number;
      readonly maxHeight: number;
      /** 1–100. */
      readonly quality: number;
      readonly format: "JPEG" | "PNG" | "WEBP";
      /** Quality goes down until it is no larger, within limits. */
      readonly targetBytes?: number;
    };

export type EditedImage = {
  readonly bytes: Uint8Array;
  readonly mediaType: MediaType;
  readonly width: number;
  readonly height: number;
};
