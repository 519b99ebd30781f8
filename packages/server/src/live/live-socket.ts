/** One live socket from its hello to its end. Rules: docs/spec/live.md. */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { Budget, type CursorItem, runCursor, type Signal, type Space, supersededKey } from "@cairn/core";
import {
  CairnError,
  CLOSE,
  ClientMessage,
  check,
  decodeHaveFrame,
  decodeImageFrame,
  ImageHead,
  LIVE_VERSION,
  PRESENCE,
  type Seq,
  type ServerMessage,
} from "@cairn/protocol";
import type { WebSocket } from "ws";
import type { Role } from "../http/access.ts";
import { parseObject } from "../http/json-body.ts";
import type { Answers } from "./answers.ts";
import { BATCH, type Broadcast, type Broadcasts, type Listener, type Turn } from "./broadcast.ts";
import type { LiveContext, LiveLimits } from "./live-context.ts";
import { isStop, LiveControl } from "./live-control.ts";
import type { LiveTables } from "./live-tables.ts";
import { Outbox } from "./outbox.ts";
import type { PresenceRooms } from "./presence.ts";
import { canResume } from "./resume.ts";
import { SegmentPush } from "./segment-push.ts";
import { encode, placeOf, type SharedMessages } from "./shared-messages.ts";
import type { Turns } from "./turns.ts";

/** What all live sockets of one server have in common. */
export type LiveHouse = {
  context: LiveContext;
  limits: LiveLimits;
  shared: SharedMessages;
  answers: Answers;
  presence: PresenceRooms;
  tables: LiveTables;
  turns: Turns;
  broadcasts: Broadcasts;
  /** Bytes of photos in hand over all sockets. */
  imageBytes: number;
  /** Frames handed to sockets that the metrics have not been told of: together, not socket by socket. */
  framesOut: number;
  /** Sockets that this side closed, by code. */
  closes: Map<number, number>;
};

type Hello = Extract<ClientMessage, { type: "hello" }>;

const TYPES = new Set(ClientMessage.anyOf.map(({ properties }) => String(properties.type.const)));
/** First byte of a frame that says what a client holds. */
const HAVE = 4;
/** A close frame behind unread data gets this long before the socket is cut. */
const LINGER_MS = 5_000;
/** The last event of a closed space gets this long to be read. */
const CLOSED_MS = 1_000;

export class LiveSocket implements Listener {
  readonly outbox: Outbox;
  readonly #house: LiveHouse;
  readonly #ws: WebSocket;
  readonly #tcp: Socket;
  readonly #space: Space;
  readonly #may: (role: Role) => boolean;
  readonly #peer = randomUUID();
  readonly #ended = new AbortController();
  readonly #budget: Budget;
  readonly #broadcast: Broadcast;
  #hello: Hello | undefined;
  #client: string;
  #push: SegmentPush | undefined;
  readonly #control: LiveControl;
  /** Seq of the last event that was handed out. */
  #position = 0;
  #imagesInHand = 0;
  #talliedFrames = 0;
  #toldRateMs = Number.NEGATIVE_INFINITY;
  #readBytes = 0;
  #seenMs = performance.now();
  #movedMs = performance.now();
  readonly #leave: (() => void)[] = [];

  /** @param may what who is at the other end may do here */
  constructor(house: LiveHouse, ws: WebSocket, socket: Socket, space: Space, may: (role: Role) => boolean) {
    this.#house = house;
    this.#ws = ws;
    this.#tcp = socket;
    this.#space = space;
    this.#may = may;
    this.#client = `${space.id}/${this.#peer}`;
    this.#broadcast = house.broadcasts.of(space);
    this.#control = new LiveControl({
      control: house.context.core.control.of(space),
      epoch: space.log.epoch,
      nowNs: () => house.context.core.clock.nowNs(),
      may,
      send: (message) => this.outbox.reply(encode(message)),
      once: (id, request, work) => this.#answer(id, request, work),
    });
    this.#budget = new Budget(house.limits.messagesPerS, house.limits.messageBurst);
    this.outbox = new Outbox(socket, house.limits, () => this.close(CLOSE.tooSlow, "client too slow"));
    const helloTimer = setTimeout(() => {
      if (!this.#hello) this.close(CLOSE.helloExpected, "hello expected");
    }, house.limits.helloMs);
    this.#leave.push(() => clearTimeout(helloTimer));
    ws.on("message", (data: Buffer, binary: boolean) => void this.#take(data, binary));
    ws.on("close", () => this.#end());
    // `ws` closes with the right code by itself (1002, 1007, 1009); there is nothing to add.
    ws.on("error", () => {});
    const onSpaceEnd = () => this.#spaceEnded();
    space.signal.addEventListener("abort", onSpaceEnd, { once: true });
    this.#leave.push(() => space.signal.removeEventListener("abort", onSpaceEnd));
    if (space.signal.aborted) onSpaceEnd();
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Called now and then: closes a socket that is dead or too slow. */
  look(nowMs: number): void {
    this.#tally();
    const { deadMs, slowMs } = this.#house.limits;
    const { bytesRead } = this.#tcp;
    if (this.outbox.progressed() || !this.outbox.waiting) this.#movedMs = nowMs;
    // A pong waits behind a message that takes minutes to arrive: any bytes are a sign of life.
    if (bytesRead > this.#readBytes) this.#seenMs = nowMs;
    this.#readBytes = bytesRead;
    if (nowMs - this.#movedMs >= slowMs) this.close(CLOSE.tooSlow, "client too slow");
    else if (nowMs - this.#seenMs >= deadMs) this.close(CLOSE.keepalive, "keepalive timeout");
  }

  close(code: number, reason: string): void {
    this.#end();
    if (this.#ws.readyState >= this.#ws.CLOSING) return;
    this.#house.closes.set(code, (this.#house.closes.get(code) ?? 0) + 1);
    this.#ws.close(code, reason);
    const linger = setTimeout(() => this.#ws.terminate(), LINGER_MS);
    this.#ws.once("close", () => clearTimeout(linger));
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #tally(): void {
    const { frames } = this.outbox;
    this.#house.framesOut += frames - this.#talliedFrames;
    this.#talliedFrames = frames;
  }

  #end(): void {
    if (this.#ended.signal.aborted) return;
    this.#tally();
    this.#ended.abort();
    for (const leave of this.#leave) leave();
    this.#broadcast.leave(this);
    this.#push?.close();
    this.#control.close();
    this.outbox.close();
    if (this.#hello?.client === undefined) this.#house.answers.forgetClient(this.#client);
  }

  #spaceEnded(): void {
    const { reason } = this.#space.signal;
    if (!(reason instanceof CairnError && reason.code === "space.closed")) {
      this.close(CLOSE.stopping, "server shutting down");
      return;
    }
    // The event that says so is on its way and closes the socket behind it; a slow reader is not waited for.
    const last = setTimeout(() => this.close(CLOSE.normal, "space closed"), CLOSED_MS);
    this.#leave.push(() => clearTimeout(last));
  }

  /** One message; whatever goes wrong with it is answered and ends nothing else. */
  async #take(data: Buffer, binary: boolean): Promise<void> {
    const nowMs = performance.now();
    // Whatever else its sender floods the door with, a stop is heard.
    if (!this.#budget.take() && !isStop(data)) {
      if (nowMs - this.#toldRateMs >= 1000) {
        this.#toldRateMs = nowMs;
        this.#refuse(new CairnError("request.rate_limited"), undefined, "Rate limit exceeded");
      }
      return;
    }
    let id: string | undefined;
    try {
      if (binary) {
        if (!this.#hello) throw new CairnError("live.hello_expected");
        if (data[0] === HAVE) {
          this.#push?.have(decodeHaveFrame(data), data.length);
          return;
        }
        const { head, bytes } = decodeImageFrame(data);
        if (head !== null && typeof head === "object" && "id" in head) id = String(head.id).slice(0, 64);
        await this.#image(check(ImageHead, head), bytes);
        return;
      }
      const { textBytes, jsonDepth } = this.#house.limits;
      const value = parseObject(data, textBytes, jsonDepth);
      if (typeof value.id === "string") id = value.id.slice(0, 64);
      const type = typeof value.type === "string" ? value.type.slice(0, 64) : "null";
      if (!TYPES.has(type)) {
        this.#refuse(new CairnError("live.unknown_type", { type }), id, `Unknown message type: ${type}`);
        return;
      }
      if (!this.#hello && type !== "hello" && type !== "ping") throw new CairnError("live.hello_expected");
      await this.#message(
        this.#control.judged(value, () => check(ClientMessage, value)),
        data,
      );
    } catch (error) {
      this.#refuse(error, id);
    }
  }

  async #message(message: ClientMessage, data: Buffer): Promise<void> {
    switch (message.type) {
      case "hello":
        this.#greet(message);
        return;
      case "ping":
        this.outbox.reply(encode({ type: "pong" }));
        return;
      case "credit":
        this.#push?.credit(message.bytes);
        return;
      case "view":
        this.#push?.view(message);
        return;
      case "signal":
        if (message.channel === PRESENCE) throw new CairnError("request.invalid", { field: "/channel" });
        this.#space.channels.publish({ channel: message.channel, from: this.#peer, data: message.data });
        return;
      case "operation.start":
        this.#needs("operate");
        return this.#answer(message.id, data.toString(), async () => ({
          operation: await this.#house.context.startOperation(this.#space, message.kind),
        }));
      case "operation.cancel":
        this.#needs("operate");
        return this.#answer(message.id, data.toString(), async () => {
          await this.#space.operations.cancel(message.operation);
          return { operation: message.operation };
        });
      default:
        return this.#control.take(message, data.toString());
    }
  }

  #needs(role: Role): void {
    if (!this.#may(role)) throw new CairnError("auth.forbidden");
  }

  #greet(hello: Hello): void {
    if (this.#hello) throw new CairnError("request.invalid", { field: "/type", problem: "hello was said" });
    if (this.#ended.signal.aborted) return;
    if (hello.version !== LIVE_VERSION) {
      this.#refuse(new CairnError("live.version", { version: hello.version }), undefined);
      setImmediate(() => this.close(CLOSE.version, "unsupported version"));
      return;
    }
    const { context, limits, shared, presence, tables, turns } = this.#house;
    const { log, channels } = this.#space;
    this.#hello = hello;
    if (hello.client !== undefined) this.#client = `${this.#space.id}/client/${hello.client}`;
    const pushBytes = hello.credit ? limits.pushBytes : 0;
    const recovered = canResume(log, hello.after, hello.epoch);
    this.outbox.reply(
      encode({
        type: "welcome",
        version: LIVE_VERSION,
        space: this.#space.id,
        epoch: log.epoch,
        seq: log.head,
        recovered,
        pushBytes,
        peer: this.#peer,
      }),
    );
    if (pushBytes > 0) {
      const push = new SegmentPush({
        space: this.#space,
        blobs: context.core.blobs,
        layers: context.core.layers,
        tables,
        turns,
        outbox: this.outbox,
        shared,
        creditBytes: hello.credit ?? 0,
        mostBytes: pushBytes,
        after: recovered ? hello.after : undefined,
        onError: (error) => context.log.error({ space: this.#space.id, cause: error }, "points are not pushed"),
      });
      this.#push = push;
      this.outbox.source = () => push.next();
    }
    const wanted = (hello.channels ?? []).filter((channel) => channel !== PRESENCE);
    const onSignal = (signal: Signal) => {
      if (signal.from !== this.#peer) this.outbox.signal(shared.signal(signal));
    };
    if (wanted.length > 0) this.#leave.push(channels.subscribe(wanted, onSignal));
    const onPresence = hello.channels?.includes(PRESENCE)
      ? (message: readonly Buffer[]) => this.outbox.news(PRESENCE, message)
      : undefined;
    this.#leave.push(presence.join(this.#space.id, this.#peer, hello.name ?? "", onPresence));
    this.#position = hello.after ?? 0;
    if (!recovered) void this.#follow(undefined);
    else if (!this.#broadcast.join(this)) void this.#follow(this.#position);
  }

  get position(): Seq {
    return this.#position;
  }

  get watching(): boolean {
    return this.#push !== undefined;
  }

  /** It has heard all and hears what comes with the others. */
  get listening(): boolean {
    return this.#broadcast.has(this);
  }

  hear(turn: Turn): boolean {
    const { pack, writes } = turn;
    const push = this.#push;
    const together = push?.together(turn);
    if (together && this.outbox.broadcast(together.bytes, false, writes)) {
      this.#position = turn.last;
      push?.deliveredTogether(together, turn.last);
      return true;
    }
    const unseen = pack && push?.unseen(pack, turn.state);
    const own = unseen === undefined ? undefined : turn.withBytes(unseen);
    if (pack && own && this.outbox.broadcast(own.bytes, false, writes)) {
      this.#position = turn.last;
      push?.deliveredWith(pack, own, turn);
      return true;
    }
    if (!this.outbox.broadcast(turn.facts, true, writes)) return false;
    this.#position = turn.last;
    if (turn.aboutPoints) this.#push?.delivered(turn.item, turn.last);
    else this.#push?.passed(turn.last);
    if (turn.closes) {
      writes.flush(); // the event that says so goes before the close frame
      this.close(CLOSE.normal, "space closed");
    }
    return true;
  }

  /** It has all up to here, and left the broadcast. */
  catchUp(): void {
    void this.#follow(this.#position);
  }

  async #follow(after: number | undefined): Promise<void> {
    try {
      await runCursor({
        log: this.#space.log,
        signal: this.#ended.signal,
        batch: BATCH,
        conflateKey: supersededKey,
        deliver: (item) => this.#deliver(item),
        caughtUp: () => this.#broadcast.join(this),
        ...(after === undefined ? {} : { after, epoch: this.#space.log.epoch }),
      });
    } catch (error) {
      if (this.#ended.signal.aborted) return;
      this.#refuse(error, undefined);
      setImmediate(() => this.close(CLOSE.keepalive, "internal error"));
    }
  }

  async #deliver(item: CursorItem): Promise<void> {
    const { shared } = this.#house;
    const place = placeOf(this.#space);
    if (item.kind === "events") {
      await this.outbox.facts(shared.events(place, this.#position, item.events));
      this.#delivered(item, item.events.at(-1)?.seq ?? this.#position);
      return;
    }
    const { epoch, seq, state } = item;
    const message = shared.get(`${place}/snapshot/${seq}`, () => encode({ type: "snapshot", epoch, seq, state }));
    await this.outbox.facts(message);
    this.#delivered(item, seq);
  }

  #delivered(item: CursorItem, position: Seq): void {
    this.#position = position;
    this.#push?.delivered(item, position);
    if (item.kind === "events" && item.events.some(({ type }) => type === "space.closed")) {
      this.close(CLOSE.normal, "space closed");
    }
  }

  async #image({ id, ...photo }: ImageHead, bytes: Uint8Array): Promise<void> {
    this.#needs("contribute");
    const house = this.#house;
    const { limits, context } = house;
    if (this.#imagesInHand >= limits.imagesInHand || house.imageBytes + bytes.length > limits.imageBytesInHand) {
      throw new CairnError("upload.too_many", { inHand: this.#imagesInHand });
    }
    this.#imagesInHand++;
    house.imageBytes += bytes.length;
    try {
      await this.#answer(id, JSON.stringify(photo), () =>
        // A photo that has arrived is kept, also when its sender has gone: it will ask again under the same key.
        context.ingest(this.#space, photo, bytes, this.#space.signal),
      );
    } finally {
      this.#imagesInHand--;
      house.imageBytes -= bytes.length;
    }
  }

  async #answer(
    id: string,
    request: string,
    work: () => Promise<Record<string, string | number | boolean>>,
  ): Promise<void> {
    const { answers } = this.#house;
    const client = this.#client;
    const message = await answers.once(client, id, request, async (): Promise<ServerMessage> => {
      try {
        return { type: "answer", id, result: await work() };
      } catch (error) {
        if (error instanceof CairnError && error.retry) answers.forget(client, id);
        return this.#errorMessage(error, id);
      }
    });
    this.outbox.reply(encode(message));
  }

  #refuse(error: unknown, id: string | undefined, detail?: string): void {
    const reason = error instanceof CairnError ? error.code : "server.internal";
    this.#house.context.metrics?.error("live", reason);
    this.outbox.reply(encode(this.#errorMessage(error, id, detail)));
  }

  /** A bug becomes `Internal error` with a reference; its cause is in the server's log under the same (GEN-27). */
  #errorMessage(error: unknown, id: string | undefined, detail?: string): ServerMessage {
    const named = id === undefined ? {} : { id };
    if (error instanceof CairnError && error.code !== "server.internal") {
      return { type: "error", ...named, error: { ...error.toJSON(), ...(detail === undefined ? {} : { detail }) } };
    }
    const ref = randomUUID();
    this.#house.context.log.error({ ref, space: this.#space.id, cause: error }, "a live message failed");
    const body = { ...new CairnError("server.internal").toJSON(), detail: "Internal error" };
    return { type: "error", ...named, error: body, ref };
  }
}
