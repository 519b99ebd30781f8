/**
 * The service of image tools' pages: one socket to a session that comes back by itself, typed handlers, a heartbeat,
 * and polling where no socket can be had. Names and waits are those that its users know; rules IMG-64 to IMG-70.
 */

import { openSocket } from "./open-socket.ts";

export type ImageMessage = {
  readonly type: string;
  readonly timestamp?: string;
  readonly seq?: number;
  readonly data: Readonly<Record<string, unknown>>;
};

/** Of a type: the message's `data`. Of `*`: the whole message. */
export type ImageHandler = (said: Readonly<Record<string, unknown>>) => void;

/** What is used of a WebSocket. */
export type ImageSocket = {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
};

export type ImageSessionOptions = {
  /** `http(s)://HOST…` or `ws(s)://HOST…` of the server; left out: the page's own. */
  readonly url?: string;
  /** Where the server asks for one (GEN-34). */
  readonly token?: string | undefined;
  /** Left out: the global one; null: there is none. */
  readonly WebSocket?: (new (url: string, protocols?: string[]) => ImageSocket) | null;
  readonly fetch?: typeof fetch;
  readonly log?: Pick<Console, "warn" | "error">;
};

const HEARTBEAT_MS = 30_000;
const RECONNECT_MS = [1_000, 2_000, 4_000, 8_000, 16_000] as const;
const POLL_MS = [30_000, 60_000, 120_000, 240_000, 300_000] as const;
/** Another attempt would end the same way: not allowed, or no such session. */
const FINAL = new Set([4001, 4003, 4004]);

export class ImageSession {
  readonly #options: ImageSessionOptions;
  readonly #log: Pick<Console, "warn" | "error">;
  readonly #handlers = new Map<string, Set<ImageHandler>>();
  #session: string | undefined;
  #socket: ImageSocket | undefined;
  #open = false;
  #attempts = 0;
  /** The newest message of the session that was heard. */
  #seq: number | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #pollFailures = 0;
  /** Aborts when the session is left: what is still being fetched is not heard. */
  #left = new AbortController();

  constructor(options: ImageSessionOptions = {}) {
    this.#options = options;
    this.#log = options.log ?? console;
  }

  get isConnected(): boolean {
    return this.#open;
  }

  get isConnecting(): boolean {
    return this.#socket !== undefined && !this.#open;
  }

  /** Since the socket was open last. */
  get reconnectAttempts(): number {
    return this.#attempts;
  }

  /** Does nothing while it is connecting or connected. */
  connect(sessionId: string): void {
    if (this.#socket) return;
    this.#stopWaiting();
    if (sessionId !== this.#session) this.#seq = undefined;
    this.#session = sessionId;
    this.#attempts = 0;
    // What is still being asked goes on with nothing: there would be two who ask.
    this.#left.abort();
    this.#left = new AbortController();
    this.#dial();
  }

  /** For good: nothing waits and nothing comes back. */
  disconnect(): void {
    const socket = this.#socket;
    this.#stopWaiting();
    this.#left.abort();
    this.#session = undefined;
    this.#seq = undefined;
    this.#attempts = 0;
    this.#letGo();
    socket?.close(1000);
  }

  on(type: string, handler: ImageHandler): void {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers.add(handler));
  }

  off(type: string, handler: ImageHandler): void {
    this.#handlers.get(type)?.delete(handler);
  }

  #dial(): void {
    const Socket = this.#options.WebSocket === undefined ? globalThis.WebSocket : this.#options.WebSocket;
    if (!Socket) {
      this.#goOffline();
      return;
    }
    let socket: ImageSocket;
    try {
      const path = `/api/v1/ws/${encodeURIComponent(this.#session ?? "")}${this.#after}`;
      socket = openSocket(Socket, this.#address("ws", path), this.#options.token);
    } catch (error) {
      this.#log.error("the socket could not be made", error);
      this.#goOffline();
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      if (socket === this.#socket) this.#opened(socket);
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      if (socket === this.#socket) this.#hear(data);
    };
    socket.onerror = () => {}; // a close follows
    socket.onclose = ({ code, reason }: { code: number; reason: string }) => {
      if (socket === this.#socket) this.#closed(code, reason);
    };
  }

  #opened(socket: ImageSocket): void {
    this.#open = true;
    this.#attempts = 0;
    this.#heartbeat = setInterval(() => socket.send("ping"), HEARTBEAT_MS);
    this.#status("connected", {});
  }

  #closed(code: number, reason: string): void {
    this.#letGo();
    if (FINAL.has(code)) {
      this.#status("offline", { code, reason });
      return;
    }
    const delayMs = RECONNECT_MS[this.#attempts];
    if (delayMs === undefined) {
      this.#goOffline();
      return;
    }
    this.#attempts++;
    this.#retry = setTimeout(() => this.#dial(), delayMs);
    this.#status("reconnecting", { attempt: this.#attempts, delay_ms: delayMs });
  }

  #letGo(): void {
    clearInterval(this.#heartbeat);
    this.#socket = undefined;
    this.#open = false;
  }

  #stopWaiting(): void {
    clearTimeout(this.#retry);
    clearTimeout(this.#poll);
  }

  #hear(data: unknown): void {
    if (typeof data !== "string" || data === "pong") return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      this.#log.warn("a message is not JSON and was dropped");
      return;
    }
    if (isMessage(message)) this.#take(message);
    else this.#log.warn("a message without a type was dropped");
  }

  #take(message: ImageMessage): void {
    if (typeof message.seq === "number") this.#seq = Math.max(this.#seq ?? 0, message.seq);
    this.#tell(message.type, message.data);
    this.#tell("*", message);
  }

  #tell(type: string, said: Readonly<Record<string, unknown>>): void {
    for (const handler of [...(this.#handlers.get(type) ?? [])]) {
      try {
        handler(said);
      } catch (error) {
        this.#log.error(`a handler of ${type} failed`, error);
      }
    }
  }

  #status(status: "connected" | "reconnecting" | "offline", facts: Readonly<Record<string, unknown>>): void {
    const timestamp = `${new Date().toISOString().slice(0, 19)}Z`;
    const data = { status, session_id: this.#session ?? null, ...facts };
    this.#take({ type: "connection.status", timestamp, data });
  }

  /** No socket is to be had: the page asks now and then (IMG-70). */
  #goOffline(): void {
    this.#pollFailures = 0;
    this.#status("offline", {});
    this.#pollLater();
  }

  #pollLater(): void {
    const { signal } = this.#left;
    if (signal.aborted) return;
    const delayMs = POLL_MS[Math.min(this.#pollFailures, POLL_MS.length - 1)];
    this.#poll = setTimeout(() => {
      void this.#ask(signal).finally(() => {
        if (!signal.aborted && !this.#socket) this.#pollLater();
      });
    }, delayMs);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    const healthy = await this.#fetch("/health", signal).then(
      ({ ok }) => ok,
      () => false,
    );
    if (signal.aborted) return;
    this.#pollFailures = healthy ? 0 : this.#pollFailures + 1;
    this.#tell("health", { healthy });
    if (healthy) await this.#catchUp(signal).catch(() => {}); // the next time, then
  }

  /** What a socket would have said. */
  async #catchUp(signal: AbortSignal): Promise<void> {
    const path = `/api/v1/sessions/${encodeURIComponent(this.#session ?? "")}/events${this.#after}`;
    const response = await this.#fetch(path, signal);
    if (!response.ok) return;
    const body: unknown = await response.json();
    if (signal.aborted || this.#socket || body === null || typeof body !== "object") return;
    if ("events" in body && Array.isArray(body.events)) {
      for (const message of body.events as unknown[]) if (isMessage(message)) this.#take(message);
    }
    if ("seq" in body && typeof body.seq === "number") this.#seq = Math.max(this.#seq ?? 0, body.seq);
  }

  #fetch(path: string, signal: AbortSignal): Promise<Response> {
    const { fetch = globalThis.fetch, token } = this.#options;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    return fetch(this.#address("http", path), { signal, headers });
  }

  get #after(): string {
    return this.#seq === undefined ? "" : `?after=${this.#seq}`;
  }

  #address(kind: "ws" | "http", path: string): string {
    const base = this.#options.url ?? globalThis.location?.origin ?? "http://localhost";
    const [scheme = "", rest = ""] = base.split(/:\/\/(.*)/s);
    const secure = scheme.endsWith("s") && scheme !== "ws" ? "s" : "";
    return `${kind}${secure}://${rest.replace(/\/+$/, "")}${path}`;
  }
}

function isMessage(value: unknown): value is ImageMessage {
  if (value === null || typeof value !== "object") return false;
  return (
    "type" in value &&
    typeof value.type === "string" &&
    "data" in value &&
    value.data !== null &&
    typeof value.data === "object"
  );
}
