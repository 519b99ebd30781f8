/** JSON from strangers: how long and how deep it is, is known before it is parsed. Rule GEN-32. */
import { CairnError } from "@cairn/protocol";

export const MAX_JSON_BYTES = 2 ** 20;
const MAX_DEPTH = 32;

/** Parsing a million nested brackets holds the event loop for over a second; counting them takes a millisecond. */
export function jsonDepth(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let quoted = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (quoted) {
      if (byte === 0x5c) i++;
      else if (byte === 0x22) quoted = false;
    } else if (byte === 0x22) quoted = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return deepest;
}

/** @throws {CairnError} `request.not_json`, `request.invalid` when nested too deep */
export function parseJson(bytes: Uint8Array): unknown {
  if (jsonDepth(bytes) > MAX_DEPTH)
    throw new CairnError("request.invalid", { problem: `nested deeper than ${MAX_DEPTH}` });
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new CairnError("request.not_json", {}, cause);
  }
}
