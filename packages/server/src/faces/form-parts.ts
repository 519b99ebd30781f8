/**
 * The parts of a form while they come, with a bound for all of them together: the parser sees to single parts only, and what
 * is ignored or cut is bytes of the form, too. Rules GEN-32, GEN-33.
 */
import { CairnError } from "@cairn/protocol";
import type { Multipart } from "@fastify/multipart";
import type { FastifyRequest } from "fastify";
import { Refusal } from "./refusal.ts";

type PartsOptions = NonNullable<Parameters<FastifyRequest["parts"]>[0]> & {
  /** Of the whole form. */
  readonly mostBytes: number;
};

/**
 * A part's file is read, or let go on by `resume()`, before the next part is asked for.
 * @throws {Refusal} 413 as soon as too much has come, also out of the file in hand; 422 for what is no form
 */
export async function* formParts(
  request: FastifyRequest,
  { mostBytes, ...options }: PartsOptions,
): AsyncGenerator<Multipart> {
  const { raw } = request;
  let file: Extract<Multipart, { type: "file" }>["file"] | undefined;
  let bytes = 0;
  let refuse: (refusal: Refusal) => void = () => {};
  const tooMuch = new Promise<never>((_, reject) => (refuse = reject));
  tooMuch.catch(() => {}); // told to who waits for a part; who reads one hears it from there
  const count = (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= mostBytes) return;
    const refusal = new Refusal(413, "Request body too large");
    raw.off("data", count).unpipe();
    file?.destroy(refusal);
    refuse(refusal);
  };
  try {
    const parts = request.parts(options);
    let next = parts.next();
    raw.on("data", count); // the parser reads from now on
    for (; ; next = parts.next()) {
      const { value, done } = await Promise.race([next, tooMuch]);
      if (done) return;
      file = value.type === "file" ? value.file : undefined;
      yield value;
    }
  } catch (error) {
    throw formError(error);
  } finally {
    raw.off("data", count);
  }
}

/** What went wrong with a form or in one of its files, in words for its sender. */
export function formError(error: unknown): Error {
  if (error instanceof Refusal || error instanceof CairnError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code.endsWith("_LIMIT")) return new Refusal(413, "Request body too large");
  // A form that is broken or ends in its middle.
  return new Refusal(422, [{ type: "value_error", loc: ["body"], msg: "The form is broken", input: null }]);
}
