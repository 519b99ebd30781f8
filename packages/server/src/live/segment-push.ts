/**
 * Points pushed to one client: what is fresh where it looks, then the backlog in the order in which it draws, within the
 * credit it gave. Bytes are ranges of blobs; what a client does not get this way it asks for by name. Of a client it
 * keeps its view, a count for each node, and a look-ahead. Rules: LIVE-7, LIVE-15 to LIVE-19.
 */
import { FINE_PX, type LayerView, layerView, nodeKey, nodesToShow, spacingPx, type TableNode } from "@cairn/cloud";
import type { BlobStore, CursorItem, Layers, Space } from "@cairn/core";
import {
  CairnError,
  type CairnEvent,
  type Digest,
  type EventData,
  encodeRangeFrame,
  type HaveFrame,
  type LayerState,
  type Seq,
  type SpaceState,
  shownLayers,
  type View,
} from "@cairn/protocol";
import { binaryMessage, type Message } from "./frames.ts";
import type { FreshBytes, FreshPack } from "./fresh-pack.ts";
import type { LiveTable, LiveTables } from "./live-tables.ts";
import type { Outbox } from "./outbox.ts";
import { PartCounts } from "./part-counts.ts";
import type { SharedMessages } from "./shared-messages.ts";
import type { Turns } from "./turns.ts";

/** Parts chosen ahead. */
const LOOK_AHEAD = 256;
/** Indexes and heads go in pieces: nothing may keep an event waiting for long. */
const PIECE_BYTES = 16 * 1024;
/** Have frames of one client, bytes: 250,000 nodes. */
const HAVE_BYTES = 4 * 2 ** 20;
/** Layers no longer shown of which it is still known what the client was sent: their parts may come again. */
const REMEMBERED = 2;

/** What one client was sent of one layer. */
type Sending = {
  readonly layer: number;
  readonly live: LiveTable;
  /** By ordinal of the node: so many of its parts, from the first on. */
  readonly counts: PartCounts;
  /** Parts in all. */
  sent: number;
  /** Packs before this one the client has heard of. */
  known: number;
  /** Bytes of the index that went; without end when the client is taken to have it. */
  indexBytes: number;
  /** Heads go, or went, from this pack on; and the next that goes. */
  firstHead: number;
  nextHead: number;
  shown: boolean;
};

type Wanted = { sending: Sending; node: TableNode; index: number };

/** A range to send: a part, or something of the tree. */
type Piece = { sending: Sending; blob: Digest; start: number; end: number; wanted: Wanted | undefined };

export type SegmentPushOptions = {
  space: Space;
  blobs: BlobStore;
  layers: Layers;
  tables: LiveTables;
  turns: Turns;
  outbox: Outbox;
  shared: SharedMessages;
  /** What the client granted to begin with, and the most that is ever on its way. */
  creditBytes: number;
  mostBytes: number;
  /** Set when the client came back with the state as of this seq. */
  after: Seq | undefined;
  onError(error: unknown): void;
};

export class SegmentPush {
  readonly #options: SegmentPushOptions;
  #creditBytes: number;
  #view: View | undefined;
  #have: HaveFrame[] = [];
  #haveBytes = 0;
  /** The state the client has: seq of the last event it was sent. */
  #position: Seq;
  /** Layers are those of the state at `#boundSeq`; nothing goes before the client is there. */
  #boundSeq: Seq = Number.POSITIVE_INFINITY;
  #generation = 0;
  #sendings = new Map<number, Sending>();
  /** Of layers that changed while the client was away: the first pack it was told of, and whether it was told an index. */
  readonly #told = new Map<number, { pack: number | undefined; index: boolean }>();
  #tasks: Promise<void> = Promise.resolve();
  #waitingTasks = 0;
  #binding = false;
  /** What the client begins anew with. */
  #snapshot: SpaceState | undefined;
  #fresh: Wanted[] = [];
  #ahead: Wanted[] = [];
  /** There may be more than what is ahead. */
  #stale = false;
  #looking = false;
  /** Nodes finer than this on the screen come after what is ahead, or not at all. */
  #cutPx = Number.POSITIVE_INFINITY;
  /** Read and ready. */
  #loaded: { piece: Piece; message: Message } | undefined;
  #loading = false;
  #closed = false;

  constructor(options: SegmentPushOptions) {
    this.#options = options;
    this.#creditBytes = Math.min(options.creditBytes, options.mostBytes);
    this.#position = options.after ?? -1;
  }

  /** Before the first view. @throws {CairnError} `request.invalid` */
  have(frame: HaveFrame, sizeBytes: number): void {
    this.#haveBytes += sizeBytes;
    if (this.#view || this.#haveBytes > HAVE_BYTES) {
      throw new CairnError("request.invalid", { field: "frame", problem: this.#view ? "after the view" : "too many" });
    }
    this.#have.push(frame);
  }

  view(view: View): void {
    const first = this.#view === undefined;
    this.#view = view;
    if (first) this.#bind();
    else this.#lookAgain();
  }

  /** Never more than the most in all, however often it is granted. */
  credit(bytes: number): void {
    const waited = this.#creditBytes <= 0;
    this.#creditBytes = Math.min(this.#options.mostBytes, this.#creditBytes + bytes);
    if (waited) this.#wake();
  }

  /** The client was sent what does not bear on points, up to `position`. */
  passed(position: Seq): void {
    const waited = this.#position < this.#boundSeq;
    this.#position = position;
    if (waited && position >= this.#boundSeq) this.#wake();
  }

  /** The client was sent this item, the last of which is `position`. */
  delivered(item: CursorItem, position: Seq): void {
    if (item.kind === "snapshot") {
      this.#position = position;
      if (this.#view) {
        this.#snapshot = item.state;
        this.#bind();
      }
      return;
    }
    for (const event of item.events) {
      switch (event.type) {
        case "segments.added": {
          const { data } = event;
          if (!this.#view) this.#tell(data.layer, data.pack);
          else if (this.#waitingTasks > 0) this.#then(async () => this.#packCame(data));
          else this.#packCame(data);
          break;
        }
        case "layer.compacted": {
          const { layer, index } = event.data;
          if (this.#view) this.#then(async () => this.#indexCame(layer, index));
          else this.#tell(layer, undefined);
          break;
        }
        case "generation.published":
        case "layer.started":
        case "layer.removed":
          if (this.#view) this.#bind();
          break;
        case "layer.moved":
          this.#lookAgain();
      }
    }
    this.passed(position);
  }

  /**
   * Whether a pack can go to this client together with the event that tells of it: it has all that comes before, and
   * nothing else is on its way. Which parts it does not see, as `freshBytes` takes it; `undefined`: the pack goes in its
   * turn. Asked of every client for every pack: what is the same for all is handed in, and it makes no garbage.
   * @param state the log's, now
   */
  unseen(pack: FreshPack, state: SpaceState): string | undefined {
    const sending = this.#sendings.get(pack.layer);
    if (!sending?.shown || sending.live !== pack.live || sending.known !== pack.pack) return undefined;
    if (sending.nextHead !== pack.pack || treePiece(sending) || this.#waitingTasks > 0) return undefined;
    if (this.#loading || this.#loaded || this.#fresh.length > 0 || this.#creditBytes <= 0) return undefined;
    if (this.#closed || this.#position < this.#boundSeq) return undefined;
    if (state.generation !== this.#generation) return undefined;
    const view = this.#viewOf(pack.layer, state);
    let unseen = "";
    let creditBytes = this.#creditBytes - pack.headBytes;
    for (let i = 0; i < pack.parts.length; i++) {
      const { node, index, hash, sizeBytes } = pack.parts[i]!;
      const px = spacingPx(node, view);
      const upToDate = sending.counts.get(node.ordinal) === index;
      if (px >= FINE_PX && !upToDate) return undefined;
      if (px < this.#cutPx) unseen += `${i} `;
      else if (!upToDate || creditBytes <= 0 || this.#sentElsewhere(sending, hash)) return undefined;
      else creditBytes -= sizeBytes;
    }
    return unseen;
  }

  /** The client was sent the event that tells of a pack, at `position`, and these bytes of it. */
  deliveredWith({ layer, pack }: FreshPack, { parts, sizeBytes }: FreshBytes, position: Seq): void {
    const sending = this.#sendings.get(layer)!;
    this.#position = position;
    this.#creditBytes -= sizeBytes;
    sending.known = pack + 1;
    sending.nextHead = pack + 1;
    for (const { node, index } of parts) sent(sending, node, index + 1);
  }

  close(): void {
    this.#closed = true;
    this.#sendings.clear();
    this.#fresh = [];
    this.#ahead = [];
    this.#have = [];
  }

  /** A client that came back and has not said its view yet: what it hears of now it cannot have been sent. */
  #tell(layer: number, pack: number | undefined): void {
    const { pack: first, index = false } = this.#told.get(layer) ?? {};
    this.#told.set(layer, { pack: first ?? pack, index: index || pack === undefined });
  }

  /** In order: what events say comes after the layers they are about are there. */
  #then(task: () => Promise<void>): void {
    this.#waitingTasks++;
    this.#tasks = this.#tasks
      .then(task)
      .catch((error: unknown) => this.#options.onError(error))
      .then(() => {
        this.#waitingTasks--;
      });
  }

  /** Takes the layers of the log's state; sends on when the client is that far. */
  #bind(): void {
    if (this.#binding || this.#closed) return;
    this.#binding = true;
    this.#then(async () => {
      this.#binding = false;
      const { log } = this.#options.space;
      const { state } = log.snapshot();
      const shown = new Set(shownLayers(state).map(({ layer }) => layer));
      // And those of which the client holds something: their bytes may be those of a layer that is shown.
      const held = this.#have.map(({ layer }) => layer).filter((layer) => state.layers[layer] && !shown.has(layer));
      const snapshot = this.#snapshot;
      this.#snapshot = undefined;
      this.#generation = state.generation;
      this.#boundSeq = Number.POSITIVE_INFINITY;
      for (const layer of [...shown, ...new Set(held)]) {
        if (this.#closed) return;
        await this.#bindLayer(layer, snapshot).catch((error: unknown) => {
          // The others go on; this one the client asks for by name, and is told why not.
          if (!(error instanceof CairnError && error.code === "layer.missing")) this.#options.onError(error);
        });
      }
      this.#have = [];
      this.#leaveAllBut(shown);
      this.#boundSeq = log.head;
      this.#lookAgain();
    });
  }

  async #bindLayer(layer: number, snapshot: SpaceState | undefined): Promise<void> {
    const { space, tables, after } = this.#options;
    const before = this.#sendings.get(layer);
    const now = space.log.snapshot().state.layers[layer];
    // A snapshot with the index that is being sent from tells of nothing that must go again.
    const other = snapshot !== undefined && snapshot.layers[layer]?.index?.index !== before?.live.index?.index;
    if (before && !other && before.live.next >= (now?.index?.packs ?? 0)) {
      for (const pack of [...(now?.packs ?? [])]) {
        if (pack.pack >= before.live.next) await before.live.offer(pack);
        before.known = Math.max(before.known, pack.pack + 1);
      }
      return;
    }
    const { live, state } = await tables.open(space, layer);
    const have = this.#have.filter((each) => each.layer === layer);
    const told = this.#told.get(layer);
    const known = packsOf(state);
    // Who came back with points of this layer has read its tree as far as it had heard of it.
    const knows = after !== undefined && !snapshot && have.length > 0;
    const firstHead = knows ? Math.max(told?.pack ?? known, live.firstPack) : live.firstPack;
    const sending: Sending = {
      layer,
      live,
      counts: new PartCounts(),
      sent: 0,
      known,
      indexBytes: knows && !told?.index ? Number.POSITIVE_INFINITY : 0,
      firstHead,
      nextHead: firstHead,
      shown: false,
    };
    for (const { nodes } of have) for (const { points, ...id } of nodes) hold(sending, nodeKey(id), points);
    if (before) {
      before.shown = false;
      for (const { key } of live.table.list) hold(sending, key, sentPoints(before, key));
    }
    this.#sendings.delete(layer);
    this.#sendings.set(layer, sending);
  }

  #leaveAllBut(shown: ReadonlySet<number>): void {
    for (const sending of this.#sendings.values()) sending.shown = shown.has(sending.layer);
    const hidden = [...this.#sendings.values()].filter((each) => !each.shown);
    for (const { layer } of hidden.slice(0, Math.max(0, hidden.length - REMEMBERED))) this.#sendings.delete(layer);
  }

  /** Runs for every client and every pack: one promise, shared, and what follows from it. */
  #packCame(pack: EventData<"segments.added">): void {
    const sending = this.#sendings.get(pack.layer);
    if (!sending?.shown) return;
    if (pack.pack < sending.known) {
      // Known from the state that its layers are of, and only now heard of. What is in the index needs no head.
      if (pack.pack >= sending.live.firstPack && pack.pack < sending.firstHead) {
        sending.firstHead = pack.pack;
        sending.nextHead = pack.pack;
      }
      return;
    }
    sending.live.offer(pack).then((touched) => {
      if (this.#closed || pack.pack < sending.known) return;
      if (this.#sendings.get(pack.layer) !== sending) return this.#packCame(pack);
      sending.known = pack.pack + 1;
      this.#freshen(sending, pack.pack, touched);
      this.#wake();
    }, this.#options.onError);
  }

  /** What a pack brought and the client sees goes next, where it has what came before. */
  #freshen(sending: Sending, pack: number, touched: readonly TableNode[] | undefined): void {
    const view = this.#viewOf(sending.layer);
    for (const node of touched ?? []) {
      const index = node.parts.length - 1;
      const px = spacingPx(node, view);
      const upToDate = sending.live.packOf(node.parts[index]!) === pack && this.#reaches(sending, node, index);
      if (px >= this.#cutPx && upToDate && this.#fresh.length < LOOK_AHEAD) this.#fresh.push({ sending, node, index });
      else if (px >= FINE_PX && (!upToDate || px >= this.#cutPx)) this.#stale = true;
    }
    if (!touched) this.#stale = true;
  }

  /** Who follows live need not act; but who has all that was compacted may share the newest table. */
  async #indexCame(layer: number, index: Digest): Promise<void> {
    const sending = this.#sendings.get(layer);
    if (!sending?.shown) return;
    if (sending.live.index?.index === index) {
      // Known from the state that its layers are of, and only now heard of.
      if (sending.indexBytes === Number.POSITIVE_INFINITY) sending.indexBytes = 0;
      return;
    }
    if (!hasAll(sending)) return;
    const { space, tables } = this.#options;
    const { live } = await tables.open(space, layer);
    // More came meanwhile: next time.
    if (this.#sendings.get(layer) !== sending || !hasAll(sending)) return;
    if (live.next !== sending.known || live.table.packs !== sending.known) return;
    sending.shown = false;
    const next = { ...sending, live, counts: live.all(), sent: live.parts, shown: true };
    // It may be that of a later compaction, which this client will hear of, and then has.
    this.#sendings.set(layer, { ...next, indexBytes: live.index?.sizeBytes ?? 0 });
    this.#fresh = [];
    this.#ahead = [];
  }

  /** The client has all parts before this one, or they go before it. */
  #reaches(sending: Sending, node: TableNode, index: number): boolean {
    if (sending.counts.get(node.ordinal) === index) return true;
    return this.#fresh.some((each) => each.node === node && each.sending === sending && each.index === index - 1);
  }

  #viewOf(layer: number, state = this.#options.space.log.snapshot().state): LayerView | undefined {
    const camera = this.#view?.camera;
    return camera && layerView(camera, state.layers[layer]);
  }

  /** Chooses anew when it is this client's turn; what was chosen goes on meanwhile. */
  #lookAgain(): void {
    this.#stale = true;
    this.#ahead.length = Math.min(this.#ahead.length, LOOK_AHEAD / 8);
    this.#look();
    this.#wake();
  }

  #look(): void {
    if (this.#looking || this.#closed) return;
    this.#looking = true;
    this.#options.turns.take(() => {
      this.#looking = false;
      if (this.#closed || !this.#view) return;
      this.#choose();
      this.#wake();
    });
  }

  /** The next parts of the backlog, best first over all layers, as far as the client's points go. */
  #choose(): void {
    const budget = this.#view?.points ?? Number.POSITIVE_INFINITY;
    const lanes = [...this.#sendings.values()]
      .filter(({ shown }) => shown)
      .map((sending) => {
        const nodes = nodesToShow(sending.live.table, this.#viewOf(sending.layer));
        return { sending, nodes, next: nodes.next() };
      });
    this.#ahead = [];
    this.#stale = false;
    let points = 0;
    for (;;) {
      let best: (typeof lanes)[number] | undefined;
      for (const lane of lanes) if (!lane.next.done && !(best && pxOf(best) >= pxOf(lane))) best = lane;
      if (!best || best.next.done) break;
      const { node, px } = best.next.value;
      const { sending, nodes } = best;
      points += node.points;
      if (points > budget && points > node.points) {
        this.#cutPx = px;
        return;
      }
      for (let index = sending.counts.get(node.ordinal); index < node.parts.length; index++) {
        if (sending.live.packOf(node.parts[index]!) >= sending.known) break;
        this.#ahead.push({ sending, node, index });
        if (this.#ahead.length < LOOK_AHEAD) continue;
        this.#stale = true;
        this.#cutPx = px;
        return;
      }
      best.next = nodes.next();
    }
    this.#cutPx = FINE_PX;
  }

  /**
   * What goes next, when its bytes are at hand; else the outbox is woken when they are. Called when the socket has room
   * and nothing else waits.
   */
  next(): Message | undefined {
    if (this.#closed || this.#loading || this.#creditBytes <= 0 || this.#position < this.#boundSeq) return undefined;
    if (this.#obsolete()) {
      this.#loaded = undefined;
      this.#bind();
      return undefined;
    }
    const loaded = this.#loaded;
    this.#loaded = undefined;
    if (loaded) return this.#went(loaded.piece, loaded.message);
    const piece = this.#choosePiece();
    if (!piece) return undefined;
    const key = rangeKey(piece);
    const message = this.#options.shared.peek(key);
    if (message) return this.#went(piece, message);
    this.#load(key, piece);
    return undefined;
  }

  #load(key: string, piece: Piece): void {
    const { shared, outbox } = this.#options;
    const make = async () => binaryMessage(encodeRangeFrame(piece.blob, piece.start, await this.#read(piece)));
    this.#loading = true;
    const done = (message: Message | undefined) => {
      this.#loading = false;
      if (message) this.#loaded = { piece, message };
      // Gone or damaged: asking for it by name gets the client the reason.
      else this.#mark(piece);
      outbox.wake();
    };
    shared.load(key, make).then(done, () => done(undefined));
  }

  #read({ sending, blob, start, end, wanted }: Piece): Promise<Uint8Array> {
    const { layers, blobs, space } = this.#options;
    const part = wanted?.node.parts[wanted.index];
    return part ? layers.parts.read(space, sending.layer, part) : blobs.range(blob, start, end);
  }

  #went(piece: Piece, message: Message): Message {
    this.#creditBytes -= piece.end - piece.start;
    this.#mark(piece);
    return message;
  }

  #mark({ sending, blob, end, wanted }: Piece): void {
    if (wanted) sent(sending, wanted.node, wanted.index + 1);
    else if (blob === sending.live.index?.index) sending.indexBytes = end;
    else sending.nextHead++;
  }

  #wake(): void {
    this.#options.outbox.wake();
  }

  /** Another generation was published, which the client will hear of: what is chosen is not shown any more. */
  #obsolete(): boolean {
    return this.#options.space.log.snapshot().state.generation !== this.#generation;
  }

  #choosePiece(): Piece | undefined {
    for (const sending of this.#sendings.values()) {
      const piece = sending.shown ? treePiece(sending) : undefined;
      if (piece) return piece;
    }
    for (;;) {
      const wanted = this.#fresh.shift() ?? this.#ahead.shift();
      if (!wanted) {
        if (this.#stale) this.#look();
        if (this.#ahead.length === 0) return undefined;
        continue;
      }
      const { sending, node, index } = wanted;
      if (!sending.shown || sending.counts.get(node.ordinal) !== index) continue;
      const { blob, start, end, hash } = node.parts[index]!;
      if (!this.#sentElsewhere(sending, hash)) return { sending, blob, start, end, wanted };
      sent(sending, node, index + 1);
    }
  }

  /** The same bytes went for another layer, as when a rebuild left a place as it was. */
  #sentElsewhere(than: Sending, hash: string): boolean {
    if (this.#sendings.size === 1) return false;
    for (const sending of this.#sendings.values()) {
      const found = sending === than ? undefined : sending.live.find(hash);
      if (found && sending.counts.get(found.ordinal) > found.index) return true;
    }
    return false;
  }
}

/** Whether a client that is sent points must look at an event: what `SegmentPush.delivered` acts on. */
export function bearsOnPoints({ type }: CairnEvent): boolean {
  return type === "segments.added" || type.startsWith("layer.") || type === "generation.published";
}

/** Under which a range is shared. */
export function rangeKey({ blob, start, end }: { blob: Digest; start: number; end: number }): string {
  return `${blob}/${start}-${end}`;
}

/** What the client must read to know what there is: first the index, then the heads of the packs after it. */
function treePiece(sending: Sending): Piece | undefined {
  const { live, indexBytes, nextHead } = sending;
  const { index } = live;
  if (index && indexBytes < index.sizeBytes) {
    const end = Math.min(index.sizeBytes, indexBytes + PIECE_BYTES);
    return { sending, blob: index.index, start: indexBytes, end, wanted: undefined };
  }
  const head = nextHead < sending.known ? live.head(nextHead) : undefined;
  return head && { sending, blob: head.blob, start: 0, end: head.headBytes, wanted: undefined };
}

function sent(sending: Sending, { ordinal }: TableNode, count: number): void {
  sending.sent += count - sending.counts.get(ordinal);
  sending.counts.set(ordinal, count);
}

function hasAll({ live, known, sent: parts }: Sending): boolean {
  return known === live.next && parts === live.parts;
}

function pxOf({ next }: { next: IteratorResult<{ px: number }> }): number {
  return next.done ? Number.NEGATIVE_INFINITY : next.value.px;
}

/** The client holds so many points of a node: parts that lie within them do not go again. */
function hold(sending: Sending, key: string, points: number): void {
  const node = sending.live.table.nodes.get(key);
  if (!node) return;
  let count = 0;
  let held = 0;
  for (const part of node.parts) {
    held += part.points;
    if (held > points) break;
    count++;
  }
  if (count > sending.counts.get(node.ordinal)) sent(sending, node, count);
}

function sentPoints({ live, counts }: Sending, key: string): number {
  const node = live.table.nodes.get(key);
  let points = 0;
  for (let i = node ? counts.get(node.ordinal) : 0; i-- > 0; ) points += node?.parts[i]?.points ?? 0;
  return points;
}

/** Packs that a state of a layer knows of. */
function packsOf({ index, packs }: LayerState): number {
  return Math.max(index?.packs ?? 0, (packs.at(-1)?.pack ?? -1) + 1);
}
