/** Every failure becomes a code, a text and facts; its cause goes to the log under a reference. GEN-6, 19, 25, 27, 32. */
import { randomUUID } from "node:crypto";
import { CairnError, type ErrorBody, type ErrorCode } from "@cairn/protocol";
import type { FastifyBaseLogger, FastifyReply } from "fastify";
import { answerEarly } from "./answer-early.ts";

/** Texts that older clients compare. */
const DETAIL: Partial<Record<ErrorCode, string>> = {
  "request.not_found": "Not Found",
  "request.method": "Method Not Allowed",
  "request.too_large": "Request body too large",
  "request.rate_limited": "Rate limit exceeded",
  "auth.required": "Not authenticated",
  "auth.forbidden": "Not allowed",
};

export type HttpErrorBody = ErrorBody & { ref?: string };

/** What fastify and its plugins throw, in our words. */
function translate(error: unknown): CairnError | undefined {
  if (error instanceof CairnError) return error;
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? String(error.code) : "";
  const status = "statusCode" in error ? Number(error.statusCode) : 0;
  if (status === 413) return new CairnError("request.too_large");
  if (status === 404 || code === "FST_ERR_BAD_URL") return new CairnError("request.not_found");
  if (status === 415) return new CairnError("request.invalid", { field: "Content-Type" });
  if (code === "FST_ERR_CTP_EMPTY_JSON_BODY") return new CairnError("request.not_json");
  // Their own texts can quote what was sent: the code says enough.
  if (status >= 400 && status < 500) return new CairnError("request.invalid", { problem: code.slice(0, 64) });
  if (code === "ENOSPC" || code === "EDQUOT") return new CairnError("store.full", {}, error);
  return undefined;
}

/** The body to answer with and its status; what nobody foresaw is logged in full and told as a reference. */
export function errorAnswer(
  error: unknown,
  log: Pick<FastifyBaseLogger, "error">,
): { status: number; body: HttpErrorBody } {
  const known = translate(error);
  if (known && known.code !== "server.internal") {
    // That a stop cuts work off is no failure.
    if (known.status >= 500 && known.code !== "server.stopping") log.error({ err: error }, known.code);
    const body = known.toJSON();
    return { status: known.status, body: { ...body, detail: DETAIL[known.code] ?? body.detail } };
  }
  const ref = randomUUID();
  log.error({ err: error, ref }, "internal error");
  const internal = new CairnError("server.internal");
  return { status: internal.status, body: { ...internal.toJSON(), ref } };
}

export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  // Whoever has gone hears no answer, and that they left in the middle is no failure.
  const gone = reply.raw.destroyed;
  const { status, body } = errorAnswer(error, gone ? { error: reply.log.debug.bind(reply.log) } : reply.log);
  if (status === 401) reply.header("www-authenticate", "Bearer");
  if (status === 429 || status === 503) reply.header("retry-after", "1");
  return sendRefused(reply, status, isNative(reply) ? body : plain(body));
}

/** What was to be said of the answer does not hold for a refusal: nobody may keep one for ever. */
export function sendRefused(reply: FastifyReply, status: number, body: object): FastifyReply {
  for (const name of ["etag", "content-range", "content-length", "content-encoding", "content-disposition"])
    reply.removeHeader(name);
  reply.code(status).header("cache-control", "no-store").type("application/json; charset=utf-8");
  const { raw } = reply.request;
  const inItsMiddle = raw.readableDidRead && !raw.complete;
  if (status !== 413 && !inItsMiddle) return reply.send(body);
  // What is left of a body that was refused is not read: the connection ends with the answer.
  reply.header("connection", "close");
  if (raw.complete) return reply.send(body);
  const text = JSON.stringify(body);
  raw.headers["x-no-compression"] = "1"; // it would wait for the answer's end
  return reply.header("content-length", Buffer.byteLength(text)).send(answerEarly(raw, text));
}

/** Where our own clients ask. Elsewhere earlier systems' do: some compare a whole body (GEN-6, GEN-33). */
function isNative({ request }: FastifyReply): boolean {
  return /^\/v1(\/|$)/.test(request.url);
}

function plain({ detail, ref }: HttpErrorBody): { detail: string; ref?: string } {
  return { detail, ...(ref !== undefined && { ref }) };
}
