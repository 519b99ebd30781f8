/** Photos are recognised by their first bytes, never by name or declared type. */
import type { MediaType } from "./image-facts.ts";

/** Brands of still pictures in HEVC; AVIF (`avif`) is another codec and is not read. */
const HEIC_BRANDS = new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"]);

export function recognise(bytes: Uint8Array): MediaType | undefined {
  const starts = (prefix: readonly number[]) => prefix.every((byte, i) => bytes[i] === byte);
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (starts([0xff, 0xd8, 0xff])) return "image/jpeg";
  if (starts([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return "image/png";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "image/webp";
  if (text(4, 8) === "ftyp" && HEIC_BRANDS.has(text(8, 12)) && brands(bytes).some((brand) => brand.startsWith("he")))
    return "image/heic";
  if (text(0, 6) === "GIF87a" || text(0, 6) === "GIF89a") return "image/gif";
  if (starts([0x49, 0x49, 0x2a, 0]) || starts([0x4d, 0x4d, 0, 0x2a])) return "image/tiff";
  if (text(0, 2) === "BM" && bytes.length > 26 && bytes[15] === 0 && bytes[16] === 0) return "image/bmp";
  return undefined;
}

/** The major brand of an ISO file and those it says it is compatible with (`mif1` alone says nothing of the codec). */
function brands(bytes: Uint8Array): string[] {
  const end = Math.min(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0), bytes.length, 256);
  const found: string[] = [];
  for (let at = 8; at + 4 <= end; at += 4)
    if (at !== 12) found.push(String.fromCharCode(...bytes.subarray(at, at + 4)));
  return found;
}
