/** Where the bytes of a point file come from, and how one that cannot be read is refused. */
import { CairnError } from "@cairn/protocol/errors";

export type PointSource = {
  readonly sizeBytes: number;
  /** Bytes `start`…`end` (exclusive). */
  range(start: number, end: number): Promise<Uint8Array>;
};

export type PointFormat = "ply" | "las" | "laz" | "glb";

/** Points that are handed out at once, at most. */
export const CHUNK_POINTS = 65_536;
/** Bytes of a file that are held for them, unless a single point has more. */
const CHUNK_BYTES = 2 ** 22;

/** Points that are handed out at once. @param pointBytes of each, as the file's header says */
export function chunkPoints(pointBytes: number): number {
  return Math.min(CHUNK_POINTS, Math.max(1, Math.floor(CHUNK_BYTES / pointBytes)));
}

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
