/**
 * WebSocket upgrades: finds the door that a path belongs to, lets in or refuses, and counts. What goes wrong after the
 * handshake is said with a close code, which a browser can see (GEN-28).
 */
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Server as TlsServer } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import type { Door, Metrics } from "../metrics/metrics.ts";
import { bearerOf } from "./access.ts";
import { addressOf, type Trusted } from "./proxies.ts";

/** Someone at a door, with the handshake done. */
export type Arrival = {
  readonly ws: WebSocket;
  readonly request: IncomingMessage;
  /** Of who asks, also behind a proxy that is trusted. */
  readonly address: string;
  /** What stands in the path at each `:name`, decoded once. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** GEN-34: a header, a query field, or for browsers the second subprotocol. */
  readonly token: string | undefined;
};

export type SocketRoute = {
  /** Whose sockets they are. */
  readonly door: Door;
  /** `/ws/:project`: a `:name` takes one segment. A path without names goes before one with (GEN-5). */
  readonly path: string;
  /** Text may be compressed where the client offers it (GEN-24); left out: never. */
  readonly deflate?: boolean;
  open(arrival: Arrival): void;
};

export type UpgradeOptions = {
  readonly metrics?: Metrics;
  /** Pages that may connect; left out: any. Programs send no origin and are not asked. */
  readonly allowedOrigins?: readonly string[];
  readonly messageBytes?: number;
  readonly sockets?: number;
  readonly socketsPerAddress?: number;
  /** Proxies whose word on who asks is believed. */
  readonly trusted?: Trusted;
  /** How often the bytes of an open socket are counted. */
  readonly tallyEveryMs?: number;
};

export type Upgrades = {
  /** Takes the upgrades of a listener for these routes, and refuses all others with 404. */
  attach(server: Server, routes: readonly SocketRoute[]): void;
  /** From here on every upgrade is refused with 503. */
  close(): void;
};

/** GEN-15. */
const MESSAGE_BYTES = 16 * 2 ** 20;
const TALLY_EVERY_MS = 10_000;
/** Shorter text does not shrink (GEN-24). */
export const DEFLATE_FROM_BYTES = 1024;
/** Larger text is never compressed: a known client library refuses what inflates past 4 MiB (GEN-24). */
export const DEFLATE_TO_BYTES = 2 ** 20;

export function openUpgrades(options: UpgradeOptions = {}): Upgrades {
  const {
    metrics,
    allowedOrigins,
    trusted = () => false,
    messageBytes = MESSAGE_BYTES,
    sockets = 10_000,
    socketsPerAddress = 1000,
    tallyEveryMs = TALLY_EVERY_MS,
  } = options;
  const server = (deflate: boolean) =>
    new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: deflate && {
        serverNoContextTakeover: true,
        clientNoContextTakeover: true,
        threshold: DEFLATE_FROM_BYTES,
      },
      maxPayload: messageBytes,
      handleProtocols: (offered) => (offered.has("cairn.bearer") ? "cairn.bearer" : false),
    });
  const plain = server(false);
  const deflating = server(true);
  const perAddress = new Map<string, number>();
  const tallies = metrics && new Tallies(metrics, tallyEveryMs);
  let open = 0;
  let stopping = false;

  function count(address: string, by: 1 | -1): void {
    open += by;
    const here = (perAddress.get(address) ?? 0) + by;
    if (here > 0) perAddress.set(address, here);
    else perAddress.delete(address);
  }

  return {
    attach(listener, routes) {
      const find = matcher(routes);
      /** The answer to the last request of a connection. */
      const answers = new WeakMap<Duplex, ServerResponse>();
      listener.on("request", ({ socket }: IncomingMessage, response: ServerResponse) => answers.set(socket, response));
      listener.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        socket.on("error", destroyed);
        const found = find(request.url ?? "");
        const address = addressOf(request, trusted);
        const { origin } = request.headers;
        if (!wishesWebSocket(request)) {
          return answered(answers.get(socket), () => withoutUpgrade(listener, request, socket, head));
        }
        if (stopping) return refuse(socket, 503);
        if (!found) return refuse(socket, 404);
        if (origin !== undefined && allowedOrigins && !allowedOrigins.includes(origin)) return refuse(socket, 403);
        if (open >= sockets || (perAddress.get(address) ?? 0) >= socketsPerAddress) return refuse(socket, 503);
        const { route, params, query } = found;
        (route.deflate ? deflating : plain).handleUpgrade(request, socket, head, (ws) => {
          count(address, 1);
          ws.once("close", () => count(address, -1));
          tallies?.add(route.door, ws, request.socket);
          ws.on("error", () => {}); // `ws` closes with the right code by itself (1002, 1007, 1009)
          route.open({ ws, request, address, params, query, token: tokenOf(request, query) });
        });
      });
    },
    close() {
      stopping = true;
    },
  };
}

/**
 * Whether Node is to let go of a connection for an upgrade, as it asks from 24.9 on (`shouldUpgradeCallback`). A newer one
 * reads the body of such a request itself, so that one with a body which wishes for no WebSocket stays with it; but it loses
 * what was sent behind a request that stays so, and the others go the way of `withoutUpgrade`.
 */
export function shouldUpgrade(request: IncomingMessage): boolean {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
  return wishesWebSocket(request) || (length === "0" && coding === undefined);
}

function wishesWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/**
 * A request that would rather go on in another protocol, as curl and Java's clients ask by themselves (`h2c`), is a
 * request all the same. Node has let go of its connection: it comes in once more, without the wish.
 */
function withoutUpgrade(listener: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  if (socket.destroyed) return;
  const { method, url, httpVersion, rawHeaders } = request;
  const wishes = new Set(["upgrade", "http2-settings"]);
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!];
    const tokens = value.split(",").map((token) => token.trim());
    const kept = tokens.filter((token) => !wishes.has(token.toLowerCase())).join(", ");
    if (wishes.has(name.toLowerCase())) continue;
    if (name.toLowerCase() !== "connection") lines.push(`${name}: ${value}`);
    else if (kept) lines.push(`${name}: ${kept}`);
  }
  socket.removeListener("error", destroyed);
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
  listener.emit(listener instanceof TlsServer ? "secureConnection" : "connection", socket);
}

/** Answers leave in the order of their requests: one that came behind others waits for the last of them. */
function answered(before: ServerResponse | undefined, go: () => void): void {
  if (!before || before.writableFinished || before.destroyed) go();
  else before.once("close", go);
}

/** Counts what comes and goes on sockets; bytes when one ends, and now and then before: of all at once, in one step. */
class Tallies {
  readonly #metrics: Metrics;
  readonly #everyMs: number;
  readonly #open = new Set<Tally>();
  #taking: NodeJS.Timeout | undefined;

  constructor(metrics: Metrics, everyMs: number) {
    this.#metrics = metrics;
    this.#everyMs = everyMs;
  }

  add(door: Door, ws: WebSocket, socket: Socket): void {
    const metrics = this.#metrics;
    const tally = { door, socket, read: socket.bytesRead, written: socket.bytesWritten };
    metrics.opened(door);
    this.#open.add(tally);
    this.#taking ??= setInterval(() => this.#take(this.#open), this.#everyMs).unref();
    ws.on("message", () => metrics.messages(door, "in"));
    ws.once("close", (code) => {
      this.#open.delete(tally);
      this.#take([tally]);
      metrics.closed(door, code);
      if (this.#open.size > 0) return;
      clearInterval(this.#taking);
      this.#taking = undefined;
    });
  }

  #take(tallies: Iterable<Tally>): void {
    const sums = new Map<Door, { read: number; written: number }>();
    for (const tally of tallies) {
      const { door, socket } = tally;
      // `bytesWritten` has what waits to be written, too: it goes back when a socket is cut that did not take it.
      const [read, written] = [Math.max(tally.read, socket.bytesRead), Math.max(tally.written, socket.bytesWritten)];
      const sum = sums.get(door) ?? { read: 0, written: 0 };
      sum.read += read - tally.read;
      sum.written += written - tally.written;
      sums.set(door, sum);
      tally.read = read;
      tally.written = written;
    }
    for (const [door, { read, written }] of sums) {
      this.#metrics.bytes(door, "in", read);
      this.#metrics.bytes(door, "out", written);
    }
  }
}

/** One open socket, and what of it is counted. */
type Tally = { readonly door: Door; readonly socket: Socket; read: number; written: number };

function destroyed(this: Duplex): void {
  this.destroy();
}

type Found = { route: SocketRoute; params: Record<string, string>; query: URLSearchParams };

function matcher(routes: readonly SocketRoute[]): (url: string) => Found | undefined {
  const named = (path: string) => path.split("/").filter((part) => part.startsWith(":")).length;
  const ordered = [...routes].sort((a, b) => named(a.path) - named(b.path));
  return (url) => {
    const [path = "", search] = url.split("#", 1)[0]!.split(/\?(.*)/s, 2);
    const given = path.replace(/(?<=.)\/$/, "").split("/");
    for (const route of ordered) {
      const params = paramsOf(route.path.split("/"), given);
      if (params) return { route, params, query: new URLSearchParams(search) };
    }
    return undefined;
  };
}

function paramsOf(wanted: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const have = given[i]!;
    if (!part.startsWith(":")) {
      if (part !== have) return undefined;
      continue;
    }
    try {
      params[part.slice(1)] = decodeURIComponent(have);
    } catch {
      return undefined;
    }
    if (have === "") return undefined;
  }
  return params;
}

function tokenOf({ headers }: IncomingMessage, query: URLSearchParams): string | undefined {
  const [marker, token] = (headers["sec-websocket-protocol"] ?? "").split(",").map((part) => part.trim());
  const inAddress = query.getAll("token"); // of two nobody guesses which is meant
  const asked = inAddress.length === 1 ? inAddress[0] : undefined;
  return bearerOf(headers) ?? (marker === "cairn.bearer" ? token : undefined) ?? asked;
}

function refuse(socket: Duplex, status: number): void {
  const body = JSON.stringify({ detail: status === 403 ? "Not allowed" : STATUS_CODES[status] });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.once("finish", () => socket.destroy());
}
