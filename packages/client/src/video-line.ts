/** The socket of a source of live video, opened again until it is closed for good. What is said goes out now or never. */
import { CairnError, CLOSE, type ErrorBody } from "@cairn/protocol";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { errorFromBody } from "./error-body.ts";
import { letGo, openSocket, type SocketConstructor, type SocketLike } from "./open-socket.ts";
import { Silence } from "./silence.ts";

export type VideoOptions = {
  WebSocket?: SocketConstructor;
  backoff?: BackoffOptions;
  /** Silence after which the server is asked for a sign of life; half of it later the socket is given up. */
  silenceMs?: number;
};

/** Where the sockets are and how one gets in; `CairnApi` knows. */
export type VideoAddress = {
  readonly url: (source: string | undefined) => string;
  readonly token: string | undefined;
  /** Left out: the one that is there, which Node 20 has not. */
  readonly WebSocket: SocketConstructor | undefined;
};

/** `off`: closed for good. */
export type VideoStatus = "connecting" | "live" | "off";

/** The server says the same again: it is not asked again. */
const FINAL = new Set<number>([CLOSE.notAllowedId, CLOSE.unauthenticated, CLOSE.forbidden, CLOSE.missing]);

type VideoLineEars = {
  opened(): void;
  status(status: VideoStatus): void;
  error(error: CairnError): void;
  text(message: { type: string }): void;
  bytes(bytes: Uint8Array): void;
};

export class VideoLine {
  readonly #url: string;
  readonly #token: string | undefined;
  readonly #Socket: SocketConstructor;
  readonly #ears: VideoLineEars;
  readonly #backoff: Backoff;
  readonly #silence: Silence;
  #socket: SocketLike | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #status: VideoStatus = "connecting";

  constructor(
    url: string,
    address: VideoAddress,
    { WebSocket, backoff, silenceMs }: VideoOptions,
    ears: VideoLineEars,
  ) {
    const Socket = WebSocket ?? address.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!Socket) throw new TypeError("no WebSocket here: pass one");
    this.#url = url;
    this.#token = address.token;
    this.#Socket = Socket;
    this.#ears = ears;
    this.#backoff = new Backoff(backoff);
    this.#silence = new Silence(silenceMs, {
      ask: () => this.say({ type: "ping" }),
      giveUp: () => {
        this.#drop();
        this.#closed(0);
      },
    });
    this.#open();
  }

  get status(): VideoStatus {
    return this.#status;
  }

  get waitingBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  send(bytes: Uint8Array): boolean {
    if (this.#status !== "live" || this.#socket?.readyState !== 1) return false;
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
    return true;
  }

  /** Words beside the packets; lost where there is no line. */
  say(message: object): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#drop();
    this.#set("off");
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#silence.stop();
    if (socket) letGo(socket);
  }

  #open(): void {
    const socket = openSocket(this.#Socket, this.#url, this.#token);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    socket.onopen = () => {
      this.#ears.opened();
      this.#set("live");
    };
    socket.onmessage = ({ data }: { data: unknown }) => {
      this.#backoff.reset();
      this.#silence.heard();
      if (typeof data !== "string") return this.#ears.bytes(new Uint8Array(data as ArrayBuffer));
      const message = JSON.parse(data) as { type: string; error?: ErrorBody };
      if (message.error) this.#ears.error(errorFromBody(0, message.error));
      else this.#ears.text(message);
    };
    socket.onclose = ({ code }: { code: number }) => this.#closed(code);
    socket.onerror = () => {}; // `close` follows and says all there is to know
    this.#silence.heard();
  }

  #closed(code: number): void {
    this.#socket = undefined;
    this.#silence.stop();
    if (this.#status === "off") return;
    if (code === CLOSE.unauthenticated) this.#ears.error(new CairnError("auth.required"));
    if (code === CLOSE.forbidden) this.#ears.error(new CairnError("auth.forbidden"));
    // A newer producer has the source: two that come back in turn would take it from each other for ever.
    if (FINAL.has(code) || code === CLOSE.replaced) {
      this.#set("off");
      return;
    }
    this.#retry = setTimeout(() => this.#open(), this.#backoff.nextMs());
    this.#set("connecting");
  }

  #set(status: VideoStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#ears.status(status);
  }
}
