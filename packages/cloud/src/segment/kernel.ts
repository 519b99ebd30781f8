/**
 * The WebAssembly that reads segments (`wasm/`), the same in Node, pages and workers. It is made when it is first needed,
 * at once: browsers allow that for modules below 4 KiB, on the main thread too, so it is two. There is one of each in a
 * thread, on one memory that grows to what its largest segment needs.
 */
import { CODE_ORDER } from "./code-order.ts";
import { turned } from "./fold.ts";
import { type FullHead, invalid } from "./head.ts";
import { INFLATE_BASE64, POINTS_BASE64 } from "./kernel-bytes.ts";
import * as layout from "./layout.ts";
import { GATHER } from "./morton.ts";
import { CHROMA_PACKED, KEYS_PACKED, LUMA_PACKED } from "./symbols.ts";
import { instantiate, type Memory, memoryUpTo, newMemory } from "./wasm.ts";

type Kernel = {
  readonly memory: Memory;
  inflate(from: number, fromBytes: number, to: number, toBytes: number): number;
  /** Count, bits, those that are folded, three precisions, then where things are: see there. */
  readPoints(...numbers: readonly number[]): number;
};

const WRONG: readonly string[] = Object.assign([], {
  [layout.NO_DEFLATE]: "its planes are no deflate stream",
  [layout.CUT_OFF]: "its planes are cut off",
  [layout.TOO_MANY_BYTES]: "its planes are too long",
  [layout.TOO_FEW_BYTES]: "its planes are too short",
  [layout.MORE_THAN_A_STREAM]: "more than its planes",
  [layout.REST_TOO_SHORT]: "its rest bits are too short",
  [layout.REST_TOO_LONG]: "its rest bits are too long",
  [layout.KEY_BEYOND_NODE]: "a key beyond its node",
  [layout.NO_COLOUR]: "a colour that is none",
});

let made: Kernel | undefined;

function kernel(): Kernel {
  if (made) return made;
  const memory = newMemory();
  const [inflating, reading] = [INFLATE_BASE64, POINTS_BASE64].map((base64) => instantiate(base64, memory));
  made = { memory, ...(inflating as Pick<Kernel, "inflate">), ...(reading as Pick<Kernel, "readPoints">) };
  const { buffer } = memory;
  new Uint32Array(buffer).set(GATHER, layout.GATHER_AT / 4);
  for (const [i, table] of KEYS_PACKED.entries()) new BigUint64Array(buffer).set(table, layout.KEYS_AT / 8 + i * 256);
  for (const [i, table] of CHROMA_PACKED.entries()) new Uint32Array(buffer).set(table, layout.CHROMA_AT / 4 + i * 256);
  for (const [i, table] of LUMA_PACKED.entries()) new Uint32Array(buffer).set(table, layout.LUMA_AT / 4 + i * 256);
  new Uint8Array(buffer).set(CODE_ORDER, layout.ORDER_AT);
  return made;
}

/**
 * Raw inflate (RFC 1951).
 * @returns `sizeBytes` bytes in the memory of the kernel, which stay until the next call of `inflate` or `readPoints`
 * @throws {CairnError} `request.invalid` when it is no deflate stream, makes fewer or more bytes, or ends before the input
 */
export function inflate(compressed: Uint8Array, sizeBytes: number): Uint8Array {
  const from = layout.DATA_AT + sizeBytes;
  const memory = memoryUpTo(kernel().memory, from + compressed.length + layout.SLACK_BYTES);
  memory.set(compressed, from);
  const wrong = kernel().inflate(from, compressed.length, layout.DATA_AT, sizeBytes);
  if (wrong) throw invalid(WRONG[wrong]!);
  return memory.subarray(layout.DATA_AT, from);
}

/**
 * @param planesBytes what `inflate` made just before: planes of keys, chroma, luma and folded bits, and maybe others behind them
 * @returns `[count, 3]` coordinates and colours @throws {CairnError} `request.invalid`
 */
export function readPoints(
  { count, bits, fold, precision }: Pick<FullHead, "count" | "bits" | "fold" | "precision">,
  planesBytes: number,
  rest: Uint8Array,
): { coords: Uint16Array; colors: Uint8Array } {
  const restAt = layout.DATA_AT + planesBytes;
  const coordsAt = (restAt + rest.length + layout.SLACK_BYTES + 1) & ~1;
  const colorsAt = coordsAt + count * 6 + layout.SLACK_BYTES;
  const memory = memoryUpTo(kernel().memory, colorsAt + count * 3 + layout.SLACK_BYTES);
  memory.set(rest, restAt);
  const { key, chroma, luma } = precision;
  const coordsAts = turned(fold).map((place) => coordsAt + 2 * place);
  const addresses = [layout.DATA_AT, restAt, rest.length, ...coordsAts, colorsAt];
  const wrong = kernel().readPoints(count, bits, fold.bits, key, chroma, luma, ...addresses);
  if (wrong) throw invalid(WRONG[wrong]!);
  return {
    coords: new Uint16Array(memory.buffer as ArrayBuffer, coordsAt, count * 3).slice(),
    colors: memory.slice(colorsAt, colorsAt + count * 3),
  };
}
