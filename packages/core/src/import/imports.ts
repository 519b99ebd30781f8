/**
 * Files of points from outside as layers: the bytes go to disk as they come, the header is looked at, then an operation
 * fills the layer. The file goes when the operation ends, or at the next start. Rules: docs/spec/exchange.md.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Box } from "@cairn/cloud";
import { CairnError, type Similarity } from "@cairn/protocol";
import { bulkOfPlaces, type GridWish } from "../cloud/choose-grid.ts";
import { type Import, importPoints, type Look } from "../cloud/import-points.ts";
import type { Layers } from "../cloud/layers.ts";
import { makeFolder, storeError, TEMPORARY } from "../disk/disk.ts";
import { displayName } from "../ingest/display-name.ts";
import { checkQuota, freeBytes } from "../space/quota.ts";
import type { Space } from "../space/spaces.ts";
import { openPointReader, type PointReader } from "./point-reader.ts";
import type { Survey } from "./survey.ts";

export type IncomingPoints = {
  /** The sender's file name: shown, never used as a path. */
  readonly name: string;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** As the sender declares it. */
  readonly sizeBytes?: number;
  /** Wanted smallest distance of points, in the file's unit. */
  readonly spacing?: number;
  /** From the file's coordinates to the model's. */
  readonly transform?: Similarity;
};

/** What a sender says about a file of points. */
export type PointsFacts = Omit<IncomingPoints, "bytes" | "sizeBytes">;

/** Files that are taken or read at once. */
const MAX_OPEN = 4;
/** Unless asked otherwise points are kept at least this close: if the unit is a metre, places stay to half a millimetre. */
const SPACING = 1 / 256;

export class Imports {
  readonly #layers: Layers;
  readonly #folder: string;
  #open = 0;

  /** Use `openImports`. */
  constructor(layers: Layers, folder: string) {
    this.#layers = layers;
    this.#folder = folder;
  }

  /**
   * Resolves when the whole file is on disk, its header can be believed, and the operation `import` is queued.
   * @throws {CairnError} `import.invalid`, `space.closed`, `space.quota`, `upload.too_many`, `store.full`, `store.failed`
   */
  async take(space: Space, { bytes, sizeBytes = 0, ...facts }: IncomingPoints): Promise<Import> {
    checkOpen(space);
    checkQuota(space.log.snapshot().state, { images: 0, sizeBytes });
    const path = join(this.#folder, `${randomUUID()}${TEMPORARY}`);
    return this.#read(
      space,
      facts,
      async () => {
        await receive(path, bytes, space);
        return path;
      },
      () => rm(path, { force: true }),
    );
  }

  /**
   * The same of a file that is on disk already. It stays its owner's, who keeps it until the import has `ended`.
   * @throws {CairnError} `import.invalid`, `space.closed`, `upload.too_many`, `store.failed`
   */
  async takeFile(space: Space, path: string, facts: PointsFacts): Promise<Import> {
    checkOpen(space);
    return this.#read(space, facts, async () => {
      await syncFile(path);
      return path;
    });
  }

  async #read(
    space: Space,
    facts: PointsFacts,
    file: () => Promise<string>,
    leave: () => Promise<void> = async () => undefined,
  ): Promise<Import> {
    if (this.#open >= MAX_OPEN) throw new CairnError("upload.too_many", { imports: this.#open });
    this.#open++;
    let reader: PointReader | undefined;
    const end = async () => {
      this.#open--;
      await reader?.close();
      await leave().catch(() => undefined);
    };
    try {
      reader = await openPointReader(await file());
      const { operation, ended } = await this.#start(space, reader, facts);
      return { operation, ended: ended.finally(end) };
    } catch (error) {
      await end();
      throw error;
    }
  }

  async #start(space: Space, reader: PointReader, { name, spacing, transform }: PointsFacts): Promise<Import> {
    const survey = reader.survey();
    const first = await survey.next(); // what cannot be read at all is refused before anything begins
    return importPoints(space, this.#layers, {
      name: displayName(name, "points"),
      chunks: reader.chunks(),
      points: reader.facts.count,
      plan: (look) => planFor(survey, first, spacing, look),
      ...(transform && { transform }),
    });
  }
}

/** Removes what was being taken when the process ended. */
export async function openImports({ layers }: { readonly layers: Layers }, folder: string): Promise<Imports> {
  await makeFolder(folder);
  for (const name of await readdir(folder)) {
    if (name.endsWith(TEMPORARY)) await rm(join(folder, name), { force: true });
  }
  return new Imports(layers, folder);
}

function checkOpen({ log, signal }: Space): void {
  if (log.snapshot().state.closed || signal.aborted) throw new CairnError("space.closed");
}

async function receive(path: string, bytes: AsyncIterable<Uint8Array>, space: Space): Promise<void> {
  const limit = freeBytes(space.log.snapshot().state);
  let taken = 0;
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx").catch(onDisk);
    for await (const chunk of fromSender(bytes)) {
      space.signal.throwIfAborted();
      taken += chunk.length;
      if (taken > limit) throw new CairnError("space.quota", { freeBytes: limit });
      await file.writeFile(chunk).catch(onDisk);
    }
    await file.sync().catch(onDisk);
  } finally {
    await file?.close();
  }
}

/** What is acknowledged is on disk, whoever wrote it. */
async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+").catch(onDisk);
  try {
    await file.sync().catch(onDisk);
  } finally {
    await file.close();
  }
}

/** A sender that goes away in the middle is no fault of ours. */
async function* fromSender(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
  } catch (cause) {
    if (cause instanceof CairnError) throw cause;
    throw new CairnError("request.invalid", { field: "body", problem: "cut off by its sender" }, cause);
  }
}

function onDisk(error: unknown): never {
  throw storeError(error);
}

/** The grid by all points of the file: its first ones may be anything. */
async function planFor(
  survey: AsyncGenerator<number, Survey>,
  first: IteratorResult<number, Survey>,
  wanted: number | undefined,
  { signal, progress }: Look,
): Promise<GridWish> {
  let step = first;
  for (; !step.done; step = await survey.next()) {
    signal.throwIfAborted();
    progress(step.value);
  }
  const { sample, all } = step.value;
  if (!all) return {};
  const bulk = bulkOfPlaces(sample, wanted ?? SPACING) ?? all;
  return { spacing: wanted ?? spacingOf(bulk), places: { bulk, all } };
}

/** As a layer's grid would be planned for the box, or finer. */
function spacingOf({ min, max }: Box): number {
  const extent = Math.max(...max.map((high, axis) => high - min[axis]!));
  // 2^7 levels of cells below the root, 64 of them along each edge.
  return extent > 0 && extent < Infinity
    ? Math.min(SPACING, 2 ** Math.ceil(Math.log2(extent * 1.25)) / 2 ** 13)
    : SPACING;
}
