/** Kernels that are embedded as base64 (`tools/build.mjs`), each with a memory that grows to what it is asked for. */

// The part of WebAssembly's interface that is used here; the types of Node leave it out and those of the browser
// would bring the whole page with them.
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number }) => Memory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly env: { readonly memory: Memory } },
  ) => {
    readonly exports: object;
  };
};

export type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };

const PAGE_BYTES = 65_536;

export function newMemory(): Memory {
  return new WebAssembly.Memory({ initial: 1 });
}

/** @returns what the kernel exports */
export function instantiate(base64: string, memory: Memory): object {
  return new WebAssembly.Instance(new WebAssembly.Module(bytesOf(base64)), { env: { memory } }).exports;
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The memory up to `sizeBytes`; views made before are no longer valid when it has grown. */
export function memoryUpTo(memory: Memory, sizeBytes: number): Uint8Array {
  const missing = sizeBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  return new Uint8Array(memory.buffer, 0, sizeBytes);
}
