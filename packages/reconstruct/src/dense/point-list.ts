/** Points whose number is not known beforehand. */
import type { FusedPoints } from "./fuse.ts";

export class PointList {
  count = 0;
  positions = new Float32Array(0);
  normals = new Float32Array(0);
  colors = new Uint8Array(0);
  confidences = new Uint8Array(0);
  source = new Uint32Array(0);

  /** Room for one more; @returns its index */
  grow(): number {
    if (this.count === this.source.length) this.#resize(Math.max(65_536, this.count * 2));
    return this.count++;
  }

  take(): Pick<FusedPoints, "positions" | "normals" | "colors" | "confidences" | "source"> {
    this.#resize(this.count);
    const { positions, normals, colors, confidences, source } = this;
    return { positions, normals, colors, confidences, source };
  }

  #resize(capacity: number): void {
    this.positions = resized(this.positions, new Float32Array(capacity * 3));
    this.normals = resized(this.normals, new Float32Array(capacity * 3));
    this.colors = resized(this.colors, new Uint8Array(capacity * 3));
    this.confidences = resized(this.confidences, new Uint8Array(capacity));
    this.source = resized(this.source, new Uint32Array(capacity));
  }
}

function resized<T extends Float32Array | Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from.subarray(0, to.length));
  return to;
}
