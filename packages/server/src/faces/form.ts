/**
 * A form as clients of earlier systems send it: its one file within a limit, and its texts, in any order. Rules GEN-31,
 * GEN-32.
 */
import type { MultipartFile } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import type { UploadBudget } from "../http/upload-budget.ts";
import { formError, formParts } from "./form-parts.ts";
import { type FieldProblem, Refusal } from "./refusal.ts";

export type Form = {
  readonly file: { readonly bytes: Buffer; readonly name: string } | undefined;
  readonly fields: Readonly<Record<string, string>>;
};

type FormOptions = {
  /** Field of the file. */
  readonly file: string;
  /** Name of a file that comes without one. */
  readonly unnamed: string;
  readonly fileBytes: number;
  /** What is said of a larger one. */
  readonly tooLarge: string;
  readonly budget: UploadBudget;
};

type Take = (bytes: Uint8Array) => void;

/** GEN-32; and some for what is around a file. */
const FORM_BYTES = 65 * 2 ** 20;

/**
 * Multipart; or a form without a file, whose texts have been read already. Its bytes count as in memory until `use` is done.
 * @throws {Refusal} 413, 422
 * @throws {CairnError} `upload.too_many`
 */
export async function withForm<T>(
  request: FastifyRequest,
  options: FormOptions,
  use: (form: Form) => Promise<T>,
): Promise<T> {
  if (!request.isMultipart()) return use({ file: undefined, fields: textsOf(request.body) });
  return options.budget.hold(async (take) => use(await readForm(request, options, take)));
}

async function readForm(request: FastifyRequest, options: FormOptions, take: Take): Promise<Form> {
  const fields: Record<string, string> = {};
  let file: Form["file"];
  const { fileBytes } = options;
  const limits = { fileSize: fileBytes + 1, files: 8, fields: 64, fieldSize: 2 ** 16, parts: 64, headerPairs: 64 };
  for await (const part of formParts(request, { limits, mostBytes: FORM_BYTES })) {
    if (part.type === "field") {
      if (typeof part.value === "string") fields[part.fieldname] ??= part.value;
    } else if (part.fieldname === options.file && !file) {
      file = { bytes: await bytesOf(part, options, take), name: nameOf(part.filename) || options.unnamed };
    } else part.file.resume();
  }
  return { file, fields };
}

export function missing(name: string): FieldProblem {
  return { type: "missing", loc: ["body", name], msg: "Field required", input: null };
}

function textsOf(body: unknown): Record<string, string> {
  const entries = Object.entries(typeof body === "object" && body !== null ? body : {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

/** Some libraries percent-encode the name of a file (`my%20photo.jpg`, as Python's aiohttp does), others do not. */
function nameOf(given: string | undefined): string {
  try {
    return decodeURIComponent(given ?? "");
  } catch {
    return given ?? "";
  }
}

async function bytesOf(part: MultipartFile, { fileBytes, tooLarge }: FormOptions, take: Take): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of part.file as AsyncIterable<Buffer>) {
      size += piece.length;
      if (size > fileBytes) throw new Refusal(413, tooLarge);
      take(piece);
      pieces.push(piece);
    }
  } catch (error) {
    throw formError(error);
  }
  return Buffer.concat(pieces);
}
