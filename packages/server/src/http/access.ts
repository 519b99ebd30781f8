/** Who may come in: an origin list and one shared token, both off by default. Rules GEN-8, GEN-34, GEN-36. */
import { createHash, timingSafeEqual } from "node:crypto";

export type Access = {
  readonly tokenRequired: boolean;
  /** `undefined`: any. */
  readonly origins: readonly string[] | undefined;
  /** No `Origin` at all is no browser, and is let through. */
  allowsOrigin(origin: string | undefined): boolean;
  /** Takes as long for a wrong token as for the right one. */
  allowsToken(token: string | undefined): boolean;
};

export function accessBy(options: {
  token?: string | undefined;
  allowedOrigins?: readonly string[] | undefined;
}): Access {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const wanted = options.token === undefined ? undefined : digest(options.token);
  const origins = options.allowedOrigins;
  return {
    tokenRequired: wanted !== undefined,
    origins,
    allowsOrigin: (origin) => origin === undefined || origins === undefined || origins.includes(origin),
    allowsToken: (token) => wanted === undefined || (token !== undefined && timingSafeEqual(digest(token), wanted)),
  };
}

/** The token of an HTTP request: `Authorization: Bearer T`, or `?token=T`. */
export function tokenOf(request: {
  headers: { authorization?: string | undefined };
  query: unknown;
}): string | undefined {
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (bearer !== undefined) return bearer;
  const { query } = request;
  if (query === null || typeof query !== "object" || !("token" in query)) return undefined;
  return typeof query.token === "string" ? query.token : undefined;
}
