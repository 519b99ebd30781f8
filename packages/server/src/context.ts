/** What every door of the server is handed: the core, the decoder, and who may come in. */
import type { Bus } from "@cairn/bus";
import type { Core, Edits, Imports, Keyframes, Space, TileEncoder } from "@cairn/core";
import type { ImageDecoder } from "@cairn/images";
import type { Id } from "@cairn/protocol";
import type { FastifyBaseLogger } from "fastify";
import type { FaceName } from "./faces/face.ts";
import type { FileCache } from "./file-cache.ts";
import type { Access } from "./http/access.ts";
import type { UploadBudget } from "./http/upload-budget.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { VideoMetrics } from "./metrics/video-metrics.ts";
import type { OpenExports } from "./routes/open-exports.ts";
import type { TileMaker } from "./tiles/tile-maker.ts";
import type { Tracing } from "./trace/tracing.ts";

/** Long work that a client may ask for by name. Resolves when it is queued. */
export type OperationStarter = (space: Space) => Promise<{ operation: Id }>;

export type ServerContext = {
  readonly core: Core;
  readonly metrics: Metrics;
  readonly videoMetrics: VideoMetrics;
  /** Where an endpoint for traces is configured. */
  readonly tracing?: Tracing;
  /** Where a RabbitMQ is configured. */
  readonly bus?: Bus;
  /** Unless live video is to build no models. */
  readonly keyframes?: Keyframes;
  /** Where uploads that are not whole yet wait. */
  readonly uploadsDir: string;
  /** What of uploads by HTTP is in memory, whichever door they come to. */
  readonly uploadBudget: UploadBudget;
  readonly decoder: ImageDecoder;
  readonly edits: Edits;
  /** `embedded`, or `command`. */
  readonly engineName: string;
  /** The engine wants every photo, also one that it was given before. */
  readonly copiesCount: boolean;
  /** Keeps what can be made again, by name. */
  cache(name: string): FileCache;
  readonly tiles: TileMaker;
  /** The thread in which all tiles are made, whoever wants them. */
  readonly tileEncoder: TileEncoder;
  readonly openExports: OpenExports;
  /** How many tiles one JSON of a tileset names, about. */
  readonly tilesPerJson?: number;
  readonly imports: Imports;
  readonly log: FastifyBaseLogger;
  readonly version: string;
  /** On the clock of `performance.now`. */
  readonly startedMs: number;
  readonly access: Access;
  /** By kind; `rebuild` is the reconstruction's. */
  readonly operationKinds: ReadonlyMap<string, OperationStarter>;
  /** Shows an earlier generation again; resolves with its new number. @throws {CairnError} `generation.…` */
  restore(space: Space, generation: number): Promise<number>;
  readonly dataDir: string;
  /** Folders of designs that were named, by their collections. */
  readonly meshFolders: readonly { readonly name: string; readonly dir: string }[];
  /** What is not as it should be, and keeps nobody from being served: for `/health`. */
  notices(): string[];
  /** Open sockets by face, for `/health`. */
  connections(): Record<FaceName | "live", number>;
  /** What a face adds to its own `/health`. */
  faceHealth(face: FaceName): Promise<Record<string, unknown>>;
  /** Most bytes that wait for one live socket. */
  liveWaitingBytes(): number;
  /** Aborts when the server begins to stop. */
  readonly stopping: AbortSignal;
};
