/**
 * The imagetools face: images come into a session from anywhere, and every open page of it hears of them and of long
 * operations. A session is a space; its state is what the space's log says. Contract: IMG.
 */
import type { Space } from "@cairn/core";
import { CLOSE } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import type { Face } from "../face.ts";
import type { FaceSocket } from "../face-socket.ts";
import { type Crowd, SessionClient } from "./client.ts";
import { editRoutes } from "./edit-routes.ts";
import { runFlatClient } from "./flat-client.ts";
import { findSession, type ImagetoolsHouse, type ImagetoolsLimits, LIMITS } from "./house.ts";
import { imageRoutes } from "./image-routes.ts";
import { operationRoutes } from "./operation-routes.ts";
import { guardPlaces } from "./places.ts";
import { isOver, Session } from "./session.ts";
import { sessionRoutes } from "./session-routes.ts";
import { isoSeconds } from "./times.ts";

export function openImagetools(context: ServerContext, given: Partial<ImagetoolsLimits> = {}): Face {
  const limits: ImagetoolsLimits = { ...LIMITS, ...given };
  const { core, log } = context;
  const spaces = new Set<Space>();
  const sessions = new Map<Space, Session>();
  const crowds = new WeakMap<Session, Crowd>();
  /** Sockets of the flat dialect: what they say is not answered. */
  const flat = new WeakSet<FaceSocket>();

  core.spaces.onOpen((space) => {
    spaces.add(space);
    space.signal.addEventListener(
      "abort",
      () => {
        spaces.delete(space);
        sessions.delete(space);
      },
      { once: true },
    );
  });

  const house: ImagetoolsHouse = {
    context,
    limits,
    spaces,
    open: () => sessions.values(),
    async session(id) {
      const space = await core.spaces.open(id);
      let session = sessions.get(space);
      if (!session) {
        session = new Session(space, (error) => {
          log.error({ err: error, id }, "a session");
          sessions.delete(space); // who asks next begins anew
        });
        sessions.set(space, session);
      }
      await session.upTo(space.log.head);
      return session;
    },
  };

  /** Of a socket that comes in; one that may not is told why (IMG-2). */
  async function enter(socket: FaceSocket, id: string | undefined): Promise<Session | undefined> {
    const session = id === undefined ? undefined : await findSession(house, id);
    const over = session && isOver(session.space.log.snapshot().state);
    if (session && !over) return session;
    socket.close(CLOSE.missing, over ? "Session expired" : "Invalid session");
    return undefined;
  }

  return {
    name: "imagetools",
    service: "imagetools",
    manner: {
      error: (message, facts) => ({
        type: "error",
        timestamp: isoSeconds(Date.now()),
        seq: 0,
        data: { message, ...facts },
      }),
      pong: (said, socket) => (said === "ping" && !flat.has(socket) ? "pong" : undefined),
      notAnObject: (_text, _cause, socket) => (flat.has(socket) ? undefined : "Unknown message"),
      binary: "Binary messages are not accepted here",
    },
    sockets: [
      {
        path: "/api/v1/ws/:session",
        async open(socket, { params, query }) {
          const session = await enter(socket, params.session);
          if (!session) return;
          const crowd = crowds.get(session) ?? new Set();
          crowds.set(session, crowd);
          await new SessionClient(socket, session, crowd, afterOf(query)).run();
        },
      },
      {
        path: "/ws",
        place: ({ query }) => query.get("session_id") ?? undefined,
        async open(socket, { query }) {
          flat.add(socket);
          const session = await enter(socket, query.get("session_id") ?? undefined);
          if (session) await runFlatClient(socket, session);
        },
      },
    ],
    async routes(app) {
      await app.register(async (scope) => {
        guardPlaces(scope, house);
        sessionRoutes(scope, house);
        imageRoutes(scope, house);
        editRoutes(scope, house);
        operationRoutes(scope, house);
      });
    },
  };
}

/** `?after=N`; anything else is as good as none. */
function afterOf(query: URLSearchParams): number | undefined {
  const text = query.get("after");
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
