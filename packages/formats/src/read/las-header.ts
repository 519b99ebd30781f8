/** The header of a LAS, LAZ or COPC file from anyone. Format: ASPRS, "LAS specification" 1.0 to 1.4. */
import type { Vec3 } from "@cairn/protocol";
import { type PointSource, refuse, viewOf } from "./point-source.ts";

export type LasFile = {
  readonly count: number;
  readonly pointFormat: number;
  readonly recordBytes: number;
  readonly compressed: boolean;
  /** Where the points begin, and the first byte that is none of them for sure. */
  readonly pointsAt: number;
  readonly pointsEnd: number;
  readonly scale: Vec3;
  readonly offset: Vec3;
  readonly records: readonly LasRecord[];
};
/** A variable length record. */
type LasRecord = { readonly user: string; readonly id: number; readonly start: number; readonly end: number };

const LEAST_HEADER_BYTES = 227;
const MAX_RECORDS = 10_000;
/** Shortest record of each point format. */
const RECORD_BYTES = [20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67] as const;

/** @throws {CairnError} `import.invalid` */
export async function readLasHeader(source: PointSource): Promise<LasFile> {
  const { sizeBytes } = source;
  if (sizeBytes < LEAST_HEADER_BYTES) throw refuse("las", "shorter than a header");
  const bytes = await source.range(0, Math.min(sizeBytes, 375));
  const view = viewOf(bytes);
  if (text(bytes, 0, 4) !== "LASF") throw refuse("las", "does not begin as a LAS file");
  const minor = view.getUint8(25);
  if (view.getUint8(24) !== 1 || minor > 4) throw refuse("las", `version ${view.getUint8(24)}.${minor}`);
  const headerBytes = view.getUint16(94, true);
  const pointsAt = view.getUint32(96, true);
  const pointFormat = view.getUint8(104) & 0x3f;
  const compressed = view.getUint8(104) >= 64;
  const recordBytes = view.getUint16(105, true);
  const least = RECORD_BYTES[pointFormat];
  if (headerBytes < (minor === 4 ? 375 : LEAST_HEADER_BYTES) || headerBytes > sizeBytes) {
    throw refuse("las", `a header of ${headerBytes} bytes`);
  }
  if (least === undefined || recordBytes < least) {
    throw refuse("las", `point format ${pointFormat} in ${recordBytes} bytes`);
  }
  if (pointsAt < headerBytes || pointsAt > sizeBytes) throw refuse("las", "its points begin outside of the file");
  const legacy = view.getUint32(107, true);
  const extended = minor === 4 ? view.getBigUint64(247, true) : 0n;
  if (extended > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse("las", `claims ${extended} points`);
  if (extended > 0n && legacy > 0 && Number(extended) !== legacy) {
    throw refuse("las", `claims ${legacy} points and ${extended} points`);
  }
  const scale = vec3(view, 131);
  const offset = vec3(view, 155);
  if (![...scale, ...offset].every(Number.isFinite) || scale.some((value) => value === 0)) {
    throw refuse("las", "a scale or offset that is no number");
  }
  // Packets of waveforms and extended records follow the points.
  const after = [
    minor >= 3 && headerBytes >= 235 ? Number(view.getBigUint64(227, true)) : 0,
    minor === 4 ? Number(view.getBigUint64(235, true)) : 0,
  ].filter((at) => at > pointsAt && at < sizeBytes);
  return {
    count: extended > 0n ? Number(extended) : legacy,
    pointFormat,
    recordBytes,
    compressed,
    pointsAt,
    pointsEnd: Math.min(sizeBytes, ...after),
    scale,
    offset,
    records: await readRecords(source, headerBytes, pointsAt, view.getUint32(100, true)),
  };
}

async function readRecords(source: PointSource, from: number, end: number, count: number): Promise<LasRecord[]> {
  if (count > MAX_RECORDS) throw refuse("las", `claims ${count} variable length records`);
  const records: LasRecord[] = [];
  for (let at = from; records.length < count; ) {
    if (at + 54 > end) throw refuse("las", "its variable length records do not fit before its points");
    const bytes = await source.range(at, at + 54);
    const view = viewOf(bytes);
    const start = at + 54;
    at = start + view.getUint16(20, true);
    if (at > end) throw refuse("las", "its variable length records do not fit before its points");
    records.push({ user: text(bytes, 2, 18), id: view.getUint16(18, true), start, end: at });
  }
  return records;
}

function vec3(view: DataView, at: number): Vec3 {
  return [view.getFloat64(at, true), view.getFloat64(at + 8, true), view.getFloat64(at + 16, true)];
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder("latin1").decode(bytes.subarray(start, end)).split("\0", 1)[0]!;
}
