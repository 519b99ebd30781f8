/** Loads a WebAssembly kernel and lends out its memory. */
import { readFileSync } from "node:fs";

const PAGE_BYTES = 65_536;
const ALIGN_BYTES = 64;

// The part of WebAssembly's interface that is used here; the types of Node leave it out and those of the browser
// would bring the whole page with them.
type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };
type Instance = { readonly exports: object };
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => Instance;
};

type KernelExports = { readonly memory: Memory; heapBase(): number };

/**
 * One instance of a kernel. Memory is handed out from the start again after `reset`, so that it grows to what the
 * largest photo needs and no further. Growing detaches the views made before: make views after the last `take`.
 */
export class Kernel<Functions> {
  readonly call: Functions;
  readonly #memory: Memory;
  readonly #base: number;
  #top: number;

  constructor(name: string) {
    const bytes = readFileSync(new URL(`../../wasm/${name}.wasm`, import.meta.url));
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
    const exports = instance.exports as KernelExports & Functions;
    this.call = exports;
    this.#memory = exports.memory;
    this.#base = exports.heapBase();
    this.#top = this.#base;
  }

  reset(): void {
    this.#top = this.#base;
  }

  /** The address of `sizeBytes` bytes, aligned to 64; what they hold is left over from before. */
  take(sizeBytes: number): number {
    const address = Math.ceil(this.#top / ALIGN_BYTES) * ALIGN_BYTES;
    this.#top = address + sizeBytes;
    // Vector loads may reach past the end of the last array.
    const missing = this.#top + ALIGN_BYTES - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    return address;
  }

  bytes(address: number, count: number): Uint8Array {
    return new Uint8Array(this.#memory.buffer, address, count);
  }

  i32(address: number, count: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, count);
  }

  f32(address: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, count);
  }

  get memoryBytes(): number {
    return this.#memory.buffer.byteLength;
  }
}
