/**
 * The socket to a space, opened again whenever it breaks until it is closed for good. A message goes out now or not at
 * all; silence is met with a ping, and more silence with a new socket.
 */
import { CLOSE, type ErrorCode } from "@cairn/protocol";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { letGo, openSocket, type SocketConstructor, type SocketLike } from "./open-socket.ts";
import { Silence } from "./silence.ts";

/** `reconnecting` also before the first connection; `offline`: the machine has no network, or nothing answers for long. */
export type Status = "live" | "reconnecting" | "offline" | "closed";

type LiveLineOptions = {
  url: string;
  token?: string | undefined;
  WebSocket?: SocketConstructor | undefined;
  backoff?: BackoffOptions | undefined;
  /** Silence after which the server is asked for a sign of life; half of it later the socket is given up. */
  silenceMs?: number | undefined;
};

type LiveLineEars = {
  /** What is to be said first on a new socket. */
  hello(): object;
  message(data: unknown): void;
  /** What was said may not have arrived. @param wasOpen the server had answered the hello */
  broken(wasOpen: boolean): void;
  /** Another socket would end the same way. */
  refused(code: ErrorCode): void;
  status(status: Status): void;
};

const PING = JSON.stringify({ type: "ping" });
/** Attempts in a row that fail before the status says `offline`. */
const OFFLINE_AFTER = 4;
/** A connection that held this long was a success: the next break starts with short waits again. */
const STABLE_MS = 5_000;

/** Closed for good: asking again would get the same answer. */
const FINAL: Readonly<Record<number, ErrorCode>> = {
  [CLOSE.normal]: "space.closed",
  [CLOSE.notAllowedId]: "space.id_invalid",
  [CLOSE.unauthenticated]: "auth.required",
  [CLOSE.forbidden]: "auth.forbidden",
  [CLOSE.missing]: "space.missing",
  [CLOSE.version]: "live.version",
};

export class LiveLine {
  readonly #options: LiveLineOptions;
  readonly #ears: LiveLineEars;
  readonly #backoff: Backoff;
  readonly #silence: Silence;
  #status: Status = "reconnecting";
  #socket: SocketLike | undefined;
  #openSinceMs: number | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #askedMs = 0;
  /** It was live when the machine said that its network is gone; the next sign of life says that it still is. */
  #doubted = false;

  constructor(options: LiveLineOptions, ears: LiveLineEars) {
    this.#options = options;
    this.#ears = ears;
    this.#backoff = new Backoff(options.backoff);
    this.#silence = new Silence(options.silenceMs, { ask: () => this.#ping(), giveUp: () => this.reopen() });
    globalThis.addEventListener?.("online", this.#onOnline);
    globalThis.addEventListener?.("offline", this.#onOffline);
    this.#dial();
  }

  get status(): Status {
    return this.#status;
  }

  /** The server answered the hello: messages go out. */
  get open(): boolean {
    return this.#openSinceMs !== undefined;
  }

  /** Since the server was asked last; at its answer, how long a round trip takes. */
  get sinceAskedMs(): number {
    return performance.now() - this.#askedMs;
  }

  /** The hello is answered. */
  welcomed(): void {
    this.#openSinceMs = performance.now();
  }

  /** What is known is the server's. */
  live(): void {
    this.#doubted = false;
    this.#setStatus("live");
  }

  /** Says whether it went out. */
  send(message: string | Uint8Array<ArrayBuffer>): boolean {
    if (!this.open || this.#socket?.readyState !== 1) return false;
    this.#socket.send(message);
    return true;
  }

  /** Breaks it and begins anew. */
  reopen(): void {
    this.#drop();
    this.#broken(0);
  }

  /** There is something new to say in the hello; between two sockets the next one says it anyway. */
  renew(): void {
    if (this.#socket) this.reopen();
  }

  close(): void {
    globalThis.removeEventListener?.("online", this.#onOnline);
    globalThis.removeEventListener?.("offline", this.#onOffline);
    clearTimeout(this.#retry);
    this.#drop();
    const wasOpen = this.open;
    this.#openSinceMs = undefined;
    this.#setStatus("closed");
    if (wasOpen) this.#ears.broken(true);
  }

  #dial(): void {
    clearTimeout(this.#retry);
    const { url, token, WebSocket } = this.#options;
    const Socket = WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!Socket) throw new TypeError("no WebSocket here: pass one, or import connect from @cairn/client/node");
    const socket = openSocket(Socket, url, token);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      if (this.#socket === socket) this.#hello(socket);
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (this.#socket !== socket) return;
      this.#silence.heard();
      if (this.#doubted) this.live();
      this.#ears.message(data);
    };
    socket.onclose = ({ code }: { code: number }) => {
      if (this.#socket === socket) this.#broken(code);
    };
    socket.onerror = () => {}; // `close` follows and says all there is to know
    this.#silence.heard();
  }

  #hello(socket: SocketLike): void {
    this.#askedMs = performance.now();
    socket.send(JSON.stringify(this.#ears.hello()));
    // Answered at once: how long a round trip takes before anything else is on its way.
    socket.send(PING);
  }

  #ping(): void {
    if (!this.open) return;
    this.#askedMs = performance.now();
    this.send(PING);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#silence.stop();
    if (socket) letGo(socket);
  }

  #broken(code: number): void {
    const { onLine } = (globalThis.navigator as { onLine?: boolean } | undefined) ?? {};
    const heldMs = this.#openSinceMs === undefined ? 0 : performance.now() - this.#openSinceMs;
    const wasOpen = this.open;
    this.#openSinceMs = undefined;
    this.#doubted = false;
    this.#socket = undefined;
    this.#silence.stop();
    this.#ears.broken(wasOpen);
    if (this.#status === "closed") return;
    const final = FINAL[code];
    if (final) {
      this.#ears.refused(final);
      return;
    }
    if (heldMs >= STABLE_MS) this.#backoff.reset();
    this.#retry = setTimeout(() => this.#dial(), this.#backoff.nextMs());
    this.#setStatus(onLine === false || this.#backoff.attempt >= OFFLINE_AFTER ? "offline" : "reconnecting");
  }

  readonly #onOnline = () => {
    if (this.#status === "closed") return;
    if (this.#socket) return this.#ping(); // it may have held
    this.#backoff.reset();
    this.#setStatus("reconnecting");
    this.#dial();
  };

  readonly #onOffline = () => {
    // The socket may take minutes to notice; what is on its way in is kept until it does. A server on this very machine
    // is not cut off at all: it answers.
    this.#doubted ||= this.#status === "live";
    if (this.#status !== "closed") this.#setStatus("offline");
    this.#ping();
  };

  #setStatus(status: Status): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#ears.status(status);
  }
}
