/** Binary frames of the live socket: one byte of kind, then what the kind says. */
import { CairnError } from "./errors.ts";
import type { Digest } from "./ids.ts";
import type { ImageHead } from "./live.ts";

/** Largest message either side takes, bytes. */
export const MAX_MESSAGE_BYTES = 16 * 2 ** 20;

/** First byte of a binary frame. */
const FRAME = { image: 1, range: 3, have: 4 } as const;

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

/** A range of a blob. `blob` is the first 8 bytes of the digest as 16 hex digits: enough to tell those in use apart. */
export type RangeFrame = { blob: string; start: number; bytes: Uint8Array };

/** `[3][8 bytes: the digest's first][u32 LE start][bytes]` */
export function encodeRangeFrame(digest: Digest, start: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(13 + bytes.length);
  frame[0] = FRAME.range;
  for (let i = 0; i < 8; i++) frame[1 + i] = Number.parseInt(digest.slice(2 * i, 2 * i + 2), 16);
  new DataView(frame.buffer).setUint32(9, start, true);
  frame.set(bytes, 13);
  return frame;
}

/** Borrows: `bytes` is a view into `frame`. @throws {CairnError} `request.invalid` */
export function decodeRangeFrame(frame: Uint8Array): RangeFrame {
  if (frame.length < 13 || frame[0] !== FRAME.range) throw new CairnError("request.invalid", { field: "frame" });
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const blob = Array.from(frame.subarray(1, 9), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { blob, start: view.getUint32(9, true), bytes: frame.subarray(13) };
}

/** What a client that comes back holds of a layer: how many of each node's points, counted from the first. */
export type HaveFrame = {
  layer: number;
  nodes: { e: number; x: number; y: number; z: number; points: number }[];
};

const HAVE_BYTES = 17;

/** `[4][u32 LE layer]` then `[i8 e][u32 LE x][y][z][points]` for each node. */
export function encodeHaveFrame({ layer, nodes }: HaveFrame): Uint8Array {
  const frame = new Uint8Array(5 + nodes.length * HAVE_BYTES);
  const view = new DataView(frame.buffer);
  frame[0] = FRAME.have;
  view.setUint32(1, layer, true);
  nodes.forEach(({ e, x, y, z, points }, i) => {
    const at = 5 + i * HAVE_BYTES;
    view.setInt8(at, e);
    [x, y, z, points].forEach((value, k) => {
      view.setUint32(at + 1 + 4 * k, value, true);
    });
  });
  return frame;
}

/** @throws {CairnError} `request.invalid` */
export function decodeHaveFrame(frame: Uint8Array): HaveFrame {
  const count = (frame.length - 5) / HAVE_BYTES;
  if (frame[0] !== FRAME.have || !Number.isInteger(count) || count < 0) {
    throw new CairnError("request.invalid", { field: "frame", expected: "4, u32 layer, 17 bytes a node" });
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const nodes = Array.from({ length: count }, (_, i) => {
    const at = 5 + i * HAVE_BYTES;
    const word = (k: number) => view.getUint32(at + 1 + 4 * k, true);
    return { e: view.getInt8(at), x: word(0), y: word(1), z: word(2), points: word(3) };
  });
  return { layer: view.getUint32(1, true), nodes };
}
