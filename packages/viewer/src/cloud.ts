/**
 * The points of a space as they come to the screen: follows the log, plans what a view needs, has it fetched and
 * decoded, and keeps it in GPU memory through a sink. Knows no three.js and no clock but the one it is given.
 */
import { type LayerView, type TableNode, viewInLayer } from "@cairn/cloud";
import { CairnError, type HaveFrame, type LayerState, shownLayers } from "@cairn/protocol";
import type { PackedPoints } from "./decode.ts";
import { LayerData } from "./layer-data.ts";
import type { DrawnNode } from "./node-textures.ts";
import { SLAB_POINTS } from "./page-pool.ts";
import { PartCache } from "./part-cache.ts";
import { PartLoader, type PartRequest } from "./part-loader.ts";
import { type Plan, planNodes } from "./plan.ts";
import { PointSample } from "./point-sample.ts";
import { type PointSink, Residents } from "./residents.ts";
import type { Wait } from "./retry.ts";
import type { SpaceSource } from "./source.ts";
import { type Fade, Stage } from "./stage.ts";

type CloudOptions = {
  sink: PointSink;
  decode(bytes: Uint8Array): Promise<PackedPoints>;
  /** Something came or changed: a frame is due. */
  onChange(): void;
  onProblem?: ((error: unknown) => void) | undefined;
  now(): number;
  /** Most points in GPU memory. */
  maxPoints: number;
  cacheBytes?: number;
  reducedMotion?: () => boolean;
  wait?: Wait | undefined;
};

export type PlacedNode = DrawnNode & { readonly layer: LayerState };

export type CloudStats = {
  /** On the screen. */
  points: number;
  /** Of those that the view wants, how many are here. */
  loaded: number;
  wanted: number;
  /** Wanted, but the server cannot give them. */
  failed: number;
  /** Of all layers that are shown. */
  total: number;
};

type Layer = { data: LayerData; sample: PointSample };
type Request = PartRequest & { layer: number; node: TableNode; index: number };
type Decoded = { request: Request; points: PackedPoints };

/** Parts of one node that are asked for before the first of them is here. */
const AHEAD = 32;
/** Requests the loader is told of: enough to find neighbours among them. */
const MOST_REQUESTS = 256;
/** Points put into GPU memory in one frame. */
const FRAME_POINTS = 131_072;
/** Points of a photo: so few are corners that were matched, so many are surfaces. */
const SPARSE = 1500;
const DENSE = 5000;
/** Decoded parts that may wait for a frame or for those before them. */
const MOST_DECODED = 64;
/** A new generation is shown when this part of what its view wants is here … */
const COARSE_PART = 0.25;
/** … and so much time has gone to the rest; at once when all of it is. */
const FINER_MS = 1500;

export class Cloud {
  readonly #options: CloudOptions;
  readonly #cache: PartCache;
  readonly #layers = new Map<number, Layer>();
  readonly #stage: Stage;
  readonly residents: Residents;
  #loader: PartLoader<PackedPoints, Request> | undefined;
  #source: SpaceSource | undefined;
  #unsubscribe = () => {};
  #view: LayerView | undefined;
  #budget = 0;
  #plan: Plan<number> = { nodes: [], points: 0, short: false };
  #coming: Plan<number> = { nodes: [], points: 0, short: false };
  #planNumber = 0;
  /** The plan is older than what it was made of. */
  #stale = true;
  #decoded: Decoded[] = [];
  #decodedPoints = 0;
  /** By generation: its cameras are let go when a newer one is published, a moment before it leaves the screen. */
  readonly #densities = new Map<number, number>();
  #requesting: ReturnType<typeof setTimeout> | undefined;
  /** What of each layer is known to be mended or not, and those to be read anew because parts of them were lost. */
  readonly #mended = new Map<number, string>();
  readonly #mending = new Set<number>();
  /** Number of the plan for which there was no room. */
  #fullAtPlan = -1;

  constructor(options: CloudOptions) {
    this.#options = options;
    this.#cache = new PartCache(options.cacheBytes ?? 48 * 2 ** 20);
    this.#stage = new Stage(options.reducedMotion);
    this.residents = new Residents(options.sink, Math.max(1, Math.ceil(options.maxPoints / SLAB_POINTS)));
  }

  get generation(): number {
    return this.#stage.generation;
  }

  get fading(): boolean {
    return this.#stage.fading;
  }

  /** More would be worth drawing than the budget allows. */
  get short(): boolean {
    return this.#plan.short;
  }

  /** Something is on its way. */
  get busy(): boolean {
    return (this.#loader?.pending ?? 0) > 0 || [...this.#layers.values()].some(({ data }) => !data.complete);
  }

  /** All that the view wants and can be had is in GPU memory, and nothing is on its way or waits to take its place. */
  get settled(): boolean {
    if (this.#stale || this.busy || this.fading || this.#stage.waiting.size > 0) return false;
    if (this.#decoded.length > 0 || this.#requesting !== undefined) return false;
    const { loaded, failed, wanted } = this.stats;
    return loaded + failed >= wanted || this.#fullAtPlan === this.#planNumber;
  }

  /** When to look again though nothing happens: a failed request is due, or a new generation has waited enough. */
  get againAtMs(): number | undefined {
    const retry = this.#loader?.retryAtMs;
    const finerMs = (this.#stage.waitingSinceMs ?? Number.NEGATIVE_INFINITY) + FINER_MS;
    if (finerMs <= this.#options.now()) return retry;
    return Math.min(retry ?? Number.POSITIVE_INFINITY, finerMs);
  }

  follow(source: SpaceSource | undefined): void {
    this.#unsubscribe();
    if (this.#source) this.#source.held = undefined;
    this.#loader?.stop();
    for (const layer of [...this.#layers.keys()]) this.#drop(layer);
    this.#stage.clear();
    this.#cache.clear();
    this.#densities.clear();
    this.#source = source;
    this.#keep([]);
    this.#stale = true;
    if (!source) return;
    const { decode, now, onProblem } = this.#options;
    this.#loader = new PartLoader<PackedPoints, Request>({
      cache: this.#cache,
      fetch: ({ blob, start, end }, signal) => source.range(blob, start, end, { signal }),
      decode,
      onDecoded: (request, points) => {
        this.#decoded.push({ request, points });
        this.#decodedPoints += points.count;
        this.#options.onChange();
        this.#requestSoon(); // the next ones need not wait for the frame that shows this one
      },
      onFetched: () => this.#requestSoon(),
      isFinal: (error) =>
        error instanceof CairnError && (error.code === "blob.corrupt" || error.code === "blob.missing"),
      isAway: (error) => error instanceof TypeError, // of `fetch`: the server could not be reached
      onLost: () => {
        this.#stale = true;
        this.#options.onChange();
      },
      onProblem,
      now,
    });
    source.held = () => this.held();
    const listeners = [
      source.on("state", () => this.#read()),
      source.on("range", (blob, start, bytes) => this.#loader?.arrived(blob, start, bytes)),
      source.on("line", (open) => {
        if (open) this.resume();
      }),
    ];
    this.#unsubscribe = () => {
      for (const stop of listeners) stop();
    };
    this.#read();
  }

  /** There may be a way to the server again: nothing waits its turn to be tried again. */
  resume(): void {
    this.#loader?.resume();
    this.#requestSoon();
  }

  /** How much of each node is here, for a server that we come back to. */
  held(): HaveFrame[] {
    return [...this.#layers.keys()].map((layer) => ({
      layer,
      nodes: [...this.residents.of(layer)].map(({ id, points }) => ({ ...id, points })),
    }));
  }

  /** The GPU lost everything: it is put there again from the bytes that are kept. */
  lost(): void {
    this.residents.clear();
    this.#keep([]);
    this.#stale = true;
  }

  /** Says what is looked at, model frame. */
  look(view: LayerView | undefined, budget: number): void {
    this.#view = view;
    this.#budget = budget;
    this.#stale = true;
  }

  /**
   * Once a frame, before drawing: new points to the GPU, a new plan where something changed, the next requests.
   * @returns whether what is drawn changed, or goes on changing by itself
   */
  step(nowMs: number): boolean {
    const before = this.#planNumber;
    // Also what was decoded in vain frees a place.
    const decoded = this.#decoded.length > 0;
    const taken = this.#take(nowMs);
    const staged = this.#stage.step(nowMs, (layers) => this.#isReady(layers, nowMs));
    if (staged) this.#letGo();
    if (this.#stale || staged) this.#makePlan();
    const planned = this.#planNumber !== before;
    const due = (this.#loader?.retryAtMs ?? Number.POSITIVE_INFINITY) <= nowMs;
    if (planned || decoded || due) this.#request();
    return planned || taken;
  }

  /** Nodes of the plan, parents before their children; those without a resident have no points here yet. */
  drawn(): PlacedNode[] {
    const layers = new Map<number, Pick<PlacedNode, "layer" | "grid" | "density">>();
    for (const [layer, { data }] of this.#layers) {
      layers.set(layer, { layer: data.state, grid: data.table.grid, density: this.#densityOf(data.state) });
    }
    const nodes: PlacedNode[] = [];
    for (const { layer, node } of this.#plan.nodes) {
      const of = layers.get(layer);
      if (!of) continue;
      const resident = this.residents.get(layer, node.key);
      nodes.push({ layer: of.layer, grid: of.grid, density: of.density, node, resident });
    }
    return nodes;
  }

  /** A photo of a depth camera brings a hundred times the points of one whose corners are matched. */
  #densityOf({ kind, points, generation }: LayerState): number {
    if (kind === "import" || generation === undefined) return 1;
    const cameras = Object.keys(this.#source?.state.generations[generation]?.cameras ?? {}).length;
    if (cameras > 0) this.#densities.set(generation, Math.log(points / cameras / SPARSE) / Math.log(DENSE / SPARSE));
    return Math.min(1, Math.max(0, this.#densities.get(generation) ?? 1));
  }

  fadeOf(layer: number, nowMs: number): Fade {
    return this.#stage.fadeOf(layer, nowMs);
  }

  /** A few thousand points of each layer shown, layer frame. */
  *samples(): Generator<{ state: LayerState; sample: PointSample }> {
    for (const layer of this.#stage.shown) {
      const known = this.#layers.get(layer);
      if (known) yield { state: known.data.state, sample: known.sample };
    }
  }

  get stats(): CloudStats {
    let [points, loaded, wanted, failed, total] = [0, 0, 0, 0, 0];
    const add = ({ nodes }: Plan<number>, drawn: boolean) => {
      for (const { layer, node } of nodes) {
        const resident = this.residents.get(layer, node.key);
        const here = resident?.points ?? 0;
        const next = here < node.points ? node.parts[resident?.parts ?? 0] : undefined;
        if (next && this.#loader?.isLost(next)) failed += node.points - here;
        if (drawn) points += here;
        loaded += Math.min(here, node.points);
        wanted += node.points;
      }
    };
    add(this.#plan, true);
    add(this.#coming, false);
    for (const layer of this.#stage.shown) total += this.#layers.get(layer)?.data.state.points ?? 0;
    return { points, loaded, wanted, failed, total };
  }

  #read(): void {
    const { state } = this.#source!;
    const shown = shownLayers(state);
    this.#stage.aim(
      state.generation,
      shown.map(({ layer }) => layer),
    );
    for (const each of shown) {
      (this.#layers.get(each.layer) ?? this.#open(each)).data.update(each);
      this.#mend(each);
    }
    this.#letGo();
    this.#stale = true;
    this.#options.onChange();
  }

  /** Bytes that were lost may be there again, or the same points in another blob. */
  #mend({ layer, index, damaged }: LayerState): void {
    const now = `${index?.index ?? ""} ${damaged?.blob ?? ""}`;
    const before = this.#mended.get(layer);
    this.#mended.set(layer, now);
    if (before === undefined || before === now || damaged) return;
    if (this.stats.failed > 0) this.#mending.add(layer);
    this.#loader?.forgive();
  }

  #open(state: LayerState): Layer {
    const { wait, onProblem } = this.#options;
    const data = new LayerData(state, {
      source: this.#source!,
      wait,
      onProblem,
      onChange: (change) => {
        if (this.#layers.get(state.layer)?.data !== data) return;
        if (change === "other") this.residents.dropLayer(state.layer);
        if (change === "pieces") {
          this.residents.realign(state.layer, data.table);
          this.#keep(this.#decoded.filter(({ request }) => request.layer !== state.layer));
        }
        this.#stale = true;
        this.#options.onChange();
      },
    });
    const layer = { data, sample: new PointSample() };
    this.#layers.set(state.layer, layer);
    return layer;
  }

  #letGo(): void {
    for (const layer of [...this.#layers.keys()]) if (!this.#stage.needs(layer)) this.#drop(layer);
  }

  #drop(layer: number): void {
    this.#layers.get(layer)?.data.stop();
    this.#layers.delete(layer);
    this.#mended.delete(layer);
    this.#mending.delete(layer);
    this.residents.dropLayer(layer);
    this.#keep(this.#decoded.filter(({ request }) => request.layer !== layer));
    this.#stale = true;
  }

  #makePlan(): void {
    this.#stale = false;
    this.#planNumber++;
    this.#plan = planNodes(this.#views(this.#stage.shown), this.#budget);
    this.#coming = planNodes(this.#views(this.#stage.waiting), this.#budget / 2);
    for (const { nodes } of [this.#plan, this.#coming]) {
      for (const { layer, node } of nodes) {
        const resident = this.residents.get(layer, node.key);
        if (resident) resident.seen = this.#planNumber;
      }
    }
  }

  #views(layers: ReadonlySet<number>): { layer: number; table: LayerData["table"]; view: LayerView | undefined }[] {
    return [...layers].flatMap((layer) => {
      const data = this.#layers.get(layer)?.data;
      if (!data) return [];
      return [{ layer, table: data.table, view: this.#view && viewInLayer(this.#view, data.state) }];
    });
  }

  /** After one of many small things: once for those that come together. */
  #requestSoon(): void {
    this.#requesting ??= setTimeout(() => {
      this.#requesting = undefined;
      if (this.#source) this.#request();
    }, 0);
  }

  /** Tells the loader what is wanted. What is to be shown next comes first: what is shown is mostly here. */
  #request(): void {
    for (const layer of this.#mending) {
      const data = this.#layers.get(layer)?.data;
      if (!data?.complete) continue;
      this.#mending.delete(layer);
      // Nodes that end within a piece are drawn until it is here.
      void data.compact(() => true, true);
    }
    if (this.#fullAtPlan === this.#planNumber) return;
    const waiting = new Set(this.#decoded.map(({ request }) => request.key));
    const kept = new Set<string>();
    const room = this.#decoded.length < MOST_DECODED && this.#decodedPoints < FRAME_POINTS;
    const requests: Request[] = [];
    for (const { nodes } of [this.#coming, this.#plan]) {
      for (const { layer, node } of nodes) {
        if (requests.length >= MOST_REQUESTS) break;
        const resident = this.residents.get(layer, node.key);
        const next = resident?.parts ?? 0;
        for (let index = next; index < Math.min(node.parts.length, next + AHEAD); index++) {
          const part = node.parts[index]!;
          const key = `${layer}:${node.key}:${index}:${part.hash}`;
          if (waiting.has(key)) {
            kept.add(key);
            continue;
          }
          const due = index === next || room;
          requests.push({ key, part, due, layer, node, index });
        }
      }
    }
    // Decoded for a node that is no longer wanted: its bytes are kept, its place is not.
    this.#keep(this.#decoded.filter(({ request }) => kept.has(request.key)));
    this.#loader?.want(requests);
    if (requests.length === 0 && this.#decoded.length === 0) this.#compact();
  }

  #keep(decoded: Decoded[]): void {
    this.#decoded = decoded;
    this.#decodedPoints = decoded.reduce((sum, { points }) => sum + points.count, 0);
  }

  /** Puts decoded points into GPU memory, each node's in order. */
  #take(nowMs: number): boolean {
    if (this.#decoded.length === 0) return false;
    this.#decoded.sort((a, b) => a.request.index - b.request.index);
    const kept: Decoded[] = [];
    let taken = 0;
    for (const each of this.#decoded) {
      const { layer, index, part } = each.request;
      // The table may be another one since it was asked for.
      const data = this.#layers.get(layer)?.data;
      const node = data?.table.nodes.get(each.request.node.key);
      if (!data || !node || node.parts[index]?.hash !== part.hash) continue;
      const known = this.residents.get(layer, node.key);
      const next = known?.parts ?? 0;
      if (index < next) continue;
      if (index > next || taken >= FRAME_POINTS) {
        kept.push(each);
        continue;
      }
      const live = node.pack >= data.liveFrom && index === node.parts.length - 1;
      const resident = this.residents.append(layer, node.id, each.points, { before: this.#planNumber, nowMs, live });
      if (!resident) {
        this.#fullAtPlan = this.#planNumber;
        continue;
      }
      resident.seen = Math.max(resident.seen, this.#planNumber);
      taken += each.points.count;
      this.#addToSample(layer, node, each.points);
    }
    this.#keep(kept);
    return taken > 0;
  }

  #addToSample(layer: number, { id }: TableNode, { bytes, count, bits }: PackedPoints): void {
    const known = this.#layers.get(layer);
    if (!known) return;
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count * 8);
    const { origin } = known.data.table.grid;
    const edge = 2 ** id.e;
    const step = edge / 2 ** bits;
    known.sample.add(count, (i, out, offset) => {
      out[offset] = origin[0] + id.x * edge + (halves[i * 8]! + 0.5) * step;
      out[offset + 1] = origin[1] + id.y * edge + (halves[i * 8 + 1]! + 0.5) * step;
      out[offset + 2] = origin[2] + id.z * edge + (halves[i * 8 + 2]! + 0.5) * step;
    });
  }

  #isReady(layers: ReadonlySet<number>, nowMs: number): boolean {
    for (const layer of layers) {
      const data = this.#layers.get(layer)?.data;
      if (!data || (data.state.points > 0 && data.table.points === 0)) return false;
    }
    if (this.#stale) this.#makePlan();
    const waitedMs = nowMs - (this.#stage.waitingSinceMs ?? nowMs);
    const enough = (waitedMs < FINER_MS ? 1 : COARSE_PART) * this.#coming.points;
    let points = 0;
    for (const { layer, node } of this.#coming.nodes) {
      if (points >= enough) break;
      const resident = this.residents.get(layer, node.key);
      const next = node.parts[resident?.parts ?? 0];
      // What cannot be had is not waited for.
      if ((resident?.points ?? 0) < node.points && !(next && this.#loader?.hasFailed(next))) return false;
      points += node.points;
    }
    return true;
  }

  /** In a quiet moment: fewer pieces to remember. */
  #compact(): void {
    for (const [layer, { data }] of this.#layers) {
      if (data.compactable) void data.compact((table) => this.residents.fits(layer, table));
    }
  }
}
