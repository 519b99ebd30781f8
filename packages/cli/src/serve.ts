/** `cairn serve`: the server, until it is told to stop. */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, type Preset } from "@cairn/protocol";
import { type AxisMap, type RunningServer, reachableAt, startServer, TIME_SERVERS, urlOf } from "@cairn/server";
import { EXIT, Problem } from "./exit.ts";
import { settingsOf } from "./make-space.ts";
import type { OwnCertificate } from "./own-certificate.ts";
import { readTls, readTokens } from "./serve-files.ts";
import { type Listener, type LOG_LEVELS, type MeshFolder, parseListener } from "./serve-options.ts";

type ServeOptions = {
  readonly port: number;
  /** Left out: this machine only, or with `https` everyone in the network. */
  readonly host?: string;
  readonly data: string;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  readonly rebuildEvery?: number;
  readonly preset?: Preset;
  /** `embedded`, or `command:PROGRAM`. */
  readonly engine?: string;
  /** Listeners of their own for single faces. */
  readonly listen?: readonly Listener[];
  /** How axes of devices' motion sensors are turned. */
  readonly imuAxes?: AxisMap;
  /** Folders of designs to watch. */
  readonly meshDir?: readonly MeshFolder[];
  /** A file of tokens and their roles. */
  readonly tokens?: string;
  /** Files in PEM; both or none. */
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** For phones in the network: with these files, else with a certificate of its own; http stays open beside it. */
  readonly https?: boolean;
  /** Print the code for phones also where nobody looks. */
  readonly qr?: boolean;
  readonly trustProxy?: readonly string[];
  readonly allowOrigin?: readonly string[];
  /** Of depth. */
  readonly maxSessions?: number;
  readonly sessionTimeout?: number;
  /** Of image tools. */
  readonly sessionImages?: number;
  readonly imageMib?: number;
  /** Messages a second of one socket of a face. */
  readonly socketRate?: number;
  /** `amqp://…` of a RabbitMQ. */
  readonly rabbitmq?: string;
  readonly announceRestart?: boolean;
  /** False: live video builds no models. */
  readonly keyframes: boolean;
  /** Where the hub's devices record that name no space; false: nowhere. */
  readonly hubSpace: string | false;
};

/** GEN-26: whatever is still open after this long is cut; what was acknowledged is on disk. */
const STOP_MS = 4500;
const NO_TIME =
  "cairn: no time server answers: this machine's own clock counts (NTP_SERVER=HOST names one, NTP_SERVER=off asks none)\n";
/** How often addresses are looked at: a phone that joins a new network after that finds a certificate for it. */
const RENEW_EVERY_MS = 30_000;

function engineOf(engine = "embedded"): { engineProgram?: string } {
  return engine.startsWith("command:") ? { engineProgram: engine.slice("command:".length) } : {};
}

/** Where the designs are when nobody named a folder: the environment's, or where the original had them. */
function meshFolders(named: readonly MeshFolder[] = []): readonly MeshFolder[] {
  if (named.some(({ name }) => name === "current")) return named;
  const { MESH_DIR: given } = process.env;
  if (given) return [...named, { name: "current", dir: resolve(given) }];
  const original = resolve("outputs/meshes/current");
  return existsSync(original) ? [...named, { name: "current", dir: original }] : named;
}

/** HUB-98: the operator's first, then those that everybody may ask; `off`: none. */
function timeServersOf(named = ""): readonly string[] {
  if (named === "off") return [];
  return named === "" ? TIME_SERVERS : [named, ...TIME_SERVERS];
}

export async function serve(options: ServeOptions): Promise<number> {
  const { port, data, logLevel, listen = [], https = false } = options;
  const host = options.host || (https ? "0.0.0.0" : "127.0.0.1"); // an empty BIND_HOST is none
  // Asked to stop while it starts, it stops as soon as it can.
  const stop = new Promise<void>((stopped) => {
    process.once("SIGTERM", stopped);
    process.once("SIGINT", stopped);
  });
  const { CAIRN_TOKEN: token, API_PORT: apiPort, RABBITMQ_URL: environmentUrl } = process.env;
  const rabbitmqUrl = options.rabbitmq ?? environmentUrl;
  const dataDir = resolve(data);
  const tokens = options.tokens === undefined ? undefined : await readTokens(options.tokens);
  const given = await readTls(options.tlsCert, options.tlsKey);
  const maker = https && !given ? await import("./own-certificate.ts") : undefined;
  const own = await maker?.ownCertificate(dataDir);
  const tls = given ?? own;
  const { maxSessions, sessionTimeout, sessionImages, imageMib, socketRate } = options;
  /** What is not urgent is said after the line that everybody waits for. */
  const notes: string[] = [];
  let server: RunningServer | undefined;
  const note = (text: string) => (server ? process.stderr.write(text) : notes.push(text));
  try {
    server = await startServer({
      host,
      port,
      dataDir,
      logLevel,
      ...(token ? { token } : {}),
      ...(tokens ? { tokens } : {}),
      ...(tls ? { tls: { ...tls, plainToo: https } } : {}),
      ...(options.trustProxy ? { trustedProxies: options.trustProxy } : {}),
      ...(options.allowOrigin ? { allowedOrigins: options.allowOrigin } : {}),
      depthSessions: {
        ...(maxSessions === undefined ? {} : { sessions: maxSessions }),
        ...(sessionTimeout === undefined ? {} : { idleMs: sessionTimeout * 1000 }),
      },
      imagetools: {
        ...(sessionImages === undefined ? {} : { images: sessionImages }),
        ...(imageMib === undefined ? {} : { fileBytes: imageMib * 2 ** 20 }),
      },
      // As the contracts have it, twice as many at once.
      ...(socketRate === undefined ? {} : { socketRate: { perSecond: socketRate, burst: 2 * socketRate } }),
      spaceSettings: settingsOf(options),
      ...engineOf(options.engine),
      meshFolders: meshFolders(options.meshDir),
      timeServers: timeServersOf(process.env.NTP_SERVER),
      onTimeUnanswered: () => note(NO_TIME),
      ...(options.imuAxes && { imuAxes: options.imuAxes }),
      ...(rabbitmqUrl ? { rabbitmqUrl } : {}),
      announceRestart: options.announceRestart === true,
      keyframes: options.keyframes,
      ...(options.hubSpace !== false && { hubSpace: options.hubSpace }),
      listen: apiPort === undefined ? listen : parseListener(`hub=${apiPort}`, listen),
    });
  } catch (error) {
    throw startProblem(error, { port, host, data });
  }
  for (const each of server.listeners) process.stderr.write(`cairn: ${each.face} answers alone on port ${each.port}\n`);
  process.stdout.write(`Cairn is ready at ${server.url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, "//127.0.0.1")}\n`);
  const code = options.qr === true || process.stderr.isTTY === true;
  const phones = https || options.qr === true ? await import("./phone-notes.ts") : undefined;
  const tell = (cert: string | Buffer | undefined) => {
    if (!phones) return;
    process.stderr.write(
      phones.phoneNotes({
        urls: reachableAt(host).map((address) => urlOf(tls ? "https" : "http", address, server.port)),
        ...(cert && { fingerprint: new X509Certificate(cert).fingerprint256 }),
        own: own !== undefined,
        token: phones.phoneToken(tokens ?? [], token || undefined),
        code,
      }),
    );
  };
  tell(tls?.cert);
  process.stderr.write(notes.splice(0).join(""));
  const renewing = maker && own && renewCertificate(server, own, () => maker.ownCertificate(dataDir), tell);
  await stop;
  clearInterval(renewing);
  process.once("SIGINT", () => process.exit(EXIT.interrupted)); // a second Ctrl-C does not wait
  const cut = setTimeout(() => process.exit(EXIT.ok), STOP_MS);
  await server.close();
  clearTimeout(cut);
  return EXIT.ok;
}

/** A network was changed, or a year is over: who comes then is shown a certificate that fits. */
function renewCertificate(
  server: RunningServer,
  first: OwnCertificate,
  newest: () => Promise<OwnCertificate>,
  tell: (cert: string) => void,
): NodeJS.Timeout {
  let { fingerprint } = first;
  const look = async () => {
    const now = await newest();
    if (now.fingerprint === fingerprint) return;
    ({ fingerprint } = now);
    server.renewCertificate(now);
    tell(now.cert);
  };
  const failed = (error: unknown) => process.stderr.write(`cairn: the certificate stays as it was: ${String(error)}\n`);
  return setInterval(() => void look().catch(failed), RENEW_EVERY_MS).unref();
}

function startProblem(error: unknown, { port, host, data }: { port: number; host: string; data: string }): unknown {
  if (error instanceof CairnError && error.code === "store.locked") {
    return new Problem(
      `${data} is in use by another server; stop that one or choose another folder with --data`,
      1,
      error,
    );
  }
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new Problem(`port ${port} is in use; choose another with --port, or --port 0 for any free one`, 1, error);
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new Problem(`${host} is not an address of this machine; choose another with --host`, 1, error);
    case "EACCES":
      return new Problem(
        `not allowed to use port ${port} or folder ${data}; choose others with --port and --data`,
        1,
        error,
      );
    default:
      if (error instanceof RangeError) return new Problem(error.message, EXIT.usage, error);
      if (String((error as NodeJS.ErrnoException).code).startsWith("ERR_OSSL")) {
        return new Problem("the certificate or its key cannot be read: PEM is expected", EXIT.failed, error);
      }
      return error;
  }
}
