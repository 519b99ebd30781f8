/** What a server says went wrong, as the error that it is. */
import { CairnError, ERRORS, type ErrorBody, type ErrorCode } from "@cairn/protocol";

const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  401: "auth.required",
  403: "auth.forbidden",
  404: "request.not_found",
  405: "request.method",
  413: "request.too_large",
  429: "request.rate_limited",
  503: "server.stopping",
  507: "store.full",
};

/** The error as the server named it, or the nearest that its status tells. */
export function errorFromBody(status: number, body: unknown): CairnError {
  const { code, facts } = (body ?? {}) as Partial<ErrorBody>;
  if (typeof code === "string" && code in ERRORS) return new CairnError(code, facts ?? {});
  return new CairnError(BY_STATUS[status] ?? (status >= 500 ? "server.internal" : "request.invalid"), { status });
}
