/**
 * The WebAssembly that reads segments (`wasm/segment.as.ts`), the same in Node, pages and workers. It is made when it is
 * first needed, at once: browsers allow that for modules below 4 KiB, on the main thread too. There is one in a thread,
 * with one memory that grows to what its largest segment needs.
 */
import { ORDER } from "./deflate.ts";
import { invalid } from "./head.ts";
import { KERNEL_BASE64 } from "./kernel-bytes.ts";
import * as layout from "./layout.ts";
import { GATHER } from "./morton.ts";
import { CHROMA_PACKED, KEYS_PACKED, LUMA_PACKED, type Precision } from "./symbols.ts";

// The part of WebAssembly's interface that is used here; the types of Node leave it out and those of the browser
// would bring the whole page with them.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

type Exports = {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  inflate(from: number, fromBytes: number, to: number, toBytes: number): number;
  /** Count, bits, three precisions, then where things are: see there. */
  readPoints(...numbers: [number, number, number, number, number, number, number, number, number, number]): number;
};

const PAGE_BYTES = 65_536;
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

let made: Exports | undefined;

function kernel(): Exports {
  if (made) return made;
  const module = new WebAssembly.Module(kernelBytes());
  made = new WebAssembly.Instance(module).exports as Exports;
  const { buffer } = made.memory;
  new Uint32Array(buffer).set(GATHER, layout.GATHER_AT / 4);
  for (const [i, table] of KEYS_PACKED.entries()) new BigUint64Array(buffer).set(table, layout.KEYS_AT / 8 + i * 256);
  for (const [i, table] of CHROMA_PACKED.entries()) new Uint32Array(buffer).set(table, layout.CHROMA_AT / 4 + i * 256);
  for (const [i, table] of LUMA_PACKED.entries()) new Uint32Array(buffer).set(table, layout.LUMA_AT / 4 + i * 256);
  new Uint8Array(buffer).set(ORDER, layout.ORDER_AT);
  return made;
}

export function kernelBytes(): Uint8Array {
  return Uint8Array.from(atob(KERNEL_BASE64), (character) => character.charCodeAt(0));
}

/** The kernel's memory up to `sizeBytes`. */
function memoryOf({ memory }: Exports, sizeBytes: number): Uint8Array {
  const missing = sizeBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  return new Uint8Array(memory.buffer, 0, sizeBytes);
}

/**
 * Raw inflate (RFC 1951).
 * @returns `sizeBytes` bytes in the memory of the kernel, which stay until the next call of `inflate` or `readPoints`
 * @throws {CairnError} `request.invalid` when it is no deflate stream, makes fewer or more bytes, or ends before the input
 */
export function inflate(compressed: Uint8Array, sizeBytes: number): Uint8Array {
  const from = layout.DATA_AT + sizeBytes;
  const memory = memoryOf(kernel(), from + compressed.length + layout.SLACK_BYTES);
  memory.set(compressed, from);
  const wrong = kernel().inflate(from, compressed.length, layout.DATA_AT, sizeBytes);
  if (wrong) throw invalid(WRONG[wrong]!);
  return memory.subarray(layout.DATA_AT, from);
}

/**
 * @param planesBytes what `inflate` made just before: planes of keys, chroma and luma, and maybe others behind them
 * @returns `[count, 3]` coordinates and colours @throws {CairnError} `request.invalid`
 */
export function readPoints(
  { count, bits, precision }: { readonly count: number; readonly bits: number; readonly precision: Precision },
  planesBytes: number,
  rest: Uint8Array,
): { coords: Uint16Array; colors: Uint8Array } {
  const restAt = layout.DATA_AT + planesBytes;
  const coordsAt = (restAt + rest.length + layout.SLACK_BYTES + 1) & ~1;
  const colorsAt = coordsAt + count * 6 + layout.SLACK_BYTES;
  const memory = memoryOf(kernel(), colorsAt + count * 3 + layout.SLACK_BYTES);
  memory.set(rest, restAt);
  const { key, chroma, luma } = precision;
  const addresses = [layout.DATA_AT, restAt, rest.length, coordsAt, colorsAt] as const;
  const wrong = kernel().readPoints(count, bits, key, chroma, luma, ...addresses);
  if (wrong) throw invalid(WRONG[wrong]!);
  return {
    coords: new Uint16Array(memory.buffer as ArrayBuffer, coordsAt, count * 3).slice(),
    colors: memory.slice(colorsAt, colorsAt + count * 3),
  };
}
