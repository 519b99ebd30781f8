/**
 * The WebAssembly that writes segments (`wasm/encode.as.ts`). It is made when it is first needed; there is one in a
 * thread, on a memory that grows to what its largest segment needs. Only servers write segments, so it is in no page.
 */
import { CODE_ORDER } from "./code-order.ts";
import { ENCODE_BASE64 } from "./encode-kernel-bytes.ts";
import * as layout from "./encode-layout.ts";
import { bestFold, type Fold, QUICK, THOROUGH, turned, UNFOLDED } from "./fold.ts";
import { LUMA_PLANE_OF, LUMA_PLANES, type Precision, SYMBOL_TABLES } from "./symbols.ts";
import { instantiate, type Memory, memoryUpTo, newMemory } from "./wasm.ts";

/** The parameters of each: see there. */
type Kernel = {
  readonly memory: Memory;
  sortPoints(...numbers: readonly number[]): number;
  takeSample(...numbers: readonly number[]): number;
  thinAxis(...numbers: readonly number[]): number;
  costOf(...numbers: readonly number[]): number;
  writePoints(...numbers: readonly number[]): number;
  deflatePlanes(planes: number, ends: number, count: number, out: number): number;
};

/** Views of the kernel's memory, which stay until its next call. */
type Written = {
  readonly fold: Fold;
  /** Which point each is, in the order in which they are written. */
  readonly order: Uint32Array;
  /** Planes of keys, chroma, luma and folded bits, and room behind them. */
  readonly planes: Uint8Array;
  /** Where each plane ends. */
  readonly ends: number[];
  readonly rest: Uint8Array;
};

/** Keys, chroma, four of luma, folded bits; three of photos, confidences, two of normals. */
const MAX_PLANES = 13;
/** With fewer points folding is not worth trying. */
const LEAST_POINTS = 60;
/** About so many points, or if that is more one in so many, say how all are folded best, in so many places. */
const SAMPLE = 128;
const THOROUGH_SAMPLE = 4096;
const SAMPLE_PART = 8;
const SAMPLE_RUNS = 4;

let made: Kernel | undefined;

function kernel(): Kernel {
  if (made) return made;
  const memory = newMemory();
  made = { memory, ...(instantiate(ENCODE_BASE64, memory) as Omit<Kernel, "memory">) };
  const { buffer } = memoryUpTo(memory, layout.POINTS_AT);
  for (const [i, { symbols, restBits }] of SYMBOL_TABLES.entries()) {
    const table = Uint16Array.from(symbols, (symbol, value) => symbol | (restBits[value]! << 8));
    new Uint16Array(buffer).set(table, layout.SYMBOLS_AT / 2 + i * 256);
  }
  for (const [i, table] of LUMA_PLANE_OF.entries()) new Uint8Array(buffer).set(table, layout.LUMA_PLANE_AT + i * 256);
  new Uint8Array(buffer).set(CODE_ORDER, layout.ORDER_AT);
  new Uint16Array(buffer).set(logarithms(), layout.LOGARITHMS_AT / 2);
  return made;
}

/** About log2(1 + i / 256) in 4096ths, by squaring numbers that are cut to what a double holds exactly: the same everywhere. */
function logarithms(): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, i) => {
    let value = 256 + i;
    let bits = 0;
    for (let k = 0; k < 12; k++) {
      value = (value * value) / 256;
      bits *= 2;
      if (value >= 512) [value, bits] = [value / 2, bits + 1];
      value = Math.floor(value * 4096) / 4096;
    }
    return bits;
  });
}

export type EncodeOptions = {
  /** How its keys are folded; without it, so that they are shorter. */
  readonly fold?: Fold;
  /** Tries more, and more of the points: for what is kept, not for what is awaited. */
  readonly thorough?: boolean;
};

type Points = {
  readonly count: number;
  readonly bits: number;
  readonly coords: Uint16Array;
  readonly colors: Uint8Array;
};

/** Where what is sorted lies, and where it goes. */
type Sorting = { count: number; coords: number; keys: number; order: number; spareKeys: number; spareOrder: number };

/**
 * @param morePlanes for how many there is room behind those that are written
 * @param how see `encodeSegment`
 * @throws {RangeError} when a coordinate has more than `bits` bits or there are too few of them
 */
export function writePoints(
  { count, bits, coords, colors }: Points,
  precision: Precision,
  morePlanes: number,
  { fold, thorough = false }: EncodeOptions,
): Written {
  for (const [name, { length }] of Object.entries({ coords, colors }))
    if (length < count * 3) throw new RangeError(`${name} holds ${length / 3} of ${count} points`);
  let end = layout.POINTS_AT;
  const room = (sizeBytes: number) => {
    const at = end;
    end = (end + sizeBytes + 7) & ~7;
    return at;
  };
  const all: Sorting = {
    count,
    coords: room(count * 6),
    keys: room(count * 8),
    order: room(count * 4),
    spareKeys: room(count * 8),
    spareOrder: room(count * 4),
  };
  const colorsAt = room(count * 3);
  const lumasAt = room(count);
  const restAt = room(count * 9 + layout.SPARE_BYTES); // 48 bits of a key and three times 7 of a colour; first the sample
  const planesBytes = count * (4 + morePlanes);
  const planesAt = room(planesBytes);
  room(deflateRoom(planesBytes, MAX_PLANES));
  const memory = memoryUpTo(kernel().memory, end);
  memory.set(new Uint8Array(coords.buffer, coords.byteOffset, count * 6), all.coords);
  memory.set(colors.subarray(0, count * 3), colorsAt);

  const search = () => searchFold(all, { bits, keyPrecision: precision.key, sampleAt: restAt, thorough });
  const chosen = fold ?? (count < LEAST_POINTS ? UNFOLDED : search());
  sort(all, bits, chosen);
  const restBytes = kernel().writePoints(
    count,
    chosen.bits,
    precision.key,
    precision.chroma,
    precision.luma,
    all.coords,
    ...turnedFrom(all.coords, chosen),
    colorsAt,
    all.keys,
    all.order,
    planesAt,
    lumasAt,
    restAt,
  );
  const { buffer } = kernel().memory;
  const lumaEnds = new Uint32Array(buffer, layout.LUMA_ENDS_AT, LUMA_PLANES);
  return {
    fold: chosen,
    order: new Uint32Array(buffer, all.order, count),
    planes: memory.subarray(planesAt, planesAt + planesBytes),
    ends: [count, 2 * count, ...lumaEnds, ...(chosen.bits > 0 ? [4 * count] : [])],
    rest: memory.subarray(restAt, restAt + restBytes),
  };
}

/**
 * Planes as a raw deflate stream.
 * @param planes those of `writePoints`, or bytes of one's own @param ends where each ends, ascending; empty ones are allowed
 */
export function deflatePlanes(planes: Uint8Array, ends: readonly number[]): Uint8Array {
  const sizeBytes = ends.at(-1) ?? 0;
  const own = planes.buffer !== kernel().memory.buffer;
  const at = own ? layout.POINTS_AT : planes.byteOffset;
  const endsAt = (at + sizeBytes + 3) & ~3;
  const memory = memoryUpTo(kernel().memory, endsAt + deflateRoom(sizeBytes, ends.length));
  if (own) memory.set(planes.subarray(0, sizeBytes), at);
  new Uint32Array(memory.buffer, endsAt, ends.length).set(ends);
  const outAt = endsAt + ends.length * 4;
  return memory.slice(outAt, outAt + kernel().deflatePlanes(at, endsAt, ends.length, outAt));
}

/** What `deflatePlanes` needs behind so many bytes, with room to begin at a word. */
function deflateRoom(sizeBytes: number, planes: number): number {
  return 2 * sizeBytes + planes * (4 + 300) + layout.SPARE_BYTES;
}

type Search = { bits: number; keyPrecision: number; sampleAt: number; thorough: boolean };

/** By some of the points. The fold follows from the points alone, whatever their order. */
function searchFold(all: Sorting, { bits, keyPrecision, sampleAt, thorough }: Search): Fold {
  const aim = Math.max(thorough ? THOROUGH_SAMPLE : SAMPLE, all.count / SAMPLE_PART);
  const count = kernel().takeSample(all.count, bits, all.coords, aim, SAMPLE_RUNS, sampleAt);
  const some = { ...all, count, coords: sampleAt };
  const costOf = (fold: Fold) => {
    sort(some, bits, fold);
    const coords = turnedFrom(some.coords, fold);
    return kernel().costOf(some.count, all.count, keyPrecision, fold.bits, ...coords, some.keys, some.order);
  };
  const unfolded = costOf(UNFOLDED);
  if (thorough) return bestFold(bits, unfolded, costOf, THOROUGH);
  const thin = kernel().thinAxis(some.count, some.coords, some.order) as Fold["axis"];
  return bestFold(bits, unfolded, costOf, { axes: [thin], ...QUICK });
}

function sort({ count, coords, keys, order, spareKeys, spareOrder }: Sorting, bits: number, fold: Fold): void {
  const at = turnedFrom(coords, fold);
  const wrong = kernel().sortPoints(count, bits, fold.bits, ...at, keys, order, spareKeys, spareOrder);
  if (wrong === layout.TOO_LARGE) throw new RangeError(`a coordinate has more than ${bits} bits`);
}

/** Where `u`, `v` and `w` of the first point are. */
function turnedFrom(coords: number, fold: Fold): number[] {
  return turned(fold).map((place) => coords + 2 * place);
}
