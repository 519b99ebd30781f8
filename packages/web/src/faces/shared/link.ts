/**
 * One socket to a face that comes back by itself after the same wait for ever, with one heartbeat. What differs between
 * the faces is in the options. Rule MSH-35.
 */

export type LinkStatus = "connecting" | "connected" | "disconnected" | "closed";

export type LinkOptions = {
  /** Asked before each attempt: it may say where to go on. */
  url(): string;
  retryMs: number;
  /** Sent every 30 s while the socket is open. */
  ping: string;
  onMessage(message: Readonly<Record<string, unknown>>): void;
  onStatus(status: LinkStatus, reason: string): void;
};

const PING_MS = 30_000;
/** Another attempt would end the same way: not allowed, no such thing, or over. */
const FINAL = new Set([1008, 4001, 4003, 4004]);

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#dial();
  }

  /** False when there is no open socket. */
  send(message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Bytes that the browser has not sent yet. */
  get waitingBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#socket?.close(1000);
    this.#socket = undefined;
  }

  #dial(): void {
    const { url, ping, onMessage, onStatus } = this.#options;
    onStatus("connecting", "");
    const socket = new WebSocket(url());
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#wait(setInterval(() => socket.send(ping), PING_MS));
      onStatus("connected", "");
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket || typeof data !== "string") return;
      const message = parsed(data);
      if (message) onMessage(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket !== this.#socket || this.#stopped) return;
      this.#socket = undefined;
      const over = FINAL.has(code);
      this.#wait(over ? undefined : setTimeout(() => this.#dial(), this.#options.retryMs));
      onStatus(over ? "closed" : "disconnected", reason);
    };
  }

  /** One timer only: the heartbeat while there is a socket, the next attempt while there is none. */
  #wait(timer: ReturnType<typeof setInterval> | undefined): void {
    clearInterval(this.#timer);
    this.#timer = timer;
  }
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
