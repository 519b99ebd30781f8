/** How faces refuse an HTTP request: `{"detail": …}` in the texts that their clients compare (GEN-33). */
import { CairnError } from "@cairn/protocol";
import type { FastifyBaseLogger, FastifyReply } from "fastify";
import { errorAnswer, sendError, sendRefused } from "../http/errors.ts";

/** One field that is missing or wrong. */
export type FieldProblem = {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
};

export class Refusal extends Error {
  readonly status: number;
  readonly detail: string | readonly FieldProblem[];

  constructor(status: number, detail: string | readonly FieldProblem[]) {
    super(typeof detail === "string" ? detail : `${detail.length} wrong fields`);
    this.name = "Refusal";
    this.status = status;
    this.detail = detail;
  }
}

/** Malformed JSON in a body. */
function notJson(): Refusal {
  return new Refusal(422, [{ type: "json_invalid", loc: ["body"], msg: "JSON decode error", input: {} }]);
}

export function sendRefusal(reply: FastifyReply, error: unknown): FastifyReply {
  const refusal = error instanceof Refusal ? error : translated(error);
  if (!refusal) return sendError(reply, error);
  return sendRefused(reply, refusal.status, { detail: refusal.detail });
}

/** Errors of our own whose HTTP form is another in a face. */
function translated(error: unknown): Refusal | undefined {
  if (!(error instanceof CairnError)) return undefined;
  if (error.code === "request.not_json") return notJson();
  if (error.code !== "request.invalid") return undefined;
  const field = String(error.facts.field ?? "").replace(/^\//, "");
  const loc = field ? ["body", ...field.split("/")] : ["body"];
  return new Refusal(422, [
    { type: "value_error", loc, msg: String(error.facts.problem ?? "Invalid value"), input: null },
  ]);
}

/** The text of what went wrong, for a message on a socket: never a path, a stack, or what was sent (GEN-19). */
export function causeOf(error: unknown, log: Pick<FastifyBaseLogger, "error">): string {
  const { body } = errorAnswer(error, log);
  return body.detail;
}
