/** Messages to viewers that several parts of the hub send. Written as text: a time is a number here, with all its digits. */
import { memberText } from "./relay-text.ts";

/** Larger clouds are fetched, not sent (HUB-41). */
export const INLINE_PLY_BYTES = 1_000_000;

/**
 * HUB-37, from what a service or the own reconstructor says of a pose.
 * @param text `{timestamp_ns, pose}`, where `pose` (or `pose_matrix`) is 4 × 4, camera to world, row by row
 * @throws {Error} it is none
 */
export function trajectoryUpdate(text: string, source: string): string {
  const said = JSON.parse(text) as Record<string, unknown>;
  const name = "pose" in said ? "pose" : "pose_matrix";
  if (!isMatrix(said[name])) throw new Error("no 4 × 4 pose in it");
  const digits = memberText(text, "timestamp_ns")?.replace(/^"(\d+)"$/, "$1");
  if (digits === undefined || !/^\d{1,20}$/.test(digits)) throw new Error("no timestamp_ns in it");
  const matrix = memberText(text, name);
  const others = Object.keys(said).filter((key) => !["pose", "pose_matrix", "timestamp_ns"].includes(key));
  const more = others.map((key) => `,${JSON.stringify(key)}:${memberText(text, key)}`).join("");
  return (
    `{"type":"trajectory_update","pose":{"timestamp_ns":${digits},"pose":${matrix},"pose_matrix":${matrix}${more}},` +
    `"timestamp_ns":${digits},"source":${JSON.stringify(source)}}`
  );
}

function isMatrix(value: unknown): boolean {
  const isRow = (row: unknown) => Array.isArray(row) && row.length === 4 && row.every(Number.isFinite);
  return Array.isArray(value) && value.length === 4 && value.every(isRow);
}

export type PlyNews = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly timeNs: bigint | string;
  readonly source: string;
  /** The cloud itself, where it is small enough. */
  readonly inline?: Buffer | undefined;
};

/** HUB-41. */
export function plyUpdate({ name, sizeBytes, timeNs, source, inline }: PlyNews): string {
  const text = JSON.stringify({
    type: "ply_update",
    ply_filename: name,
    ply_url: `/api/ply/${encodeURIComponent(name)}`,
    size_bytes: sizeBytes,
    source,
    ...(inline && { ply_data_b64: inline.toString("base64") }),
  });
  return `${text.slice(0, -1)},"timestamp_ns":${timeNs}}`;
}
