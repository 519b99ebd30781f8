/**
 * tinyh264 (h264bsd as WebAssembly) in a worker thread, driven by its bare functions: its own wrapper copies units of
 * any size into a fixed buffer of 1 MiB and cannot tell damage from headers.
 *
 * What its return codes mean was found by damaging streams: 1 a picture, 3 no picture (a header, a slice of more to
 * come, or a slice that is broken), 4 parameter sets are missing or unreadable. A picture comes out with its last
 * macroblock, or, when some are missing, concealed, with the first unit of the next picture. So a delimiter is fed
 * after each access unit: what comes out with that one is damaged, and nothing comes out late.
 */
import { serve } from "@cairn/worker";
import type { TinyH264Module } from "tinyh264/lib/TinyH264.js";
import type { Crop, TinyJobs } from "./tinyh264-contract.ts";

const PICTURE = 1;
const NO_PARAMETERS = 4;
const DELIMITER = Uint8Array.of(0x09, 0xf0);

class Decoder {
  readonly #module: TinyH264Module;
  readonly #out: number;
  #storage = 0;
  #buffer = 0;
  #bufferBytes = 0;

  constructor(module: TinyH264Module) {
    this.#module = module;
    this.#out = module._malloc(12);
  }

  begin(): void {
    const module = this.#module;
    if (this.#storage) {
      module._h264bsdShutdown(this.#storage);
      module._h264bsdFree(this.#storage);
    }
    this.#storage = module._h264bsdAlloc();
    // Baseline has no B pictures, so the order of decoding is the order of showing, and none need be held back.
    if (!this.#storage || module._h264bsdInit(this.#storage, 1)) throw new Error("no memory for a decoder");
  }

  decode(units: readonly Uint8Array[], crop: Crop): { i420: Uint8Array | undefined; damaged: boolean } {
    let i420: Uint8Array | undefined;
    let damaged = false;
    for (const unit of [...units, DELIMITER]) {
      const code = this.#feed(unit);
      if (code === NO_PARAMETERS) damaged = true;
      if (code !== PICTURE) continue;
      if (i420 || unit === DELIMITER) damaged = true;
      i420 = this.#picture(crop);
    }
    return { i420, damaged: damaged || !i420 };
  }

  #feed(unit: Uint8Array): number {
    const module = this.#module;
    if (unit.length > this.#bufferBytes) {
      if (this.#buffer) module._free(this.#buffer);
      this.#bufferBytes = Math.max(1 << 18, 2 ** Math.ceil(Math.log2(unit.length)));
      this.#buffer = module._malloc(this.#bufferBytes);
      if (!this.#buffer) throw new Error(`no memory for a unit of ${unit.length} bytes`);
    }
    module.HEAPU8.set(unit, this.#buffer);
    return module._h264bsdDecode(this.#storage, this.#buffer, unit.length, this.#out, this.#out + 4, this.#out + 8);
  }

  /** A copy of the shown part, or nothing when the decoder's picture is not the size that the SPS said. */
  #picture(crop: Crop): Uint8Array | undefined {
    const module = this.#module;
    const at = module.getValue(this.#out, "i32");
    const width = module.getValue(this.#out + 4, "i32");
    const height = module.getValue(this.#out + 8, "i32");
    if (width !== crop.codedWidth || height !== crop.codedHeight) return undefined;
    const coded = module.HEAPU8.subarray(at, at + (width * height * 3) / 2);
    if (crop.width === width && crop.height === height) return coded.slice();
    const [halfWidth, halfHeight] = [(crop.width + 1) >> 1, (crop.height + 1) >> 1];
    const shown = new Uint8Array(crop.width * crop.height + 2 * halfWidth * halfHeight);
    let out = copyPart(coded, width, crop.left, crop.top, crop.width, crop.height, shown, 0);
    const chromaBytes = (width / 2) * (height / 2);
    for (const plane of [width * height, width * height + chromaBytes]) {
      const part = coded.subarray(plane, plane + chromaBytes);
      out = copyPart(part, width / 2, crop.left >> 1, crop.top >> 1, halfWidth, halfHeight, shown, out);
    }
    return shown;
  }
}

function copyPart(
  plane: Uint8Array,
  stride: number,
  left: number,
  top: number,
  width: number,
  height: number,
  to: Uint8Array,
  at: number,
): number {
  for (let y = 0; y < height; y++) {
    const from = (top + y) * stride + left;
    to.set(plane.subarray(from, from + width), at + y * width);
  }
  return at + width * height;
}

/** It is packaged for a browser's worker and looks for that when it loads; what it would fetch it has in itself. */
async function load(): Promise<Decoder> {
  const browser = {
    self: globalThis,
    window: globalThis,
    location: { href: "" },
    importScripts() {},
    fetch: undefined,
  };
  Object.assign(globalThis, browser);
  const { default: create } = await import("tinyh264/lib/TinyH264.js");
  return new Decoder(await create());
}

let loaded: Promise<Decoder> | undefined;

serve<TinyJobs>({
  async decode({ begin, units, crop }, report) {
    loaded ??= load();
    const decoder = await loaded;
    if (begin) decoder.begin();
    const picture = decoder.decode(units, crop);
    if (picture.i420) report.move(picture.i420.buffer as ArrayBuffer);
    return picture;
  },
});
