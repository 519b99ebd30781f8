/**
 * The layers of all spaces: who writes one, what is known of one, which number the next one has, and what is done with
 * them while nobody asks. Rules: docs/spec/cloud.md.
 */
import { CairnError, type Digest, type LayerState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import { LayerKeeper } from "./layer-keeper.ts";
import { LayerTables } from "./layer-tables.ts";
import { LayerWorkers } from "./layer-workers.ts";
import { type LayerStart, LayerWriter, type WriterHouse } from "./layer-writer.ts";
import { names, PartReader } from "./part-reader.ts";

/** Trees in memory; the one not used for longest is let go for another, and the log brings it back. */
const MAX_TREES = 32;

export class Layers {
  readonly tables: LayerTables;
  /** Reads segments; damage that it meets is said, and repaired where that is possible. */
  readonly parts: PartReader;
  readonly #house: WriterHouse;
  readonly #keeper: LayerKeeper;
  readonly #spaces = new Set<Space>();
  /** Highest number given out, which the log may not hold yet. */
  readonly #numbers = new WeakMap<Space, number>();
  readonly #writers = new WeakMap<Space, Map<number, LayerWriter>>();
  /** Least recently asked for first. */
  readonly #recent = new Set<LayerWriter>();

  constructor(blobs: BlobStore, onError: (context: string, error: unknown) => void) {
    this.parts = new PartReader(blobs, (damage) => this.#keeper.damaged(damage));
    this.tables = new LayerTables(blobs, this.parts);
    this.#house = { blobs, tables: this.tables, parts: this.parts, workers: new LayerWorkers() };
    this.#keeper = new LayerKeeper(this.#house, onError);
  }

  /** The writer of a layer that is about to start. What it makes begins with `layer.started`. */
  start(space: Space, start: Omit<LayerStart, "layer">): LayerWriter {
    const layer = Math.max(this.#numbers.get(space) ?? 0, space.log.snapshot().state.lastLayer) + 1;
    this.#numbers.set(space, layer);
    return this.#keep(space, new LayerWriter(space, this.#house, { ...start, layer }));
  }

  /** The one writer of a layer that the log knows. @throws {CairnError} `layer.missing` */
  writer(space: Space, layer: number): LayerWriter {
    const state: LayerState | undefined = space.log.snapshot().state.layers[layer];
    if (!state) throw new CairnError("layer.missing", { layer });
    const { kind, name } = state;
    const known = this.#writers.get(space)?.get(layer);
    const writer = known ?? new LayerWriter(space, this.#house, { layer, kind, name });
    writer.begun();
    return this.#keep(space, writer);
  }

  /** Nobody sees it any more. @throws {CairnError} `layer.missing` */
  async remove(space: Space, layer: number): Promise<void> {
    if (!space.log.snapshot().state.layers[layer]) throw new CairnError("layer.missing", { layer });
    await space.log.append([{ type: "layer.removed", data: { layer } }]);
    await this.release(space, layer);
  }

  /** Lets go of a layer's writer and its tree. */
  async release(space: Space, layer: number): Promise<void> {
    const writer = this.#writers.get(space)?.get(layer);
    if (!writer) return;
    this.#writers.get(space)?.delete(layer);
    this.#recent.delete(writer);
    await writer.release();
  }

  /** Compacts all there is of a layer now. @throws what the signal says; {CairnError} `blob.missing`, `blob.corrupt` */
  compact(
    space: Space,
    layer: number,
    options: { signal?: AbortSignal; onProgress?: (doneNodes: number, nodes: number) => void } = {},
  ): Promise<void> {
    return this.#keeper.compact(space, layer, options);
  }

  /** Looks after the layers of a space from now on. */
  attach(space: Space): void {
    this.#spaces.add(space);
    space.signal.addEventListener("abort", () => this.#spaces.delete(space), { once: true });
    this.#keeper.attach(space);
  }

  /** Somebody asked for a blob that is missing or wrong: the layers that need it are damaged. */
  lost(blob: Digest): void {
    for (const space of this.#spaces) {
      for (const layer of Object.values(space.log.snapshot().state.layers)) {
        if (names(layer, blob)) this.#keeper.damaged({ space, layer: layer.layer, blob });
      }
    }
  }

  /** Called when a layer of the model cannot be made again from its blobs: its photos can. */
  onLost(listener: (space: Space) => void): void {
    this.#keeper.onLost(listener);
  }

  async close(): Promise<void> {
    await this.#keeper.close();
    await this.#house.workers.close();
  }

  #keep(space: Space, writer: LayerWriter): LayerWriter {
    const writers = this.#writers.get(space) ?? new Map<number, LayerWriter>();
    this.#writers.set(space, writers);
    writers.set(writer.layer, writer);
    this.#recent.delete(writer);
    this.#recent.add(writer);
    for (const oldest of this.#recent) {
      if (this.#recent.size <= MAX_TREES) break;
      this.#recent.delete(oldest);
      void oldest.release();
    }
    return writer;
  }
}
