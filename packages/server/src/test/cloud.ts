/** For tests: a layer that grows and is compacted in a space's log, and a client that keeps what it is pushed. */
import { createHash } from "node:crypto";
import {
  type CloudPoints,
  decodeLayerIndex,
  decodePackHead,
  decodeSegment,
  encodeLayerIndex,
  encodePack,
  encodeSegment,
  type IndexNode,
  LayerTable,
  type NodePoints,
  Octree,
  type PackHead,
  type Part,
  planGrid,
} from "@cairn/cloud";
import { deflate, hashOf } from "@cairn/cloud/node";
import type { Core, Space } from "@cairn/core";
import {
  applyEvent,
  type Digest,
  decodeRangeFrame,
  type EventDraft,
  emptyState,
  encodeHaveFrame,
  type LayerState,
  type ServerMessage,
  type Similarity,
  type SpaceState,
  type View,
} from "@cairn/protocol";
import type { ClientOptions } from "ws";
import { RawClient } from "./live-door.ts";

/** Points of a wavy floor, `x` in `from`…`to` metres, 8 m deep: the same seed gives the same points. */
export function floor(n: number, seed: number, from = 0, to = 8): CloudPoints {
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const positions = new Float64Array(n * 3);
  const colors = new Uint8Array(n * 3);
  for (let i = 0; i < n; i++) {
    const x = from + (to - from) * random();
    const z = 8 * random();
    positions.set([x, Math.sin(x) * Math.cos(z), z], i * 3);
    colors.set([x * 30, 128, z * 30], i * 3);
  }
  return { positions, colors, photos: 0 };
}

/** One octree of a space, small nodes. */
export class TestLayer {
  readonly layer: number;
  readonly #core: Core;
  readonly #space: Space;
  readonly #generation: number | undefined;
  readonly #transform: Similarity | undefined;
  readonly #octree = new Octree(planGrid([0, -1, 0], [8, 1, 8], 0.01), 256);
  readonly #parts = new Map<string, { node: NodePoints["node"]; parts: NodePoints[] }>();
  #packs = 0;

  constructor(
    { core, space }: { core: Core; space: Space },
    layer: number,
    generation?: number,
    transform?: Similarity,
  ) {
    this.layer = layer;
    this.#core = core;
    this.#space = space;
    this.#generation = generation;
    this.#transform = transform;
  }

  /** Starts the layer, and its generation when it is that of one. */
  async start(): Promise<void> {
    const { layer } = this;
    const generation = this.#generation;
    const drafts: EventDraft[] = generation === undefined ? [] : [{ type: "generation.started", data: { generation } }];
    drafts.push({
      type: "layer.started",
      data: {
        layer,
        kind: generation === undefined ? "import" : "model",
        name: "floor",
        ...(generation === undefined ? {} : { generation }),
        ...(this.#transform ? { transform: this.#transform } : {}),
        ...this.#octree.grid,
      },
    });
    await this.#space.log.append(drafts);
  }

  async publish(points = 1): Promise<void> {
    const generation = this.#generation ?? 1;
    await this.#space.log.append([
      { type: "generation.published", data: { generation, cameras: 2, points, refined: 0 } },
    ]);
  }

  /** One pack; its blob. */
  async grow(points: CloudPoints): Promise<{ blob: Digest; headBytes: number; segments: Uint8Array[] }> {
    const { draft, ...pack } = await this.pack(points);
    await this.#space.log.append([draft]);
    return pack;
  }

  /** The same, with the event that is yet to be appended. */
  async pack(
    points: CloudPoints,
  ): Promise<{ blob: Digest; headBytes: number; segments: Uint8Array[]; draft: EventDraft }> {
    const { root, segments, kept, merged, min, max } = this.#octree.insert(points);
    for (const each of segments) {
      const key = `${each.node.e}_${each.node.x}_${each.node.y}_${each.node.z}`;
      const known = this.#parts.get(key) ?? { node: each.node, parts: [] };
      known.parts.push(each);
      this.#parts.set(key, known);
    }
    const encoded = segments.map((segment) => encodeSegment(segment));
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    const { digest: blob, sizeBytes } = await this.#core.blobs.put(bytes);
    const data = { layer: this.layer, pack: this.#packs++, blob, sizeBytes, headBytes, points: kept, merged, min, max };
    const draft: EventDraft = { type: "segments.added", data: { ...data, segments: segments.length } };
    return { blob, headBytes, segments: encoded, draft };
  }

  /** Each node becomes one part of one blob. @param reversed the last first: another blob of the same points */
  async compact({ reversed = false } = {}): Promise<void> {
    const pieces: Uint8Array[] = [];
    const places: { node: NodePoints["node"]; start: number; end: number; points: number; hash: string }[] = [];
    let at = 0;
    const all = [...this.#parts.values()];
    for (const { node, parts } of reversed ? all.reverse() : all) {
      const bytes = encodeSegment(join(parts));
      const points = parts.reduce((sum, { count }) => sum + count, 0);
      places.push({ node, start: at, end: at + bytes.length, points, hash: hashOf(bytes) });
      pieces.push(bytes);
      at += bytes.length;
    }
    const { digest: blob } = await this.#core.blobs.put(Buffer.concat(pieces));
    if (reversed) places.reverse();
    const nodes: IndexNode[] = places.map(({ node, ...part }) => ({ node, parts: [{ ...part, blob }] }));
    const index = await this.#core.blobs.put(encodeLayerIndex({ root: this.#octree.root, nodes }, deflate));
    const data = { layer: this.layer, packs: this.#packs, index: index.digest, sizeBytes: index.sizeBytes };
    const counts = { points: this.#octree.kept, nodes: nodes.length, blobs: [blob] };
    await this.#space.log.append([{ type: "layer.compacted", data: { ...data, ...counts } }]);
  }
}

function join(parts: readonly NodePoints[]): NodePoints {
  const [first] = parts as [NodePoints];
  const count = parts.reduce((sum, each) => sum + each.count, 0);
  const coords = new Uint16Array(count * 3);
  const colors = new Uint8Array(count * 3);
  let at = 0;
  for (const each of parts) {
    coords.set(each.coords, at * 3);
    colors.set(each.colors, at * 3);
    at += each.count;
  }
  return { node: first.node, bits: first.bits, count, coords, colors, photos: 0 };
}

/** Granted at once: credits count as messages, of which a client may send 100 a second. */
const GRANT_BYTES = 30_000;

type Pushed = { blob: string; start: number; bytes: Buffer };

/** Follows a space over a raw socket: its state, and every range it was pushed, in order. */
export class Watcher {
  readonly client: RawClient;
  readonly pushed: Pushed[] = [];
  state: SpaceState = emptyState();
  /** Blobs that events and snapshots have named so far. */
  readonly named = new Set<string>();
  seq = 0;
  epoch = "";
  /** Grants what it took as it takes it. */
  grants: boolean;
  readonly #heads = new Map<Digest, PackHead>();
  #takenBytes = 0;
  #kept = new Map<string, Buffer>();
  /** The layers as they were when this client came: what its tables begin with. */
  #base = new Map<number, LayerState>();

  constructor(client: RawClient, grants: boolean) {
    this.client = client;
    this.grants = grants;
    // Before the client's own: what waits for a message then finds it here.
    client.ws.prependListener("message", (data: Buffer, binary: boolean) => {
      if (binary) this.#range(data);
      else this.#text(JSON.parse(data.toString()) as ServerMessage);
    });
  }

  static async open(
    url: string,
    {
      grants = true,
      options = {},
      ...hello
    }: { credit?: number; grants?: boolean; options?: ClientOptions } & object = {},
  ): Promise<Watcher> {
    const client = await RawClient.open(url, undefined, options);
    const watcher = new Watcher(client, grants);
    client.send({ type: "hello", version: 1, credit: 65_536, ...hello });
    return watcher;
  }

  /** A watcher that comes back on a new socket with all it had. */
  static async resume(url: string, before: Watcher): Promise<Watcher> {
    const again = new Watcher(await RawClient.open(url), true);
    again.state = structuredClone(before.state);
    again.seq = before.seq;
    again.epoch = before.epoch;
    again.#kept = new Map(before.#kept);
    again.#base = new Map(before.#base);
    again.client.send({ type: "hello", version: 1, credit: 65_536, after: before.seq, epoch: before.epoch });
    return again;
  }

  view(view: Omit<View, "type"> = {}): void {
    this.client.send({ ...view, type: "view" });
  }

  /** What it can draw of each layer, as have frames say it. */
  async tellHeld(layer: number): Promise<void> {
    const table = await this.table(layer);
    const nodes = table.list.flatMap(({ id, parts }) => {
      let points = 0;
      for (const part of parts) {
        if (!this.bytesOf(part)) break;
        points += part.points;
      }
      return points > 0 ? [{ ...id, points }] : [];
    });
    this.client.send(encodeHaveFrame({ layer, nodes }));
  }

  get pushedBytes(): number {
    return this.pushed.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  bytesOf({ blob, start }: Pick<Part, "blob" | "start">): Buffer | undefined {
    return this.#kept.get(`${blob.slice(0, 16)}/${start}`);
  }

  /** The table as far as its bytes were pushed. */
  async table(layer: number): Promise<LayerTable> {
    const base = this.#base.get(layer) ?? this.state.layers[layer]!;
    const { origin, seed, finest, index } = base;
    const table = new LayerTable({ origin, seed, finest });
    if (index) {
      const pieces: Buffer[] = [];
      for (let at = 0; at < index.sizeBytes; ) {
        const piece = this.bytesOf({ blob: index.index, start: at });
        if (!piece) return table;
        pieces.push(piece);
        at += piece.length;
      }
      table.applyIndex(await decodeLayerIndex(Buffer.concat(pieces)), index.packs);
    }
    const packs = new Map([...base.packs, ...this.state.layers[layer]!.packs].map((each) => [each.pack, each]));
    for (let pack = table.packs; packs.has(pack); pack++) {
      const { blob, headBytes } = packs.get(pack)!;
      const head = this.bytesOf({ blob, start: 0 });
      if (head?.length !== headBytes) break;
      const known = this.#heads.get(blob) ?? (await decodePackHead(head, blob));
      this.#heads.set(blob, known);
      table.applyPack(known);
    }
    return table;
  }

  /** Points of every node, in no order, as one hash; and how many are there. */
  async drawn(layer: number): Promise<{ hash: string; points: number; missing: number }> {
    const table = await this.table(layer);
    const hash = createHash("sha256");
    let points = 0;
    let missing = 0;
    for (const node of [...table.list].sort((a, b) => (a.key < b.key ? -1 : 1))) {
      const all: string[] = [];
      for (const part of node.parts) {
        const bytes = this.bytesOf(part);
        if (!bytes) {
          missing += part.points;
          continue;
        }
        const { count, coords, colors } = decodeSegment(bytes);
        for (let i = 0; i < count; i++) all.push(`${coords.slice(3 * i, 3 * i + 3)} ${colors.slice(3 * i, 3 * i + 3)}`);
      }
      points += all.length;
      if (all.length > 0) hash.update(`${node.key}:${all.sort().join(";")}\n`);
    }
    return { hash: hash.digest("hex"), points, missing };
  }

  /** Resolves when all of the layer's points are there. */
  async complete(layer: number): Promise<void> {
    await this.client.until(() => this.seq > 0);
    for (;;) {
      const [had, seq] = [this.pushed.length, this.seq];
      const { list, points } = await this.table(layer);
      const whole = list.every(({ parts }) => parts.every((part) => this.bytesOf(part)));
      if (whole && points === this.state.layers[layer]?.points) return;
      await this.client.until(() => this.pushed.length > had || this.seq > seq);
      await new Promise((resolve) => setTimeout(resolve, 10)); // more comes at once
    }
  }

  #range(data: Buffer): void {
    const { blob, start, bytes } = decodeRangeFrame(data);
    const kept = Buffer.from(bytes);
    this.#kept.set(`${blob}/${start}`, kept);
    this.pushed.push({ blob, start, bytes: kept });
    this.#takenBytes += bytes.length;
    if (this.grants && this.#takenBytes >= GRANT_BYTES) this.#grant();
  }

  #grant(): void {
    this.client.send({ type: "credit", bytes: this.#takenBytes });
    this.#takenBytes = 0;
  }

  #text(message: ServerMessage): void {
    if (message.type === "snapshot") {
      this.state = message.state;
      this.seq = message.seq;
      this.epoch = message.epoch;
      this.#base = new Map(Object.values(structuredClone(message.state.layers)).map((each) => [each.layer, each]));
      for (const { index, packs } of this.#base.values()) {
        for (const blob of [index?.index ?? "", ...(index?.blobs ?? []), ...packs.map((pack) => pack.blob)]) {
          this.named.add(blob.slice(0, 16));
        }
      }
    }
    if (message.type !== "events") return;
    for (const event of message.events) {
      if (event.type === "layer.compacted") {
        this.#remember(event.data.layer);
        for (const blob of [event.data.index, ...event.data.blobs]) this.named.add(blob.slice(0, 16));
      }
      applyEvent(this.state, event);
      if (event.type === "segments.added") this.named.add(event.data.blob.slice(0, 16));
      if (event.type === "layer.started") this.#remember(event.data.layer);
      this.seq = event.seq;
    }
  }

  /** Who follows live keeps its table when a layer is compacted; who has nothing of it yet begins with the index. */
  #remember(layer: number): void {
    const state = this.state.layers[layer];
    const base = this.#base.get(layer);
    if (!state) return;
    const { index, packs: before } = base ?? state;
    const first = index?.index ?? before[0]?.blob ?? state.packs[0]?.blob;
    if (first !== undefined && !this.bytesOf({ blob: first, start: 0 })) {
      this.#base.delete(layer);
      return;
    }
    const packs = new Map([...(base?.packs ?? []), ...state.packs].map((each) => [each.pack, each]));
    this.#base.set(layer, { ...structuredClone(base ?? state), packs: [...packs.values()] });
  }
}
