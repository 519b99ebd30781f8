/**
 * Compressed LAS: chunks are found by the file's own table and decoded one at a time by `laz-perf` (WebAssembly). What a
 * damaged chunk does to the decoder stays in its memory, which goes with the file.
 */
import type { LazPerf } from "laz-perf";
import type { LasFile } from "./las-header.ts";
import { type LazChunk, readChunkTable } from "./laz-chunks.ts";
import { chunkPoints, type PointSource, refuse, viewOf } from "./point-source.ts";
import type { LasBlocks } from "./read-las.ts";

/** Point formats that `laz-perf` knows: all but those with waveforms. */
const FORMATS = new Set([0, 1, 2, 3, 6, 7, 8]);
const VARIABLE = 2 ** 32 - 1;
const MAX_CHUNK_BYTES = 256 * 2 ** 20;
const MAX_CHUNKS = 2 ** 24;
/** The decoder reads ahead of what it needs. */
const PAD_BYTES = 64;

/** @throws {CairnError} `import.invalid` */
export async function openLaz(source: PointSource, file: LasFile): Promise<LasBlocks> {
  if (!FORMATS.has(file.pointFormat))
    throw refuse("laz", `compressed point format ${file.pointFormat}; save it as LAS`);
  const { chunks, from } = await locate(source, file);
  const starts: number[] = [];
  let at = from;
  for (const { sizeBytes } of chunks) {
    starts.push(at);
    at += sizeBytes;
  }
  const laz = await openDecoder();
  return {
    count: chunks.length,
    read: (block) => decodeChunk(laz, source, file, chunks[block]!, starts[block]!),
    // The module has no end of its own: its memory goes when nobody holds it.
    close() {},
  };
}

/** A fresh one for each file, without the listeners for any error of the whole process that it would leave behind. */
async function openDecoder(): Promise<LazPerf> {
  const { createLazPerf } = await import("laz-perf"); // a decoder in WebAssembly, for few files
  const events = ["uncaughtException", "unhandledRejection"] as const;
  const before = new Set(events.flatMap((event) => process.listeners(event as "uncaughtException")));
  const laz = await createLazPerf();
  for (const event of events) {
    for (const listener of process.listeners(event as "uncaughtException")) {
      if (!before.has(listener)) process.off(event, listener);
    }
  }
  return laz;
}

/** Every chunk, with the counts and sizes held against the file's. */
async function locate(source: PointSource, file: LasFile): Promise<{ chunks: LazChunk[]; from: number }> {
  const record = file.records.find(({ user, id }) => user === "laszip encoded" && id === 22204);
  if (!record || record.end - record.start < 34) throw refuse("laz", "no record of how it is compressed");
  const about = viewOf(await source.range(record.start, record.end));
  const compressor = about.getUint16(0, true);
  if (compressor !== 2 && compressor !== 3) throw refuse("laz", `compressor ${compressor}; save it again with LAZ 2`);
  const chunkPoints = about.getUint32(12, true);
  const from = file.pointsAt + 8;
  if (from + 8 > source.sizeBytes) throw refuse("laz", "cut off before its first point");
  const tableAt = await tablePlace(source, file.pointsAt);
  if (!(tableAt >= from && tableAt + 8 <= source.sizeBytes)) throw refuse("laz", "no table of chunks: cut off?");
  const head = viewOf(await source.range(tableAt, tableAt + 8));
  const count = head.getUint32(4, true);
  const end = Math.min(source.sizeBytes, tableAt + 8 + Math.max(64, 16 * count));
  // An entry that never changes costs next to nothing, so the count is held against the points and the room for chunks.
  if (count > MAX_CHUNKS || count > file.count || count > (tableAt - from) / 4) {
    throw refuse("laz", `claims ${count} chunks`);
  }
  const variable = chunkPoints === VARIABLE;
  if (!variable && Math.ceil(file.count / chunkPoints) !== count) {
    throw refuse("laz", `claims ${file.count} points in ${count} chunks of ${chunkPoints}`);
  }
  const coded = await source.range(tableAt + 8, end);
  const chunks = readChunkTable(coded, count, variable ? undefined : chunkPoints);
  let [points, sizeBytes] = [0, 0];
  for (const chunk of chunks) {
    points += chunk.points;
    sizeBytes += chunk.sizeBytes;
    if (chunk.sizeBytes < file.recordBytes || chunk.sizeBytes > MAX_CHUNK_BYTES) {
      throw refuse("laz", `a chunk of ${chunk.sizeBytes} bytes`);
    }
  }
  if (from + sizeBytes > tableAt) throw refuse("laz", "its chunks overlap its table of chunks");
  if (variable && points !== file.count) throw refuse("laz", `claims ${file.count} points, its chunks ${points}`);
  // The last of equal chunks has what is left.
  const last = chunks.at(-1);
  if (!variable && last) chunks[count - 1] = { ...last, points: file.count - (count - 1) * chunkPoints };
  return { chunks, from };
}

/** A writer that could not go back says the place at the end of the file. */
async function tablePlace(source: PointSource, pointsAt: number): Promise<number> {
  const place = viewOf(await source.range(pointsAt, pointsAt + 8)).getBigInt64(0, true);
  if (place !== -1n) return Number(place);
  const last = viewOf(await source.range(source.sizeBytes - 8, source.sizeBytes));
  return Number(last.getBigInt64(0, true));
}

async function* decodeChunk(
  laz: LazPerf,
  source: PointSource,
  { pointFormat, recordBytes }: LasFile,
  chunk: LazChunk,
  start: number,
): AsyncGenerator<Uint8Array> {
  const coded = await source.range(start, start + chunk.sizeBytes);
  if (coded.length !== chunk.sizeBytes) throw refuse("laz", "cut off");
  const input = laz._malloc(coded.length + PAD_BYTES);
  const output = laz._malloc(recordBytes);
  if (input === 0 || output === 0) throw refuse("laz", `no memory for a chunk of ${coded.length} bytes`);
  try {
    laz.HEAPU8.set(coded, input);
    laz.HEAPU8.fill(0, input + coded.length, input + coded.length + PAD_BYTES);
    const decoder = new laz.ChunkDecoder();
    try {
      decoder.open(pointFormat, recordBytes, input);
      for (let done = 0; done < chunk.points; ) {
        const count = Math.min(chunkPoints(recordBytes), chunk.points - done);
        const bytes = new Uint8Array(count * recordBytes);
        for (let i = 0; i < count; i++) {
          decoder.getPoint(output);
          bytes.set(laz.HEAPU8.subarray(output, output + recordBytes), i * recordBytes);
        }
        yield bytes;
        done += count;
      }
    } finally {
      decoder.delete();
    }
  } catch (cause) {
    // Whatever the decoder ran into: out of its memory, a number of its own.
    throw refuse("laz", "a damaged chunk", cause);
  }
  laz._free(input);
  laz._free(output);
}
