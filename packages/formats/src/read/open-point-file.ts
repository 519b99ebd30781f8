/** A file of points, whatever its format: known by its first bytes, never by its name. */
import { openGlb } from "../glb/read-glb.ts";
import type { PointRun } from "../point-run.ts";
import { type PointFormat, type PointSource, refuse } from "./point-source.ts";
import { openLas } from "./read-las.ts";
import { openPly } from "./read-ply.ts";

export type PointFile = {
  readonly format: PointFormat;
  /** As its header says, and as its size allows. */
  readonly count: number;
  /**
   * In the order of the file; some of the coordinates may be no numbers. Each run is the caller's. Who
   * goes through them again has the colours right where only all points tell how they are kept.
   */
  chunks(): AsyncGenerator<PointRun>;
};

/** @throws {CairnError} `import.invalid` with the `format` and the `problem` */
export async function openPointFile(source: PointSource): Promise<PointFile> {
  if (source.sizeBytes === 0) throw refuse("unknown", "an empty file");
  const magic = new TextDecoder("latin1").decode(await source.range(0, Math.min(source.sizeBytes, 4)));
  const opened = await openAs(magic, source);
  if (opened.count === 0) throw refuse(opened.format, "has no points");
  return opened;
}

async function openAs(magic: string, source: PointSource): Promise<PointFile> {
  if (/^ply\s/.test(magic)) return { format: "ply", ...(await openPly(source)) };
  if (magic === "LASF") return openLas(source);
  if (magic === "glTF") {
    const { count, chunks } = await openGlb(source);
    return {
      format: "glb",
      count,
      async *chunks() {
        for await (const { positions, colors, normals } of chunks()) {
          yield { count: positions.length / 3, positions, colors, photos: 0, normals };
        }
      },
    };
  }
  throw refuse("unknown", "neither PLY nor LAS, LAZ, COPC or GLB");
}
