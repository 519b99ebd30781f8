/** The layers of all spaces: who writes one, what is known of one, which number the next one has. */
import { CairnError, type LayerState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import { LayerTables } from "./layer-tables.ts";
import { type LayerStart, LayerWriter } from "./layer-writer.ts";

export class Layers {
  readonly tables: LayerTables;
  readonly #blobs: BlobStore;
  /** Highest number given out, which the log may not hold yet. */
  readonly #numbers = new WeakMap<Space, number>();
  readonly #writers = new WeakMap<Space, Map<number, LayerWriter>>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
    this.tables = new LayerTables(blobs);
  }

  /** The writer of a layer that is about to start. What it makes begins with `layer.started`. */
  start(space: Space, start: Omit<LayerStart, "layer">): LayerWriter {
    const layer = Math.max(this.#numbers.get(space) ?? 0, space.log.snapshot().state.lastLayer) + 1;
    this.#numbers.set(space, layer);
    return this.#keep(space, new LayerWriter(space, this.#blobs, this.tables, { ...start, layer }));
  }

  /** The one writer of a layer that the log knows. @throws {CairnError} `layer.missing` */
  writer(space: Space, layer: number): LayerWriter {
    const known = this.#writers.get(space)?.get(layer);
    if (known) return known;
    const state: LayerState | undefined = space.log.snapshot().state.layers[layer];
    if (!state) throw new CairnError("layer.missing", { layer });
    return this.#keep(space, new LayerWriter(space, this.#blobs, this.tables, state));
  }

  /** Lets go of a writer's tree; the log brings it back. */
  release(space: Space, layer: number): void {
    this.#writers.get(space)?.delete(layer);
  }

  #keep(space: Space, writer: LayerWriter): LayerWriter {
    const writers = this.#writers.get(space) ?? new Map<number, LayerWriter>();
    this.#writers.set(space, writers);
    writers.set(writer.layer, writer);
    return writer;
  }
}
