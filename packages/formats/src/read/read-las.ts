/**
 * LAS, LAZ and COPC point clouds from anyone, block by block: a block is a run of plain records or one compressed chunk.
 * COPC is LAZ whose chunks are in the order of an octree, so it is read as LAZ.
 */
import type { PointRun } from "../point-run.ts";
import { type LasFile, readLasHeader } from "./las-header.ts";
import { type LasColors, LasLook, readLasPoints } from "./las-points.ts";
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
/** Behind the last point. */
const MOST_LOOKED_BEHIND = 65_536;
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
  } else await checkRoom(source, file);
  /** Told by all points, once they were all read. */
  let known: LasColors | undefined;
  return {
    format,
    count: file.count,
    async *chunks() {
      const blocks = file.compressed ? await openLaz(source, file) : plainBlocks(source, file);
      try {
        const look = new LasLook(file);
        const colors = known ?? (await sampled(file, blocks));
        for (let block = 0; block < blocks.count; block++) {
          for await (const bytes of blocks.read(block)) {
            if (!known) look.add(bytes);
            yield readLasPoints(file, colors, bytes);
          }
        }
        known ??= look.colors;
      } finally {
        blocks.close();
      }
    },
  };
}

async function checkRoom(source: PointSource, { count, recordBytes, pointsAt, pointsEnd }: LasFile): Promise<void> {
  const room = pointsEnd - pointsAt;
  if (count * recordBytes > room) {
    throw refuse("las", `claims ${count} points, has room for ${Math.floor(room / recordBytes)}: cut off?`);
  }
  const end = pointsAt + count * recordBytes;
  if (end + recordBytes > pointsEnd) return;
  // Some writers fill their last block with zeros.
  const behind = await source.range(end, Math.min(pointsEnd, end + MOST_LOOKED_BEHIND));
  if (behind.some((byte) => byte !== 0)) {
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

/** By the first piece of the first, the middle and the last block. */
async function sampled(file: LasFile, blocks: LasBlocks): Promise<LasColors> {
  const look = new LasLook(file);
  const places = Array.from({ length: SAMPLES }, (_, i) => Math.floor((i * (blocks.count - 1)) / (SAMPLES - 1)));
  for (const block of new Set(places)) {
    for await (const bytes of blocks.read(block)) {
      look.add(bytes);
      break;
    }
  }
  return look.colors;
}
