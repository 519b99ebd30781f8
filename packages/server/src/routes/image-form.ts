/** Many photos in one `multipart/form-data`: each file is its own upload, and a bad one does not sink the others. */

import { MAX_IMAGE_BYTES } from "@cairn/images";
import { CairnError, type ImageReceipt } from "@cairn/protocol";
import type {} from "@fastify/multipart";
import type { FastifyReply, FastifyRequest } from "fastify";
import { errorAnswer, type HttpErrorBody } from "../http/errors.ts";
import { UploadQuery } from "../http/schemas.ts";

const LIMITS = {
  // One more than a photo may have, so that the limit that speaks is the photo's own.
  fileSize: MAX_IMAGE_BYTES + 1,
  files: 1000,
  parts: 2000,
  fields: 1000,
  fieldNameSize: 100,
  fieldSize: 4096,
  headerPairs: 32,
};

type FileResult = { name: string; receipt?: ImageReceipt; error?: HttpErrorBody };
type Take = (stream: AsyncIterable<Uint8Array>, fields: UploadQuery) => Promise<ImageReceipt>;

/** Files in order. Fields hold for the files after them; `name`, `key`, `capturedNs` and `gravity` for the next file only. */
export async function takeForm(request: FastifyRequest, query: UploadQuery, take: Take): Promise<FileResult[]> {
  const results: FileResult[] = [];
  let fields: UploadQuery = { ...query };
  try {
    for await (const part of request.parts({ limits: LIMITS })) {
      if (part.type === "field") {
        if (typeof part.value === "string" && Object.hasOwn(UploadQuery.properties, part.fieldname)) {
          fields = { ...fields, [part.fieldname]: part.value };
        }
        continue;
      }
      const name = fields.name ?? part.filename ?? "photo";
      try {
        results.push({ name, receipt: await take(part.file, { ...fields, name }) });
      } catch (error) {
        results.push({ name, error: errorAnswer(error, request.log).body });
        // The next part comes after the rest of this one.
        part.file.resume();
      }
      const { name: _name, key: _key, capturedNs: _capturedNs, gravity: _gravity, ...lasting } = fields;
      fields = lasting;
    }
  } catch (cause) {
    // A form that ends in its middle is told without a status of its own.
    const known = cause instanceof CairnError || (cause instanceof Error && "statusCode" in cause);
    const error = known ? cause : new CairnError("request.invalid", { field: "body", problem: "a broken form" }, cause);
    if (results.length === 0) throw error;
    // What was taken is durable: the answer must still carry its receipts.
    results.push({ name: "", error: errorAnswer(error, request.log).body });
  }
  return results;
}

export function answerForm(reply: FastifyReply, results: FileResult[]): FastifyReply {
  if (results.length === 0) throw new CairnError("request.invalid", { field: "body", problem: "no file in the form" });
  const refused = results.flatMap(({ error }) => (error ? [error] : []));
  if (refused.length < results.length) return reply.code(refused.length ? 207 : 201).send({ results });
  const first = refused[0]!;
  return reply.code(new CairnError(first.code).status).send({ ...first, results });
}
