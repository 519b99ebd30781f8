/** PNG files made byte by byte (RFC 2083), so that tests need no encoder. */
import { crc32, deflateSync } from "node:zlib";

function chunk(kind: string, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(body.length + 12);
  bytes.writeUInt32BE(body.length, 0);
  bytes.write(kind, 4, "latin1");
  bytes.set(body, 8);
  bytes.writeUInt32BE(crc32(bytes.subarray(4, body.length + 8)), body.length + 8);
  return bytes;
}

/** RGB noise that differs from seed to seed. */
export function png(seed: number, width = 32, height = 24): Buffer {
  let state = (seed + 1) * 2654435761;
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let i = 0; i < rows.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    rows[i] = i % (1 + width * 3) === 0 ? 0 : state >>> 24;
  }
  return pngOf(width, height, deflateSync(rows));
}

/** A file that says it has `width × height` pixels; `packed` is its compressed data. */
export function pngOf(width: number, height: number, packed: Uint8Array): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", Buffer.alloc(0))]);
}
