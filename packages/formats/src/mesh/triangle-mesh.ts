/** A surface on its way to a file. */
import type { Vec3 } from "@cairn/protocol";

export type TriangleMesh = {
  /** Where positions count from; doubles, for it may be far away. */
  readonly origin: Vec3;
  /** `[vertices, 3]` from the origin, Z up. */
  readonly positions: Float32Array;
  /** `[vertices, 3]` unit vectors × 127. */
  readonly normals: Int8Array;
  /** `[vertices, 3]` sRGB. */
  readonly colors: Uint8Array;
  /** `[triangles, 3]` counter-clockwise seen from outside. */
  readonly triangles: Uint32Array;
  /** What of a coordinate matters: files that must choose keep a hundredth of it. */
  readonly step: number;
};

/** Vertices or triangles of one piece of a file. */
export const PER_PIECE = 32_768;

/** Whether 24 bits of mantissa lose more than a hundredth of a step. */
export function needsDoubles({ origin, positions, step }: TriangleMesh): boolean {
  let most = 0;
  for (let i = 0; i < positions.length; i++) most = Math.max(most, Math.abs(positions[i]! + origin[i % 3]!));
  return most * 2 ** -24 > step / 100;
}
