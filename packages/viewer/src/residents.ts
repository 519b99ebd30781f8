/**
 * Nodes whose points are in GPU memory: where they lie, how many, when they were last wanted. What a node holds is
 * always the first so many of its points. Bounded: what was not wanted for longest makes room. Knows no WebGL.
 */
import { type LayerTable, type NodeId, nodeKey } from "@cairn/cloud";
import { type PackedPoints, POINT_BYTES } from "./decode.ts";
import { PAGE_POINTS, PagePool, type PageRun } from "./page-pool.ts";

/** Takes points into GPU memory. */
export interface PointSink {
  /** @param first point of the slab */
  write(slab: number, first: number, bytes: Uint8Array<ArrayBuffer>): void;
}

export type Resident = {
  readonly layer: number;
  readonly id: NodeId;
  /** Row of the node's numbers in the slot texture. 0 is nobody's. */
  readonly slot: number;
  readonly runs: PageRun[];
  points: number;
  /** Pieces of the layer's table that these points are. */
  parts: number;
  /** The table was replaced and these points end within a piece: they are drawn until the piece is here. */
  torn: boolean;
  bits: number;
  /** Distance from a point to its fourth neighbour, as a part of the edge. */
  spacing: number;
  /** `[8, 8]`: its points in each octant of each of its octants. */
  readonly octants: Uint32Array;
  /** Number of the plan that named it last. */
  seen: number;
  /** Number of the points that came last, their birth, and whether they are new to the model, not only to us. */
  batch: number;
  bornMs: number;
  live: boolean;
};

const MOST_SLOTS = 65_536;
/** Points that come within this of each other fade in as one. */
export const BATCH_MS = 450;

export class Residents {
  readonly #sink: PointSink;
  readonly #pool: PagePool;
  readonly #layers = new Map<number, Map<string, Resident>>();
  readonly #bySlot: (Resident | undefined)[] = [undefined];
  readonly #freeSlots: number[] = [];
  points = 0;

  constructor(sink: PointSink, maxSlabs: number) {
    this.#sink = sink;
    this.#pool = new PagePool(maxSlabs);
  }

  get slots(): number {
    return this.#bySlot.length;
  }

  get slabs(): number {
    return this.#pool.slabs;
  }

  get(layer: number, key: string): Resident | undefined {
    return this.#layers.get(layer)?.get(key);
  }

  bySlot(slot: number): Resident | undefined {
    return this.#bySlot[slot];
  }

  of(layer: number): Iterable<Resident> {
    return this.#layers.get(layer)?.values() ?? [];
  }

  /**
   * Adds a part at a node's end; in place of everything when the node is torn.
   * @param before nodes last seen before this plan may be dropped for it
   * @returns `undefined` when there is no room
   */
  append(
    layer: number,
    id: NodeId,
    points: PackedPoints,
    { before, nowMs, live }: { before: number; nowMs: number; live: boolean },
  ): Resident | undefined {
    const known = this.get(layer, nodeKey(id));
    const count = (known && !known.torn ? known.points : 0) + points.count;
    const held = known && !known.torn ? pagesOf(known) : 0;
    const needed = Math.ceil(count / PAGE_POINTS) - held;
    if (!this.#makeRoom(needed, before, known) || (!known && !this.#makeSlot(before))) return undefined;
    const resident = known ?? this.#create(layer, id, points.bits, before);
    if (resident.torn) this.#empty(resident);
    if (needed > 0) this.#grow(resident, needed);
    if (nowMs - resident.bornMs > BATCH_MS || resident.batch === 0) {
      resident.batch = (resident.batch % 4095) + 1;
      resident.bornMs = nowMs;
    }
    resident.live = live;
    this.#write(resident, points);
    // A part thins or fills the others out: neighbours move apart with the square root of the number.
    const part = points.spacing * Math.sqrt(points.count / count);
    if (points.count * 2 > count || resident.spacing === 0) resident.spacing = part;
    else resident.spacing *= Math.sqrt(resident.points / count);
    for (let i = 0; i < 64; i++) resident.octants[i]! += points.octants[i]!;
    resident.points = count;
    resident.parts++;
    this.points += points.count;
    return resident;
  }

  /** After a layer got another table of the same points. */
  realign(layer: number, table: LayerTable): void {
    for (const resident of this.of(layer)) {
      const parts = partsOf(table, resident);
      resident.torn = parts === undefined;
      resident.parts = parts ?? 0;
    }
  }

  fits(layer: number, table: LayerTable): boolean {
    for (const resident of this.of(layer)) if (partsOf(table, resident) === undefined) return false;
    return true;
  }

  drop(resident: Resident): void {
    this.#empty(resident);
    this.#layers.get(resident.layer)?.delete(nodeKey(resident.id));
    this.#bySlot[resident.slot] = undefined;
    this.#freeSlots.push(resident.slot);
  }

  dropLayer(layer: number): void {
    for (const resident of [...this.of(layer)]) this.drop(resident);
    this.#layers.delete(layer);
  }

  /** The GPU lost everything. */
  clear(): void {
    for (const layer of [...this.#layers.keys()]) this.dropLayer(layer);
  }

  #create(layer: number, id: NodeId, bits: number, seen: number): Resident {
    const slot = this.#freeSlots.pop() ?? this.#bySlot.length;
    const resident: Resident = {
      layer,
      id,
      slot,
      runs: [],
      points: 0,
      parts: 0,
      torn: false,
      bits,
      spacing: 0,
      octants: new Uint32Array(64),
      seen,
      batch: 0,
      bornMs: Number.NEGATIVE_INFINITY,
      live: false,
    };
    this.#bySlot[slot] = resident;
    const nodes = this.#layers.get(layer) ?? new Map<string, Resident>();
    this.#layers.set(layer, nodes.set(nodeKey(id), resident));
    return resident;
  }

  #makeSlot(before: number): boolean {
    if (this.#freeSlots.length > 0 || this.#bySlot.length < MOST_SLOTS) return true;
    return this.#evict(1, before, undefined);
  }

  #makeRoom(pages: number, before: number, keep: Resident | undefined): boolean {
    return pages <= this.#pool.freePages || this.#evict(pages - this.#pool.freePages, before, keep);
  }

  /** Lets go of those not seen for longest, and of some more, so that it is not done for every part. */
  #evict(pages: number, before: number, keep: Resident | undefined): boolean {
    const old = this.#bySlot.filter(
      (each): each is Resident => each !== undefined && each.seen < before && each !== keep,
    );
    // Of one age, the finer first: a coarse node is worth more to whoever looks there again.
    old.sort((a, b) => a.seen - b.seen || a.id.e - b.id.e);
    const target = Math.max(pages, this.#pool.takenPages >> 4);
    let freed = 0;
    for (const each of old) {
      if (freed >= target) break;
      freed += pagesOf(each);
      this.drop(each);
    }
    return freed >= pages;
  }

  #empty(resident: Resident): void {
    for (const run of resident.runs) this.#pool.give(run);
    resident.runs.length = 0;
    this.points -= resident.points;
    resident.points = 0;
    resident.parts = 0;
    resident.torn = false;
    resident.spacing = 0;
    resident.octants.fill(0);
  }

  #grow(resident: Resident, pages: number): void {
    const last = resident.runs.at(-1);
    const left = pages - (last ? this.#pool.extend(last, pages) : 0);
    if (left === 0) return;
    // A node that grows will grow again: some room ahead keeps its runs few.
    const ahead = Math.max(left, pagesOf(resident) >> 2);
    const runs = this.#pool.take(ahead) ?? this.#pool.take(left);
    if (!runs) throw new RangeError(`${left} pages were promised`);
    resident.runs.push(...runs);
  }

  #write(resident: Resident, { bytes, count }: PackedPoints): void {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count * 8);
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, count * 4);
    for (let i = 0; i < count; i++) {
      halves[i * 8 + 3] = resident.slot;
      words[i * 4 + 3]! |= resident.batch << 20;
    }
    let begin = 0; // of this run, within the node
    let done = 0;
    for (const { slab, first, pages } of resident.runs) {
      const end = begin + pages * PAGE_POINTS;
      const at = resident.points + done;
      if (at < end && done < count) {
        const n = Math.min(end - at, count - done);
        const part = bytes.subarray(done * POINT_BYTES, (done + n) * POINT_BYTES);
        this.#sink.write(slab, first * PAGE_POINTS + at - begin, part);
        done += n;
      }
      begin = end;
    }
  }
}

/** Where a node's points lie: slab, first point, count. */
export function* rangesOf({ runs, points }: Resident): Generator<{ slab: number; first: number; count: number }> {
  let left = points;
  for (const { slab, first, pages } of runs) {
    if (left <= 0) return;
    const count = Math.min(left, pages * PAGE_POINTS);
    yield { slab, first: first * PAGE_POINTS, count };
    left -= count;
  }
}

/** Which of a node's points lies there; −1: none. */
export function indexOfPoint(resident: Resident, slab: number, point: number): number {
  let begin = 0;
  for (const range of rangesOf(resident)) {
    if (range.slab === slab && point >= range.first && point < range.first + range.count) {
      return begin + point - range.first;
    }
    begin += range.count;
  }
  return -1;
}

function pagesOf({ runs }: Resident): number {
  return runs.reduce((sum, { pages }) => sum + pages, 0);
}

/** How many of the table's parts a node's points are; `undefined`: they end within one. */
function partsOf(table: LayerTable, { id, points }: Resident): number | undefined {
  let sum = 0;
  let parts = 0;
  for (const part of table.nodes.get(nodeKey(id))?.parts ?? []) {
    if (sum >= points) break;
    sum += part.points;
    parts++;
  }
  return sum === points ? parts : undefined;
}
