/**
 * Windows bitmaps, which libvips does not read: 1 to 32 bits a pixel, with a palette or bit masks, not run-length coded.
 * Format: Microsoft, "Bitmap Storage" (BITMAPFILEHEADER, BITMAPINFOHEADER and its later versions).
 */
import { CairnError } from "@cairn/protocol/errors";

export type Bitmap = { readonly width: number; readonly height: number; readonly rgb: Uint8Array };

const FILE_HEADER_BYTES = 14;
const INFO_HEADER_BYTES = 40;
const RGB = 0;
const BITFIELDS = 3;

type Head = {
  readonly width: number;
  /** Rows are stored from the bottom, unless this says otherwise. */
  readonly topDown: boolean;
  readonly height: number;
  readonly bits: number;
  readonly palette: Uint8Array | undefined;
  /** Of red, green and blue. */
  readonly masks: readonly number[];
  readonly pixelsAt: number;
};

/** Its size, from the header alone. @throws {CairnError} `image.corrupt`, `image.unsupported` */
export function bmpSize(bytes: Uint8Array): { width: number; height: number } {
  const { width, height } = readHead(bytes);
  return { width, height };
}

/** @throws {CairnError} `image.corrupt` when it is cut off, `image.unsupported` when it is run-length coded */
export function decodeBmp(bytes: Uint8Array): Bitmap {
  const head = readHead(bytes);
  const { width, height, bits, palette, masks, pixelsAt, topDown } = head;
  const strideBytes = Math.ceil((width * bits) / 32) * 4;
  if (pixelsAt + strideBytes * height > bytes.length) throw new CairnError("image.corrupt");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = pixelsAt + (topDown ? y : height - 1 - y) * strideBytes;
    for (let x = 0, to = y * width * 3; x < width; x++, to += 3) {
      if (palette) {
        const at = 4 * indexAt(bytes, row, x, bits);
        for (let c = 0; c < 3; c++) rgb[to + c] = palette[at + 2 - c] ?? 0;
      } else if (bits === 24) {
        for (let c = 0; c < 3; c++) rgb[to + c] = bytes[row + 3 * x + 2 - c]!;
      } else {
        const pixel = bits === 16 ? view.getUint16(row + 2 * x, true) : view.getUint32(row + 4 * x, true);
        for (let c = 0; c < 3; c++) rgb[to + c] = channel(pixel, masks[c]!);
      }
    }
  }
  return { width, height, rgb };
}

function readHead(bytes: Uint8Array): Head {
  if (bytes.length < FILE_HEADER_BYTES + INFO_HEADER_BYTES) throw new CairnError("image.corrupt");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pixelsAt = view.getUint32(10, true);
  const infoBytes = view.getUint32(14, true);
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const alphaFields = 6;
  if (infoBytes < INFO_HEADER_BYTES || width <= 0 || signedHeight === 0) throw new CairnError("image.corrupt");
  const masked = compression === BITFIELDS || compression === alphaFields;
  if (compression !== RGB && !(masked && bits >= 16)) throw new CairnError("image.unsupported");
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw new CairnError("image.corrupt");
  const afterInfo = FILE_HEADER_BYTES + infoBytes;
  let palette: Uint8Array | undefined;
  if (bits <= 8) {
    const colors = Math.min(view.getUint32(46, true) || 2 ** bits, 2 ** bits);
    palette = bytes.subarray(afterInfo, afterInfo + 4 * colors);
    if (palette.length < 4 * colors) throw new CairnError("image.corrupt");
  }
  const plain = bits === 16 ? [0x7c00, 0x03e0, 0x001f] : [0xff0000, 0x00ff00, 0x0000ff];
  // The masks follow the short header, and are a part of the longer ones, at the same place.
  const masksAt = FILE_HEADER_BYTES + INFO_HEADER_BYTES;
  if (masked && bytes.length < masksAt + 12) throw new CairnError("image.corrupt");
  const masks = masked ? [0, 4, 8].map((at) => view.getUint32(masksAt + at, true)) : plain;
  return { width, height: Math.abs(signedHeight), topDown: signedHeight < 0, bits, palette, masks, pixelsAt };
}

function indexAt(bytes: Uint8Array, row: number, x: number, bits: number): number {
  const byte = bytes[row + ((x * bits) >> 3)]!;
  const shift = 8 - bits - ((x * bits) & 7);
  return (byte >> shift) & (2 ** bits - 1);
}

/** The masked bits, stretched to 0…255. */
function channel(pixel: number, mask: number): number {
  if (mask === 0) return 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return Math.round((((pixel & mask) >>> shift) * 255) / most);
}
