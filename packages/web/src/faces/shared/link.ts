/**
 * One socket to a face that comes back by itself after the same wait for ever, with one heartbeat. What differs between
 * the faces is in the options. Rule MSH-35.
 */

export type LinkStatus = "connecting" | "connected" | "disconnected" | "closed";

type LinkOptions = {
  /** Called for each attempt: it may say where to go on. */
  connect(): WebSocket;
  retryMs: number;
  /** Sent every 30 s while the socket is open. */
  ping: string;
  onMessage(message: Readonly<Record<string, unknown>>): void;
  /** @param code of the close that led to it */
  onStatus(status: LinkStatus, reason: string, code?: number): void;
};

const PING_MS = 30_000;
/** What the server says of what was deleted; another socket might make it again. */
export const DELETED = 1000;
/** Another attempt would end the same way: not allowed, no such thing, or over. */
const FINAL = new Set([DELETED, 1008, 4001, 4003, 4004]);

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  /** Since the last ping. */
  #heard = false;
  /** Bytes that would wait to go out if none had left since the last ping; pings do not count. */
  #waiting = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#dial();
  }

  /** False when there is no open socket. */
  send(message: object): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    const text = JSON.stringify(message);
    this.#waiting += text.length;
    this.#socket.send(text);
    return true;
  }

  stop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    clearInterval(this.#timer);
    socket?.close(1000);
  }

  #dial(): void {
    const { connect, onMessage, onStatus } = this.#options;
    onStatus("connecting", "");
    const socket = connect();
    this.#socket = socket;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#heard = true;
      this.#waiting = 0;
      this.#wait(setInterval(() => this.#beat(socket), PING_MS));
      onStatus("connected", "");
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket || typeof data !== "string") return;
      this.#heard = true;
      const message = parsed(data);
      if (message) onMessage(message);
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#lost(reason, code);
    };
  }

  /**
   * A line that answered nothing since the last ping is dead, and a browser may take minutes to notice. But an answer
   * waits behind a large photo: then what leaves is the sign of life.
   */
  #beat(socket: WebSocket): void {
    const alive = this.#heard || socket.bufferedAmount < this.#waiting;
    this.#heard = false;
    this.#waiting = socket.bufferedAmount;
    if (alive) socket.send(this.#options.ping);
    else {
      this.#lost("");
      socket.close();
    }
  }

  #lost(reason: string, code?: number): void {
    const over = code !== undefined && FINAL.has(code);
    this.#socket = undefined;
    this.#wait(over ? undefined : setTimeout(() => this.#dial(), this.#options.retryMs));
    this.#options.onStatus(over ? "closed" : "disconnected", reason, code);
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
