/** One socket of a depth session, read message by message. It breaks and never comes back; who reads it opens another. */
import { openSocket, type SocketConstructor, type SocketLike } from "./open-socket.ts";

export type Said = Readonly<Record<string, unknown>> & { readonly type: string };

/** The socket is over. */
export class LineBroken extends Error {
  /** Another would end the same way: not allowed, no such session, deleted. */
  readonly final: boolean;

  constructor(code: number, reason: string) {
    super(reason || `the connection to the server broke (${code})`);
    this.final = code === 1000 || code === 1008 || code === 1009 || (code >= 4000 && code < 5000);
  }
}

const PING_EVERY_MS = 15_000;
/** Silence after which a line is dead. */
const DEAD_MS = 60_000;
/** What passes is dropped when nobody reads; answers and ends are kept. */
const PASSING = new Set(["progress", "delta", "auto_generating"]);

export class DepthLine {
  readonly #socket: SocketLike;
  readonly #heard: Said[] = [];
  readonly #pinging: ReturnType<typeof setInterval>;
  #heardMs = performance.now();
  /** What would wait to go out if nothing had left since the last ping; pings do not count. */
  #waiting = 0;
  #broken: LineBroken | undefined;
  #reader: { take(said: Said): void; fail(error: unknown): void } | undefined;

  /** Not awaited: what goes wrong is said at the first `next`. */
  constructor(Socket: SocketConstructor, url: string, token?: string) {
    this.#socket = openSocket(Socket, url, token);
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#hear(data);
    this.#socket.onerror = () => {}; // a close follows
    this.#socket.onclose = ({ code, reason }: { code: number; reason: string }) => this.#break(code, reason);
    // `ws` counts a photo as waiting until all of it has left: there the server's pings say that the line holds.
    this.#socket.on?.("ping", () => {
      this.#heardMs = performance.now();
    });
    this.#pinging = setInterval(() => this.#beat(), PING_EVERY_MS);
  }

  send(message: object): void {
    if (this.#broken) return;
    const text = JSON.stringify(message);
    this.#waiting += text.length;
    this.#socket.send(text);
  }

  /** One reader at a time. @throws {LineBroken}, and the signal's reason */
  async next(signal?: AbortSignal): Promise<Said> {
    signal?.throwIfAborted();
    const said = this.#heard.shift();
    if (said) return said;
    if (this.#broken) throw this.#broken;
    return new Promise((resolve, reject) => {
      const stop = () => this.#reader?.fail(signal?.reason);
      const end = () => {
        this.#reader = undefined;
        signal?.removeEventListener("abort", stop);
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#reader = {
        take(message) {
          end();
          resolve(message);
        },
        fail(error) {
          end();
          reject(error);
        },
      };
    });
  }

  close(): void {
    this.#socket.close(1000);
    // A peer that is gone answers no close.
    this.#break(1006, "");
  }

  /** The answer to a ping waits behind a photo of minutes: what leaves is a sign of life, too. */
  #beat(): void {
    const { bufferedAmount = 0, readyState } = this.#socket;
    if (bufferedAmount < this.#waiting) this.#heardMs = performance.now();
    this.#waiting = bufferedAmount;
    if (performance.now() - this.#heardMs > DEAD_MS) this.close();
    else if (readyState === 1) this.#socket.send('{"type":"ping"}');
  }

  #hear(data: unknown): void {
    this.#heardMs = performance.now();
    if (typeof data !== "string" || this.#broken) return;
    const said = JSON.parse(data) as Said;
    if (said.type === "pong") return;
    if (this.#reader) this.#reader.take(said);
    else if (!PASSING.has(said.type)) this.#heard.push(said);
  }

  #break(code: number, reason: string): void {
    if (this.#broken) return;
    clearInterval(this.#pinging);
    this.#broken = new LineBroken(code, reason);
    this.#reader?.fail(this.#broken);
  }
}
