/** Files by HTTP: whole as a form, or in chunks (HUB-71 to HUB-76). */

import type { FileUploads, StoredFile } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import { Type } from "@cairn/protocol/schema";
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { readingBody } from "../../http/answer-early.ts";
import { sendRanged } from "../../http/send-ranged.ts";
import { readFields } from "../fields.ts";
import { formError, formParts } from "../form-parts.ts";
import { Refusal } from "../refusal.ts";
import type { HubHouse } from "./house.ts";
import { uploadReason } from "./uploads.ts";

/** Uploads by HTTP are named by their id, not by who sends them: no device can have this name. */
const SOURCE = "http:";
const FILE_BYTES = 2 ** 30;
const CHUNK_BYTES = 64 * 2 ** 20;

const Start = Type.Object({
  fileName: Type.String(),
  totalChunks: Type.Optional(Type.Integer({ minimum: 1 })),
  totalBytes: Type.Optional(Type.Integer({ minimum: 0 })),
});
const Chunk = Type.Object({ chunk: Type.Integer({ minimum: 0 }) });

type UploadRequest = FastifyRequest<{ Params: { upload: string } }>;

export async function uploadRoutes(app: FastifyInstance, { context }: HubHouse): Promise<void> {
  const { files } = context.core;

  app.post("/api/upload", async (request) => done(await storedFrom(files, request).catch(refuse)));

  app.post("/api/upload/start", async ({ body }) => {
    const start = readFields(Start, body, "body");
    const { upload, fileName } = await files.start({ ...start, source: SOURCE, firstChunk: 0 }).catch(refuse);
    return { uploadId: upload, fileName };
  });

  app.post("/api/upload/:upload/complete", async ({ params }: UploadRequest) =>
    done(await attempt(() => files.complete(params.upload))),
  );

  app.get("/api/upload/:upload", async ({ params }: UploadRequest, reply) => {
    reply.header("cache-control", "no-store");
    const { upload, fileName, chunks, bytes, progress } = await attempt(async () => files.progress(params.upload));
    return { uploadId: upload, fileName, received: chunks, bytes, progress };
  });

  app.delete("/api/upload/:upload", async ({ params }: UploadRequest) => {
    await attempt(() => files.abort(params.upload));
    return { status: "success", uploadId: params.upload };
  });

  app.get("/api/uploads", async (_request, reply) => {
    reply.header("cache-control", "no-store");
    const all = await files.stored.list().catch(refuse);
    return {
      files: all.map(({ fileName, bytes, sha256, createdMs }) => ({
        fileName,
        bytes,
        sha256,
        created_at: createdMs / 1000,
      })),
    };
  });

  app.get("/api/uploads/:name", async (request: FastifyRequest<{ Params: { name: string } }>, reply) => {
    const found = await files.stored.find(request.params.name).catch(refuse);
    return sendFile(files, found, request, reply);
  });

  // A chunk is bytes, whatever its sender calls them.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, payload, taken) => taken(null, payload));
    scope.put("/api/upload/:upload/:chunk", async (request: UploadRequest) => {
      const { chunk } = readFields(Chunk, request.params, "path");
      const { upload } = request.params;
      await attempt(async () => files.progress(upload)); // before its bytes are read
      const add = async (take: (bytes: Uint8Array) => void) => {
        const bytes = await bytesOf(request, take);
        return attempt(() => files.add(upload, chunk, bytes));
      };
      const { chunks, bytes: all, progress } = await context.uploadBudget.hold(add);
      return { uploadId: upload, received: chunks, bytes: all, progress };
    });
  });
}

const done = ({ fileName, bytes, sha256 }: StoredFile) => ({ status: "success", fileName, bytes, sha256 });

const STATUS = {
  "file.name_invalid": 400,
  "file.missing": 404,
  "file.upload_missing": 404,
  "file.chunks_missing": 409,
  "file.too_large": 413,
} as const;

function refuse(error: unknown): never {
  const detail = error instanceof CairnError ? uploadReason(error) : undefined;
  if (!(error instanceof CairnError) || detail === undefined) throw error;
  throw new Refusal(STATUS[error.code as keyof typeof STATUS], detail);
}

/** Of a step that may refuse at once or later. */
async function attempt<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    return refuse(error);
  }
}

/** The form's file goes to the disk as it comes, and is there when all of it has come. */
async function storedFrom(files: FileUploads, request: FastifyRequest): Promise<StoredFile> {
  const missing = new Refusal(422, [{ type: "missing", loc: ["body", "file"], msg: "Field required", input: null }]);
  if (!request.isMultipart()) throw missing;
  // The whole of a name is looked at: one with a path is refused, not shortened.
  const limits = { fileSize: FILE_BYTES + 1, files: 8, fields: 64, fieldSize: 2 ** 16, parts: 64 };
  for await (const part of formParts(request, { limits, preservePath: true, mostBytes: FILE_BYTES + 2 ** 20 })) {
    if (part.type !== "file") continue;
    if (part.fieldname !== "file") {
      part.file.resume();
      continue;
    }
    let refusal: unknown;
    try {
      return await files.stored.store(
        part.filename ?? "",
        contentsOf(part.file, (error) => (refusal = error)),
      );
    } catch (error) {
      // What the form is guilty of is no failure of the disk.
      throw refusal ?? error;
    } finally {
      part.file.resume();
    }
  }
  throw missing;
}

/** @param onError told what is wrong with what was sent, before the reader is */
async function* contentsOf(file: MultipartFile["file"], onError: (error: Error) => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const piece of file as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > FILE_BYTES) throw new CairnError("file.too_large", { mostBytes: FILE_BYTES });
      yield piece;
    }
  } catch (error) {
    onError(formError(error));
    throw error;
  }
}

async function bytesOf({ body }: FastifyRequest, take: (bytes: Uint8Array) => void): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of readingBody((body ?? []) as AsyncIterable<Buffer>)) {
    size += piece.length;
    if (size > CHUNK_BYTES) throw new Refusal(413, `Chunk too large; at most ${CHUNK_BYTES} bytes`);
    take(piece);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** It is whatever somebody sent: opened by itself it runs nothing. */
function sendFile(
  files: FileUploads,
  { fileName, bytes: sizeBytes, sha256: tag }: StoredFile,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  reply
    .header("content-security-policy", "default-src 'none'; sandbox")
    .header("content-disposition", `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`);
  return sendRanged(request, reply, {
    sizeBytes,
    tag,
    cacheControl: "no-cache",
    async read(range = { start: 0, end: sizeBytes }) {
      const { start, end } = range;
      const body = sizeBytes === 0 ? Buffer.alloc(0) : files.stored.read(fileName, { start, end: end - 1 });
      return { body, mediaType: "application/octet-stream" };
    },
  });
}
