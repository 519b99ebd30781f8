/** Coloured points in two arrays that grow by half when full, so that appending n points costs O(n) all in all. */
import type { SegmentPoints } from "@cairn/formats";
import type { Vec3 } from "@cairn/protocol";

const FIRST_CAPACITY = 4096;

export class PointPool {
  /** `[capacity, 3]` relative to `origin`. Replaced when it grows. */
  positions = new Float32Array(FIRST_CAPACITY * 3);
  /** `[capacity, 4]` sRGB and 255: four bytes, because GPUs want vertex data on multiples of four. */
  colors = new Uint8Array(FIRST_CAPACITY * 4);
  count = 0;
  /** Model frame, double precision: single precision would make points far from 0 tremble. */
  origin: Vec3 | undefined;

  get capacity(): number {
    return this.positions.length / 3;
  }

  /** Copies. Returns whether the arrays were replaced by larger ones. */
  append({ origin, positions, colors }: SegmentPoints): boolean {
    this.origin ??= origin;
    const n = positions.length / 3;
    const grown = this.#reserve(this.count + n);
    const dx = origin[0] - this.origin[0];
    const dy = origin[1] - this.origin[1];
    const dz = origin[2] - this.origin[2];
    let p = this.count * 3;
    let c = this.count * 4;
    for (let i = 0; i < n * 3; i += 3) {
      this.positions[p++] = positions[i]! + dx;
      this.positions[p++] = positions[i + 1]! + dy;
      this.positions[p++] = positions[i + 2]! + dz;
      this.colors[c++] = colors[i]!;
      this.colors[c++] = colors[i + 1]!;
      this.colors[c++] = colors[i + 2]!;
      this.colors[c++] = 255;
    }
    this.count += n;
    return grown;
  }

  #reserve(count: number): boolean {
    if (count <= this.capacity) return false;
    const capacity = Math.max(count, Math.ceil(this.capacity * 1.5));
    const positions = new Float32Array(capacity * 3);
    positions.set(this.positions.subarray(0, this.count * 3));
    const colors = new Uint8Array(capacity * 4);
    colors.set(this.colors.subarray(0, this.count * 4));
    this.positions = positions;
    this.colors = colors;
    return true;
  }
}
