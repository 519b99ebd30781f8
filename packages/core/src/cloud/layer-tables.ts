/** The tables of layers, read from blobs once and kept up with the log: what the live socket, tiles and exports share. */
import {
  decodeLayerIndex,
  decodePackHead,
  type HeadCursor,
  type LayerIndex,
  LayerTable,
  type PackHead,
  type Part,
  packCursor,
  parseNodeKey,
  type TableNode,
} from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { CairnError, type Digest, type LayerState, type PackState } from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Space } from "../space/spaces.ts";
import type { PartReader } from "./part-reader.ts";

type Newest = { readonly table: LayerTable; readonly index: Digest | undefined };

/** Where a pack's head is. */
export type PackPlace = Pick<PackState, "pack" | "blob" | "headBytes">;

/** Where bytes come from: the store, or windows on it. */
export type RangeSource = Pick<BlobStore, "range">;

/** Heads of the newest packs: tables of one layer from before and after a compaction take the same. */
const KEPT_HEADS = 64;

export class LayerTables {
  readonly #blobs: BlobStore;
  readonly #parts: PartReader;
  readonly #newest = new WeakMap<Space, Map<number, Promise<Newest | undefined>>>();
  /** The last thing that is being done to a table: packs are taken one after the other. */
  readonly #turns = new WeakMap<LayerTable, Promise<unknown>>();
  readonly #heads = new Map<Digest, PackHead>();

  constructor(blobs: BlobStore, parts: PartReader) {
    this.#blobs = blobs;
    this.#parts = parts;
  }

  /**
   * The newest table, as of the log's head: after a compaction another one, while the old one stays right for those who
   * hold it and `advance` it. Shared and growing: not to be changed.
   * @throws {CairnError} `layer.missing`; `blob.missing`, `blob.corrupt` when the index is lost
   */
  async open(space: Space, layer: number): Promise<LayerTable> {
    const all = this.#newest.get(space) ?? new Map<number, Promise<Newest | undefined>>();
    this.#newest.set(space, all);
    const { layers } = space.log.snapshot().state;
    for (const known of all.keys()) if (!layers[known]) all.delete(known);
    const before = (all.get(layer) ?? Promise.resolve(undefined)).catch(() => undefined);
    const next = before.then((known) => this.#catchUp(space, layer, known));
    all.set(layer, next);
    try {
      return (await next).table;
    } catch (error) {
      if (all.get(layer) === next) all.delete(layer);
      throw error;
    }
  }

  /** The same, but `undefined` when the layer is gone or its index is lost, which is then said: others go on. */
  async openOrReport(space: Space, layer: number): Promise<LayerTable | undefined> {
    try {
      return await this.open(space, layer);
    } catch (error) {
      if (isDamage(error) || (error instanceof CairnError && error.code === "layer.missing")) return undefined;
      throw error;
    }
  }

  /**
   * Gives a table, of whatever age, the pack that an event told of. Events come in the log's order, so none is left out;
   * one that the table has is not taken again.
   * A pack whose head is lost, which is then said, brings nothing and costs no other.
   * @returns the nodes that gained a part; none when the table had the pack
   * @throws {RangeError} when packs before it were left out
   */
  async advance(space: Space, layer: number, table: LayerTable, place: PackPlace): Promise<TableNode[]> {
    const before = this.#turns.get(table) ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(async () => {
        if (place.pack < table.packs) return [];
        const head = await this.#head(space, layer, place).catch((error: unknown): PackHead => {
          if (!isDamage(error)) throw error;
          return { root: table.root?.id ?? parseNodeKey(table.grid.seed), parts: [] };
        });
        if (place.pack > table.packs) throw new RangeError(`pack ${place.pack} of a table that has ${table.packs}`);
        return table.applyPack(head);
      });
    this.#turns.set(table, next);
    return next;
  }

  /**
   * One segment, held against its hash.
   * @throws {CairnError} `blob.missing`, `blob.corrupt`; the layer is then said to be damaged, and made again if it can be
   */
  read(space: Space, layer: number, part: Part, blobs: RangeSource = this.#blobs): Promise<Uint8Array> {
    return this.#parts.read(space, layer, part, blobs);
  }

  /** The same, but `undefined` when it is lost, for those who go on with the rest. */
  readOrReport(
    space: Space,
    layer: number,
    part: Part,
    blobs: RangeSource = this.#blobs,
  ): Promise<Uint8Array | undefined> {
    return this.#parts.readOrReport(space, layer, part, blobs);
  }

  /** @throws {CairnError} `blob.missing`, `blob.corrupt`; the layer is then said to be damaged */
  async index(space: Space, layer: number, digest: Digest): Promise<LayerIndex> {
    try {
      return await decodeLayerIndex(await this.#blobs.get(digest));
    } catch (error) {
      this.#parts.heard(space, layer, digest, error);
      throw error;
    }
  }

  /** The head of one pack, ready to be read through. @throws {CairnError} `blob.missing`, `blob.corrupt`, which is said */
  async headOf(space: Space, layer: number, place: PackPlace): Promise<() => HeadCursor> {
    return this.#readHead(space, layer, place, (head) => {
      const cursor = () => packCursor(head, place.blob);
      cursor(); // throws where it makes no sense
      return cursor;
    });
  }

  async #begin(space: Space, layer: number, { origin, seed, finest, index }: LayerState): Promise<LayerTable> {
    const table = new LayerTable({ origin, seed, finest });
    if (index) table.applyIndex(await this.index(space, layer, index.index), index.packs);
    return table;
  }

  async #catchUp(space: Space, layer: number, known: Newest | undefined): Promise<Newest> {
    const state = space.log.snapshot().state.layers[layer];
    if (!state) throw new CairnError("layer.missing", { layer });
    const { index, packs } = state;
    const places = [...packs];
    const newest =
      known && known.index === index?.index
        ? known
        : { table: await this.#begin(space, layer, { ...state }), index: index?.index };
    const { table } = newest;
    for (const place of places) if (place.pack >= table.packs) await this.advance(space, layer, table, place);
    return newest;
  }

  async #head(space: Space, layer: number, place: PackPlace): Promise<PackHead> {
    const known = this.#heads.get(place.blob);
    if (known) return known;
    const head = await this.#readHead(space, layer, place, (bytes) => decodePackHead(bytes, place.blob));
    this.#heads.set(place.blob, head);
    for (const oldest of this.#heads.keys()) {
      if (this.#heads.size <= KEPT_HEADS) break;
      this.#heads.delete(oldest);
    }
    return head;
  }

  async #readHead<T>(
    space: Space,
    layer: number,
    { blob, headBytes }: PackPlace,
    decode: (head: Uint8Array) => T,
  ): Promise<T> {
    try {
      return decode(this.#blobs.recent(blob, 0, headBytes) ?? (await this.#blobs.range(blob, 0, headBytes)));
    } catch (error) {
      const lost = error instanceof CairnError && error.code === "request.invalid";
      const told = lost ? new CairnError("blob.corrupt", { digest: blob }, error) : error;
      this.#parts.heard(space, layer, blob, told);
      throw told;
    }
  }
}

/** Whether bytes are lost or wrong. */
export function isDamage(error: unknown): boolean {
  return error instanceof CairnError && (error.code === "blob.missing" || error.code === "blob.corrupt");
}

/** One segment, held against its hash. @throws {CairnError} `blob.missing`, `blob.corrupt` */
export async function readPart(blobs: RangeSource, { blob, start, end, hash }: Part): Promise<Uint8Array> {
  const bytes = await blobs.range(blob, start, end);
  if (hashOf(bytes) !== hash) throw new CairnError("blob.corrupt", { digest: blob });
  return bytes;
}
