/**
 * LAS, LAZ and COPC point clouds from anyone, block by block: a block is a run of plain records or one compressed chunk.
 * COPC is LAZ whose chunks are in the order of an octree, so it is read as LAZ.
 */
import type { PointRun } from "../point-run.ts";
import { type LasFile, readLasHeader } from "./las-header.ts";
import { colorsOf, readLasPoints } from "./las-points.ts";
import { openLaz } from "./laz.ts";
import { chunkPoints, type PointSource, refuse } from "./point-source.ts";

export type LasCloud = {
  readonly format: "las" | "laz";
  readonly count: number;
  chunks(): AsyncGenerator<PointRun>;
};

/** Where the points are: each block is read by itself. */
export type LasBlocks = {
  readonly count: number;
  /** Whole records, no more than `chunkPoints` at a time. The bytes are the caller's until the next are asked for. */
  read(block: number): AsyncIterable<Uint8Array>;
  close(): void;
};

/** Blocks that are looked at before the first point is handed out, to see what colours there are. */
const SAMPLES = 3;
/** A record of a compressed file takes at least this part of a byte: a file that claims more is a trap. */
const MOST_POINTS_A_BYTE = 64;

/** @throws {CairnError} `import.invalid`: no LAS, or it claims what its size cannot hold */
export async function openLas(source: PointSource): Promise<LasCloud> {
  const file = await readLasHeader(source);
  const format = file.compressed ? "laz" : "las";
  if (file.count === 0) throw refuse(format, "has no points");
  if (file.compressed) {
    if (file.count > MOST_POINTS_A_BYTE * source.sizeBytes) {
      throw refuse(format, `claims ${file.count} points in ${source.sizeBytes} bytes`);
    }
  } else checkRoom(file);
  return {
    format,
    count: file.count,
    async *chunks() {
      const blocks = file.compressed ? await openLaz(source, file) : plainBlocks(source, file);
      try {
        const colors = colorsOf(file, await samplesOf(blocks));
        for (let block = 0; block < blocks.count; block++) {
          for await (const bytes of blocks.read(block)) yield readLasPoints(file, colors, bytes);
        }
      } finally {
        blocks.close();
      }
    },
  };
}

function checkRoom({ count, recordBytes, pointsAt, pointsEnd }: LasFile): void {
  const room = pointsEnd - pointsAt;
  if (count * recordBytes > room) {
    throw refuse("las", `claims ${count} points, has room for ${Math.floor(room / recordBytes)}: cut off?`);
  }
  if (count * recordBytes + recordBytes <= room) {
    throw refuse("las", `claims ${count} points, holds ${Math.floor(room / recordBytes)}: a wrong count`);
  }
}

function plainBlocks(source: PointSource, { count, recordBytes, pointsAt }: LasFile): LasBlocks {
  const atOnce = chunkPoints(recordBytes);
  return {
    count: Math.ceil(count / atOnce),
    async *read(block) {
      const from = block * atOnce;
      const to = Math.min(count, from + atOnce);
      const bytes = await source.range(pointsAt + from * recordBytes, pointsAt + to * recordBytes);
      if (bytes.length !== (to - from) * recordBytes) throw refuse("las", "cut off");
      yield bytes;
    },
    close() {},
  };
}

/** The first piece of the first, the middle and the last block. */
async function samplesOf(blocks: LasBlocks): Promise<Uint8Array[]> {
  const samples: Uint8Array[] = [];
  const places = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i * (blocks.count - 1)) / (SAMPLES - 1)));
  for (const block of new Set(places)) {
    for await (const bytes of blocks.read(block)) {
      samples.push(new Uint8Array(bytes));
      break;
    }
  }
  return samples;
}
