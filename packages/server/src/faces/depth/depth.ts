/**
 * The depth face: one client makes a session, sends photos, asks, and gets a GLB with camera matrices. A session is a
 * space; its parameters and results are in the space's labels. Contract: DEP.
 */
import type { ServerContext } from "../../context.ts";
import type { Face } from "../face.ts";
import { DepthClient, sessionOf } from "./client.ts";
import { sessionRoutes } from "./routes.ts";
import { SESSION_LIMITS, type SessionLimits, Sessions } from "./sessions.ts";

export function openDepth(context: ServerContext, limits: Partial<SessionLimits> = {}): Face {
  const sessions = new Sessions(context, { ...SESSION_LIMITS, ...limits });
  const client = (socket: ConstructorParameters<typeof DepthClient>[2]) => new DepthClient(context, sessions, socket);
  return {
    name: "depth",
    service: "depth-sessions",
    manner: {
      error: (message, facts) => ({ type: "error", message, ...facts }),
      pong(said, socket) {
        if (typeof said !== "object" || said.type !== "ping") return undefined;
        const session = sessionOf.get(socket);
        session?.touch();
        return { type: "pong", session_id: session?.space.id ?? null };
      },
      notAnObject(_text, cause, socket) {
        sessionOf.get(socket)?.touch();
        return `Invalid message format: ${cause}`;
      },
      binary: "Invalid message format: binary messages are not accepted here",
    },
    sockets: [
      { path: "/ws/reconstruct/:session", open: (socket, { params }) => client(socket).join(params.session ?? "") },
      { path: "/ws/reconstruct", open: (socket) => client(socket).begin() },
    ],
    routes: (app) => sessionRoutes(app, context, sessions),
    health: () => ({ active_sessions: sessions.all.length }),
    async close() {
      sessions.close();
    },
  };
}
