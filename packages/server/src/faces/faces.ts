/** All faces of one server: where they answer, who is connected to them, and how that ends. Rules GEN-2, GEN-3, GEN-11. */
import { CairnError, CLOSE } from "@cairn/protocol";
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../context.ts";
import type { Access } from "../http/access.ts";
import { parseJson } from "../http/json-body.ts";
import type { Arrival, SocketRoute } from "../http/upgrades.ts";
import type { Door, Metrics } from "../metrics/metrics.ts";
import { metricsRoute } from "../metrics/metrics-route.ts";
import { faceHealthRoute } from "../routes/health.ts";
import { FACES, type Face, type FaceName, type FaceSocketRoute, type Manner } from "./face.ts";
import { FACE_LIMITS, FaceSocket, type FaceSocketLimits } from "./face-socket.ts";
import { sendRefusal } from "./refusal.ts";

const PING_EVERY_MS = 20_000;
const LOOK_EVERY_MS = 1_000;

type Log = { error(facts: object, message: string): void };

export type KeepOptions = {
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly access: Access;
  readonly limits?: Partial<FaceSocketLimits>;
  /** In place of what the manners say (GEN-25). */
  readonly rate?: Manner["rate"];
};

export type Faces = {
  readonly all: readonly Face[];
  /** Open sockets by face. */
  connections(): Record<FaceName, number>;
  /** @param prefix `""` for the root or a listener of the face's own */
  socketRoutes(face: Face, prefix: string): SocketRoute[];
  /** Closes every socket with 1001 (GEN-26), then the faces. */
  close(): Promise<void>;
};

export function openFaces(all: readonly Face[], options: KeepOptions): Faces {
  const { log } = options;
  const kept = keepSockets<FaceName>({ ...options, log });

  return {
    all,
    connections() {
      const counts = Object.fromEntries(FACES.map((name) => [name, 0])) as Record<FaceName, number>;
      for (const face of FACES) counts[face] = kept.count(face);
      return counts;
    },
    socketRoutes: (face, prefix) =>
      face.sockets.map((route) => kept.route(face.name, { manner: face.manner, ...route, path: prefix + route.path })),
    async close() {
      kept.close();
      await Promise.all(all.map((face) => face.close?.()));
    },
  };
}

export type KeptSockets<Of extends Door> = {
  /** Those that are open. */
  count(door: Of): number;
  route(door: Of, route: FaceSocketRoute & { readonly manner: Manner }): SocketRoute;
  /** Closes every socket with 1001 (GEN-26), and those that come after. */
  close(): void;
};

/** Lets sockets in, asks them for signs of life, and lets go of those that are dead or too slow (GEN-20, GEN-22). */
export function keepSockets<Of extends Door>({ log, metrics, access, rate, ...given }: KeepOptions): KeptSockets<Of> {
  const limits = { ...FACE_LIMITS, ...given.limits };
  const sockets = new Map<FaceSocket, Of>();
  let stopping = false;

  const pinging = setInterval(() => {
    for (const socket of sockets.keys()) socket.ping();
  }, PING_EVERY_MS).unref();
  const looking = setInterval(() => {
    const nowMs = performance.now();
    for (const socket of sockets.keys()) socket.look(nowMs);
  }, LOOK_EVERY_MS).unref();

  return {
    count: (wanted) => [...sockets.values()].filter((door) => door === wanted).length,
    route: (door, { path, open, role = "view", place = placeOf, manner: own }) => ({
      door,
      path,
      deflate: true,
      open(arrival) {
        const { ws, token, request } = arrival;
        const pass = access.pass(token);
        if (!pass) return ws.close(CLOSE.unauthenticated, "Not authenticated");
        const least = typeof role === "function" ? role(arrival) : role;
        if (access.judge(token, least, place(arrival)) !== "granted") return ws.close(CLOSE.forbidden, "Not allowed");
        if (stopping) return ws.close(CLOSE.stopping, "server shutting down");
        const manner = rate ? { ...own, rate } : own;
        // Whoever asks for a smaller window cannot read what was compressed for all.
        const sharesDeflated = !/server_max_window_bits/i.test(request.headers["sec-websocket-extensions"] ?? "");
        const house = { face: door, manner, limits, log, metrics, pass, sharesDeflated };
        const socket = new FaceSocket(house, ws, request.socket);
        sockets.set(socket, door);
        ws.once("close", () => sockets.delete(socket));
        // Told here and not by each door: an opening that fails is said and closes.
        Promise.resolve()
          .then(() => open(socket, arrival))
          .catch((error: unknown) => {
            log.error({ err: error, face: door }, "a socket did not open");
            socket.error("Internal error");
            socket.close(CLOSE.keepalive, "internal error");
          });
      },
    }),
    close() {
      stopping = true;
      clearInterval(pinging);
      clearInterval(looking);
      for (const socket of sockets.keys()) socket.close(CLOSE.stopping, "server shutting down");
    },
  };
}

/** The space that the path of a socket names. */
function placeOf({ params }: Arrival): string | undefined {
  return params.project ?? params.session;
}

/**
 * A face's HTTP routes, from `prefix` on.
 * @param own nothing belongs to others there: the face's own `/health` answers, and `/metrics`
 * @returns their paths
 */
export async function faceRoutes(
  app: FastifyInstance,
  face: Face,
  { context, prefix, own }: { context: ServerContext; prefix: string; own: boolean },
): Promise<string[]> {
  const paths = new Set<string>();
  await app.register(
    async (scope) => {
      scope.addHook("onRoute", (route) => {
        paths.add(route.url);
        // The contracts describe them; /openapi.json has what is Cairn's own.
        route.schema = { ...route.schema, hide: true };
      });
      scope.setErrorHandler((error, _request, reply) => sendRefusal(reply, error));
      takeForms(scope);
      if (own) {
        faceHealthRoute(scope, context, face);
        metricsRoute(scope, context.metrics);
      }
      await face.routes(scope);
    },
    { prefix },
  );
  return [...paths, ...face.sockets.map(({ path }) => prefix + path)].sort();
}

/**
 * Fields of a form are an object of texts; a JSON body of no bytes is none. A JSON object is one also when it is said to
 * be a form or text, as `curl -d` and a page's `fetch` say of any text, or nothing is said of it, as by Python's
 * `http.client`.
 */
function takeForms(app: FastifyInstance): void {
  const json = (body: Buffer) => (body.length === 0 ? undefined : parseJson(body));
  const parsers: Record<string, (body: Buffer, type: string | undefined) => unknown> = {
    "application/json": json,
    "text/plain": json,
    "application/x-www-form-urlencoded": (body) =>
      body.toString().trimStart().startsWith("{")
        ? parseJson(body)
        : Object.fromEntries(new URLSearchParams(body.toString())),
    "*": (body, type) => {
      if (body.length === 0 || type === undefined || /\+json\b/i.test(type)) return json(body);
      throw new CairnError("request.invalid", { field: "Content-Type" });
    },
  };
  app.removeContentTypeParser(["application/json", "*"]);
  for (const [type, parse] of Object.entries(parsers)) {
    app.addContentTypeParser(type, { parseAs: "buffer" }, ({ headers }, body, done) => {
      try {
        done(null, parse(Buffer.from(body), headers["content-type"]));
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}
