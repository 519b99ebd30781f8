/** The live door: the sockets of `/v1/spaces/{id}/live`, what they share, and how they end. */
import type { Socket } from "node:net";
import { CairnError, CLOSE, checkSpaceId } from "@cairn/protocol";
import type { WebSocket } from "ws";
import type { Role } from "../http/access.ts";
import type { Arrival, SocketRoute } from "../http/upgrades.ts";
import { Answers } from "./answers.ts";
import { Broadcasts } from "./broadcast.ts";
import { LIVE_LIMITS, type LiveContext, type LiveLimits } from "./live-context.ts";
import { type LiveHouse, LiveSocket } from "./live-socket.ts";
import { LiveTables } from "./live-tables.ts";
import { PresenceRooms } from "./presence.ts";
import { SharedMessages } from "./shared-messages.ts";
import { Turns } from "./turns.ts";

export type LiveDoor = {
  readonly route: SocketRoute;
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

export function openLive(context: LiveContext): LiveDoor {
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
    framesOut: 0,
    closes: new Map(),
  };
  const sockets = new Map<WebSocket, LiveSocket | undefined>();
  let stopping = false;

  /** From here on the handshake is done: what goes wrong is said with a close code, which a browser can see. */
  async function admit({ ws, request, token }: Arrival, id: string): Promise<void> {
    const may = (role: Role) => context.authorize?.(token, role, id) ?? "granted";
    const access = may("view");
    if (access === "unauthenticated") return ws.close(CLOSE.unauthenticated, "Not authenticated");
    if (access === "forbidden") return ws.close(CLOSE.forbidden, "Not allowed");
    ws.pause(); // messages wait until there is someone to take them
    try {
      const space = await context.core.spaces.open(checkSpaceId(id));
      if (ws.readyState !== ws.OPEN) return;
      sockets.set(ws, new LiveSocket(house, ws, request.socket as Socket, space, (role) => may(role) === "granted"));
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
      tellFrames();
    },
    Math.min(5000, limits.slowMs / 4, limits.deadMs / 4),
  );

  function tellFrames(): void {
    if (house.framesOut > 0) context.metrics?.messages("live", "out", house.framesOut);
    house.framesOut = 0;
  }

  return {
    route: {
      door: "live",
      path: "/v1/spaces/:space/live",
      open(arrival) {
        const { ws, params } = arrival;
        sockets.set(ws, undefined);
        ws.once("close", () => sockets.delete(ws));
        void admit(arrival, params.space ?? "");
      },
    },
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
      tellFrames();
    },
  };
}
