/**
 * Resumable uploads by the tus protocol 1.0 (`@tus/server`): `/v1/spaces/{space}/uploads`.
 *
 * An upload is acknowledged when its photo is, or when its cloud's import has begun: the last piece is answered after
 * that, with the receipt in `Upload-Result`. When its bytes are read they go, and a file of the same length without
 * content stays until it expires, so that a client whose answer was lost finds the upload whole and not gone.
 */
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { CairnError, type ErrorCode } from "@cairn/protocol";
import { type Static, Type } from "@cairn/protocol/schema";
import { FileConfigstore, FileStore } from "@tus/file-store";
import { EVENTS, Metadata, Server, type Upload } from "@tus/server";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ServerContext } from "../context.ts";
import { errorAnswer } from "../http/errors.ts";
import { refusals, SpaceParams } from "../http/schemas.ts";
import { type Facts, type Receipt, type UploadKind, uploadKinds } from "./upload-kinds.ts";

const MAX_OPEN = 1000;
const EXPIRY_MS = 24 * 3_600_000;
const TIDY_EVERY_MS = 3_600_000;
const ID = /^[0-9a-f]{32}$/;

const UploadParams = Type.Object({ space: Type.String(), upload: Type.String() });

type Said = Upload["metadata"];

/** As the library sends it. */
type Refusal = { status_code: number; body: string };

const passes = ({ status_code }: Refusal) => status_code >= 500 || status_code === 429;

export async function uploadRoutes(app: FastifyInstance, context: ServerContext): Promise<void> {
  const { core, uploadsDir: directory, log, stopping } = context;
  const kinds = uploadKinds(context);
  await mkdir(directory, { recursive: true });
  const configs = new FileConfigstore(directory);
  const store = new FileStore({ directory, configstore: configs, expirationPeriodInMilliseconds: EXPIRY_MS });

  const server = new Server({
    path: "/v1/spaces",
    datastore: store,
    async maxSize(request, id) {
      const said = id === null ? undefined : (await configs.get(id))?.metadata;
      return kindOf(said ?? headerOf(request))?.maxBytes ?? kinds.photo.maxBytes;
    },
    relativeLocation: true,
    allowedOrigins: (origin) => context.access.allowsOrigin(origin),
    exposedHeaders: ["Upload-Result"],
    generateUrl: (request, { id }) => `${new URL(request.url).pathname.replace(/\/$/, "")}/${id}`,
    getFileIdFromRequest: (_request, last) => (last !== undefined && ID.test(last) ? last : undefined),
    async onIncomingRequest(request, id) {
      // An upload answers under its own space only; POST has none yet.
      const upload = await configs.get(id);
      if (upload && upload.metadata?.space !== spaceOf(request.url)) throw refusal(new CairnError("request.not_found"));
      if (request.method === "HEAD") await answerFor(id);
    },
    async onUploadCreate(request, upload) {
      try {
        const space = await core.spaces.open(spaceOf(request.url));
        if (space.log.snapshot().state.closed) throw new CairnError("space.closed");
        const kind = kindOf(upload.metadata);
        if (!kind) throw new CairnError("request.invalid", { field: "kind", problem: "expected photo or layer" });
        const facts = factsOf(upload.metadata, kind);
        if (unfinished.size >= MAX_OPEN) await tidy();
        if (unfinished.size >= MAX_OPEN) throw new CairnError("upload.too_many", { open: unfinished.size });
        kind.check(facts, space, upload.size, openBytes(space.id));
        // Only ours from here: a client's own `space` or `receipt` must not be taken for them.
        const metadata = { ...facts, ...(kind === kinds.layer && { kind: "layer" }), space: space.id };
        note({ ...upload, metadata });
        creating.set(request, upload.id);
        return { metadata };
      } catch (error) {
        throw refusal(error);
      }
    },
    async onUploadFinish(request, upload) {
      const receipt = await settle(upload);
      creating.delete(request);
      return { headers: { "Upload-Result": JSON.stringify(receipt) } };
    },
    async onResponseError(request, error) {
      const created = creating.get(request);
      if (created !== undefined) await drop(created);
      return "status_code" in error ? inOurWords(error) : refusal(error);
    },
  });
  server.on(EVENTS.POST_TERMINATE, (_request, _response, id) => unfinished.delete(id));

  /** Uploads whose bytes are still to come or to be read, and how many of a cloud's they are by space. */
  const unfinished = new Map<string, { space: string; cloudBytes: number }>();
  /** Who is refused never learns where the upload lies and begins anew: nothing of it may stay, nor count. */
  const creating = new WeakMap<Request, string>();
  const finishing = new Map<string, Promise<Receipt>>();

  function kindOf(said: Said): UploadKind | undefined {
    const name = said?.kind ?? "photo";
    return name === "photo" || name === "layer" ? kinds[name] : undefined;
  }

  function note({ id, size, metadata }: Pick<Upload, "id" | "size" | "metadata">): void {
    const cloudBytes = kindOf(metadata) === kinds.layer ? (size ?? 0) : 0;
    unfinished.set(id, { space: metadata?.space ?? "", cloudBytes });
  }

  function openBytes(space: string): number {
    let sum = 0;
    for (const each of unfinished.values()) if (each.space === space) sum += each.cloudBytes;
    return sum;
  }

  async function drop(id: string): Promise<void> {
    unfinished.delete(id);
    await store.remove(id).catch(() => {});
  }

  function refusal(error: unknown): Refusal {
    const { status, body } = errorAnswer(error, log);
    return { status_code: status, body: JSON.stringify(body) };
  }

  const receiptOf = (upload: Upload): Receipt | undefined => {
    const text = upload.metadata?.receipt;
    return text ? (JSON.parse(text) as Receipt) : undefined;
  };

  /** An upload that is whole, and nothing yet. */
  async function waitingAt(id: string): Promise<Upload | undefined> {
    const upload = await store.getUpload(id).catch(() => undefined);
    return upload && upload.offset === upload.size && !receiptOf(upload) ? upload : undefined;
  }

  /** Who is told that an upload is whole takes it for a photo: it becomes one first, or is not spoken of yet. */
  async function answerFor(id: string): Promise<void> {
    const upload = await waitingAt(id);
    if (!upload) return;
    try {
      await settle(upload);
    } catch (error) {
      const answer = error as Refusal;
      // Of a refusal that passes clients know only this one: at any other they send the whole file anew.
      throw passes(answer) ? { ...answer, status_code: 423 } : answer;
    }
  }

  /** @throws {Refusal} */
  async function settle(upload: Upload, signal?: AbortSignal): Promise<Receipt> {
    try {
      return await finish(upload, signal);
    } catch (error) {
      const answer = refusal(error);
      // What the file itself is guilty of, sending it again does not change; that the server stops is not its guilt.
      if (!passes(answer) && !stopping.aborted) await drop(upload.id);
      throw answer;
    }
  }

  /** Once, however often it is asked for. */
  function finish(upload: Upload, signal?: AbortSignal): Promise<Receipt> {
    const running = finishing.get(upload.id) ?? become(upload, signal).finally(() => finishing.delete(upload.id));
    finishing.set(upload.id, running);
    return running;
  }

  async function become(upload: Upload, signal?: AbortSignal): Promise<Receipt> {
    const { id } = upload;
    const metadata = (await configs.get(id))?.metadata ?? upload.metadata;
    const done = receiptOf(Object.assign(upload, { metadata }));
    if (done) return done;
    const kind = kindOf(metadata)!;
    const space = await core.spaces.open(metadata?.space ?? "");
    const { receipt, read } = await kind.take(
      factsOf(metadata, kind),
      space,
      { id, path: join(directory, id) },
      signal,
    );
    await configs.set(id, Object.assign(upload, { metadata: { ...metadata, receipt: JSON.stringify(receipt) } }));
    const leave = () => leaveBytes(upload);
    if (!read) await leave();
    else {
      read
        .then((end) => (end === "done" ? leave() : undefined))
        .catch((error: unknown) =>
          log.warn({ err: error, upload: id }, "the bytes of an upload stay until it expires"),
        );
    }
    return receipt;
  }

  /** Nothing when it was let go of meanwhile. */
  async function leaveBytes({ id, size = 0 }: Upload): Promise<void> {
    unfinished.delete(id);
    const file = await open(join(directory, id), "r+").catch(() => undefined);
    try {
      await file?.truncate(0);
      await file?.truncate(size);
    } finally {
      await file?.close();
    }
  }

  /** Lets go of what has expired, finished or not; what is whole is tried once more before that. */
  async function tidy(): Promise<void> {
    for (const id of (await configs.list?.()) ?? []) {
      if (stopping.aborted) return;
      const upload = await configs.get(id);
      if (hasExpired(upload) && !(unfinished.has(id) && (await waitingAt(id)))) await drop(id);
    }
  }

  /** Makes photos and layers of whole uploads that are none yet, though nobody asks: one after the other. */
  async function finishWaiting(): Promise<void> {
    for (const id of [...unfinished.keys()]) {
      if (stopping.aborted) return;
      const upload = await waitingAt(id);
      if (!upload) continue;
      try {
        await settle(upload, stopping);
      } catch (error) {
        if (stopping.aborted) return;
        log.warn({ refused: (error as Refusal).body, upload: id }, "a whole upload could not be finished");
        if (hasExpired(upload)) await drop(id);
      }
    }
  }

  /** What was open when the server ended counts from the first request on. */
  async function noteLeftOver(): Promise<void> {
    for (const id of (await configs.list?.()) ?? []) {
      try {
        const upload = await store.getUpload(id);
        const receipt = receiptOf(upload);
        if (receipt && !(await takeAgain(upload, receipt))) continue;
        note(upload);
      } catch (error) {
        log.warn({ err: error, upload: id }, "an upload left over could not be taken up again");
      }
    }
  }

  /** What the server's end cut off is begun again, but once: what ended the server might have been this. */
  async function takeAgain(upload: Upload, receipt: Receipt): Promise<boolean> {
    const { receipt: _old, ...metadata } = upload.metadata ?? {};
    const kind = kindOf(metadata);
    if (kind !== kinds.layer) return false;
    if (metadata.again || !kind.cutOff(receipt, await core.spaces.open(metadata.space ?? ""))) {
      await leaveBytes(upload);
      return false;
    }
    await configs.set(upload.id, Object.assign(upload, { metadata: { ...metadata, again: "1" } }));
    return true;
  }

  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const handle = (request: FastifyRequest, reply: FastifyReply) => {
    const { upload } = request.params as { upload?: string };
    // The library reads addresses as browsers do, where `..\` leads to another space than the one that was judged.
    if (upload !== undefined && !ID.test(upload)) throw new CairnError("request.not_found");
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

  let round = Promise.resolve();
  const tidying = setInterval(() => {
    round = round
      .then(tidy)
      .then(finishWaiting)
      .catch((error: unknown) => log.warn({ err: error }, "expired uploads stay"));
  }, TIDY_EVERY_MS);
  tidying.unref();
  app.addHook("onClose", async () => {
    clearInterval(tidying);
    await round;
  });
  app.addHook("onReady", async () => {
    await noteLeftOver();
    // Nobody waits for it: reading all of them may take longer than a start may.
    round = finishWaiting();
  });
}

/** Also one that does not say since when it is there. */
function hasExpired(upload: Pick<Upload, "creation_date"> | undefined): boolean {
  return !(Date.now() - Date.parse(upload?.creation_date ?? "") <= EXPIRY_MS);
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
function inOurWords(error: Refusal): Refusal | undefined {
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

/** What a request to create one says, unless it makes no sense: then the library refuses it. */
function headerOf(request: { headers: Headers }): Said {
  try {
    return Metadata.parse(request.headers.get("upload-metadata") ?? undefined);
  } catch {
    return undefined;
  }
}

function factsOf(said: Said, kind: UploadKind): Facts {
  const facts: Facts = {};
  for (const name of kind.facts) {
    const value = said?.[name] ?? (name === "name" ? said?.filename : undefined);
    if (value) facts[name] = value;
  }
  return facts;
}
