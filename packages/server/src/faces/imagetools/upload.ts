/** The form of an upload: its file within the limit, and its texts, in any order. Rules IMG-25, IMG-38, IMG-56, IMG-58. */
import { recognise } from "@cairn/images";
import { CairnError } from "@cairn/protocol";
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { type FieldProblem, Refusal } from "../refusal.ts";

export type UploadForm = {
  readonly file: { readonly bytes: Buffer; readonly name: string } | undefined;
  readonly fields: Readonly<Record<string, string>>;
};

const SOURCE = /^[a-z][a-z0-9_]{0,31}$/;
/** Older names of two of them. */
const OLDER: ReadonlyMap<string, string> = new Map([
  ["mobile", "android_app"],
  ["addon", "browser_addon"],
]);

/** @throws {Refusal} 413 */
export async function readForm(request: FastifyRequest, fileBytes: number): Promise<UploadForm> {
  const fields: Record<string, string> = {};
  if (!request.isMultipart()) return { file: undefined, fields };
  let file: UploadForm["file"];
  const limits = { fileSize: fileBytes + 1, files: 8, fields: 64, fieldSize: 2 ** 16, parts: 64, headerPairs: 64 };
  try {
    for await (const part of request.parts({ limits })) {
      if (part.type === "field") {
        if (typeof part.value === "string") fields[part.fieldname] ??= part.value;
      } else if (part.fieldname === "file" && !file) {
        file = { bytes: await bytesOf(part, fileBytes), name: part.filename || "image" };
      } else part.file.resume();
    }
  } catch (error) {
    if (error instanceof Refusal || error instanceof CairnError) throw error;
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (code.endsWith("_LIMIT")) throw new Refusal(413, "Request body too large");
    // A form that is broken or ends in its middle.
    throw new Refusal(422, [{ type: "value_error", loc: ["body"], msg: "The form is broken" }]);
  }
  return { file, fields };
}

async function bytesOf(part: MultipartFile, fileBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of part.file) {
    pieces.push(piece as Buffer);
    size += (piece as Buffer).length;
  }
  if (part.file.truncated || size > fileBytes) throw new Refusal(413, "File too large");
  return Buffer.concat(pieces);
}

/** What is not among the formats of this face is refused like no image at all (IMG-57). @throws {Refusal} */
export function refuseForeign(bytes: Uint8Array): void {
  const type = recognise(bytes);
  if (!type || type === "image/heic") throw new Refusal(400, "File is not a supported image");
}

/** @throws {Refusal} 422 */
export function readSource(given: string | undefined): string {
  const source = OLDER.get(given ?? "") ?? given ?? "web";
  if (SOURCE.test(source)) return source;
  const msg = `String should match pattern '${SOURCE.source}'`;
  throw new Refusal(422, [
    { type: "string_pattern_mismatch", loc: ["body", "source"], msg, input: source.slice(0, 64) },
  ]);
}

export function missing(name: string): FieldProblem {
  return { type: "missing", loc: ["body", name], msg: "Field required", input: null };
}
