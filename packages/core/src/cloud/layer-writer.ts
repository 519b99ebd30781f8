/**
 * The one writer of a layer: takes points, makes packs durable and says them as events. Its tree is a shadow of the log:
 * where the two differ (a restart, an append that failed, a worker that crashed), it grows again from the layer's blobs.
 * Rules: docs/spec/cloud.md.
 */
import { type CloudPoints, decodePackHead, type LayerGrid } from "@cairn/cloud";
import { CairnError, type EventData, type EventDraft, type Id, type LayerState, type Seq } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import { chooseGrid, type GridWish } from "./choose-grid.ts";
import type { Inserted } from "./layer-jobs.ts";
import type { LayerTables } from "./layer-tables.ts";
import type { LayerWorkers, Tree } from "./layer-workers.ts";
import type { PartReader } from "./part-reader.ts";

export type LayerStart = Pick<
  EventData<"layer.started">,
  "layer" | "kind" | "name" | "generation" | "transform" | "operation"
> &
  GridWish;

export type WriterHouse = {
  readonly blobs: BlobStore;
  readonly tables: LayerTables;
  readonly workers: LayerWorkers;
  readonly parts: PartReader;
};

export type InsertOptions = {
  image?: Id;
  cause?: Seq;
  signal?: AbortSignal;
  /** The points' arrays are given away: moved to the worker, not copied, and not to be read afterwards. */
  move?: boolean;
};

/** Segments are handed to the worker in lots of about this size while a tree is brought back. */
const RESTORE_BYTES = 2 ** 20;
/** So often a tree that went with its worker, over another layer's points, grows again for one lot of points. */
const REGROWN = 3;

export class LayerWriter {
  readonly #space: Space;
  readonly #house: WriterHouse;
  readonly #start: LayerStart;
  #tree: Tree | undefined;
  /** Packs that the tree holds. */
  #packs = 0;
  #busy = false;
  #refused = 0;
  #outOfReach = 0;
  /** Whether the log has ever held the layer. */
  #begun = false;

  constructor(space: Space, house: WriterHouse, start: LayerStart) {
    this.#space = space;
    this.#house = house;
    this.#start = start;
  }

  get layer(): number {
    return this.#start.layer;
  }

  /** Points that had no numbers for coordinates or lay beyond what the grid reaches, since it was made. */
  get refused(): number {
    return this.#refused;
  }

  /** Those of the refused that have finite coordinates. */
  get outOfReach(): number {
    return this.#outOfReach;
  }

  /**
   * Inserts points; their packs are durable when it resolves, one for each chunk that
   * brings any. The drafts are to be appended before the next call: what the log does not hold by then was never
   * inserted. The first also start the layer.
   * @throws {CairnError} `layer.missing` when the layer is gone; what the signal says
   */
  async insert(
    chunks: Iterable<CloudPoints> | AsyncIterable<CloudPoints>,
    options: InsertOptions = {},
  ): Promise<EventDraft[]> {
    if (this.#busy) throw new RangeError(`layer ${this.layer} is being written`);
    this.#busy = true;
    try {
      return await this.#insert(chunks, options);
    } catch (error) {
      // The tree may hold what nobody will be told of.
      await this.#fell();
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /** The log holds the layer: when it no longer does, it is gone and does not start again. */
  begun(): void {
    this.#begun = true;
  }

  /** Frees the tree; the next insertion brings it back. */
  async release(): Promise<void> {
    if (!this.#busy) await this.#fell();
  }

  async #insert(
    chunks: Iterable<CloudPoints> | AsyncIterable<CloudPoints>,
    { image, cause, signal, move = false }: InsertOptions,
  ): Promise<EventDraft[]> {
    const options = signal ? { signal } : {};
    const caused = cause === undefined ? {} : { cause };
    const drafts: EventDraft[] = [];
    await this.#catchUp(options);
    for await (const points of chunks) {
      if (!this.#tree) {
        const { spacing, places, grid: wanted, ...start } = this.#start;
        const grid = chooseGrid(points.positions, { spacing, places, grid: wanted });
        if (!grid) {
          this.#refused += points.positions.length / 3;
          continue;
        }
        await this.#plant(grid, options);
        drafts.push({ type: "layer.started", ...caused, data: { ...start, ...grid } });
      }
      const { pack, refused, outOfReach } = await this.#give(points, drafts, options, move);
      this.#refused += refused;
      this.#outOfReach += outOfReach;
      if (!pack) continue;
      const { bytes, ...about } = pack;
      const { digest: blob, sizeBytes } = await this.#house.blobs.put(bytes, options);
      const data: EventData<"segments.added"> = {
        layer: this.layer,
        pack: this.#packs++,
        blob,
        sizeBytes,
        ...about,
        ...(image && { image }),
      };
      drafts.push({ type: "segments.added", ...caused, data });
    }
    return drafts;
  }

  /** Into the tree. The worker may have died over another layer, and the tree with it: it then grows again. */
  async #give(
    points: CloudPoints,
    drafts: readonly EventDraft[],
    options: { signal?: AbortSignal },
    move: boolean,
  ): Promise<Inserted> {
    let given = points;
    for (let times = 0; times <= REGROWN; times++) {
      if (times > 0) await this.#regrow(drafts, options);
      const answer = await this.#tree!.insert(given, { ...options, move });
      if (!("lost" in answer)) return answer;
      given = answer.lost;
    }
    throw new CairnError("engine.failed", { job: "insert" });
  }

  /** Out of what the log tells and what this insertion has made before. */
  async #regrow(drafts: readonly EventDraft[], options: { signal?: AbortSignal }): Promise<void> {
    this.#tree = undefined;
    await this.#catchUp(options);
    for (const { type, data } of drafts) {
      if (type === "layer.started") await this.#plant(data, options);
      if (type !== "segments.added") continue;
      const bytes = await this.#house.blobs.get(data.blob);
      const { parts } = decodePackHead(bytes.subarray(0, data.headBytes), data.blob);
      await this.#tree!.restore(
        parts.map(({ part }) => bytes.subarray(part.start, part.end)),
        options,
      );
      this.#packs++;
    }
  }

  async #plant({ origin, seed, finest }: LayerGrid, options: { signal?: AbortSignal }): Promise<Tree> {
    const tree = await this.#house.workers.plant({ origin, seed, finest }, options);
    // From here on it is felled when anything fails.
    this.#tree = tree;
    this.#packs = 0;
    return tree;
  }

  /** Where the tree is not what the log tells, another grows from the layer's parts. */
  async #catchUp(options: { signal?: AbortSignal }): Promise<void> {
    const { state } = this.#space.log.snapshot();
    const known: LayerState | undefined = state.layers[this.layer];
    if (!known) {
      if (this.#begun) throw new CairnError("layer.missing", { layer: this.layer });
      return this.#fell(); // not started, or its start was never appended
    }
    this.#begun = true;
    const { index, packs } = known;
    const durable = (index?.packs ?? 0) + packs.length;
    if (this.#tree && this.#packs === durable) return;
    await this.#fell();
    const { tables, parts } = this.#house;
    const table = await tables.open(this.#space, this.layer);
    const tree = await this.#plant(known, options);
    let lot: Uint8Array[] = [];
    let lotBytes = 0;
    for (const node of table.list) {
      for (const part of node.parts) {
        // What is lost is said by the reader; its cells are free again.
        const bytes = await parts.readOrReport(this.#space, this.layer, part);
        if (!bytes) continue;
        lot.push(bytes);
        lotBytes += bytes.length;
        if (lotBytes < RESTORE_BYTES) continue;
        await tree.restore(lot, options);
        lot = [];
        lotBytes = 0;
      }
    }
    if (lot.length > 0) await tree.restore(lot, options);
    this.#packs = durable;
  }

  async #fell(): Promise<void> {
    const tree = this.#tree;
    this.#tree = undefined;
    await tree?.fell();
  }
}
