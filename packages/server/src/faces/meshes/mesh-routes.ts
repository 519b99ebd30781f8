/** Designs and what is known of them, over HTTP. Rules MSH-22 to MSH-33 and MSH-39, MSH-40. */
import { open, realpath } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import type { BlobStore } from "@cairn/core";
import { CairnError, type DesignState } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from "fastify";
import { disposition } from "../../http/disposition.ts";
import { matchesEtag } from "../../http/etag.ts";
import { sendBlob } from "../../http/send-blob.ts";
import { readFields } from "../fields.ts";
import { Refusal } from "../refusal.ts";
import { type Filter, filterOf } from "./filter.ts";
import type { Library } from "./library.ts";
import { metadataOf, rowOf, timeAgo } from "./wire.ts";

type House = {
  readonly library: Library;
  readonly blobs: BlobStore;
  /** Last part of the name of the folder of `current`. */
  readonly directory: string;
  readonly log: FastifyBaseLogger;
  /** A small PNG. @throws {CairnError} `design.unreadable` */
  readonly thumbnail: (content: DesignState) => Promise<Uint8Array>;
};

const limit = (most: number, usual: number) => Type.Integer({ minimum: 1, maximum: most, default: usual });
const ListQuery = Type.Object({
  limit: limit(1000, 100),
  offset: Type.Integer({ minimum: 0, default: 0 }),
  include_demo: Type.Boolean({ default: false }),
});
const RecentQuery = Type.Object({ limit: limit(100, 10) });
const TimelineQuery = Type.Object({
  limit: limit(100, 50),
  before: Type.Optional(Type.Integer({ minimum: 0 })),
  include_demo: Type.Boolean({ default: false }),
});
const CompareQuery = Type.Object({ design_id_1: Type.String(), design_id_2: Type.String() });
const DesignQuery = Type.Object({
  revision: Type.Optional(Type.Integer({ minimum: 1 })),
  collection: Type.Optional(Type.String({ maxLength: 64 })),
});

const MEDIA_TYPES = { stl: "application/sla", obj: "model/obj", glb: "model/gltf-binary", ply: "application/x-ply" };
const SIDECAR_BYTES = 2 ** 20;
const NEW_SECONDS = 60;
const RECENT_SECONDS = 3600;

type DesignRequest = FastifyRequest<{ Params: { design: string } }>;

export function meshRoutes(app: FastifyInstance, house: House): void {
  const { library, blobs } = house;

  app.get("/api/mesh/:design", async (request: DesignRequest, reply) => {
    const found = await designOf(library, request);
    const { blob: digest, design, format } = found;
    reply.header("content-disposition", disposition("attachment", format === "stl" ? `${design}.stl` : design));
    return sendBlob(request, reply, { blobs, digest, mediaType: MEDIA_TYPES[format], cacheControl: "no-cache" });
  });

  app.get("/api/mesh/:design/metadata", async (request: DesignRequest, reply) => {
    const found = await designOf(library, request);
    const metadata = await metadataFor(house, found);
    return reply.header("cache-control", "no-cache").type("application/json; charset=utf-8").send(metadata.text);
  });

  app.get("/api/mesh/:design/thumbnail", async (request: DesignRequest, reply) => {
    const found = await designOf(library, request);
    const etag = `"${found.blob}-thumbnail"`;
    reply.header("etag", etag).header("cache-control", "no-cache");
    if (matchesEtag(request.headers["if-none-match"], etag)) return reply.code(304).send();
    if (!found.mesh || found.mesh.faces === 0) throw new Refusal(422, "Failed to draw mesh: nothing to draw");
    const png = await house.thumbnail(found).catch((error: unknown) => {
      if (!(error instanceof CairnError) || !/^(design|engine)\./.test(error.code)) throw error;
      throw new Refusal(422, "Failed to draw mesh: too large to draw");
    });
    return reply.type("image/png").send(png);
  });

  app.get("/api/meshes/list", async ({ query }) => {
    const { limit, offset, include_demo } = readFields(ListQuery, query, "query");
    const found = newestFirst(designsIn(library, listFilter(library, query, include_demo)));
    const meshes = found.slice(offset, offset + limit).map((state) => rowOf(library, state));
    return { meshes, total: found.length, limit, offset };
  });

  app.get("/api/meshes/recent", async ({ query }) => {
    const { limit } = readFields(RecentQuery, query, "query");
    const found = newestFirst(designsIn(library, listFilter(library, query, false)));
    return { meshes: found.slice(0, limit).map((state) => rowOf(library, state)), total: found.length };
  });

  app.get("/api/meshes/stats", async () => {
    const count = (collection: string) => library.all(new Set([collection])).length;
    const all = library.all(new Set(library.collections));
    return {
      total_meshes: all.length,
      current_meshes: count("current"),
      archived_meshes: count("archive"),
      demo_meshes: count("demo"),
      total_size_mb: sizeOf(all) / 2 ** 20,
      mesh_directory: house.directory,
    };
  });

  app.get("/api/meshes/compare", async ({ query }) => {
    const ids = readFields(CompareQuery, query, "query");
    const [first, second] = [find(library, ids.design_id_1), find(library, ids.design_id_2)];
    const [one, two] = [await metadataFor(house, first), await metadataFor(house, second)];
    const difference = (name: string) => {
      const [a, b] = [one.value[name], two.value[name]];
      return typeof a === "number" && typeof b === "number" ? b - a : null;
    };
    return {
      design_1: { design_id: first.design, metadata: one.value, url: rowOf(library, first).url },
      design_2: { design_id: second.design, metadata: two.value, url: rowOf(library, second).url },
      comparison: {
        vertex_count_diff: difference("vertex_count"),
        face_count_diff: difference("face_count"),
        volume_diff: difference("volume"),
        surface_area_diff: difference("surface_area"),
      },
    };
  });

  app.get("/api/meshes/timeline", async ({ query }) => {
    const { limit, before, include_demo } = readFields(TimelineQuery, query, "query");
    const now = Date.now() / 1000;
    const all = designsIn(library, listFilter(library, query, include_demo));
    const ageOf = (created: number) => Math.max(0, now - created);
    const shown = all.filter(({ seq }) => before === undefined || seq < before).sort((a, b) => b.seq - a.seq);
    const rows = all.map((state) => rowOf(library, state));
    return {
      meshes: shown.slice(0, limit).map((state) => {
        const row = rowOf(library, state);
        const age_seconds = ageOf(row.created_at);
        return {
          ...row,
          age_seconds,
          time_ago: timeAgo(age_seconds),
          is_new: age_seconds < NEW_SECONDS,
          viewer_url: `/meshes/?design=${encodeURIComponent(state.design)}`,
        };
      }),
      stats: {
        total_designs: all.length,
        recent_designs: rows.filter(({ created_at }) => ageOf(created_at) < RECENT_SECONDS).length,
        total_file_size: sizeOf(all),
      },
      server_time: now,
      seq: library.lastSeq,
    };
  });
}

function sizeOf(designs: readonly DesignState[]): number {
  return designs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function newestFirst(designs: DesignState[]): DesignState[] {
  return designs.sort((a, b) => {
    const [first, second] = [BigInt(a.fileNs), BigInt(b.fileNs)];
    return first === second ? b.seq - a.seq : first < second ? 1 : -1;
  });
}

function designsIn(library: Library, { collections, matches }: Filter): DesignState[] {
  return library.all(collections).filter(({ design }) => matches(design));
}

/** @throws {Refusal} 422 */
function listFilter(library: Library, query: unknown, includeDemo: boolean): Filter {
  const given = query as { collection?: string | string[]; match?: string | string[] };
  const list = (value: string | string[] | undefined) => (value === undefined ? [] : [value].flat());
  const usual = ["current", "archive", ...(includeDemo ? ["demo"] : [])];
  const wanted = { wanted: list(given.collection), globs: list(given.match) };
  const { filter, problems } = filterOf(wanted, library.collections, usual);
  if (problems.length === 0) return filter;
  throw new Refusal(
    422,
    problems.map(({ name, text, input }) => ({ type: "value_error", loc: ["query", name], msg: text, input })),
  );
}

/** @throws {Refusal} 404 */
function find(library: Library, design: string, collection?: string): DesignState {
  const found = collection === undefined ? library.resolve(design) : library.find(collection, design);
  if (!found) throw new Refusal(404, `Mesh '${design}' not found`);
  return found;
}

/** @throws {Refusal} 404, 422 */
async function designOf(library: Library, { params, query }: DesignRequest): Promise<DesignState> {
  const { revision, collection } = readFields(DesignQuery, query, "query");
  if (revision === undefined) return find(library, params.design, collection);
  const among = collection === undefined ? library.collections : [collection];
  const found = await library.revision(params.design, revision, among);
  if (!found) throw new Refusal(404, `Mesh '${params.design}' not found`);
  return found;
}

/** What a program wrote beside the file, or what was measured. @throws {Refusal} 422 */
async function metadataFor(
  { library, log }: House,
  state: DesignState,
): Promise<{ text: string; value: Record<string, unknown> }> {
  const isNewest = library.find(state.collection, state.design)?.seq === state.seq;
  const beside = isNewest ? await sidecarOf(library, state, log) : undefined;
  if (beside) return beside;
  if (!state.mesh) {
    const problem = /finite/.test(state.problem ?? "") ? state.problem : `not an ${state.format.toUpperCase()} file`;
    throw new Refusal(422, `Failed to load mesh metadata: ${problem}`);
  }
  const value = metadataOf(library, state);
  return { text: JSON.stringify(value), value };
}

/** MSH-31: `<design_id>_metadata.json`, unchanged. */
async function sidecarOf(
  library: Library,
  { collection, design }: DesignState,
  log: FastifyBaseLogger,
): Promise<{ text: string; value: Record<string, unknown> } | undefined> {
  const folder = library.folders.find(({ options }) => options.name === collection);
  const path = folder?.pathOf(design);
  if (!folder || path === undefined) return undefined;
  const beside = join(dirname(path), `${design}_metadata.json`);
  try {
    const real = await realpath(beside);
    if (!real.startsWith((await realpath(folder.options.dir)) + sep)) return undefined;
    const file = await open(real, "r");
    try {
      const { size } = await file.stat();
      if (size > SIDECAR_BYTES) throw new RangeError(`${size} bytes`);
      const text = await file.readFile("utf8");
      const value: unknown = JSON.parse(text);
      if (value !== null && typeof value === "object" && !Array.isArray(value)) {
        return { text, value: value as Record<string, unknown> };
      }
      throw new TypeError("not an object");
    } finally {
      await file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") log.warn({ err: error, design }, "metadata beside a mesh");
    return undefined;
  }
}
