/** The tables of layers, read from blobs once and kept up with the log: what the live socket, tiles and exports share. */
import { decodeLayerIndex, decodePackHead, LayerTable, type Part } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { CairnError, type LayerState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";

export class LayerTables {
  readonly #blobs: BlobStore;
  readonly #tables = new WeakMap<Space, Map<number, Promise<LayerTable>>>();

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /** As of the log's head. Shared and growing: not to be changed. @throws {CairnError} `layer.missing` */
  async open(space: Space, layer: number): Promise<LayerTable> {
    const tables = this.#tables.get(space) ?? new Map<number, Promise<LayerTable>>();
    this.#tables.set(space, tables);
    // One after the other: two that catch up at the same time would add a pack twice.
    const last = tables.get(layer);
    const next = (last ?? Promise.resolve(undefined)).then((table) => this.#catchUp(space, layer, table));
    tables.set(layer, next);
    next.catch(() => tables.delete(layer));
    return next;
  }

  async #catchUp(space: Space, layer: number, known: LayerTable | undefined): Promise<LayerTable> {
    const state = space.log.snapshot().state.layers[layer];
    if (!state) throw new CairnError("layer.missing", { layer });
    const behind = known !== undefined && state.index !== undefined && known.packs < state.index.packs;
    const table = known && !behind ? known : await this.#load(state);
    for (const { pack, blob, headBytes } of [...state.packs]) {
      if (pack < table.packs) continue;
      table.applyPack(await decodePackHead(await this.#blobs.range(blob, 0, headBytes), blob));
    }
    return table;
  }

  async #load({ origin, seed, finest, index }: LayerState): Promise<LayerTable> {
    const table = new LayerTable({ origin, seed, finest });
    if (index) table.applyIndex(await decodeLayerIndex(await this.#blobs.get(index.index)), index.packs);
    return table;
  }
}

/** One segment, held against its hash. @throws {CairnError} `blob.missing`, `blob.corrupt` */
export async function readPart(blobs: BlobStore, { blob, start, end, hash }: Part): Promise<Uint8Array> {
  const bytes = await blobs.range(blob, start, end);
  if (hashOf(bytes) !== hash) throw new CairnError("blob.corrupt", { digest: blob });
  return bytes;
}
