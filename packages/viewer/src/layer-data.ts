/**
 * One layer's table, kept up with the log: from its index, then from the head of each pack in order. When the log has
 * compacted what the table holds in many pieces, the table is made anew from the index at a moment of the user's choice.
 */
import { decodeLayerIndex, decodePackHead, LayerTable, type PackHead } from "@cairn/cloud";
import type { Digest, LayerState, PackState } from "@cairn/protocol";
import { retry, type Wait } from "./retry.ts";
import type { SpaceSource } from "./source.ts";

/** `grown`: more of the same; `pieces`: a new table, the same points in other pieces; `other`: points of another log. */
type LayerChange = "grown" | "pieces" | "other";

type LayerDataOptions = {
  source: SpaceSource;
  onChange(change: LayerChange): void;
  onProblem?: ((error: unknown) => void) | undefined;
  wait?: Wait | undefined;
};

/** Packs after the index: so many more and the next index is worth reading. */
const PIECES = 64;
const PARALLEL_HEADS = 8;

export class LayerData {
  readonly layer: number;
  readonly #options: LayerDataOptions;
  readonly #stop = new AbortController();
  #state: LayerState;
  #table: LayerTable;
  /** Packs in the index from which the table was made. */
  #indexed = 0;
  /** Blobs of the packs taken since: another blob under a known number means another log. */
  #taken = new Map<number, Digest>();
  #running = false;
  #liveFrom: number | undefined;

  constructor(state: LayerState, options: LayerDataOptions) {
    this.layer = state.layer;
    this.#options = options;
    this.#state = state;
    this.#table = emptyTable(state);
  }

  get table(): LayerTable {
    return this.#table;
  }

  get state(): LayerState {
    return this.#state;
  }

  /** Packs from this one on came while we looked; those before were there. */
  get liveFrom(): number {
    return this.#liveFrom ?? Number.POSITIVE_INFINITY;
  }

  /** The table knows all that the log names. */
  get complete(): boolean {
    return !this.#running;
  }

  /** At first, and after each change of the space's state. */
  update(state: LayerState): void {
    this.#state = state;
    const { origin, seed, finest } = this.#table.grid;
    const other =
      state.seed !== seed ||
      state.finest !== finest ||
      state.origin.some((value, axis) => value !== origin[axis]) ||
      state.packs.some(({ pack, blob }) => (this.#taken.get(pack) ?? blob) !== blob);
    if (other) {
      this.#start(emptyTable(state), 0);
      this.#options.onChange("other");
    }
    if (!this.#running) void this.#run();
  }

  /** There is an index of much that the table holds in pieces. */
  get compactable(): boolean {
    const { index } = this.#state;
    return index !== undefined && !this.#running && index.packs - this.#indexed >= PIECES;
  }

  /**
   * Takes the newest index in place of the pieces, or all stays.
   * @param fits whether everything loaded ends where a piece of the new table ends
   * @param even where it saves little
   */
  async compact(fits: (table: LayerTable) => boolean, even = false): Promise<boolean> {
    const newer = even && !this.#running && (this.#state.index?.packs ?? 0) > this.#indexed;
    if (!newer && !this.compactable) return false;
    this.#running = true;
    try {
      const { state } = this;
      const table = await this.#fromIndex(state);
      for (const pack of state.packs) if (pack.pack >= table.packs) table.applyPack(await this.#head(pack));
      // Packs that came meanwhile would be missing in what was just made.
      if (table.packs < this.#table.packs || !fits(table)) return false;
      this.#start(table, state.index?.packs ?? 0);
      for (const { pack, blob } of state.packs) this.#taken.set(pack, blob);
      this.#options.onChange("pieces");
      return true;
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#options.onProblem?.(error);
      return false;
    } finally {
      this.#running = false;
      if (!this.#stop.signal.aborted) void this.#run();
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  #start(table: LayerTable, indexed: number): void {
    this.#table = table;
    this.#indexed = indexed;
    this.#taken = new Map();
  }

  async #run(): Promise<void> {
    this.#running = true;
    const { signal } = this.#stop;
    try {
      while (!signal.aborted) {
        const state = this.#state;
        const table = this.#table;
        if (state.index && table.packs < (state.packs[0]?.pack ?? state.index.packs)) {
          const next = await this.#fromIndex(state);
          if (table !== this.#table) continue;
          this.#start(next, state.index.packs);
          this.#options.onChange("pieces");
          continue;
        }
        const missing = state.packs.filter(({ pack }) => pack >= table.packs).slice(0, PARALLEL_HEADS);
        if (missing.length === 0) break;
        const heads = await Promise.all(missing.map((pack) => this.#head(pack)));
        if (table !== this.#table) continue;
        heads.forEach((head, i) => {
          const { pack, blob } = missing[i]!;
          table.applyPack(head);
          this.#taken.set(pack, blob);
        });
        for (const pack of this.#taken.keys()) if (pack < (state.index?.packs ?? 0)) this.#taken.delete(pack);
        this.#options.onChange("grown");
      }
    } catch (error) {
      if (!signal.aborted) this.#options.onProblem?.(error);
    } finally {
      this.#running = false;
      if (!signal.aborted) {
        this.#liveFrom ??= this.#table.packs;
        this.#options.onChange("grown");
      }
    }
  }

  async #fromIndex(state: LayerState): Promise<LayerTable> {
    const table = emptyTable(state);
    const { index } = state;
    if (!index) return table;
    const { source } = this.#options;
    const { signal } = this.#stop;
    const bytes = await retry(() => source.blob(index.index, { signal }), signal, this.#options);
    table.applyIndex(await decodeLayerIndex(bytes), index.packs);
    return table;
  }

  async #head({ blob, headBytes }: PackState): Promise<PackHead> {
    const { source } = this.#options;
    const { signal } = this.#stop;
    const bytes = await retry(() => source.range(blob, 0, headBytes, { signal }), signal, this.#options);
    return decodePackHead(bytes, blob);
  }
}

function emptyTable({ origin, seed, finest }: LayerState): LayerTable {
  return new LayerTable({ origin, seed, finest });
}
