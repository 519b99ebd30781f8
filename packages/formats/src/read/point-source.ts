/** Where the bytes of a point file come from, and how one that cannot be read is refused. */
import { CairnError } from "@cairn/protocol";

export type PointSource = {
  readonly sizeBytes: number;
  /** Bytes `start`…`end` (exclusive). */
  range(start: number, end: number): Promise<Uint8Array>;
};

export type PointFormat = "ply" | "las" | "laz" | "glb";

/** Points that are handed out at once. */
export const CHUNK_POINTS = 65_536;

export function refuse(format: PointFormat | "unknown", problem: string, cause?: unknown): CairnError {
  return new CairnError("import.invalid", { format, problem }, cause);
}

/** A file that is in memory. */
export function sourceOf(bytes: Uint8Array): PointSource {
  return { sizeBytes: bytes.length, range: async (start, end) => bytes.subarray(start, end) };
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
