/**
 * Looks after layers while nobody asks: compacts them, says once what is damaged and makes it again where there is
 * something to make it from, and removes what an import that did not end has left. One thing at a time in each space.
 */
import {
  CairnError,
  type CairnEvent,
  type Digest,
  type LayerState,
  type PackState,
  type SpaceState,
} from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import { compactLayer } from "./compaction.ts";
import type { WriterHouse } from "./layer-writer.ts";
import type { Damage } from "./part-reader.ts";
import { isWhole } from "./whole-layer.ts";

/** Packs since the last index with which a layer that grows is compacted: who joins late reads as many heads. */
const LIVE_PACKS = 16;
/** The same while an import fills it, and as many as were there: points in any order make it write each twice at most. */
const IMPORT_PACKS = 64;
/** The same for a layer that will not grow any more. */
const SETTLED_PACKS = 4;
const READ_EVENTS = 1000;

type CompactOptions = { signal?: AbortSignal; onProgress?: (doneNodes: number, nodes: number) => void };

export class LayerKeeper {
  readonly #house: WriterHouse;
  readonly #onError: (context: string, error: unknown) => void;
  readonly #stopping = new AbortController();
  readonly #lost: ((space: Space) => void)[] = [];
  /** Spaces whose model is lost while nobody listens yet. */
  readonly #unheard = new Set<Space>();
  /** What has been said to be damaged and not been made again: `layer/blob`. */
  readonly #said = new WeakMap<Space, Set<string>>();
  /** What waits or is being done, by its name: asked for twice it is done once. */
  readonly #waiting = new WeakMap<Space, Set<string>>();
  readonly #watching = new Set<Promise<void>>();
  /** The last thing that is to be done in each space. */
  readonly #tails = new Map<Space, Promise<unknown>>();

  constructor(house: WriterHouse, onError: (context: string, error: unknown) => void) {
    this.#house = house;
    this.#onError = onError;
  }

  onLost(listener: (space: Space) => void): void {
    this.#lost.push(listener);
    for (const space of this.#unheard) if (!space.signal.aborted) listener(space);
    this.#unheard.clear();
  }

  attach(space: Space): void {
    const watching = this.#watch(space).catch((error: unknown) => {
      if (!this.#stopping.signal.aborted && !space.signal.aborted) this.#onError(`layers of ${space.id}`, error);
    });
    this.#watching.add(watching);
    void watching.then(() => this.#watching.delete(watching));
  }

  async compact(space: Space, layer: number, options: CompactOptions = {}): Promise<void> {
    return this.#inTurn(space, async () => {
      options.signal?.throwIfAborted();
      const signal = AbortSignal.any([
        this.#stopping.signal,
        space.signal,
        ...(options.signal ? [options.signal] : []),
      ]);
      const draft = await compactLayer(space, layer, this.#house, { ...options, signal });
      if (draft) await space.log.append([draft]);
    });
  }

  damaged({ space, layer, blob }: Damage): void {
    const said = this.#said.get(space) ?? new Set<string>();
    this.#said.set(space, said);
    const name = `${layer}/${blob}`;
    if (said.has(name)) return;
    said.add(name);
    let remade = false;
    let mayPass = false;
    const task = async () => {
      try {
        if (this.#layer(space, layer)?.damaged?.blob !== blob) {
          const points = await this.#pointsIn(space, layer, blob);
          await space.log.append([{ type: "layer.damaged", data: { layer, blob, points, remade: false } }]);
        }
        remade = await this.#repair(space, layer, blob);
      } catch (error) {
        // A full disk may have room when the part is found lost again; what it is made from stays lost.
        mayPass = !(error instanceof CairnError && /^(blob|layer|log)\./.test(error.code));
        throw error;
      }
    };
    void this.#later(space, `damaged ${name}`, task).then(() => {
      if (remade || mayPass) said.delete(name);
    });
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#watching);
    await Promise.all(this.#tails.values());
  }

  async #watch(space: Space): Promise<void> {
    // Until then a layer that a crash cut off looks as if somebody were filling it. On a full disk nothing can be done.
    await space.operations.recovered;
    if (space.signal.aborted) return;
    const { state, seq } = space.log.snapshot();
    // A log that takes nothing now is no reason to look after nothing.
    await this.#removeAbandoned(space, state).catch((error: unknown) => this.#onError(`layers of ${space.id}`, error));
    for (const layer of Object.values(state.layers)) {
      if (layer.damaged) void this.#later(space, `whole ${layer.layer}`, () => this.#lookAgain(space, layer.layer));
      this.#compactIfDue(space, layer.layer);
    }
    const signal = AbortSignal.any([this.#stopping.signal, space.signal]);
    for await (const events of space.log.follow(seq, { signal })) for (const event of events) this.#heard(space, event);
  }

  #heard(space: Space, event: CairnEvent): void {
    if (event.type === "segments.added") this.#compactIfDue(space, event.data.layer);
    if (event.type !== "generation.published") return;
    const { layers } = space.log.snapshot().state;
    for (const { layer, kind } of Object.values(layers)) if (kind === "model") this.#compactIfDue(space, layer);
    void this.#later(space, "remade", () => this.#sayRemade(space));
  }

  #compactIfDue(space: Space, layer: number): void {
    const { state } = space.log.snapshot();
    const known = state.layers[layer];
    if (!known || known.damaged || known.packs.length < packsBefore(known, state)) return;
    void this.#later(space, `compact ${layer}`, async () => {
      const now = this.#layer(space, layer);
      if (!now || now.damaged || now.packs.length < packsBefore(now, space.log.snapshot().state)) return;
      const signal = AbortSignal.any([this.#stopping.signal, space.signal]);
      const draft = await compactLayer(space, layer, this.#house, { signal });
      if (draft) await space.log.append([draft]);
    });
  }

  /** A layer that was damaged when the last process ended: its bytes may have been put back since, as from a backup. */
  async #lookAgain(space: Space, layer: number): Promise<void> {
    const state = this.#layer(space, layer);
    if (!state?.damaged) return;
    const { damaged } = state;
    const signal = AbortSignal.any([this.#stopping.signal, space.signal]);
    const whole = await isWhole(this.#house.blobs, state, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      this.#onError(`layers of ${space.id}: whole ${layer}`, error);
      return false; // what cannot be read now may be lost
    });
    // A new model may have come, or other bytes been missed, while all were read.
    if (this.#layer(space, layer)?.damaged?.blob !== damaged.blob) return;
    if (!whole) return this.damaged({ space, layer, blob: damaged.blob });
    await space.log.append([{ type: "layer.damaged", data: { layer, ...damaged, remade: true } }]);
    this.#compactIfDue(space, layer);
  }

  /** Layers that an operation was filling which did not complete. */
  async #removeAbandoned(space: Space, { layers, operations }: SpaceState): Promise<void> {
    const abandoned = Object.values(layers).filter(({ operation }) => {
      const status = operation === undefined ? "completed" : operations[operation]?.status;
      return status !== "completed" && status !== "queued" && status !== "running";
    });
    if (abandoned.length === 0) return;
    await space.log.append(abandoned.map(({ layer }) => ({ type: "layer.removed", data: { layer } })));
  }

  /** @returns whether the blob is there again */
  async #repair(space: Space, layer: number, blob: Digest): Promise<boolean> {
    const state = this.#layer(space, layer);
    if (!state) return false;
    const compacted = state.index?.index === blob || state.index?.blobs.includes(blob);
    const packs = compacted ? await this.#packsOfLog(space, layer) : undefined;
    if (packs) {
      // Reading all of a blob that is wrong sets it aside for whoever looks into it. A pack stays: most of it may be right.
      await this.#house.blobs.get(blob).catch(() => undefined);
      const signal = AbortSignal.any([this.#stopping.signal, space.signal]);
      const draft = await compactLayer(space, layer, this.#house, { signal, packs });
      const data = { layer, blob, points: state.damaged?.points ?? 0, remade: true };
      if (draft) await space.log.append([draft, { type: "layer.damaged", data }]);
      return true;
    }
    if (state.kind === "model") {
      if (this.#lost.length === 0) this.#unheard.add(space);
      for (const listener of this.#lost) listener(space);
    }
    return false;
  }

  /** Damaged layers of the model in whose place another one is shown. */
  async #sayRemade(space: Space): Promise<void> {
    const { state } = space.log.snapshot();
    const shown = new Set(state.generations[state.generation]?.layers);
    const replaced = Object.values(state.layers).filter(
      ({ layer, kind, damaged }) => kind === "model" && damaged && !shown.has(layer),
    );
    if (replaced.length === 0) return;
    const signal = AbortSignal.any([this.#stopping.signal, space.signal]);
    for (const layer of shown) {
      const known = state.layers[layer];
      if (known && !(await isWhole(this.#house.blobs, known, signal))) return;
    }
    for (const { layer, damaged } of replaced) {
      if (damaged) await space.log.append([{ type: "layer.damaged", data: { layer, ...damaged, remade: true } }]);
    }
  }

  /** All packs there ever were, when the log still tells of each and has its bytes. */
  async #packsOfLog(space: Space, layer: number): Promise<PackState[] | undefined> {
    const { log } = space;
    const { index, packs } = this.#layer(space, layer)!;
    const all: PackState[] = [];
    for (let after = log.first - 1; after < log.head; ) {
      const events = await log.read(after, READ_EVENTS);
      for (const event of events) {
        if (event.type === "segments.added" && event.data.layer === layer) all.push(event.data);
      }
      after = events.at(-1)?.seq ?? log.head;
    }
    if (all.length < (index?.packs ?? 0) + packs.length || all.some(({ pack }, at) => pack !== at)) return undefined;
    for (const { blob } of all) if (!(await this.#house.blobs.stat(blob))) return undefined;
    return all;
  }

  async #pointsIn(space: Space, layer: number, blob: Digest): Promise<number> {
    const state = this.#layer(space, layer);
    const pack = state?.packs.find((each) => each.blob === blob);
    if (pack) return pack.points;
    if (state?.index?.index === blob) return state.index.points;
    const { list } = await this.#house.tables.open(space, layer);
    return list.flatMap(({ parts }) => parts).reduce((sum, part) => sum + (part.blob === blob ? part.points : 0), 0);
  }

  #layer(space: Space, layer: number): LayerState | undefined {
    return space.log.snapshot().state.layers[layer];
  }

  /** In its turn, once; what goes wrong is told and costs nobody else anything. Resolves when it may be asked for anew. */
  async #later(space: Space, name: string, task: () => Promise<void>): Promise<void> {
    const waiting = this.#waiting.get(space) ?? new Set<string>();
    this.#waiting.set(space, waiting);
    if (waiting.has(name)) return;
    waiting.add(name);
    const done = this.#inTurn(space, async () => {
      if (!this.#stopping.signal.aborted && !space.signal.aborted) await task();
    });
    await done.catch((error: unknown) => {
      if (this.#stopping.signal.aborted || space.signal.aborted) return;
      this.#onError(`layers of ${space.id}: ${name}`, error);
    });
    waiting.delete(name);
  }

  async #inTurn(space: Space, task: () => Promise<void>): Promise<void> {
    const mine = (this.#tails.get(space) ?? Promise.resolve()).then(task);
    const tail = mine.catch(() => undefined);
    this.#tails.set(space, tail);
    try {
      await mine;
    } finally {
      if (this.#tails.get(space) === tail) this.#tails.delete(space);
    }
  }
}

function packsBefore({ layer, kind, operation, index }: LayerState, state: SpaceState): number {
  if (operation !== undefined) return Math.max(IMPORT_PACKS, index?.packs ?? 0);
  const settled = kind === "import" || !state.generations[state.generation]?.layers.includes(layer);
  return settled ? SETTLED_PACKS : LIVE_PACKS;
}
