/**
 * Tables of layers as live clients have them. A client's table is that of the state it joined with, the index and the
 * packs after it, and grows with the packs it hears of; it does not change when a layer is compacted. So there may be
 * two tables of one layer for a while; each is shared by all clients that joined in the same age.
 */
import { decodeLayerIndex, decodePackHead, LayerTable, type Part, parseNodeKey, type TableNode } from "@cairn/cloud";
import type { BlobStore, Space } from "@cairn/core";
import type { Digest, LayerState, PackState } from "@cairn/protocol";

/** Packs of which it is still known which nodes they touched. */
const RECENT = 64;

type OnDamage = (error: unknown, blob: Digest) => void;
type Found = { ordinal: number; index: number };

export class LiveTable {
  readonly table: LayerTable;
  readonly index: LayerState["index"];
  /** Packs after the index, in order: where their heads are. */
  readonly heads: { blob: Digest; headBytes: number }[] = [];
  users = 0;
  readonly #blobs: BlobStore;
  readonly #onDamage: OnDamage;
  readonly #packOf = new Map<Digest, number>();
  readonly #byHash = new Map<string, Found>();
  readonly #recent = new Map<number, Promise<TableNode[]>>();
  #next: number;
  #tail: Promise<unknown> = Promise.resolve();

  /** Use `LiveTables`. */
  constructor(table: LayerTable, { index }: LayerState, blobs: BlobStore, onDamage: OnDamage) {
    this.table = table;
    this.index = index;
    this.#blobs = blobs;
    this.#onDamage = onDamage;
    this.#next = this.firstPack;
    for (const node of table.list) this.#learn(node, 0);
  }

  /** The first pack that is not in the index. */
  get firstPack(): number {
    return this.index?.packs ?? 0;
  }

  /** The pack that it lacks next. */
  get next(): number {
    return this.#next;
  }

  /** Pack that brought this part; −1: the index. */
  packOf({ blob }: Part): number {
    return this.#packOf.get(blob) ?? -1;
  }

  /** A part with the same bytes. */
  find(hash: string): Found | undefined {
    return this.#byHash.get(hash);
  }

  /**
   * Takes a pack, unless it did. Packs come in order. Resolves with the nodes it touched when the table has it;
   * `undefined`: too long ago to say.
   */
  offer({ pack, blob, headBytes }: Pick<PackState, "pack" | "blob" | "headBytes">): Promise<TableNode[] | undefined> {
    if (pack < this.#next) return this.#recent.get(pack) ?? this.#tail.then(() => undefined);
    if (pack > this.#next) throw new RangeError(`pack ${pack} before ${this.#next}`);
    this.#next = pack + 1;
    this.heads.push({ blob, headBytes });
    const applied = this.#tail.then(async () => {
      const { seed } = this.table.grid;
      const head = await this.#blobs
        .range(blob, 0, headBytes)
        .then((bytes) => decodePackHead(bytes, blob))
        .catch((error: unknown) => {
          // The packs after it are whole; who asks for this one by name is told what is wrong.
          this.#onDamage(error, blob);
          return { root: this.table.root?.id ?? parseNodeKey(seed), parts: [] };
        });
      if (!this.#packOf.has(blob)) this.#packOf.set(blob, pack);
      const touched = this.table.applyPack(head);
      for (const node of touched) this.#learn(node, node.parts.length - 1);
      return touched;
    });
    this.#tail = applied;
    this.#recent.set(pack, applied);
    this.#recent.delete(pack - RECENT);
    return applied;
  }

  #learn({ ordinal, parts }: TableNode, from: number): void {
    for (let index = from; index < parts.length; index++) this.#byHash.set(parts[index]!.hash, { ordinal, index });
  }
}

type Entry = { layer: number; loading: Promise<LiveTable>; live?: LiveTable };

export class LiveTables {
  readonly #blobs: BlobStore;
  readonly #onDamage: OnDamage;
  readonly #spaces = new WeakMap<Space, Map<string, Entry>>();

  /** @param onDamage told of heads that cannot be read */
  constructor(blobs: BlobStore, onDamage: OnDamage) {
    this.#blobs = blobs;
    this.#onDamage = onDamage;
  }

  /** The table of a layer in this state, with all its packs. To be released. @throws {CairnError} when its index cannot be read */
  async open(space: Space, state: LayerState): Promise<LiveTable> {
    const tables = this.#spaces.get(space) ?? new Map<string, Entry>();
    this.#spaces.set(space, tables);
    const key = keyOf(state);
    const packs = [...state.packs];
    const entry = tables.get(key) ?? { layer: state.layer, loading: this.#load(state) };
    tables.set(key, entry);
    try {
      const live = await entry.loading;
      entry.live = live;
      live.users++;
      this.#tidy(space);
      await Promise.all(packs.filter(({ pack }) => pack >= live.next).map((pack) => live.offer(pack)));
      return live;
    } catch (error) {
      if (tables.get(key) === entry) tables.delete(key);
      throw error;
    }
  }

  release(space: Space, live: LiveTable): void {
    live.users--;
    this.#tidy(space);
  }

  /** Lets go of tables that nobody uses and nobody will join: of layers that were compacted since or are gone. */
  #tidy(space: Space): void {
    const tables = this.#spaces.get(space);
    const { layers } = space.log.snapshot().state;
    for (const [key, { layer, live }] of tables ?? []) {
      const state = layers[layer];
      if (live?.users === 0 && (!state || keyOf(state) !== key)) tables?.delete(key);
    }
  }

  async #load(state: LayerState): Promise<LiveTable> {
    const { origin, seed, finest, index } = state;
    const table = new LayerTable({ origin, seed, finest });
    if (index) table.applyIndex(await decodeLayerIndex(await this.#blobs.get(index.index)), index.packs);
    return new LiveTable(table, state, this.#blobs, this.#onDamage);
  }
}

function keyOf({ layer, index }: Pick<LayerState, "layer" | "index">): string {
  return `${layer}/${index?.index ?? ""}`;
}
