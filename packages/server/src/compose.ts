/** The composition root: everything is opened here, handed to those who need it, and closed in the reverse order. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Server as TlsServer } from "node:tls";
import {
  type Core,
  type EngineOptions,
  EXPORT_FORMATS,
  exportFormat,
  exportKind,
  ingestImage,
  openCore,
  openEdits,
  openImports,
  openTileEncoder,
  type Reconstructor,
  restoreGeneration,
  startExport,
  startKeyframes,
  startReconstructor,
} from "@cairn/core";
import { openImageDecoder } from "@cairn/images";
import { CairnError } from "@cairn/protocol";
import { openCommandEngine, openEmbeddedEngine } from "@cairn/reconstruct";
import type { FastifyBaseLogger } from "fastify";
import pino from "pino";
import type { OperationStarter, ServerContext } from "./context.ts";
import { openAllFaces } from "./faces/all.ts";
import type { FaceName } from "./faces/face.ts";
import { openFaces } from "./faces/faces.ts";
import { openFileCache } from "./file-cache.ts";
import { accessBy } from "./http/access.ts";
import { createApp, setUpApp, setUpFaceApp } from "./http/app.ts";
import type { TlsFiles } from "./http/either.ts";
import { trustedProxies } from "./http/proxies.ts";
import { urlOf } from "./http/reach.ts";
import { openUpgrades } from "./http/upgrades.ts";
import { UploadBudget } from "./http/upload-budget.ts";
import { asyncapiRoute } from "./live/asyncapi.ts";
import { eventStreamRoutes } from "./live/event-stream.ts";
import type { LiveContext } from "./live/live-context.ts";
import { openLive } from "./live/live-door.ts";
import { controlMetrics } from "./metrics/control-metrics.ts";
import { keyframeMetrics } from "./metrics/keyframe-metrics.ts";
import { Metrics } from "./metrics/metrics.ts";
import { VideoMetrics } from "./metrics/video-metrics.ts";
import { exportSources } from "./routes/exports.ts";
import { OpenExports } from "./routes/open-exports.ts";
import type { ServerOptions } from "./server-options.ts";
import { TileMaker } from "./tiles/tile-maker.ts";
import { openTracing } from "./trace/tracing.ts";
import { openVideoDoor } from "./video/video-door.ts";

export type RunningServer = {
  url: string;
  port: number;
  /** Ports of the faces that have a listener of their own, in the order in which they were asked for. */
  listeners: readonly { face: FaceName; port: number }[];
  /** Another certificate for those who come from now on; there must have been one. */
  renewCertificate(files: TlsFiles): void;
  /** GEN-26: within 5 s, whatever clients do. */
  close(): Promise<void>;
};

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** A request that is still being answered when the server stops has this long. */
const DRAIN_MS = 2000;

/** Photos of all spaces that nobody has judged. */
async function waitingPhotos({ spaces }: Core): Promise<number> {
  let waiting = 0;
  for (const { id } of await spaces.list()) {
    const { images } = (await spaces.open(id)).log.snapshot().state;
    for (const { verdict } of Object.values(images)) if (!verdict) waiting++;
  }
  return waiting;
}

const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** Its client of AMQP is loaded where it is wanted. */
async function openBus(url: string, log: FastifyBaseLogger, tracing: Awaited<ReturnType<typeof openTracing>>) {
  const { Bus, exchangeNames } = await import("@cairn/bus");
  return new Bus({
    url,
    names: exchangeNames(process.env),
    node: randomUUID(),
    onTrouble: (message) => log.warn(message),
    ...(tracing && { trace: (exchange) => tracing.publishing(exchange) }),
  });
}

/** @throws {CairnError} `store.locked` when another server owns `dataDir` */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { host = "127.0.0.1", port = 8000, dataDir, logLevel = "warn" } = options;
  // Standard output belongs to the one line that says where the server is.
  const log: FastifyBaseLogger = pino({ level: logLevel }, pino.destination({ dest: 2, sync: true }));
  const access = accessBy(options);
  if (!access.tokenRequired && !LOOPBACK.test(host)) {
    log.warn({ host }, "anyone who can reach this address may read and change everything: authentication is off");
  }

  const trusted = options.trustedProxies && trustedProxies(options.trustedProxies);
  const opened: (() => Promise<void>)[] = [];
  const closeAll = async () => {
    for (const close of opened.splice(0).reverse()) {
      await close().catch((error: unknown) => log.error({ err: error }, "closing"));
    }
  };
  try {
    const tracing = await openTracing(version, (error) => log.error({ err: error }, "tracing"));
    if (tracing) opened.push(() => tracing.close());
    // Opened first and closed last: exports of the core's operations make tiles, too.
    const tileEncoder = openTileEncoder();
    opened.push(() => tileEncoder.close());
    const core = await openCore({
      dataDir,
      onError: (context, error) => log.error({ err: error }, context),
      onThinVideo: (source, mbps) => log.warn({ source, mbps }, "live video has been under 3 Mbit/s for 25 s"),
      ...(options.spaceSettings ? { settings: options.spaceSettings } : {}),
      ...(options.timeServers && {
        clock: {
          servers: options.timeServers,
          onUnanswered:
            options.onTimeUnanswered ??
            ((why) => log.warn({ why }, "no time server answers: the system's clock is taken as it is")),
        },
      }),
      ...(options.imuAxes && { motion: { axes: options.imuAxes } }),
    });
    opened.push(() => core.close());
    if (tracing) {
      core.onIngested((space, receipt) => tracing.ingested(space, receipt));
      core.spaces.onOpen((space) => tracing.watch(space));
    }
    const decoder = openImageDecoder();
    opened.push(() => decoder.close());

    const bus = options.rabbitmqUrl === undefined ? undefined : await openBus(options.rabbitmqUrl, log, tracing);
    if (bus) opened.push(() => bus.close());

    const edits = openEdits(core, decoder, (error, about) => log.error({ err: error, about }, "edits"));

    const operationKinds = new Map<string, OperationStarter>();
    let restore: ServerContext["restore"] = restoreGeneration;
    const { engineProgram: program, engineProgramMs: timeoutMs } = options;
    const photoBytes = (digest: string) => core.blobs.get(digest);
    const ownEngine =
      program === undefined
        ? openEmbeddedEngine
        : ({ cache }: EngineOptions) =>
            openCommandEngine({ program, photoBytes, cache, ...(timeoutMs !== undefined && { timeoutMs }) });
    const openEngine = options.openEngine === undefined ? ownEngine : options.openEngine;
    if (openEngine) {
      const running: Reconstructor = startReconstructor({
        core,
        decode: (bytes, wanted) => decoder.decode(bytes, wanted),
        openEngine,
        cache: openFileCache(join(dataDir, "engine")),
        scratchDir: join(dataDir, "scratch"),
        onError: (error, about) => log.error({ err: error, about }, "reconstruction"),
      });
      restore = (space, generation) => running.restore(space.id, generation);
      operationKinds.set("rebuild", async (space) => ({ operation: await running.rebuild(space.id) }));
      opened.push(() => running.close());
    }

    const keyframes =
      options.keyframes === false
        ? undefined
        : startKeyframes({
            core,
            images: decoder,
            reconstructs: openEngine !== null,
            onProblem: (source, problem) => {
              if (problem) log.warn({ source, code: problem.code }, `live video: ${problem.detail}`);
            },
            onError: (context, error) => log.error({ err: error }, context),
          });
    if (keyframes) opened.push(() => keyframes.close());

    for (const name of Object.keys(EXPORT_FORMATS)) {
      const format = exportFormat(name);
      operationKinds.set(exportKind(format), async (space) => {
        const { operation } = await startExport(exportSources({ core, decoder, dataDir, tileEncoder }, space), format);
        return { operation };
      });
    }

    const tiles = new TileMaker(tileEncoder, openFileCache(join(dataDir, "tiles")));

    const imports = await openImports(core, join(dataDir, "imports"));
    const stopping = new AbortController();
    const door = {
      log,
      ...(options.timeouts && { timeouts: options.timeouts }),
      ...(options.tls && { tls: options.tls }),
      ...(trusted && { trusted }),
    };
    const app = createApp(door);
    const metrics = new Metrics({
      connections: () => context.connections(),
      queues: async () => ({ photos: await waitingPhotos(core) }),
    });
    controlMetrics(metrics.registry, core.control);
    if (keyframes) keyframeMetrics(metrics.registry, keyframes);
    const liveContext: LiveContext = {
      core,
      log,
      metrics,
      ingest: (space, { name, ...photo }, bytes, signal) =>
        ingestImage(core, space, { ...photo, name, bytes, source: "live" }, decoder, signal),
      async startOperation(space, kind) {
        const start = operationKinds.get(kind);
        if (!start) throw new CairnError("operation.unknown_kind", { kind });
        return (await start(space)).operation;
      },
      authorize: access.judge,
    };
    const live = openLive(liveContext);
    const upgrades = openUpgrades({
      metrics,
      ...(access.origins && { allowedOrigins: access.origins }),
      ...(trusted && { trusted }),
    });
    const context: ServerContext = {
      metrics,
      videoMetrics: new VideoMetrics(metrics.registry, core.video),
      ...(tracing && { tracing }),
      ...(bus && { bus }),
      ...(keyframes && { keyframes }),
      core,
      decoder,
      edits,
      cache: (name) => openFileCache(join(dataDir, name)),
      engineName: program === undefined ? "embedded" : "command",
      copiesCount: program !== undefined,
      tiles,
      tileEncoder,
      openExports: new OpenExports(),
      ...(options.tilesPerJson !== undefined && { tilesPerJson: options.tilesPerJson }),
      imports,
      log,
      version,
      startedMs: performance.now(),
      access,
      operationKinds,
      restore,
      uploadsDir: join(dataDir, "uploads"),
      uploadBudget: new UploadBudget(options.uploadBytes),
      dataDir,
      meshFolders: options.meshFolders ?? [],
      notices: () => faces.all.flatMap((face) => face.problems?.() ?? []),
      connections: () => ({ ...faces.connections(), live: live.connections + videoDoor.connections }),
      faceHealth: async (wanted) => (await faces.all.find(({ name }) => name === wanted)?.health?.()) ?? {},
      liveWaitingBytes: () => live.stats().waitingBytes,
      stopping: stopping.signal,
    };
    const faces = openFaces(await openAllFaces(context, options), {
      log,
      metrics,
      access,
      ...(options.socketRate && { rate: options.socketRate }),
    });
    const videoDoor = openVideoDoor(context, options.socketRate);
    const own = (options.listen ?? []).map(({ face, port }) => {
      const found = faces.all.find(({ name }) => name === face);
      if (!found) throw new RangeError(`there is no face ${face}`);
      return { face: found, port, app: createApp(door) };
    });
    opened.push(async () => {
      stopping.abort(new CairnError("server.stopping"));
      upgrades.close();
      const apps = [app, ...own.map((each) => each.app)];
      const cut = setTimeout(() => {
        for (const each of apps) each.server.closeAllConnections();
      }, DRAIN_MS);
      // Devices are told to be safe while their sockets are there.
      await core.control.close();
      videoDoor.close();
      await Promise.all([live.close(DRAIN_MS), faces.close(), ...apps.map((each) => each.close())]);
      clearTimeout(cut);
    });
    let certificate = options.tls?.cert;
    const reach = {
      host,
      port: () => (app.server.address() as AddressInfo).port,
      ...(options.tls && { certificate: () => certificate ?? "" }),
      ...(options.tls?.authority !== undefined && { authority: options.tls.authority }),
    };
    await setUpApp(app, context, { log, ...options, faces: faces.all, reach }, (routes) => {
      eventStreamRoutes(routes, liveContext);
      asyncapiRoute(routes, version);
    });
    upgrades.attach(app.server, [
      live.route,
      ...videoDoor.routes,
      ...faces.all.flatMap((face) => [...faces.socketRoutes(face, ""), ...faces.socketRoutes(face, `/${face.name}`)]),
    ]);
    const listeners: { face: FaceName; port: number }[] = [];
    for (const each of own) {
      await setUpFaceApp(each.app, context, { log, ...options }, each.face);
      upgrades.attach(each.app.server, faces.socketRoutes(each.face, ""));
      await each.app.listen({ host, port: each.port });
      listeners.push({ face: each.face.name, port: (each.app.server.address() as AddressInfo).port });
    }
    await app.listen({ host, port });
    if (options.announceRestart)
      bus?.publish("restart_exchange", '{"type":"restart"}', { contentType: "application/json" });
    const address = app.server.address() as AddressInfo;
    return {
      url: urlOf(options.tls ? "https" : "http", address.address, address.port),
      port: address.port,
      listeners,
      renewCertificate(files) {
        certificate = files.cert;
        for (const each of [app, ...own.map((one) => one.app)]) {
          if (each.server instanceof TlsServer) each.server.setSecureContext(files);
        }
      },
      close: closeAll,
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}
