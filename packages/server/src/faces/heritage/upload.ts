/** A photo as a heritage client sends it, and what it is told when it cannot be used. Rules HER-36 to HER-40. */
import { recognise } from "@cairn/images";
import { CairnError } from "@cairn/protocol";
import { decodeBase64 } from "../base64.ts";

/** @property facts further fields of the error */
export type Refused = { readonly text: string; readonly facts?: Readonly<Record<string, unknown>> };

/** Thrown for what never gets as far as the core. */
class UploadRefused extends Error {}

/** @throws {UploadRefused} */
export function readUpload(message: Readonly<Record<string, unknown>>): { bytes: Buffer; name: string } {
  const { image_data: data, filename } = message;
  if (typeof data !== "string" || data === "") throw new UploadRefused("No image data provided");
  const bytes = decodeBase64(data);
  if (!bytes) throw new UploadRefused("Failed to process image: invalid base64");
  // Programs that are handed the photo may go by the ending of its name.
  const unnamed = `photo.${recognise(bytes)?.slice("image/".length) ?? "png"}`;
  return { bytes, name: typeof filename === "string" ? filename : unnamed };
}

/** A client's own name for what it sends, which the answer carries. */
export function refOf({ client_ref }: Readonly<Record<string, unknown>>): { client_ref?: string } {
  return typeof client_ref === "string" ? { client_ref } : {};
}

/** The text for a photo that was not taken; `undefined` when nobody foresaw why. */
export function refusalText(error: unknown): string | undefined {
  if (error instanceof UploadRefused) return error.message;
  if (!(error instanceof CairnError)) return undefined;
  switch (error.code) {
    case "image.empty":
    case "image.unsupported":
    case "image.corrupt":
    case "image.too_slow":
      return "Failed to process image: not a readable image";
    case "image.too_large":
      return "Failed to process image: image too large";
    case "upload.too_many":
      return "Failed to process image: too many images waiting";
    default:
      return `Failed to process image: ${error.message}`;
  }
}
