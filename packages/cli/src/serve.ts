/** `cairn serve`: the server, until it is told to stop. */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CairnError, checkSpaceId, type Preset } from "@cairn/protocol";
import {
  type AxisMap,
  FACES,
  type FaceName,
  type RunningServer,
  reachableAt,
  readAxes,
  startServer,
  TIME_SERVERS,
  urlOf,
} from "@cairn/server";
import { InvalidArgumentError } from "commander";
import { EXIT, Problem } from "./exit.ts";
import { settingsOf } from "./make-space.ts";
import { type OwnCertificate, ownCertificate } from "./own-certificate.ts";
import { phoneNotes, phoneToken } from "./phone-notes.ts";
import { readTls, readTokens } from "./serve-files.ts";

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

type MeshFolder = { readonly name: string; readonly dir: string };
type Listener = { readonly face: FaceName; readonly port: number };

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

/** GEN-26: whatever is still open after this long is cut; what was acknowledged is on disk. */
const STOP_MS = 4500;
const NO_TIME =
  "cairn: no time server answers: this machine's own clock counts (NTP_SERVER=HOST names one, NTP_SERVER=off asks none)\n";
/** How often addresses are looked at: a phone that joins a new network after that finds a certificate for it. */
const RENEW_EVERY_MS = 30_000;

/** HER-46. @throws {InvalidArgumentError} */
export function parseEngine(text: string): string {
  if (text === "embedded" || /^command:./s.test(text)) return text;
  throw new InvalidArgumentError("An engine is embedded, or command:PROGRAM.");
}

function engineOf(engine = "embedded"): { engineProgram?: string } {
  return engine.startsWith("command:") ? { engineProgram: engine.slice("command:".length) } : {};
}

/** KEY-12. @throws {InvalidArgumentError} */
export function parseSpaceId(text: string): string {
  try {
    return checkSpaceId(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

/** `FACE=PORT`, once more (GEN-3). */
export function parseListener(text: string, before: readonly Listener[] = []): Listener[] {
  const [name, port = ""] = text.split("=");
  const face = FACES.find((each) => each === name);
  if (!face) throw new InvalidArgumentError(`A face is one of ${FACES.join(", ")}.`);
  if (!/^\d+$/.test(port) || Number(port) > 65_535) throw new InvalidArgumentError("A port is from 0 to 65535.");
  return [...before, { face, port: Number(port) }];
}

/** `[NAME=]DIR`, once more (MSH-1). */
export function parseMeshFolder(text: string, before: readonly MeshFolder[] = []): MeshFolder[] {
  const [, name = "current", dir = ""] = /^(?:([^/\\=]+)=)?(.+)$/s.exec(text) ?? [];
  if (dir === "") throw new InvalidArgumentError("A folder is DIR or NAME=DIR.");
  if (name.length > 64) throw new InvalidArgumentError("A collection's name has at most 64 characters.");
  if (before.some((each) => each.name === name)) throw new InvalidArgumentError(`There are two folders ${name}.`);
  return [...before, { name, dir: resolve(dir) }];
}

/** Where the designs are when nobody named a folder: the environment's, or where the original had them. */
function meshFolders(named: readonly MeshFolder[] = []): readonly MeshFolder[] {
  if (named.some(({ name }) => name === "current")) return named;
  const { MESH_DIR: given } = process.env;
  if (given) return [...named, { name: "current", dir: resolve(given) }];
  const original = resolve("outputs/meshes/current");
  return existsSync(original) ? [...named, { name: "current", dir: original }] : named;
}

/** `x,-z,y` (HUB-57). */
export function parseAxes(text: string): AxisMap {
  try {
    return readAxes(text);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
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
  const own = https && !given ? await ownCertificate(dataDir) : undefined;
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
  const tell = (cert: string | Buffer | undefined) => {
    if (!https && options.qr !== true) return;
    process.stderr.write(
      phoneNotes({
        urls: reachableAt(host).map((address) => urlOf(tls ? "https" : "http", address, server.port)),
        ...(cert && { fingerprint: new X509Certificate(cert).fingerprint256 }),
        own: own !== undefined,
        token: phoneToken(tokens ?? [], token || undefined),
        code,
      }),
    );
  };
  tell(tls?.cert);
  process.stderr.write(notes.splice(0).join(""));
  const renewing = own && renewCertificate(server, dataDir, own, tell);
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
  dataDir: string,
  first: OwnCertificate,
  tell: (cert: string) => void,
): NodeJS.Timeout {
  let { fingerprint } = first;
  const look = async () => {
    const now = await ownCertificate(dataDir);
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
