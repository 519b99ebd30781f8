/** LAS point records to points: double coordinates, 8-bit colours; grey or the class's colour where there are none. */
import type { PointRun } from "../point-run.ts";
import type { LasFile } from "./las-header.ts";
import { Levels } from "./levels.ts";
import { viewOf } from "./point-source.ts";

const COLOR_AT: Readonly<Record<number, number>> = { 2: 20, 3: 28, 5: 28, 7: 30, 8: 30, 10: 30 };

/** How a file's colours are to be read. */
export type LasColors =
  | { readonly from: "color"; readonly shift: 0 | 8 }
  | { readonly from: "intensity"; readonly white: number }
  | { readonly from: "class" };

/** Standard classes (ASPRS): never classified, unassigned, ground, low, medium and high plants, building, noise, … water. */
const CLASS_COLORS = [
  0xaaaaaa, 0xbbbbbb, 0x8b6b42, 0x9acd6b, 0x5faf4a, 0x2e8b3d, 0xc8553d, 0xff00ff, 0xe0c341, 0x3a7bd5, 0x5a5a5a,
  0x6e6e78,
];

/** What is seen of the colours: some files keep 8 bits in fields for 16, some have fields for colours and none in them. */
export class LasLook {
  readonly #file: LasFile;
  readonly #grey = new Levels();
  #mostColor = 0;

  constructor(file: LasFile) {
    this.#file = file;
  }

  /** @param bytes whole records */
  add(bytes: Uint8Array): void {
    const { recordBytes, pointFormat } = this.#file;
    const colorAt = COLOR_AT[pointFormat];
    const view = viewOf(bytes);
    const most = bytes.length - recordBytes;
    for (let at = 0; at <= most; at += recordBytes) {
      this.#grey.add(view.getUint16(at + 12, true));
      if (colorAt === undefined) continue;
      for (let channel = 0; channel < 6; channel += 2) {
        this.#mostColor = Math.max(this.#mostColor, view.getUint16(at + colorAt + channel, true));
      }
    }
  }

  get colors(): LasColors {
    if (this.#mostColor > 0) return { from: "color", shift: this.#mostColor > 255 ? 8 : 0 };
    const { white } = this.#grey;
    return white > 0 ? { from: "intensity", white } : { from: "class" };
  }
}

/** @param bytes whole records */
export function readLasPoints(file: LasFile, colors: LasColors, bytes: Uint8Array): PointRun {
  const { recordBytes, scale, offset, pointFormat } = file;
  const count = Math.floor(bytes.length / recordBytes);
  const view = viewOf(bytes);
  const positions = new Float64Array(count * 3);
  const out = new Uint8Array(count * 3);
  const colorAt = COLOR_AT[pointFormat] ?? 0;
  const [classAt, classMask] = pointFormat >= 6 ? [16, 255] : [15, 31];
  for (let i = 0, at = 0; i < count; i++, at += recordBytes) {
    const p = 3 * i;
    positions[p] = view.getInt32(at, true) * scale[0] + offset[0];
    positions[p + 1] = view.getInt32(at + 4, true) * scale[1] + offset[1];
    positions[p + 2] = view.getInt32(at + 8, true) * scale[2] + offset[2];
    if (colors.from === "color") {
      for (let channel = 0; channel < 3; channel++) {
        out[p + channel] = Math.min(255, view.getUint16(at + colorAt + 2 * channel, true) >> colors.shift);
      }
    } else if (colors.from === "intensity") {
      out.fill(Math.min(255, Math.round((255 * view.getUint16(at + 12, true)) / colors.white)), p, p + 3);
    } else {
      const color = CLASS_COLORS[bytes[at + classAt]! & classMask] ?? 0xbbbbbb;
      out[p] = color >> 16;
      out[p + 1] = (color >> 8) & 255;
      out[p + 2] = color & 255;
    }
  }
  return { count, positions, colors: out, photos: 0 };
}
