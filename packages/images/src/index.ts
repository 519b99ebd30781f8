export type { DecodedImage } from "./contract.ts";
export type { EditedImage, ImageEdit } from "./edit.ts";
export type { ExifTexts } from "./exif.ts";
export { type ImageDecoder, type ImageDecoderOptions, openImageDecoder } from "./image-decoder.ts";
export { type ImageFacts, MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, type MediaType } from "./image-facts.ts";
export { recognise } from "./media-type.ts";
export { undistortedIntrinsics } from "./undistort.ts";
