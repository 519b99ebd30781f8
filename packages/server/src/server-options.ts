/** What a server is started with. */
import type { EngineOptions } from "@cairn/core";
import type { AxisMap } from "@cairn/motion";
import type { SpaceSettings } from "@cairn/protocol";
import type { Engine } from "@cairn/reconstruct";
import type { SessionLimits } from "./faces/depth/sessions.ts";
import type { FaceName } from "./faces/face.ts";
import type { ImagetoolsLimits } from "./faces/imagetools/house.ts";
import type { TokenGrant } from "./http/access.ts";
import type { TlsOptions } from "./http/app.ts";

export type ServerOptions = {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 8000; 0 picks a free one. */
  port?: number;
  dataDir: string;
  logLevel?: "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";
  /** Pages that may talk to the server; left out: any. */
  allowedOrigins?: readonly string[];
  /** When set, every request but for the page and `/health` must carry it, or one of `tokens`; it may do everything. */
  token?: string;
  /** Who may do less, or in some spaces only (GEN-35). */
  tokens?: readonly TokenGrant[];
  /** Makes every listener https and wss (GEN-37). */
  tls?: TlsOptions;
  /** Addresses and networks of proxies whose `X-Forwarded-…` is believed. */
  trustedProxies?: readonly string[];
  /** Where the page and the sample's photos lie, when not in their packages. */
  pageDir?: string;
  sampleDir?: string;
  /** What a new space has when its maker does not say. */
  spaceSettings?: Partial<SpaceSettings>;
  rate?: { perSecond: number; burst: number };
  /** Messages of one socket of a face; left out: as its contract says. */
  socketRate?: { perSecond: number; burst: number };
  /** Bytes of uploads by HTTP that are in memory at once; left out: 512 MiB. */
  uploadBytes?: number;
  /** How long a client may take for the headers of a request, and for all of it. */
  timeouts?: { headersMs: number; requestMs: number };
  /** How many tiles one JSON of a tileset names, about; default 3000. */
  tilesPerJson?: number;
  /** Listeners of their own for single faces (GEN-3); port 0 picks a free one. */
  listen?: readonly { face: FaceName; port: number }[];
  /** Depth sessions: how many, and for how long one may be idle. */
  depthSessions?: Partial<SessionLimits>;
  /** Image tools: images in a session, and bytes of one. */
  imagetools?: Partial<ImagetoolsLimits>;
  /** Folders of designs to watch; left out, or none named `current`: that one is within `dataDir`. */
  meshFolders?: readonly { name: string; dir: string }[];
  /** Asked for the time, the first that answers counts (HUB-98); left out: the system's clock is taken as it is. */
  timeServers?: readonly string[];
  /** Told, server by server, why none answers, once until one does; left out: that is logged as a warning. */
  onTimeUnanswered?: (why: readonly string[]) => void;
  /** How the axes of devices' motion sensors are turned (HUB-57); left out: they stay. */
  imuAxes?: AxisMap;
  /** Another engine than the embedded one; `null`: photos are taken and not reconstructed. */
  openEngine?: ((options: EngineOptions) => Promise<Engine>) | null;
  /** `amqp://…` of a RabbitMQ; left out: none. The names of its exchanges come from the environment (HUB-77). */
  rabbitmqUrl?: string;
  /** Say on the bus that everyone begins anew when the server starts (HUB-82). */
  announceRestart?: boolean;
  /** False: live video is relayed and builds no model. */
  keyframes?: boolean;
  /** The space of the hub's devices that name none, made with the first key picture; left out: they are relayed only. */
  hubSpace?: string;
  /** A program that reconstructs in place of the embedded engine: run for each photo. */
  engineProgram?: string;
  /** One of its runs that takes longer is ended; by default ten minutes. */
  engineProgramMs?: number;
};
