/** RGBA as a PNG file (ISO/IEC 15948), in a thread that has no decoder of pictures. */
import { crc32, deflateSync } from "node:zlib";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** Each byte as the difference to the same of the pixel before: even surfaces become zeros. */
const SUB = 1;

export function encodePng(rgba: Uint8ClampedArray, width: number): Uint8Array<ArrayBuffer> {
  const rowBytes = 4 * width;
  const height = rgba.length / rowBytes;
  const rows = Buffer.alloc(height * (1 + rowBytes));
  for (let row = 0; row < height; row++) {
    const to = row * (1 + rowBytes);
    rows[to] = SUB;
    for (let i = 0; i < rowBytes; i++) {
      const at = row * rowBytes + i;
      rows[to + 1 + i] = rgba[at]! - (i < 4 ? 0 : rgba[at - 4]!);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6], 8); // 8 bits of RGBA
  const packed = deflateSync(rows, { level: 9 });
  return new Uint8Array(
    Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", Buffer.alloc(0))]),
  );
}

function chunk(type: string, data: Buffer): Buffer {
  const bytes = Buffer.alloc(12 + data.length);
  bytes.writeUInt32BE(data.length, 0);
  bytes.write(type, 4, "latin1");
  data.copy(bytes, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, 8 + data.length)), 8 + data.length);
  return bytes;
}
