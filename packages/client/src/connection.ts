/**
 * One live connection to a space: it folds the log into `state`, resumes where it was after a break, says what
 * it looks at and keeps the points pushed for that, and sends photos, signals and commands. Rules: docs/spec/live.md.
 */
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  CLOSE,
  type ClientMessage,
  type DeviceMessage,
  type Digest,
  decodeRangeFrame,
  type ErrorFacts,
  emptyState,
  encodeHaveFrame,
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
import { type ApiOptions, CairnApi, type PhotoFacts } from "./api.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { BlobCache } from "./blob-cache.ts";
import { type CommandOptions, Commands } from "./commands.ts";
import { CreditWindow, FIRST_CREDIT_BYTES } from "./credit-window.ts";
import { Emitter } from "./emitter.ts";
import { errorFromBody } from "./error-body.ts";
import { openSocket } from "./open-socket.ts";
import { PushedRanges, rangeKey } from "./pushed-ranges.ts";
import { randomId } from "./random-id.ts";
import { type PhotoSource, type UploadOptions, Uploads } from "./upload.ts";

/** What is used of a WebSocket; a browser's own and that of `ws` both have it. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

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

/** `reconnecting` also before the first connection; `offline`: the machine has no network, or nothing answers for long. */
export type Status = "live" | "reconnecting" | "offline" | "closed";

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

/** Attempts in a row that fail before the status says `offline`. */
const OFFLINE_AFTER = 4;
/** A camera moves at every frame; the server is told this often. */
const VIEW_EVERY_MS = 100;
/** Grants count as messages, of which the server takes 100 a second. */
const GRANT_EVERY_MS = 16;
/** A connection that held this long was a success: the next break starts with short waits again. */
const STABLE_MS = 5_000;

/** Closed for good: asking again would get the same answer. */
const FINAL: Readonly<Record<number, ConstructorParameters<typeof CairnError>[0]>> = {
  [CLOSE.normal]: "space.closed",
  [CLOSE.notAllowedId]: "space.id_invalid",
  [CLOSE.unauthenticated]: "auth.required",
  [CLOSE.forbidden]: "auth.forbidden",
  [CLOSE.missing]: "space.missing",
  [CLOSE.version]: "live.version",
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
  /**
   * What is held of each layer, asked each time before the server begins to push: it leaves that out. Counts points
   * from a node's first on. Whoever keeps points sets it.
   */
  held: (() => Iterable<HaveFrame>) | undefined;

  readonly #options: ConnectOptions;
  readonly #emitter = new Emitter<ConnectionEvents>();
  readonly #signals = new Emitter<Record<string, [data: unknown, from: string]>>();
  readonly #backoff: Backoff;
  readonly #cache: BlobCache;
  readonly #pushed: PushedRanges;
  readonly #credit = new CreditWindow();
  readonly #uploads: Uploads;
  readonly #commands: Commands;
  readonly #stopped = new AbortController();
  readonly #channels: Set<string>;

  #state = emptyState();
  #seq: Seq = 0;
  #epoch: string | undefined;
  #status: Status = "reconnecting";
  #peer: string | undefined;
  #socket: SocketLike | undefined;
  #liveSinceMs: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #view: View | undefined;
  #viewing: ReturnType<typeof setTimeout> | undefined;
  #granting: ReturnType<typeof setTimeout> | undefined;
  #viewSentMs = Number.NEGATIVE_INFINITY;
  /** This connection was told a view, so the server pushes. */
  #pushing = false;
  #askedMs = 0;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.space = options.space;
    this.api = new CairnApi(options);
    this.#backoff = new Backoff(options.backoff);
    this.#cache = new BlobCache(options.cacheBytes ?? 64 * 2 ** 20);
    this.#pushed = new PushedRanges(this.#cache);
    this.held = options.held;
    this.#channels = new Set(options.channels);
    this.#commands = new Commands((message) => this.#sendRaw(message));
    this.#uploads = new Uploads({
      api: this.api,
      space: this.space,
      parallel: options.parallelUploads ?? 4,
      signal: this.#stopped.signal,
      sendLive: (facts, bytes, signal) => this.#sendImage(facts, bytes, signal),
      ...(options.backoff ? { backoff: options.backoff } : {}),
    });
    globalThis.addEventListener?.("online", this.#onOnline);
    globalThis.addEventListener?.("offline", this.#onOffline);
    this.#open();
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
    return this.#status;
  }

  /** The name under which others get this client's signals; changes with each connection. */
  get peer(): string | undefined {
    return this.#peer;
  }

  /** There is a connection that takes messages. */
  get open(): boolean {
    return this.#liveSinceMs !== undefined;
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
      if (this.#socket) this.#reopen();
    }
    return off;
  }

  /** Delivered now or never: dropped when not connected. */
  signal(channel: string, data: unknown): void {
    this.#send({ type: "signal", channel, data });
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
    this.#view = view && { ...view, type: "view" };
    if (!view || this.#viewing !== undefined) return;
    this.#viewing = setTimeout(
      () => {
        this.#viewing = undefined;
        this.#sendView();
      },
      Math.max(0, this.#viewSentMs + VIEW_EVERY_MS - performance.now()),
    );
  }

  /**
   * Bytes `start`…`end` (exclusive) of a blob: from the cache, from the push that is on its way, or by HTTP. Lent: not
   * to be changed. @throws {CairnError} the server's reason; the signal's reason when it aborts
   */
  async range(
    digest: Digest,
    start: number,
    end: number,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const here =
      this.#pushed.kept(digest, start, end) ??
      (this.#pushing ? await this.#pushed.arrival(digest, start, end, signal) : undefined);
    if (here) return here;
    const bytes = await this.api.range(digest, start, end, { signal });
    this.#cache.put(rangeKey(digest, start), bytes);
    return bytes;
  }

  /** A whole blob, as `range`. */
  async blob(digest: Digest, options: { signal?: AbortSignal | undefined } = {}): Promise<Uint8Array> {
    const kept = this.#cache.get(digest);
    if (kept) return kept;
    // Indexes are pushed, in pieces.
    const layer = Object.values(this.#state.layers).find(({ index }) => index?.index === digest);
    if (layer?.index) return this.range(digest, 0, layer.index.sizeBytes, options);
    const bytes = await this.api.blob(digest, options);
    this.#cache.put(digest, bytes);
    return bytes;
  }

  /**
   * Sends one photo, again and again until it is durable on the server or refused for good. The same `key` is never
   * two images. Waits its turn: only a few are sent at the same time.
   * @throws {CairnError} the server's reason; the signal's reason when it aborts
   */
  upload(photo: PhotoSource, options: UploadOptions = {}): Promise<ImageReceipt> {
    return this.#uploads.add(photo, options);
  }

  /** Done once, also when the connection breaks before the answer. */
  async startOperation(kind: string): Promise<Id> {
    const id = randomId();
    return String((await this.#commands.run(id, JSON.stringify({ type: "operation.start", id, kind }))).operation);
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
    return this.#sendRaw(JSON.stringify(message));
  }

  async cancelOperation(operation: Id): Promise<void> {
    const id = randomId();
    await this.#commands.run(id, JSON.stringify({ type: "operation.cancel", id, operation }));
  }

  close(): void {
    this.#end(new CairnError("operation.cancelled", { reason: "closed" }));
  }

  #end(reason: CairnError): void {
    if (this.#status === "closed") return;
    globalThis.removeEventListener?.("online", this.#onOnline);
    globalThis.removeEventListener?.("offline", this.#onOffline);
    clearTimeout(this.#retry);
    clearTimeout(this.#viewing);
    this.#drop(CLOSE.normal);
    this.#stopped.abort(reason);
    this.#commands.fail(reason);
    this.#setStatus("closed");
  }

  #open(): void {
    clearTimeout(this.#retry);
    const Socket = this.#options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!Socket) throw new TypeError("no WebSocket here: pass one, or import connect from @cairn/client/node");
    const { token } = this.#options;
    const url = this.api.liveUrl(this.space);
    const socket = openSocket(Socket, url, token);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      if (this.#socket === socket) this.#hello(socket);
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (this.#socket === socket) this.#receive(data);
    };
    socket.onclose = ({ code }: { code: number }) => {
      if (this.#socket === socket) this.#broken(code);
    };
    socket.onerror = () => {}; // `close` follows and says all there is to know
    this.#listen();
  }

  #hello(socket: SocketLike): void {
    const { name, creditBytes = FIRST_CREDIT_BYTES } = this.#options;
    const hello = {
      type: "hello",
      version: LIVE_VERSION,
      client: this.client,
      credit: creditBytes,
      channels: [...this.#channels],
      ...(name === undefined ? {} : { name }),
      ...(this.#epoch === undefined ? {} : { after: this.#seq, epoch: this.#epoch }),
    };
    this.#askedMs = performance.now();
    socket.send(JSON.stringify(hello));
    // Answered at once: how long a round trip takes before anything else is on its way.
    socket.send(JSON.stringify({ type: "ping" }));
  }

  #receive(data: unknown): void {
    this.#listen();
    if (typeof data !== "string") {
      this.#receiveRange(new Uint8Array(data as ArrayBuffer));
      return;
    }
    const message = JSON.parse(data) as ServerMessage;
    switch (message.type) {
      case "welcome":
        this.#peer = message.peer;
        this.#credit.start(this.#options.creditBytes ?? FIRST_CREDIT_BYTES, message.pushBytes);
        this.#credit.roundTrip(performance.now() - this.#askedMs);
        this.#liveSinceMs = Date.now();
        if (this.#view) this.#sendView();
        this.#commands.resend();
        this.#emitter.emit("line", true);
        if (message.recovered) this.#setStatus("live");
        return;
      case "snapshot":
        this.#state = message.state;
        this.#seq = message.seq;
        this.#epoch = message.epoch;
        if (this.#pushing) this.#pushed.expect();
        this.#setStatus("live");
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
        this.#credit.roundTrip(performance.now() - this.#askedMs);
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
        this.#reopen();
        return;
      }
      applyEvent(this.#state, event);
      this.#seq = event.seq;
      expected = event.seq + 1;
      applied++;
      if (event.type === "segments.added" && this.#pushing) this.#pushed.expect();
      this.#emitter.emit("event", event);
    }
    if (applied > 0) this.#emitter.emit("state", this.#state, { reset: false, seq: this.#seq });
  }

  #receiveRange(frame: Uint8Array): void {
    const { blob, start, bytes } = decodeRangeFrame(frame);
    this.#pushed.received(blob, start, bytes);
    this.#credit.received(bytes.length, performance.now());
    this.#grant();
    this.#emitter.emit("range", blob, start, bytes);
  }

  #sendView(): void {
    if (!this.#view || this.#liveSinceMs === undefined) return;
    if (!this.#pushing)
      for (const held of this.held?.() ?? []) this.#sendRaw(encodeHaveFrame(held) as Uint8Array<ArrayBuffer>);
    this.#viewSentMs = performance.now();
    this.#send(this.#view);
    this.#pushing = this.#credit.windowBytes > 0;
    if (this.#pushing) this.#pushed.expect();
    this.#grant();
  }

  #grant(): void {
    if (!this.#view || this.#granting !== undefined) return;
    const bytes = this.#credit.grant();
    if (bytes === 0) return;
    this.#send({ type: "credit", bytes });
    this.#granting = setTimeout(() => {
      this.#granting = undefined;
      this.#grant();
    }, GRANT_EVERY_MS);
    unref(this.#granting);
  }

  /** Any message is a sign of life; silence is met with a ping, and more silence with a new socket. */
  #listen(): void {
    const { silenceMs = 25_000 } = this.#options;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#askedMs = performance.now();
      this.#send({ type: "ping" });
      this.#silence = setTimeout(() => this.#reopen(), silenceMs / 2);
      unref(this.#silence);
    }, silenceMs);
    unref(this.#silence);
  }

  #send(message: object): void {
    this.#sendRaw(JSON.stringify(message));
  }

  /** Says whether it went out; only a welcomed socket takes anything. */
  #sendRaw(message: string | Uint8Array<ArrayBuffer>): boolean {
    if (this.#liveSinceMs === undefined || this.#socket?.readyState !== 1) return false;
    this.#socket.send(message);
    return true;
  }

  async #sendImage(facts: PhotoFacts, bytes: Uint8Array, signal: AbortSignal): Promise<ImageReceipt> {
    const id = randomId();
    const frame = encodeImageFrame({ id, ...facts }, bytes) as Uint8Array<ArrayBuffer>;
    return (await this.#commands.run(id, frame, { signal })) as ImageReceipt;
  }

  #reopen(): void {
    this.#drop(CLOSE.normal);
    this.#broken(0);
  }

  #drop(code: number): void {
    const socket = this.#socket;
    this.#socket = undefined;
    clearTimeout(this.#silence);
    this.#pushing = false;
    this.#pushed.stop();
    if (!socket) return;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    try {
      socket.close(code);
    } catch {
      // Closing a socket that is still connecting throws in some of them; it is let go all the same.
    }
  }

  #broken(code: number): void {
    const { onLine } = (globalThis.navigator as { onLine?: boolean } | undefined) ?? {};
    const heldMs = this.#liveSinceMs === undefined ? 0 : Date.now() - this.#liveSinceMs;
    const wasOpen = this.#liveSinceMs !== undefined;
    this.#liveSinceMs = undefined;
    this.#socket = undefined;
    this.#commands.broken();
    if (wasOpen) this.#emitter.emit("line", false);
    clearTimeout(this.#silence);
    this.#pushing = false;
    this.#pushed.stop();
    if (this.#status === "closed") return;
    const final = FINAL[code];
    if (final) {
      const error = new CairnError(final, { space: this.space.slice(0, 64) });
      this.#emitter.emit("error", error);
      this.#end(error);
      return;
    }
    if (heldMs >= STABLE_MS) this.#backoff.reset();
    this.#retry = setTimeout(() => this.#open(), this.#backoff.nextMs());
    this.#setStatus(onLine === false || this.#backoff.attempt >= OFFLINE_AFTER ? "offline" : "reconnecting");
  }

  readonly #onOnline = () => {
    if (this.#socket || this.#status === "closed") return;
    this.#backoff.reset();
    this.#setStatus("reconnecting");
    this.#open();
  };

  readonly #onOffline = () => {
    // The socket may take minutes to notice; what is on its way in is kept until it does.
    if (this.#status !== "closed") this.#setStatus("offline");
    if (this.#liveSinceMs !== undefined) this.#send({ type: "ping" });
  };

  #setStatus(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#emitter.emit("status", status);
  }
}

/** In Node a waiting timer alone must not keep the process alive. */
function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
