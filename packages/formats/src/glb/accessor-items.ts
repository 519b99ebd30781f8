/** The numbers that accessors of a GLB stand for, read in pieces from where they lie: plain, packed or sparse. */
import type { Accessor, BufferView, ComponentName, Indices } from "./gltf-document.ts";
import { invalid } from "./gltf-json.ts";

export type GlbSource = {
  readonly sizeBytes: number;
  /** Bytes `start`…`end` (exclusive). */
  range(start: number, end: number): Promise<Uint8Array>;
};

export const CHUNK_POINTS = 65_536;
/** Decoded views that are kept because the next primitive may use them too. */
const MAX_KEPT_BYTES = 2 ** 28;

/** Views of the binary chunk: plain ones are read where they are wanted, packed ones are decoded once and kept. */
export class AccessorItems {
  readonly #source: GlbSource;
  readonly #binaryStart: number;
  readonly #decoded = new Map<number, Uint8Array>();
  readonly #walks = new Map<Sparse, SparseWalk>();

  constructor(source: GlbSource, binaryStart: number) {
    this.#source = source;
    this.#binaryStart = binaryStart;
  }

  /**
   * Three numbers for each of the items `from`…`to`, normalised where the accessor says so. A sparse accessor has to be
   * read from its first item to its last, piece by piece.
   */
  async each(accessor: Accessor, from: number, to: number, out: Float64Array): Promise<void> {
    const { view, offset, stride, sparse } = accessor;
    if (view)
      readComponents(await this.#bytes(view, offset + from * stride, offset + to * stride), accessor, to - from, out);
    else out.fill(0);
    if (!sparse) return;
    const walk = this.#walks.get(sparse) ?? new SparseWalk(sparse, accessor.count, this);
    this.#walks.set(sparse, walk);
    await walk.layOver(from, to, out);
  }

  /** The numbers `from`…`to`. */
  async indices({ view, offset, component, itemBytes }: Indices, from: number, to: number) {
    return elementsOf(await this.#bytes(view, offset + from * itemBytes, offset + to * itemBytes), component);
  }

  async #bytes(view: BufferView, start: number, to: number): Promise<Uint8Array> {
    const end = Math.min(view.sizeBytes, to);
    if (view.meshopt) return (await this.#whole(view, view.meshopt)).subarray(start, end);
    return this.#range(view.start + start, view.start + end);
  }

  async #whole(view: BufferView, packed: NonNullable<BufferView["meshopt"]>): Promise<Uint8Array> {
    const known = this.#decoded.get(view.index);
    if (known) return known;
    const { MeshoptDecoder } = await import("meshoptimizer/decoder"); // WebAssembly, for few files
    await MeshoptDecoder.ready;
    const bytes = await this.#range(view.start, view.end);
    const target = new Uint8Array(view.sizeBytes);
    try {
      MeshoptDecoder.decodeGltfBuffer(target, packed.count, packed.stride, bytes, "ATTRIBUTES", packed.filter);
    } catch (cause) {
      throw invalid("a meshopt view is damaged", cause);
    }
    let keptBytes = target.length;
    for (const [index, { length }] of [...this.#decoded].reverse()) {
      keptBytes += length;
      if (keptBytes > MAX_KEPT_BYTES) this.#decoded.delete(index);
    }
    this.#decoded.set(view.index, target);
    return target;
  }

  async #range(start: number, end: number): Promise<Uint8Array> {
    const bytes = await this.#source.range(this.#binaryStart + start, this.#binaryStart + end);
    if (bytes.length !== end - start) throw invalid("ends before its data");
    return bytes;
  }
}

type Sparse = NonNullable<Accessor["sparse"]>;

/**
 * Lays the items of a sparse accessor over what is there. Their places ascend (glTF 2.0 §3.6.2.3), so the pieces of the
 * accessor and those of the places are gone through side by side, and nothing is held however many there are.
 */
class SparseWalk {
  readonly #sparse: Sparse;
  readonly #count: number;
  readonly #items: AccessorItems;
  /** Laid already. */
  #done = 0;

  constructor(sparse: Sparse, count: number, items: AccessorItems) {
    this.#sparse = sparse;
    this.#count = count;
    this.#items = items;
  }

  async layOver(from: number, to: number, out: Float64Array): Promise<void> {
    const { places, values } = this.#sparse;
    let lowest = from; // where the next may be
    while (this.#done < places.count) {
      const next = await this.#items.indices(places, this.#done, Math.min(places.count, this.#done + CHUNK_POINTS));
      let fitting = 0;
      for (; fitting < next.length && next[fitting]! < to; fitting++) {
        if (next[fitting]! < lowest) throw invalid("sparse indices do not ascend");
        lowest = next[fitting]! + 1;
      }
      const laid = new Float64Array(3 * fitting);
      if (fitting > 0) await this.#items.each(values, this.#done, this.#done + fitting, laid);
      for (let i = 0; i < fitting; i++) out.set(laid.subarray(3 * i, 3 * i + 3), 3 * (next[i]! - from));
      this.#done += fitting;
      if (fitting < next.length) break;
    }
    if (to === this.#count && this.#done < places.count) throw invalid("sparse indices reach beyond the items");
  }
}

const DIVISOR = { i8: 127, u8: 255, i16: 32767, u16: 65535, u32: 2 ** 32 - 1, f32: 1 } as const;

/** Strides and offsets are whole elements; `gltf-document.ts` has seen to it. */
function readComponents(
  bytes: Uint8Array,
  { component, normalized, stride }: Accessor,
  count: number,
  out: Float64Array,
): void {
  const elements = elementsOf(bytes, component);
  const step = stride / elements.BYTES_PER_ELEMENT;
  for (let i = 0, at = 0, to = 0; i < count; i++, at += step, to += 3) {
    out[to] = elements[at]!;
    out[to + 1] = elements[at + 1]!;
    out[to + 2] = elements[at + 2]!;
  }
  if (!normalized) return;
  const divisor = DIVISOR[component];
  // Both −128 and −127 mean −1.
  for (let i = 0; i < 3 * count; i++) out[i] = Math.max(-1, out[i]! / divisor);
}

function elementsOf(bytes: Uint8Array, component: ComponentName) {
  const size = component === "f32" || component === "u32" ? 4 : component === "i16" || component === "u16" ? 2 : 1;
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const count = Math.floor(length / size);
  switch (component) {
    case "i8":
      return new Int8Array(buffer, byteOffset, count);
    case "u8":
      return new Uint8Array(buffer, byteOffset, count);
    case "i16":
      return new Int16Array(buffer, byteOffset, count);
    case "u16":
      return new Uint16Array(buffer, byteOffset, count);
    case "u32":
      return new Uint32Array(buffer, byteOffset, count);
    case "f32":
      return new Float32Array(buffer, byteOffset, count);
  }
}
