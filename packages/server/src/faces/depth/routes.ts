/** Sessions over HTTP. Rules DEP-1 to DEP-7, DEP-45, DEP-46. */
import type { FastifyInstance } from "fastify";
import type { ServerContext } from "../../context.ts";
import { requestReaches } from "../../http/access.ts";
import { sendBlob } from "../../http/send-blob.ts";
import { readFields } from "../fields.ts";
import { withForm } from "../form.ts";
import { type FieldProblem, Refusal } from "../refusal.ts";
import { configOf } from "./client.ts";
import { SessionParams } from "./params.ts";
import type { Session } from "./session.ts";
import type { Sessions } from "./sessions.ts";

type Named = { Params: { session: string } };

/** A page's form may be one for files, and have none. */
const NO_FILE = { file: "", unnamed: "", fileBytes: 0, tooLarge: "Request body too large" };

export function sessionRoutes(
  app: FastifyInstance,
  { core, engineName, startedMs, uploadBudget }: ServerContext,
  sessions: Sessions,
): void {
  const noFile = { ...NO_FILE, budget: uploadBudget };
  const found = (id: string): Session => {
    const session = sessions.find(id);
    if (!session) throw new Refusal(404, "Session not found");
    return session;
  };

  app.post("/ws/session/create", async (request) => {
    const { query, body, headers } = request;
    const form = request.isMultipart() ? await withForm(request, noFile, async ({ fields }) => fields) : undefined;
    const isForm = form !== undefined || headers["content-type"]?.startsWith("application/x-www-form-urlencoded");
    const session = await sessions.create(paramsIn(query, form ?? body, isForm));
    return {
      success: true,
      session_id: session.space.id,
      created_at: session.createdS,
      max_images: session.params.max_images,
      config: configOf(session),
      websocket_url: `/ws/reconstruct/${session.space.id}`,
    };
  });

  app.get<Named>("/ws/session/:session", async ({ params }) => {
    const session = found(params.session);
    session.touch();
    return {
      ...summaryOf(session),
      max_images: session.params.max_images,
      error_message: session.errorMessage,
      config: configOf(session),
      has_result: session.result !== undefined,
      connections: session.sockets.size,
    };
  });

  app.delete<Named>("/ws/session/:session", async ({ params }) => {
    const session = found(params.session);
    await sessions.delete(session);
    return { success: true, message: `Session ${params.session} deleted` };
  });

  app.get("/ws/sessions", { config: { place: "own" } }, async (request) => {
    const { limits } = sessions;
    const all = sessions.all.filter(({ space }) => requestReaches(request, space.id));
    const count = (status: string) => all.filter((each) => each.status === status).length;
    return {
      stats: {
        total_sessions: all.length,
        active_sessions: count("active"),
        processing_sessions: count("processing"),
        max_sessions: limits.sessions,
        total_images: all.reduce((sum, { images }) => sum + images.length, 0),
        session_timeout: limits.idleMs / 1000,
      },
      sessions: all.map(summaryOf),
    };
  });

  app.get<Named>("/ws/session/:session/result.glb", async (request, reply) => {
    const { result } = found(request.params.session);
    if (!result) throw new Refusal(404, "No result yet");
    const { blobs } = core;
    const mediaType = "model/gltf-binary";
    return sendBlob(request, reply, { blobs, digest: result.glb, mediaType, cacheControl: "no-cache" });
  });

  app.get("/status", { config: { place: "any" } }, async () => ({
    model_loaded: true,
    model_dir: engineName,
    device: "cpu",
    load_time: 0,
    last_used: Math.max(0, ...sessions.all.map(({ activeMs }) => activeMs / 1000)) || null,
    uptime: (performance.now() - startedMs) / 1000,
    gpu_memory: null,
  }));
}

/** From the query, a JSON object or a form; per field the body wins. @throws {Refusal} 422 */
function paramsIn(query: unknown, body: unknown, isForm = false): SessionParams {
  const fromBody =
    body !== null && typeof body === "object" && !Array.isArray(body) ? (body as Record<string, unknown>) : {};
  if (body !== undefined && body !== null && (typeof body !== "object" || Array.isArray(body))) {
    throw new Refusal(422, [
      { type: "model_type", loc: ["body"], msg: "Input should be an object", input: JSON.stringify(body).slice(0, 64) },
    ]);
  }
  const { max_images, process_res, ...rest } = SessionParams.properties;
  const known = Object.keys({ max_images, process_res, ...rest });
  const problems: FieldProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const [place, given, text] of [
    ["query", query, true],
    ["body", fromBody, isForm],
  ] as const) {
    const own = Object.fromEntries(Object.entries((given ?? {}) as object).filter(([name]) => known.includes(name)));
    const overridden = place === "query" ? Object.keys(fromBody) : [];
    for (const name of overridden) delete own[name];
    try {
      const read = readFields(SessionParams, own, place, { text });
      for (const name of Object.keys(own)) values[name] = read[name as keyof SessionParams];
    } catch (error) {
      if (!(error instanceof Refusal) || typeof error.detail === "string") throw error;
      problems.push(...error.detail);
    }
  }
  if (problems.length > 0) throw new Refusal(422, problems);
  return readFields(SessionParams, values, "body");
}

function summaryOf(session: Session) {
  return {
    session_id: session.space.id,
    created_at: session.createdS,
    last_activity: session.activeMs / 1000,
    status: session.status,
    image_count: session.images.length,
  };
}
