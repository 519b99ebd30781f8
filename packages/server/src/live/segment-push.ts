/**
 * Points pushed to one client, within the credit it gave, as ranges of blobs; what it does not get this way it asks for by
 * name. Which layers it is sent, what of the tree, and when bytes may go is decided here; `next-parts.ts` says what goes
 * next, `sending.ts` what went. Rules: LIVE-7, LIVE-15 to LIVE-19.
 */
import { nodeKey } from "@cairn/cloud";
import type { BlobStore, CursorItem, Layers, Space } from "@cairn/core";
import {
  CairnError,
  type CairnEvent,
  type Digest,
  type EventData,
  encodeRangeFrame,
  type HaveFrame,
  type Seq,
  type SpaceState,
  shownLayers,
  type View,
} from "@cairn/protocol";
import type { Together, Turn } from "./broadcast.ts";
import { binaryMessage, type Message } from "./frames.ts";
import type { FreshBytes, FreshPack } from "./fresh-pack.ts";
import type { LiveTables } from "./live-tables.ts";
import { NextParts } from "./next-parts.ts";
import type { Outbox } from "./outbox.ts";
import { PartCounts } from "./part-counts.ts";
import {
  hasAll,
  hold,
  markPack,
  markPiece,
  newSending,
  type Piece,
  packsOf,
  type Sending,
  sentPoints,
  treePiece,
} from "./sending.ts";
import type { SharedMessages } from "./shared-messages.ts";
import type { Step } from "./step.ts";
import type { Turns } from "./turns.ts";

/** Have frames of one client, bytes: 250,000 nodes. */
const HAVE_BYTES = 4 * 2 ** 20;
/** Packs that are noted for those in step only: bringing a client's books up to date goes through them. */
const STEPS = 64;
/** Layers no longer shown of which it is still known what the client was sent: their parts may come again. */
const REMEMBERED = 2;

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
  // First what is looked at for each pack, so that it lies together in memory.
  #creditBytes: number;
  /** The step it is in, while it has all and hears with others what comes next; what it was sent since #since is noted there. */
  #step: Step | undefined;
  /** So many packs more before its own books are brought up to date. */
  #stepsLeft = 0;
  /** It looks from somewhere, and may not see all. */
  #looks = false;
  /** The state the client has: seq of the last event it was sent. */
  #position: Seq;
  #since: Step | undefined;
  readonly #options: SegmentPushOptions;
  #have: HaveFrame[] = [];
  #haveBytes = 0;
  /** Layers are those of the state at `#boundSeq`; nothing goes before the client is there. */
  #boundSeq: Seq = Number.POSITIVE_INFINITY;
  #generation = 0;
  readonly #sendings = new Map<number, Sending>();
  readonly #next: NextParts;
  /** Of layers that changed while the client was away: the first pack it was told of, and whether it was told an index. */
  readonly #told = new Map<number, { pack: number | undefined; index: boolean }>();
  /** Layers that were compacted while the client lacked some of them: it takes the newest table when it has all. */
  readonly #outgrown = new Set<number>();
  #tasks: Promise<void> = Promise.resolve();
  #waitingTasks = 0;
  #binding = false;
  /** What the client begins anew with. */
  #snapshot: SpaceState | undefined;
  /** Read and ready. */
  #loaded: { piece: Piece; message: Message } | undefined;
  #loading = false;
  #closed = false;

  constructor(options: SegmentPushOptions) {
    this.#options = options;
    this.#creditBytes = Math.min(options.creditBytes, options.mostBytes);
    this.#position = options.after ?? -1;
    const { space, turns } = options;
    this.#next = new NextParts({ space, turns, sendings: this.#sendings, onMore: () => this.#wake() });
  }

  /** Before the first view. @throws {CairnError} `request.invalid` */
  have(frame: HaveFrame, sizeBytes: number): void {
    this.#haveBytes += sizeBytes;
    if (this.#next.view || this.#haveBytes > HAVE_BYTES) {
      throw new CairnError("request.invalid", {
        field: "frame",
        problem: this.#next.view ? "after the view" : "too many",
      });
    }
    this.#have.push(frame);
  }

  view(view: View): void {
    this.#settle();
    const first = this.#next.view === undefined;
    this.#next.view = view;
    if (first) this.#bind();
    else this.#next.lookAgain();
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
    this.#settle();
    if (item.kind === "snapshot") {
      this.#position = position;
      if (this.#next.view) {
        this.#snapshot = item.state;
        this.#bind();
      }
      return;
    }
    for (const event of item.events) {
      switch (event.type) {
        case "segments.added": {
          const { data } = event;
          if (!this.#next.view) this.#tell(data.layer, data.pack);
          else if (this.#waitingTasks > 0) this.#then(async () => this.#packCame(data));
          else this.#packCame(data);
          break;
        }
        case "layer.compacted": {
          const { layer, index } = event.data;
          if (this.#next.view) this.#then(async () => this.#indexCame(layer, index));
          else this.#tell(layer, undefined);
          break;
        }
        case "generation.published":
        case "layer.started":
        case "layer.removed":
          if (this.#next.view) this.#bind();
          break;
        case "layer.moved":
          this.#next.lookAgain();
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
    this.#settle();
    const sending = this.#sendings.get(pack.layer);
    if (!sending?.shown || sending.live !== pack.live || sending.known !== pack.pack) return undefined;
    if (sending.nextHead !== pack.pack || treePiece(sending) || this.#waitingTasks > 0) return undefined;
    if (this.#loading || this.#loaded || this.#next.hasFresh || this.#creditBytes <= 0) return undefined;
    if (this.#closed || this.#position < this.#boundSeq) return undefined;
    if (state.generation !== this.#generation) return undefined;
    return this.#next.unseen(sending, pack, this.#creditBytes, state);
  }

  /** The client was sent what a turn brought, with these bytes of its pack. */
  deliveredWith({ layer, pack, parts: all }: FreshPack, { parts, sizeBytes }: FreshBytes, turn: Turn): void {
    const sending = this.#sendings.get(layer)!;
    this.#position = turn.last;
    this.#creditBytes -= sizeBytes;
    markPack(sending, pack, parts);
    if (parts.length < all.length || this.#sendings.size > 1 || this.#next.looking || !hasAll(sending)) return;
    const { together } = turn;
    if (!together) return;
    // Nothing is left to be sent: in step from here on.
    this.#since = together.next;
    this.#step = together.next;
    this.#stepsLeft = STEPS;
    this.#looks = this.#next.view?.camera !== undefined;
  }

  /** What a turn brought to all in step, when the client is, sees all of the pack and has the credit for it. */
  together(turn: Turn): Together | undefined {
    if (!this.#step || this.#step !== turn.step || this.#stepsLeft <= 0) return undefined;
    const { together, state } = turn;
    if (!together || this.#creditBytes < together.sizeBytes) return undefined;
    return this.#looks && !this.#next.sees(together.pack, state) ? undefined : together;
  }

  /** It was sent the same as the others in step. */
  deliveredTogether({ next, sizeBytes }: Together, position: Seq): void {
    this.#creditBytes -= sizeBytes;
    this.#step = next;
    this.#stepsLeft--;
    this.#position = position;
  }

  close(): void {
    this.#closed = true;
    this.#step = undefined;
    this.#since = undefined;
    this.#sendings.clear();
    this.#next.close();
    this.#have = [];
  }

  /** Out of step: what it was sent together with others goes into its own books. */
  #settle(): void {
    const step = this.#step;
    if (!step) return;
    this.#step = undefined;
    for (let at = this.#since; at && at !== step; at = at.next) {
      markPack(this.#sendings.get(at.layer)!, at.pack, at.parts);
    }
    this.#since = undefined;
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
      this.#next.lookAgain();
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
    const sending = newSending({
      layer,
      live,
      counts: new PartCounts(),
      sent: 0,
      known,
      indexBytes: knows && !told?.index ? Number.POSITIVE_INFINITY : 0,
      firstHead,
      nextHead: firstHead,
      shown: false,
    });
    for (const { nodes } of have) for (const { points, ...id } of nodes) hold(sending, nodeKey(id), points);
    if (before) {
      before.shown = false;
      for (const { key } of live.table.list) hold(sending, key, sentPoints(before, key));
    }
    this.#sendings.delete(layer);
    this.#sendings.set(layer, sending);
    this.#outgrown.delete(layer);
  }

  #leaveAllBut(shown: ReadonlySet<number>): void {
    for (const sending of this.#sendings.values()) sending.shown = shown.has(sending.layer);
    const hidden = [...this.#sendings.values()].filter((each) => !each.shown);
    for (const { layer } of hidden.slice(0, Math.max(0, hidden.length - REMEMBERED))) {
      this.#sendings.delete(layer);
      this.#outgrown.delete(layer);
    }
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
      this.#next.freshen(sending, pack.pack, touched);
      this.#wake();
    }, this.#options.onError);
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
    this.#outgrown.add(layer);
    await this.#takeNewest(layer);
  }

  /** Who has all by now shares the newest table with the others, and goes in step with them. */
  #joinNewest(): void {
    for (const layer of this.#outgrown) {
      const sending = this.#sendings.get(layer);
      if (sending && hasAll(sending)) this.#then(() => this.#takeNewest(layer));
    }
  }

  /** Unless it lacks something, or more comes meanwhile. */
  async #takeNewest(layer: number): Promise<void> {
    const sending = this.#sendings.get(layer);
    if (!sending?.shown || !hasAll(sending)) return;
    const { space, tables } = this.#options;
    this.#outgrown.delete(layer); // one that cannot be opened is said once, not asked for again and again
    const { live } = await tables.open(space, layer);
    if (this.#sendings.get(layer) !== sending) return;
    if (!hasAll(sending) || live.next !== sending.known || live.table.packs !== sending.known) {
      this.#outgrown.add(layer); // more came meanwhile: when it has that, too
      return;
    }
    sending.shown = false;
    // It may be that of a later compaction, which this client will hear of, and then has.
    const indexBytes = live.index?.sizeBytes ?? 0;
    const next = { ...sending, live, counts: live.all(), sent: live.parts, indexBytes, shown: true };
    this.#sendings.set(layer, newSending(next));
    this.#next.forget();
  }

  /**
   * What goes next, when its bytes are at hand; else the outbox is woken when they are. Called when the socket has room
   * and nothing else waits.
   */
  next(): Message | undefined {
    // In step it has all. Asked whenever the kernel took a large write: that alone must not take a client out of step.
    if (this.#step) return undefined;
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
    if (!piece) {
      if (this.#waitingTasks === 0) this.#joinNewest();
      return undefined;
    }
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
      else markPiece(piece);
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
    markPiece(piece);
    return message;
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
    return this.#next.take();
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
