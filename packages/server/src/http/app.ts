/** The HTTP side: who may in, how much and how deep, what is refused and how; then the routes. Rules: docs/spec/http.md. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:https";
import { CairnError, check } from "@cairn/protocol";
import { type TSchema, Value } from "@cairn/protocol/schema";
import compress from "@fastify/compress";
import cors from "@fastify/cors";
import multipart from "@fastify/multipart";
import swagger from "@fastify/swagger";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyServerFactory,
  LogController,
} from "fastify";
import type { ServerContext } from "../context.ts";
import type { Face } from "../faces/face.ts";
import { faceRoutes } from "../faces/faces.ts";
import { countRequests, metricsRoute } from "../metrics/metrics-route.ts";
import { anchorRoutes } from "../routes/anchors.ts";
import { blobRoutes } from "../routes/blobs.ts";
import { deviceRoutes } from "../routes/devices.ts";
import { eventRoutes } from "../routes/events.ts";
import { exportRoutes } from "../routes/exports.ts";
import { generationRoutes } from "../routes/generations.ts";
import { healthRoutes } from "../routes/health.ts";
import { imageRoutes } from "../routes/images.ts";
import { layerRoutes } from "../routes/layers.ts";
import { operationRoutes } from "../routes/operations.ts";
import { pageRoutes } from "../routes/page.ts";
import { recordingRoutes } from "../routes/recordings.ts";
import { reportRoutes } from "../routes/report.ts";
import { spaceRoutes } from "../routes/spaces.ts";
import { tileRoutes } from "../routes/tiles.ts";
import { uploadRoutes } from "../upload/tus-uploads.ts";
import { videoRoutes } from "../video/video-routes.ts";
import { judgeRequest, tokenOf } from "./access.ts";
import { type AllowedMethods, allowedMethods } from "./allowed-methods.ts";
import { EitherServer, type TlsFiles } from "./either.ts";
import { sendError } from "./errors.ts";
import { MAX_JSON_BYTES, parseJson } from "./json-body.ts";
import type { Trusted } from "./proxies.ts";
import { rateLimit } from "./rate-limit.ts";
import { certificateRoute, type Reach, reachRoute } from "./reach.ts";
import { shouldUpgrade } from "./upgrades.ts";

/** PEM. */
export type TlsOptions = TlsFiles & {
  /** Who comes by http is answered too, at the same port. */
  readonly plainToo?: boolean;
  /** What those who are to believe `cert` install; anyone may have it. */
  readonly authority?: string;
};

type AppOptions = {
  log: FastifyBaseLogger;
  /** Requests a second from one address, and at once (GEN-25). */
  rate?: { perSecond: number; burst: number };
  /** A client has this long for the headers of a request, and for all of it. */
  timeouts?: { headersMs: number; requestMs: number };
  pageDir?: string;
  sampleDir?: string;
  /** What makes it https and wss (GEN-37). */
  tls?: TlsOptions;
  /** Whose `X-Forwarded-…` is believed; left out: nobody's. */
  trusted?: Trusted;
};

/** JSON, text, what a page is made of, and the point and mesh files of older clients. */
const COMPRESSED =
  /^(application\/(json|sla|x-ply|openapi\+json|manifest\+json|javascript|wasm)|text\/(?!event-stream)|model\/(stl|obj)|image\/svg\+xml)/;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** For requests that trickle in. An upload that needs longer comes in resumable pieces. */
const TIMEOUTS = { headersMs: 20_000, requestMs: 600_000 };
const KEEP_ALIVE_MS = 65_000;

/** What may be seen without a token: the page that asks for it, and whether the server lives. */
type OpenPaths = Set<string>;

export function createApp({ log, timeouts = TIMEOUTS, tls, trusted }: AppOptions): FastifyInstance {
  const http = {
    headersTimeout: timeouts.headersMs,
    requestTimeout: timeouts.requestMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Node looks for those that take too long only now and then, by default every 30 s.
    connectionsCheckingInterval: timeouts.headersMs / 4,
    maxHeaderSize: 16 * 1024,
    shouldUpgradeCallback: shouldUpgrade,
  };
  const serverFactory: FastifyServerFactory | undefined =
    tls &&
    ((handler) => {
      const { cert, key, plainToo } = tls;
      return plainToo
        ? new EitherServer(http, { cert, key }, handler)
        : createServer({ ...http, cert, key, handshakeTimeout: timeouts.headersMs }, handler);
    });
  return Fastify({
    ...(serverFactory && { serverFactory }),
    ...(trusted && { trustProxy: (address: string) => trusted(address) }),
    loggerInstance: log,
    // Addresses can carry a token; what is worth a line is logged where it happens.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: MAX_JSON_BYTES,
    // A slow disk makes a start long, not impossible.
    pluginTimeout: 0,
    requestTimeout: timeouts.requestMs,
    connectionTimeout: 0,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http,
    forceCloseConnections: "idle",
    // A path that is no text at all is refused before any hook runs.
    frameworkErrors: (error, _request, reply) => {
      sendError(reply, error);
    },
    return503OnClosing: false,
    routerOptions: { maxParamLength: 2048, ignoreTrailingSlash: true },
  });
}

/** Before any route: parsing, refusals, who may in. @returns what the routes that follow take by method and path */
async function setUpDoor(app: FastifyInstance, context: ServerContext, options: AppOptions): Promise<OpenPaths> {
  const methods = allowedMethods();
  app.addHook("onRoute", ({ url, method }) => {
    // The answer to a browser's question before a request is given at every path, also where nothing is.
    if (url !== "*") for (const each of [method].flat()) methods.add(url, each);
  });
  context.tracing?.traceRequests(app);
  countRequests(app, context.metrics);
  app.addHook("onRequest", async ({ headers }) => {
    // A range is of the bytes as they are.
    if (headers.range !== undefined) headers["x-no-compression"] = "1";
  });
  setUpParsing(app);
  setUpRefusals(app, methods);
  const open: OpenPaths = new Set(["/health", "/ready"]);
  guard(app, context, options, open);
  app.addHook("onSend", async ({ headers }, reply) => {
    // The plugin also packs what a table of all media types holds for text, a GLB among it.
    if (!COMPRESSED.test(String(reply.getHeader("content-type") ?? "application/json")))
      headers["x-no-compression"] = "1";
  });
  // Text above 1 KiB, where it is asked for (GEN-24); points and pictures are packed already, and ranges are of the bytes.
  await app.register(compress, { global: true, threshold: 1024, customTypes: COMPRESSED, encodings: ["br", "gzip"] });
  await app.register(cors, {
    origin: context.access.origins ? [...context.access.origins] : "*",
    methods: METHODS,
    exposedHeaders: ["ETag", "Location", "Content-Range", "Retry-After", "Upload-Result"],
    strictPreflight: false,
    maxAge: 3600,
  });
  // A photo over the limit is refused by itself, with the others of its form taken.
  await app.register(multipart, { throwFileSizeLimit: false });
  return open;
}

/** Hands out the routes; `extra` adds those of other doors behind the same checks. */
export async function setUpApp(
  app: FastifyInstance,
  context: ServerContext,
  options: AppOptions & { faces?: readonly Face[]; reach: Reach },
  extra: (app: FastifyInstance) => void | Promise<void> = () => {},
): Promise<void> {
  const open = await setUpDoor(app, context, options);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Cairn",
        version: context.version,
        description: "Photos in, cameras and coloured points out, live.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
    },
  });

  spaceRoutes(app, context);
  imageRoutes(app, context);
  eventRoutes(app, context);
  operationRoutes(app, context);
  generationRoutes(app, context);
  reportRoutes(app, context);
  recordingRoutes(app, context);
  anchorRoutes(app, context);
  deviceRoutes(app, context);
  exportRoutes(app, context);
  layerRoutes(app, context);
  blobRoutes(app, context);
  tileRoutes(app, context);
  videoRoutes(app, context);
  healthRoutes(app, context);
  metricsRoute(app, context.metrics);
  reachRoute(app, options.reach);
  const { authority } = options.reach;
  if (authority !== undefined) await openToAll(app, open, (scope) => certificateRoute(scope, authority));
  await app.register(async (scope) => uploadRoutes(scope, context));
  await extra(app);
  const described = () => Object.keys(app.swagger().paths ?? {}).sort();
  await openToAll(app, open, (scope) => pageRoutes(scope, { ...context, endpoints: described, ...options }));
  for (const face of options.faces ?? []) {
    await faceRoutes(app, face, { context, prefix: "", own: false });
    await faceDoor(app, face, context, options, open, `/${face.name}`);
  }
  let document: unknown;
  app.get("/openapi.json", { config: { place: "any" }, schema: { hide: true } }, async () => {
    document ??= modernTuples(app.swagger());
    return document;
  });
}

/** A listener tied to one face: every path is that face's (GEN-3). */
export async function setUpFaceApp(
  app: FastifyInstance,
  context: ServerContext,
  options: AppOptions,
  face: Face,
): Promise<void> {
  const open = await setUpDoor(app, context, options);
  await faceDoor(app, face, context, options, open, "");
}

/** A face at a place where nothing belongs to others: its routes, its health and its page. */
async function faceDoor(
  app: FastifyInstance,
  face: Face,
  context: ServerContext,
  options: AppOptions,
  open: OpenPaths,
  prefix: string,
): Promise<void> {
  open.add(`${prefix}/health`);
  const endpoints = await faceRoutes(app, face, { context, prefix, own: true });
  await openToAll(
    app,
    open,
    (scope) => pageRoutes(scope, { ...context, ...options, face: face.name, endpoints: () => endpoints }),
    prefix,
  );
}

/** Adds routes that may be seen without a token: the page that asks for it. */
async function openToAll(
  app: FastifyInstance,
  open: OpenPaths,
  routes: (scope: FastifyInstance) => Promise<void>,
  prefix = "",
): Promise<void> {
  await app.register(
    async (scope) => {
      scope.addHook("onRoute", ({ url }) => {
        open.add(url.replace(/(?<=.)\/$/, ""));
      });
      await routes(scope);
    },
    { prefix },
  );
}

/** Our schemas write a tuple as `items: [a, b]`; JSON Schema 2020-12, which OpenAPI 3.1 uses, as `prefixItems`. */
function modernTuples(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(modernTuples);
  if (value === null || typeof value !== "object") return value;
  const { items, additionalItems, ...rest } = value as { items?: unknown; additionalItems?: unknown };
  const renamed = Array.isArray(items) ? { ...rest, prefixItems: items, items: additionalItems ?? true } : value;
  return Object.fromEntries(Object.entries(renamed).map(([key, each]) => [key, modernTuples(each)]));
}

/** Schemas check what comes in; what goes out is ours and is not rewritten on its way. */
function setUpParsing(app: FastifyInstance): void {
  app.removeContentTypeParser("application/json");
  app.removeContentTypeParser("text/plain");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) => {
    try {
      done(null, parseJson(Buffer.from(body)));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
  // Bytes stay a stream: the handler reads it when it knows that it wants it. What they are is seen in them, so a door for
  // bytes also takes what curl says of a file by itself: that it is a form, or nothing (which fastify looks up as "*").
  for (const type of [/^(image\/|application\/(octet-stream|x-www-form-urlencoded))/, "*"]) {
    app.addContentTypeParser(type, (request, payload, done) => {
      const { consumes } = (request.routeOptions.schema as { consumes?: readonly string[] } | undefined) ?? {};
      const taken = consumes?.includes("application/octet-stream");
      if (taken && (type !== "*" || request.headers["content-type"] === undefined)) done(null, payload);
      // Client libraries name a type also where they send nothing.
      else if (request.headers["content-length"] === "0") done(null, undefined);
      else done(new CairnError("request.invalid", { field: "Content-Type" }));
    });
  }
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => (value: unknown) => {
    // A query and a path are text: numbers in them are converted, in a body they must be numbers.
    const given = httpPart === "body" ? (value ?? {}) : Value.Default(schema, Value.Convert(schema, value));
    try {
      return { value: check(schema, given) };
    } catch (error) {
      return { error: error instanceof Error ? error : new Error(String(error)) };
    }
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}

function setUpRefusals(app: FastifyInstance, methods: AllowedMethods): void {
  app.setErrorHandler((error, _request, reply) => sendError(reply, error));
  app.setNotFoundHandler((request, reply) => {
    const allowed = methods.at(pathOf(request.url));
    // A path that takes this method found nothing: a file of the page that has gone since the server started.
    if (allowed.length === 0 || allowed.includes(request.method)) {
      return sendError(reply, new CairnError("request.not_found"));
    }
    reply.header("allow", allowed.join(", "));
    return sendError(reply, new CairnError("request.method"));
  });
}

/** Before any body is read: rate, origin, token. Afterwards: what a browser must not do with the answer. */
function guard(app: FastifyInstance, { access }: ServerContext, { rate }: AppOptions, open: OpenPaths): void {
  const limit = rateLimit(rate?.perSecond, rate?.burst);
  app.decorateRequest("pass", null);
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-content-type-options", "nosniff").header("referrer-policy", "no-referrer");
    if (!limit.take(request.ip)) throw new CairnError("request.rate_limited");
    if (!access.allowsOrigin(request.headers.origin)) throw new CairnError("auth.forbidden");
    if (request.method === "OPTIONS") return;
    request.pass = access.pass(tokenOf(request)) ?? null;
    // Also by a method that it does not take; files are behind one route for all of them.
    if (open.has(pathOf(request.url).replace(/(?<=.)\/$/, "")) || open.has(request.routeOptions.url ?? "")) return;
    const verdict = judgeRequest(access, request);
    if (verdict === "unauthenticated") throw new CairnError("auth.required");
    if (verdict === "forbidden") throw new CairnError("auth.forbidden");
  });
}

function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0] ?? url;
}
