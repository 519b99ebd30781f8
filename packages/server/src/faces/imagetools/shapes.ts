/** What image tools' clients see of images. Rules IMG-25 to IMG-37. */
import { createHash } from "node:crypto";
import { type ImageState, type ImageVersion, shownVersion } from "@cairn/protocol";
import { isoMicros } from "./times.ts";

export const API = "/api/v1";

export type ImageResponse = {
  id: string;
  session_id: string;
  original_filename: string;
  original_size: number;
  current_size: number;
  width: number;
  height: number;
  format: string;
  thumbnail_url: string;
  image_url: string;
  created_at: string;
  updated_at: string;
  source: string;
};

export function imageUrl(image: string): string {
  return `${API}/images/${image}/current`;
}

export function thumbnailUrl(image: string): string {
  return `${API}/images/${image}/thumbnail`;
}

export function imageResponse(session: string, image: ImageState): ImageResponse {
  const { sizeBytes, width, height, mediaType } = shownVersion(image);
  return {
    id: image.image,
    session_id: session,
    original_filename: image.name,
    original_size: image.sizeBytes,
    current_size: sizeBytes,
    width,
    height,
    format: formatOf(mediaType),
    thumbnail_url: thumbnailUrl(image.image),
    image_url: imageUrl(image.image),
    created_at: isoMicros(image.addedNs),
    updated_at: isoMicros(image.changedNs ?? image.addedNs),
    source: image.source,
  };
}

/** `JPEG`, `PNG`, `WEBP`, `GIF`, `BMP`, `TIFF`. */
function formatOf(mediaType: string): string {
  return mediaType.replace("image/", "").toUpperCase();
}

export function historyEntry(image: string, { version, change, sizeBytes, timeNs }: ImageVersion) {
  return {
    id: entryId(image, version),
    image_id: image,
    operation_type: change.name,
    // A text in the original: what is in it depends on the operation.
    operation_params: JSON.stringify(change.params ?? {}),
    file_size: sizeBytes,
    created_at: isoMicros(timeNs),
    sequence: version,
  };
}

/** The same entry has the same id each time, in the form of all ids (GEN-40). */
function entryId(image: string, version: number): string {
  const hex = createHash("sha256").update(`${image} ${version}`).digest("hex");
  const variant = "89ab"[Number.parseInt(hex[16]!, 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** Name under which the shown version is saved: the original's, ending in what it is now. */
export function fileName(image: ImageState): string {
  const { mediaType } = shownVersion(image);
  const ending = /\.(\w{1,5})$/.exec(image.name)?.[1]?.toLowerCase();
  const type = mediaType.replace("image/", "");
  if (mediaType === image.mediaType && ending) return image.name;
  const wanted = type === "jpeg" ? "jpg" : type;
  return `${ending ? image.name.replace(/\.\w{1,5}$/, "") : image.name}.${wanted}`;
}
