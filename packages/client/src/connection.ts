/**
 * One live connection to a space: it folds the log into `state`, resumes where it was after a break, says what
 * it looks at and keeps the points pushed for that, and sends photos, signals and commands. Rules: docs/spec/live.md.
 */
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  type ClientMessage,
  type DeviceMessage,
  type Digest,
  type ErrorCode,
  type ErrorFacts,
  emptyState,
  encodeImageFrame,
  type HaveFrame,
  type Id,
  type ImageReceipt,
  LIVE_VERSION,
  PRESENCE,
  type Presence,
  type Seq,
  type ServerMessage,
  type SpaceId,
  type SpaceState,
  type View,
} from "@cairn/protocol";
import { CairnApi, type PhotoFacts } from "./api.ts";
import type { BackoffOptions } from "./backoff.ts";
import type { ApiOptions } from "./calls.ts";
import { type CommandOptions, Commands } from "./commands.ts";
import { Emitter } from "./emitter.ts";
import { errorFromBody } from "./error-body.ts";
import { LiveLine, type Status } from "./live-line.ts";
import { Push } from "./push.ts";
import { randomId } from "./random-id.ts";
import { type PhotoSource, type UploadOptions, Uploads } from "./upload.ts";

export type ConnectOptions = ApiOptions & {
  space: SpaceId;
  /** Shown to others. */
  name?: string;
  /** Channels to hear; `presence` is one. */
  channels?: readonly string[];
  /** Bytes the server may push at first, before the link is measured; 0: none, bytes are fetched when asked for. */
  creditBytes?: number;
  /** As {@link SpaceConnection.held}. */
  held?: () => Iterable<HaveFrame>;
  /** Most bytes of blobs kept in memory. */
  cacheBytes?: number;
  /** Photos sent at the same time. */
  parallelUploads?: number;
  backoff?: BackoffOptions;
  /** Silence after which the server is asked for a sign of life; half of it later the socket is given up. */
  silenceMs?: number;
};

export type ConnectionEvents = {
  /** Every event once, in order of seq, after it was folded into the state. */
  event: [event: CairnEvent];
  /** The state changed. `reset`: it was replaced as a whole, not extended. */
  state: [state: SpaceState, change: { reset: boolean; seq: Seq }];
  status: [status: Status];
  /** Bytes were pushed: `start`… of the blob whose digest begins with these 16 hex digits. `range()` has them. */
  range: [blob: string, start: number, bytes: Uint8Array];
  presence: [presence: Presence];
  /** There is a connection that takes messages, or there is none any more. */
  line: [open: boolean];
  /** A device that this connection is was told something; `serveDevice` deals with it. */
  control: [message: DeviceMessage];
  /** What the server refused outside of a call, and why the connection was closed for good. */
  error: [error: CairnError];
};

/** Connects, and goes on connecting until `close()`. Never throws for a server that is away. */
export function connect(options: ConnectOptions): SpaceConnection {
  return new SpaceConnection(options);
}

export class SpaceConnection {
  readonly space: SpaceId;
  readonly api: CairnApi;
  /** This client's own name, the same over reconnects. */
  readonly client = randomId();
  readonly #emitter = new Emitter<ConnectionEvents>();
  readonly #signals = new Emitter<Record<string, [data: unknown, from: string]>>();
  readonly #line: LiveLine;
  readonly #push: Push;
  readonly #uploads: Uploads;
  readonly #commands: Commands;
  readonly #stopped = new AbortController();
  readonly #channels: Set<string>;
  readonly #name: string | undefined;

  #state = emptyState();
  #seq: Seq = 0;
  #epoch: string | undefined;
  #peer: string | undefined;

  constructor(options: ConnectOptions) {
    const { token, WebSocket, name, backoff, silenceMs, creditBytes, cacheBytes } = options;
    this.space = options.space;
    this.api = new CairnApi(options);
    this.#name = name;
    this.#channels = new Set(options.channels);
    const send = (message: string | Uint8Array<ArrayBuffer>) => this.#line.send(message);
    this.#commands = new Commands(send);
    this.#push = new Push({ api: this.api, send, isOpen: () => this.open, creditBytes, cacheBytes });
    this.#push.held = options.held;
    this.#uploads = new Uploads({
      api: this.api,
      space: this.space,
      parallel: options.parallelUploads ?? 4,
      signal: this.#stopped.signal,
      sendLive: (facts, bytes, signal) => this.#sendImage(facts, bytes, signal),
      ...(backoff ? { backoff } : {}),
    });
    this.#line = new LiveLine(
      { url: this.api.liveUrl(this.space), token, WebSocket, backoff, silenceMs },
      {
        hello: () => this.#hello(),
        message: (data) => this.#receive(data),
        broken: (wasOpen) => this.#broken(wasOpen),
        refused: (code) => this.#refused(code),
        status: (status) => this.#emitter.emit("status", status),
      },
    );
  }

  /** Borrowed and live: it changes with the next event. */
  get state(): SpaceState {
    return this.#state;
  }

  /** Seq of the last event in `state`. */
  get seq(): Seq {
    return this.#seq;
  }

  get epoch(): string | undefined {
    return this.#epoch;
  }

  get status(): Status {
    return this.#line.status;
  }

  /** The name under which others get this client's signals; changes with each connection. */
  get peer(): string | undefined {
    return this.#peer;
  }

  /** There is a connection that takes messages. */
  get open(): boolean {
    return this.#line.open;
  }

  /**
   * What is held of each layer, asked each time before the server begins to push: it leaves that out. Counts points
   * from a node's first on. Whoever keeps points sets it.
   */
  get held(): (() => Iterable<HaveFrame>) | undefined {
    return this.#push.held;
  }

  set held(held: (() => Iterable<HaveFrame>) | undefined) {
    this.#push.held = held;
  }

  /** Returns how to stop listening. */
  on<Name extends keyof ConnectionEvents>(name: Name, listener: (...args: ConnectionEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /** Hears `channel`. A channel not named at `connect` is asked for with a short reconnect. */
  onSignal(channel: string, listener: (data: unknown, from: string) => void): () => void {
    const off = this.#signals.on(channel, listener);
    if (!this.#channels.has(channel)) {
      this.#channels.add(channel);
      this.#line.renew();
    }
    return off;
  }

  /** Delivered now or never: dropped when not connected. */
  signal(channel: string, data: unknown): void {
    this.tell({ type: "signal", channel, data });
  }

  /** Resolves as soon as `predicate` holds. @throws the signal's reason; {@link CairnError} when closed first */
  waitFor(predicate: (state: SpaceState) => boolean, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      const stops: (() => void)[] = [];
      const settle = (done: () => void) => {
        for (const stop of stops) stop();
        done();
      };
      const look = () => {
        if (this.#epoch !== undefined && predicate(this.#state)) settle(resolve);
      };
      const stopping = AbortSignal.any([this.#stopped.signal, ...(signal ? [signal] : [])]);
      const abort = () => settle(() => reject(stopping.reason));
      if (stopping.aborted) {
        abort();
        return;
      }
      stopping.addEventListener("abort", abort);
      stops.push(() => stopping.removeEventListener("abort", abort));
      stops.push(this.on("state", look));
      look();
    });
  }

  /** Resolves when `state` is the server's for the first time. */
  ready(options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.waitFor(() => true, options);
  }

  /**
   * What is looked at, model frame: from now on the server pushes points, what is seen and what is fresh first. May be
   * called at every frame. Without a camera everything is seen, coarse first; `undefined`: nothing more is asked for.
   */
  view(view: Omit<View, "type"> | undefined): void {
    this.#push.view(view);
  }

  /**
   * Bytes `start`…`end` (exclusive) of a blob: from the cache, from the push that is on its way, or by HTTP. Lent: not
   * to be changed. @throws {CairnError} the server's reason; the signal's reason when it aborts
   */
  range(
    digest: Digest,
    start: number,
    end: number,
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array> {
    return this.#push.range(digest, start, end, options);
  }

  /** A whole blob, as `range`. */
  blob(digest: Digest, options: { signal?: AbortSignal | undefined } = {}): Promise<Uint8Array> {
    // Indexes are pushed, in pieces.
    const layer = Object.values(this.#state.layers).find(({ index }) => index?.index === digest);
    return layer?.index ? this.range(digest, 0, layer.index.sizeBytes, options) : this.#push.blob(digest, options);
  }

  /**
   * Sends one photo, again and again until it is durable on the server or refused for good. The same `key` is never
   * two images. Waits its turn: only a few are sent at the same time.
   * @throws {CairnError} the server's reason; `upload.unreadable`; the signal's reason when it aborts
   */
  upload(photo: PhotoSource, options: UploadOptions = {}): Promise<ImageReceipt> {
    return this.#uploads.add(photo, options);
  }

  /** Done once, also when the connection breaks before the answer. */
  async startOperation(kind: string, options?: CommandOptions): Promise<Id> {
    return String((await this.ask({ type: "operation.start", kind }, options)).operation);
  }

  /** Any message that is answered under its `id`, which it gets here. @throws {CairnError} the server's reason */
  ask(
    message: { type: ClientMessage["type"] } & Record<string, unknown>,
    options?: CommandOptions,
  ): Promise<ErrorFacts> {
    const id = randomId();
    return this.#commands.run(id, JSON.stringify({ ...message, id }), options);
  }

  /** Any message that is not answered. Says whether it went out. */
  tell(message: { type: ClientMessage["type"] } & Record<string, unknown>): boolean {
    return this.#line.send(JSON.stringify(message));
  }

  async cancelOperation(operation: Id, options?: CommandOptions): Promise<void> {
    await this.ask({ type: "operation.cancel", operation }, options);
  }

  close(): void {
    this.#end(new CairnError("operation.cancelled", { reason: "closed" }));
  }

  #end(reason: CairnError): void {
    if (this.status === "closed") return;
    this.#push.close();
    this.#stopped.abort(reason);
    this.#commands.end(reason);
    this.#line.close();
  }

  #hello(): object {
    return {
      type: "hello",
      version: LIVE_VERSION,
      client: this.client,
      credit: this.#push.firstCreditBytes,
      channels: [...this.#channels],
      ...(this.#name === undefined ? {} : { name: this.#name }),
      ...(this.#epoch === undefined ? {} : { after: this.#seq, epoch: this.#epoch }),
    };
  }

  #broken(wasOpen: boolean): void {
    this.#commands.broken();
    if (wasOpen) this.#emitter.emit("line", false);
    this.#push.broken();
  }

  #refused(code: ErrorCode): void {
    const error = new CairnError(code, { space: this.space.slice(0, 64) });
    this.#emitter.emit("error", error);
    this.#end(error);
  }

  #receive(data: unknown): void {
    if (typeof data !== "string") {
      const { blob, start, bytes } = this.#push.received(new Uint8Array(data as ArrayBuffer));
      this.#emitter.emit("range", blob, start, bytes);
      return;
    }
    const message = JSON.parse(data) as ServerMessage;
    switch (message.type) {
      case "welcome":
        this.#peer = message.peer;
        this.#line.welcomed();
        this.#push.welcomed(message.pushBytes, this.#line.sinceAskedMs);
        this.#commands.resend();
        this.#emitter.emit("line", true);
        if (message.recovered) this.#line.live();
        return;
      case "snapshot":
        this.#state = message.state;
        this.#seq = message.seq;
        this.#epoch = message.epoch;
        this.#push.expect();
        this.#line.live();
        this.#emitter.emit("state", this.#state, { reset: true, seq: this.#seq });
        return;
      case "events":
        this.#receiveEvents(message.events, message.after);
        return;
      case "signal":
        if (message.channel === PRESENCE) this.#emitter.emit("presence", message.data as Presence);
        this.#signals.emit(message.channel, message.data, message.from);
        return;
      case "answer":
        this.#commands.answer(message.id, message.result);
        return;
      case "error": {
        const error = errorFromBody(0, message.error);
        if (message.id === undefined || !this.#commands.refuse(message.id, error)) this.#emitter.emit("error", error);
        return;
      }
      case "control.command":
      case "control.order":
      case "control.replaced":
        this.#emitter.emit("control", message);
        return;
      case "pong":
        this.#push.roundTrip(this.#line.sinceAskedMs);
        return;
      default: // a newer server's; what it says is not needed to stay right
    }
  }

  #receiveEvents(events: readonly CairnEvent[], after: Seq | undefined): void {
    const from = this.#seq;
    let expected = from + 1;
    let applied = 0;
    for (const event of events) {
      if (event.seq <= this.#seq) continue;
      // Never a silent gap: what is missing is asked for again.
      if (after === undefined ? event.seq !== expected : after > from) {
        this.#line.reopen();
        return;
      }
      applyEvent(this.#state, event);
      this.#seq = event.seq;
      expected = event.seq + 1;
      applied++;
      if (event.type === "segments.added") this.#push.expect();
      this.#emitter.emit("event", event);
    }
    if (applied > 0) this.#emitter.emit("state", this.#state, { reset: false, seq: this.#seq });
  }

  async #sendImage(facts: PhotoFacts, bytes: Uint8Array, signal: AbortSignal): Promise<ImageReceipt> {
    const id = randomId();
    const frame = encodeImageFrame({ id, ...facts }, bytes) as Uint8Array<ArrayBuffer>;
    return (await this.#commands.run(id, frame, { signal })) as ImageReceipt;
  }
}
