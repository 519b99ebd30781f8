/** The live door: takes WebSocket upgrades for `/v1/spaces/{id}/live`, and refuses all others with 404. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CairnError, CLOSE, checkSpaceId } from "@cairn/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { Answers } from "./answers.ts";
import { Broadcasts } from "./broadcast.ts";
import { LIVE_LIMITS, type LiveContext, type LiveLimits } from "./live-context.ts";
import { type LiveHouse, LiveSocket } from "./live-socket.ts";
import { LiveTables } from "./live-tables.ts";
import { PresenceRooms } from "./presence.ts";
import { SharedMessages } from "./shared-messages.ts";
import { Turns } from "./turns.ts";

export type LiveDoor = {
  /** Open live sockets. */
  readonly connections: number;
  /**
   * Most bytes that one socket holds in this process, sockets that have heard all, messages encoded so far, closes by code.
   */
  stats(): {
    waitingBytes: number;
    listening: number;
    encoded: number;
    sharedBytes: number;
    closes: ReadonlyMap<number, number>;
  };
  /** Closes every socket with 1001 (GEN-26) and takes no more; cuts off those that do not answer in time. */
  close(graceMs?: number): Promise<void>;
};

export function attachLive(server: Server, context: LiveContext): LiveDoor {
  const limits: LiveLimits = { ...LIVE_LIMITS, ...context.limits };
  const shared = new SharedMessages(limits.sharedBytes);
  const tables = new LiveTables(context.core.layers.tables);
  const house: LiveHouse = {
    context,
    limits,
    shared,
    answers: new Answers(),
    presence: new PresenceRooms(),
    tables,
    broadcasts: new Broadcasts({ core: context.core, tables, shared }),
    turns: new Turns(),
    imageBytes: 0,
    closes: new Map(),
  };
  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compressed and preframed messages on one socket would overtake each other; pictures do not shrink anyway.
    perMessageDeflate: false,
    maxPayload: limits.messageBytes,
    handleProtocols: (offered) => (offered.has("cairn.bearer") ? "cairn.bearer" : false),
  });
  const sockets = new Map<WebSocket, LiveSocket | undefined>();
  const perAddress = new Map<string, number>();
  let stopping = false;

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on("error", () => socket.destroy());
    const space = spaceOf(request);
    const address = request.socket.remoteAddress ?? "";
    const { origin } = request.headers;
    if (stopping) return refuse(socket, 503);
    if (space === undefined) return refuse(socket, 404);
    if (origin !== undefined && context.allowedOrigins && !context.allowedOrigins.includes(origin)) {
      return refuse(socket, 403);
    }
    const here = perAddress.get(address) ?? 0;
    if (sockets.size >= limits.sockets || here >= limits.socketsPerAddress) return refuse(socket, 503);
    wss.handleUpgrade(request, socket, head, (ws) => {
      sockets.set(ws, undefined);
      perAddress.set(address, (perAddress.get(address) ?? 0) + 1);
      ws.once("close", () => {
        sockets.delete(ws);
        const left = (perAddress.get(address) ?? 1) - 1;
        if (left > 0) perAddress.set(address, left);
        else perAddress.delete(address);
      });
      void admit(ws, request, space);
    });
  };

  /** From here on the handshake is done: what goes wrong is said with a close code, which a browser can see. */
  async function admit(ws: WebSocket, request: IncomingMessage, id: string): Promise<void> {
    ws.on("error", () => {});
    const access = context.authorize?.(tokenOf(request), id) ?? "granted";
    if (access === "unauthenticated") return ws.close(CLOSE.unauthenticated, "Not authenticated");
    if (access === "forbidden") return ws.close(CLOSE.forbidden, "Not allowed");
    ws.pause(); // messages wait until there is someone to take them
    try {
      const space = await context.core.spaces.open(checkSpaceId(id));
      if (ws.readyState !== ws.OPEN) return;
      sockets.set(ws, new LiveSocket(house, ws, request.socket as Socket, space));
      ws.resume();
      if (stopping) sockets.get(ws)?.close(CLOSE.stopping, "server shutting down");
    } catch (error) {
      const code = error instanceof CairnError ? error.code : undefined;
      ws.resume();
      if (code === "space.id_invalid") return ws.close(CLOSE.notAllowedId, "space id not allowed");
      if (code === "space.missing" || code === "space.closed") return ws.close(CLOSE.missing, "no such space");
      context.log.error({ space: id.slice(0, 128), cause: error }, "a space did not open");
      ws.close(CLOSE.keepalive, "internal error");
    }
  }

  const pinging = setInterval(() => {
    for (const live of sockets.values()) live?.ping();
  }, limits.pingEveryMs);
  const looking = setInterval(
    () => {
      const nowMs = performance.now();
      for (const live of sockets.values()) live?.look(nowMs);
    },
    Math.min(1000, limits.slowMs / 4, limits.deadMs / 4),
  );
  server.on("upgrade", onUpgrade);

  return {
    get connections() {
      return sockets.size;
    },
    stats: () => ({
      waitingBytes: Math.max(0, ...Array.from(sockets.values(), (live) => live?.outbox.waitingBytes ?? 0)),
      listening: [...sockets.values()].filter((live) => live?.listening).length,
      encoded: house.shared.encoded,
      sharedBytes: house.shared.sizeBytes,
      closes: house.closes,
    }),
    async close(graceMs = 1000) {
      stopping = true;
      clearInterval(pinging);
      clearInterval(looking);
      const closed = [...sockets].map(([ws, live]) => {
        if (live) live.close(CLOSE.stopping, "server shutting down");
        else ws.close(CLOSE.stopping, "server shutting down");
        if (ws.readyState === ws.CLOSED) return Promise.resolve();
        return new Promise<void>((resolve) => ws.once("close", () => resolve()));
      });
      const cut = setTimeout(() => {
        for (const ws of sockets.keys()) ws.terminate();
      }, graceMs);
      await Promise.all(closed);
      clearTimeout(cut);
    },
  };
}

/** The space in `/v1/spaces/{id}/live`; `undefined` for every other path. Percent-encoding is decoded once. */
function spaceOf({ url = "" }: IncomingMessage): string | undefined {
  const id = /^\/v1\/spaces\/([^/?#]+)\/live\/?(?:\?|$)/.exec(url)?.[1];
  try {
    return id === undefined ? undefined : decodeURIComponent(id);
  } catch {
    return undefined;
  }
}

/** GEN-34: a header, a query field, or for browsers the second subprotocol. */
function tokenOf({ url = "", headers }: IncomingMessage): string | undefined {
  const bearer = /^bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1];
  const [marker, token] = (headers["sec-websocket-protocol"] ?? "").split(",").map((part) => part.trim());
  const query = new URLSearchParams(url.split("?", 2)[1]).get("token");
  return bearer ?? (marker === "cairn.bearer" ? token : undefined) ?? query ?? undefined;
}

function refuse(socket: Duplex, status: number): void {
  const body = JSON.stringify({ detail: STATUS_CODES[status] });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.once("finish", () => socket.destroy());
}
