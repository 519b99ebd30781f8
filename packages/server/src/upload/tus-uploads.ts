/**
 * Resumable uploads by the tus protocol 1.0 (`@tus/server`): `/v1/spaces/{space}/uploads`.
 *
 * An upload is acknowledged when its photo is: the last piece is answered after ingest, with the receipt in
 * `Upload-Result`. Its bytes then go, and a file of the same length without content stays until it expires, so that a
 * client whose answer was lost finds the upload whole and not gone.
 */
import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ingestImage } from "@cairn/core";
import { MAX_IMAGE_BYTES } from "@cairn/images";
import { CairnError, type ErrorCode, type ImageReceipt } from "@cairn/protocol";
import { FileConfigstore, FileStore } from "@tus/file-store";
import { EVENTS, Server, type Upload } from "@tus/server";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import Type, { type Static } from "typebox";
import type { ServerContext } from "../context.ts";
import { errorAnswer } from "../http/errors.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";
import { photoFacts } from "../routes/photo-facts.ts";

const MAX_OPEN = 1000;
const EXPIRY_MS = 24 * 3_600_000;
const TIDY_EVERY_MS = 3_600_000;
const ID = /^[0-9a-f]{32}$/;

const UploadParams = Type.Object({ space: Type.String(), upload: Type.String() });

/** What tus metadata may say of a photo; `filename` is what tus clients usually send. */
const FACTS = ["name", "key", "camera", "contributor", "capturedNs"] as const;

export async function uploadRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  const { core, decoder, uploadsDir: directory, log } = context;
  await mkdir(directory, { recursive: true });
  const configs = new FileConfigstore(directory);
  const store = new FileStore({ directory, configstore: configs, expirationPeriodInMilliseconds: EXPIRY_MS });

  const server = new Server({
    path: "/v1/spaces",
    datastore: store,
    maxSize: MAX_IMAGE_BYTES,
    relativeLocation: true,
    allowedOrigins: (origin) => context.access.allowsOrigin(origin),
    exposedHeaders: ["Upload-Result"],
    generateUrl: (request, { id }) => `${new URL(request.url).pathname.replace(/\/$/, "")}/${id}`,
    getFileIdFromRequest: (_request, last) => (last !== undefined && ID.test(last) ? last : undefined),
    async onIncomingRequest(request, id) {
      // An upload answers under its own space only; POST has none yet.
      const upload = await configs.get(id);
      if (upload && upload.metadata?.space !== spaceOf(request.url)) throw refusal(new CairnError("request.not_found"));
    },
    async onUploadCreate(request, upload) {
      try {
        const space = await core.spaces.open(spaceOf(request.url));
        if (space.log.snapshot().state.closed) throw new CairnError("space.closed");
        photoFacts(factsOf(upload));
        if (unfinished.size >= MAX_OPEN) await tidy();
        if (unfinished.size >= MAX_OPEN) throw new CairnError("upload.too_many", { open: unfinished.size });
        unfinished.add(upload.id);
        // Only ours from here: a client's own `space` or `receipt` must not be taken for them.
        return { metadata: { ...factsOf(upload), space: space.id } };
      } catch (error) {
        throw refusal(error);
      }
    },
    async onUploadFinish(_request, upload) {
      try {
        return { headers: { "Upload-Result": JSON.stringify(await finish(upload)) } };
      } catch (error) {
        const answer = refusal(error);
        // What the photo itself is guilty of, sending it again does not change.
        if (answer.status_code < 500 && answer.status_code !== 429) await drop(upload.id);
        throw answer;
      }
    },
    onResponseError: (_request, error) => inOurWords(error),
  });
  server.on(EVENTS.POST_TERMINATE, (_request, _response, id) => unfinished.delete(id));

  /** Ids of uploads that are not photos yet. */
  const unfinished = new Set<string>();

  async function drop(id: string): Promise<void> {
    unfinished.delete(id);
    await store.remove(id).catch(() => {});
  }

  function refusal(error: unknown): { status_code: number; body: string } {
    const { status, body } = errorAnswer(error, log);
    return { status_code: status, body: JSON.stringify(body) };
  }

  const receiptOf = (upload: Upload): ImageReceipt | undefined => {
    const text = upload.metadata?.receipt;
    return text ? (JSON.parse(text) as ImageReceipt) : undefined;
  };

  async function finish(upload: Upload): Promise<ImageReceipt> {
    const done = receiptOf(upload);
    if (done) return done;
    const facts = photoFacts(factsOf(upload));
    const space = await core.spaces.open(upload.metadata?.space ?? "");
    const path = join(directory, upload.id);
    const bytes = await readFile(path);
    // Without a key of the sender's the upload's own id makes sure that finishing twice is one image.
    const key = facts.key ?? `upload:${upload.id}`;
    const receipt = await ingestImage(core, space, { ...facts, key, bytes, source: "tus" }, decoder);
    await configs.set(
      upload.id,
      Object.assign(upload, { metadata: { ...upload.metadata, receipt: JSON.stringify(receipt) } }),
    );
    const file = await open(path, "r+");
    await file.truncate(0);
    await file.truncate(bytes.length);
    await file.close();
    unfinished.delete(upload.id);
    return receipt;
  }

  /** Lets go of what has expired, finished or not. */
  async function tidy(): Promise<void> {
    for (const id of (await configs.list?.()) ?? []) {
      const upload = await configs.get(id);
      const createdMs = Date.parse(upload?.creation_date ?? "");
      if (!(Date.now() - createdMs <= EXPIRY_MS)) await drop(id);
    }
  }

  /** Uploads that were whole when the server stopped, but not yet photos. */
  async function finishLeftOver(): Promise<void> {
    for (const id of (await configs.list?.()) ?? []) {
      try {
        const upload = await store.getUpload(id);
        if (receiptOf(upload)) continue;
        unfinished.add(id);
        if (upload.size !== undefined && upload.offset === upload.size) await finish(upload);
      } catch (error) {
        log.warn({ err: error, upload: id }, "an upload left over could not be finished");
      }
    }
  }

  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const handle = (request: FastifyRequest, reply: FastifyReply) => {
    reply.hijack();
    return server.handle(request.raw, reply.raw);
  };
  const hidden = { schema: { hide: true } };
  for (const method of ["POST", "OPTIONS"] as const) {
    app.route({
      method,
      url: "/v1/spaces/:space/uploads",
      handler: handle,
      ...(method === "OPTIONS" ? hidden : described("createUpload", SpaceParams)),
    });
  }
  for (const method of ["PATCH", "HEAD", "DELETE", "OPTIONS"] as const) {
    const names = { PATCH: "resumeUpload", HEAD: "uploadOffset", DELETE: "dropUpload", OPTIONS: "" };
    const shown = method === "OPTIONS" ? hidden : described(names[method], UploadParams);
    app.route({ method, url: "/v1/spaces/:space/uploads/:upload", handler: handle, ...shown });
  }

  const Status = Type.Object({
    offset: Type.Integer(),
    size: Type.Optional(Type.Integer()),
    receipt: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  });
  app.get<{ Params: Static<typeof UploadParams> }>(
    "/v1/spaces/:space/uploads/:upload",
    {
      exposeHeadRoute: false,
      schema: { operationId: "getUpload", params: UploadParams, response: { 200: Status, ...refusals } },
    },
    async (request, reply) => {
      const { space, upload: id } = request.params;
      const upload = ID.test(id) ? await store.getUpload(id).catch(() => undefined) : undefined;
      if (!upload || upload.metadata?.space !== space) throw new CairnError("request.not_found");
      reply.header("cache-control", "no-store");
      const receipt = receiptOf(upload);
      return { offset: upload.offset, size: upload.size, ...(receipt ? { receipt } : {}) };
    },
  );

  const tidying = setInterval(() => {
    tidy().catch((error: unknown) => log.warn({ err: error }, "expired uploads stay"));
  }, TIDY_EVERY_MS);
  tidying.unref();
  app.addHook("onClose", async () => clearInterval(tidying));
  app.addHook("onReady", finishLeftOver);
}

function described(operationId: string, params: typeof SpaceParams | typeof UploadParams) {
  return {
    schema: {
      operationId,
      description: "tus 1.0, https://tus.io/protocols/resumable-upload",
      params,
      response: refusals,
    },
  };
}

/** The library's own refusals are plain text; ours are JSON already. */
function inOurWords(error: Error | { status_code: number; body: string }) {
  if (!("status_code" in error)) return undefined;
  if (error.body.startsWith("{")) return undefined;
  const facts = { problem: error.body.trim().slice(0, 64) };
  const codes: Record<number, ErrorCode> = {
    404: "request.not_found",
    410: "request.not_found",
    413: "image.too_large",
  };
  const known =
    error.status_code >= 500
      ? new CairnError("store.failed")
      : new CairnError(codes[error.status_code] ?? "request.invalid", facts);
  // The status stays the one that the tus protocol gives: clients act on it.
  const status_code = error.status_code >= 500 ? known.status : error.status_code;
  return { status_code, body: JSON.stringify(known.toJSON()) };
}

/** The decoded id in `/v1/spaces/{space}/uploads…`. */
function spaceOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.split("/")[3] ?? "");
}

function factsOf({ metadata }: Upload): Record<string, string> {
  const facts: Record<string, string> = {};
  for (const name of FACTS) {
    const value = metadata?.[name] ?? (name === "name" ? metadata?.filename : undefined);
    if (value) facts[name] = value;
  }
  return facts;
}
