/** Binary frames of the live socket: one byte of kind, then what the kind says. */
import { CairnError } from "./errors.ts";
import type { Digest } from "./ids.ts";
import type { ImageHead } from "./live.ts";

/** Largest message either side takes, bytes. */
export const MAX_MESSAGE_BYTES = 16 * 2 ** 20;

/** First byte of a binary frame. */
const FRAME = { image: 1, blob: 2 } as const;

/** `[1][u32 LE length of head][head, JSON][bytes]` */
export function encodeImageFrame(head: ImageHead, bytes: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(head));
  const frame = new Uint8Array(5 + json.length + bytes.length);
  frame[0] = FRAME.image;
  new DataView(frame.buffer).setUint32(1, json.length, true);
  frame.set(json, 5);
  frame.set(bytes, 5 + json.length);
  return frame;
}

/** Borrows: `bytes` is a view into `frame`. The head is parsed, not checked. @throws {CairnError} `request.invalid` */
export function decodeImageFrame(frame: Uint8Array): { head: unknown; bytes: Uint8Array } {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const headBytes = frame.length >= 5 && frame[0] === FRAME.image ? view.getUint32(1, true) : Number.POSITIVE_INFINITY;
  if (headBytes > 64 * 1024 || 5 + headBytes > frame.length) {
    throw new CairnError("request.invalid", { field: "frame", expected: "1, u32 head length, head, photo" });
  }
  try {
    const head: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(frame.subarray(5, 5 + headBytes)),
    );
    return { head, bytes: frame.subarray(5 + headBytes) };
  } catch (cause) {
    throw new CairnError("request.not_json", { field: "head" }, cause);
  }
}

/** `[2][32 bytes of digest][bytes]` */
export function encodeBlobFrame(digest: Digest, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(33 + bytes.length);
  frame[0] = FRAME.blob;
  for (let i = 0; i < 32; i++) frame[1 + i] = Number.parseInt(digest.slice(2 * i, 2 * i + 2), 16);
  frame.set(bytes, 33);
  return frame;
}

/** Borrows: `bytes` is a view into `frame`. @throws {CairnError} `request.invalid` */
export function decodeBlobFrame(frame: Uint8Array): { digest: Digest; bytes: Uint8Array } {
  if (frame.length < 33 || frame[0] !== FRAME.blob) throw new CairnError("request.invalid", { field: "frame" });
  const digest = Array.from(frame.subarray(1, 33), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { digest, bytes: frame.subarray(33) };
}
