/** A pack: the segments of one insertion as one blob, with a head that says where each is. */
import { CairnError, type Digest } from "@cairn/protocol";
import type { NodeId } from "./node.ts";
import { readSegmentHead } from "./segment.ts";
import type { PackHead } from "./table.ts";

/** @param segments coarse first @param hash first 8 bytes of SHA-256 as 16 hex digits */
export function encodePack(
  root: NodeId,
  segments: readonly Uint8Array[],
  hash: (bytes: Uint8Array) => string,
): { bytes: Uint8Array; headBytes: number } {
  const entries = segments.map((bytes) => ({ ...readSegmentHead(bytes), bytes, hash: hash(bytes) }));
  const json = new TextEncoder().encode(
    JSON.stringify({ root, parts: entries.map(({ node, count, bytes, hash }) => [node, count, bytes.length, hash]) }),
  );
  const headBytes = 4 + json.length;
  const out = new Uint8Array(headBytes + segments.reduce((sum, { length }) => sum + length, 0));
  new DataView(out.buffer).setUint32(0, headBytes, true);
  out.set(json, 4);
  let at = headBytes;
  for (const bytes of segments) {
    out.set(bytes, at);
    at += bytes.length;
  }
  return { bytes: out, headBytes };
}

/** @param head the pack's first `headBytes` @param blob the pack's digest @throws {CairnError} `request.invalid` */
export async function decodePackHead(head: Uint8Array, blob: Digest): Promise<PackHead> {
  try {
    const { root, parts } = JSON.parse(new TextDecoder().decode(head.subarray(4))) as {
      root: NodeId;
      parts: [NodeId, number, number, string][];
    };
    let at = head.length;
    return {
      root,
      parts: parts.map(([node, points, sizeBytes, hash]) => {
        const start = at;
        at += sizeBytes;
        return { node, part: { blob, start, end: at, points, hash } };
      }),
    };
  } catch (cause) {
    throw new CairnError("request.invalid", { field: "pack" }, cause);
  }
}
