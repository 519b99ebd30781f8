/**
 * Tables of layers as live clients have them: of the state a client joined with, the index and the packs after it, grown
 * by the packs it hears of. A client's table does not change when a layer is compacted, so there may be several of one
 * layer for a while; all clients that joined in the same age share one.
 */
import type { LayerTable, Part, TableNode } from "@cairn/cloud";
import type { LayerTables, Space } from "@cairn/core";
import { CairnError, type Digest, type LayerState, type PackState } from "@cairn/protocol";
import { PartCounts } from "./part-counts.ts";
import type { Step } from "./step.ts";

type PackPlace = Pick<PackState, "pack" | "blob" | "headBytes">;
/** Where in a table a part is. */
type Found = { ordinal: number; index: number };

/** Packs of which it is still known which nodes they touched. */
const RECENT = 64;

export class LiveTable {
  readonly table: LayerTable;
  readonly index: LayerState["index"];
  readonly #advance: (place: PackPlace) => Promise<TableNode[]>;
  /** By number of the pack after the index. */
  readonly #places: PackPlace[] = [];
  readonly #packOf = new Map<Digest, number>();
  readonly #indexBlobs: ReadonlySet<Digest>;
  readonly #byHash = new Map<string, Found>();
  /** How many parts there are in all. */
  parts = 0;
  /** Of the clients that have all of them, when some were sent the last pack together. */
  step: Step | undefined;
  #all: { counts: PartCounts; parts: number } | undefined;
  readonly #recent = new Map<number, Promise<TableNode[]>>();

  /** Use `LiveTables`. @param advance gives the table a pack, unless it has it */
  constructor(table: LayerTable, { index, packs }: LayerState, advance: (place: PackPlace) => Promise<TableNode[]>) {
    this.table = table;
    this.index = index;
    this.#advance = advance;
    this.#indexBlobs = new Set(index?.blobs);
    for (const pack of packs) if (pack.pack < table.packs) this.#heard(pack);
    for (const node of table.list) this.#learn(node);
    this.parts = table.list.reduce((sum, node) => sum + node.parts.length, 0);
  }

  /** The first pack that is not in the index. */
  get firstPack(): number {
    return this.index?.packs ?? 0;
  }

  /** The pack that it has not heard of yet. */
  get next(): number {
    return this.firstPack + this.#places.length;
  }

  /** Where the head of a pack is. */
  head(pack: number): PackPlace | undefined {
    return this.#places[pack - this.firstPack];
  }

  /**
   * Pack that brought this part; −1: the index. Who shares the table may have given it packs that are not heard of here
   * yet: those are behind all others.
   */
  packOf({ blob }: Part): number {
    return this.#packOf.get(blob) ?? (this.#indexBlobs.has(blob) ? -1 : Number.POSITIVE_INFINITY);
  }

  /** The counts of a client that has all. */
  all(): PartCounts {
    if (this.#all?.parts !== this.parts) {
      this.#all = { counts: PartCounts.from(this.table.list.map(({ parts }) => parts.length)), parts: this.parts };
    }
    return this.#all.counts.copy();
  }

  /** A part with the same bytes. */
  find(hash: string): Found | undefined {
    return this.#byHash.get(hash);
  }

  /** Takes a pack, unless it did; they come in order. Resolves with the nodes it touched; `undefined`: too long ago to say. */
  offer(place: PackPlace): Promise<TableNode[] | undefined> {
    const { pack, blob } = place;
    if (pack > this.next) return Promise.reject(new RangeError(`pack ${pack} before ${this.next}`));
    if (pack === this.next) {
      this.#heard(place);
      const applied = this.#advance(place).then((nodes) => {
        // Someone else who shares the table may have given it the pack.
        const touched =
          nodes.length > 0 ? nodes : this.table.list.filter((node) => node.pack >= pack && brings(node, blob));
        for (const node of touched) this.#learn(node);
        this.parts += touched.length;
        return touched;
      });
      applied.catch(() => {});
      this.#recent.set(pack, applied);
      this.#recent.delete(pack - RECENT);
    }
    return this.#recent.get(pack) ?? Promise.resolve(undefined);
  }

  #heard(place: PackPlace): void {
    this.#places.push(place);
    if (!this.#packOf.has(place.blob)) this.#packOf.set(place.blob, place.pack);
  }

  #learn({ ordinal, parts }: TableNode): void {
    parts.forEach(({ hash }, index) => {
      this.#byHash.set(hash, { ordinal, index });
    });
  }
}

export class LiveTables {
  readonly #tables: LayerTables;
  readonly #live = new WeakMap<LayerTable, LiveTable>();

  constructor(tables: LayerTables) {
    this.#tables = tables;
  }

  /**
   * The newest table of a layer, with all packs that its state names now.
   * @throws {CairnError} `layer.missing`; `blob.missing`, `blob.corrupt` when the index is lost
   */
  async open(space: Space, layer: number): Promise<{ live: LiveTable; state: LayerState }> {
    for (;;) {
      const before = stateOf(space, layer).index?.index;
      const table = await this.#tables.open(space, layer);
      const state = stateOf(space, layer);
      // Compacted meanwhile: it may be the table from before or from after.
      if (state.index?.index !== before) continue;
      const known = this.#live.get(table);
      const live = known ?? new LiveTable(table, state, (place) => this.#tables.advance(space, layer, table, place));
      if (!known) this.#live.set(table, live);
      for (const pack of [...state.packs]) if (pack.pack >= live.next) await live.offer(pack);
      return { live, state };
    }
  }
}

function brings({ parts }: TableNode, blob: Digest): boolean {
  return parts.some((part) => part.blob === blob);
}

function stateOf(space: Space, layer: number): LayerState {
  const state = space.log.snapshot().state.layers[layer];
  if (!state) throw new CairnError("layer.missing", { layer });
  return state;
}
