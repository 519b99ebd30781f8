/**
 * Who may come in and what they may do there: an origin list, and tokens with a role for all spaces or for some, all off
 * by default. Rules GEN-8, GEN-34 to GEN-36.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";

/** Each may also do what those before it may. */
export const ROLES = ["view", "contribute", "operate", "admin"] as const;
/** `view` watches; `contribute` uploads and edits; `operate` steers: commands, restarts, rebuilds, video; `admin` deletes. */
export type Role = (typeof ROLES)[number];

export type TokenGrant = {
  readonly token: string;
  readonly role: Role;
  /** Only in these; left out: everywhere. */
  readonly spaces?: readonly string[];
};

/** What someone who is in may do. */
export type Pass = { readonly role: Role; readonly spaces: ReadonlySet<string> | undefined };

export type Verdict = "granted" | "unauthenticated" | "forbidden";

export type Access = {
  readonly tokenRequired: boolean;
  /** `undefined`: any. */
  readonly origins: readonly string[] | undefined;
  /** No `Origin` at all is no browser, and is let through. */
  allowsOrigin(origin: string | undefined): boolean;
  /** `undefined`: nobody that is known. Takes as long for a wrong token as for a right one. */
  pass(token: string | undefined): Pass | undefined;
  /** @param space where; `undefined` is the whole server, `null` nowhere in particular */
  judge(token: string | undefined, role: Role, space: string | undefined | null): Verdict;
};

const EVERYTHING: Pass = { role: "admin", spaces: undefined };

export function accessBy(options: {
  /** May do everything. */
  token?: string | undefined;
  tokens?: readonly TokenGrant[] | undefined;
  allowedOrigins?: readonly string[] | undefined;
}): Access {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  const one = options.token === undefined ? [] : [{ digest: digest(options.token), pass: EVERYTHING }];
  const known = one.concat(
    (options.tokens ?? []).map(({ token, role, spaces }) => ({
      digest: digest(token),
      pass: { role, spaces: spaces && new Set(spaces) },
    })),
  );
  const origins = options.allowedOrigins;
  const pass = (token: string | undefined) => {
    if (known.length === 0) return EVERYTHING;
    if (token === undefined) return undefined;
    const given = digest(token);
    let found: Pass | undefined;
    for (const each of known) if (timingSafeEqual(given, each.digest)) found = each.pass;
    return found;
  };
  return {
    tokenRequired: known.length > 0,
    origins,
    allowsOrigin: (origin) => origin === undefined || origins === undefined || origins.includes(origin),
    pass,
    judge(token, role, space) {
      const found = pass(token);
      if (!found) return "unauthenticated";
      return mayDo(found, role) && (space === null || reaches(found, space)) ? "granted" : "forbidden";
    },
  };
}

export function mayDo({ role }: Pass, wanted: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}

/** @param space `undefined`: the whole server */
export function reaches({ spaces }: Pass, space: string | undefined): boolean {
  return spaces === undefined || (space !== undefined && spaces.has(space));
}

declare module "fastify" {
  interface FastifyRequest {
    /** Of whoever asks. */
    pass: Pass | null;
  }
  interface FastifyContextConfig {
    /** Least role that may ask; left out: `view` where nothing changes, else `contribute`. */
    role?: Role;
    /**
     * Where a route is in no space: `any`, it says nothing of spaces; `own`, its scope or it looks at `request.pass`;
     * `handler`, it does so itself, and its scope need not. Left out: only for those who may be everywhere.
     */
    place?: "any" | "own" | "handler";
  }
}

const READING = new Set(["GET", "HEAD"]);

/** Whether who asks may, by the route's role and the space in its path. */
export function judgeRequest(access: Access, request: FastifyRequest): Verdict {
  const { role = READING.has(request.method) ? "view" : "contribute", place } = request.routeOptions.config;
  const { space, project, session } = (request.params ?? {}) as Record<string, string | undefined>;
  return access.judge(tokenOf(request), role, place ? null : (space ?? project ?? session));
}

/** For routes that look themselves. @param space `undefined`: the whole server */
export function requestReaches({ pass }: FastifyRequest, space: string | undefined): boolean {
  return pass !== null && reaches(pass, space);
}

/** The token of an HTTP request: `Authorization: Bearer T`, or `?token=T`; of two nobody guesses which is meant. */
export function tokenOf(request: {
  headers: { authorization?: string | undefined };
  query: unknown;
}): string | undefined {
  return bearerOf(request.headers) ?? addressTokenOf(request);
}

/** The token by which it came in, where that is part of its address. */
export function addressTokenOf({ headers, query }: Parameters<typeof tokenOf>[0]): string | undefined {
  if (bearerOf(headers) !== undefined) return undefined;
  if (query === null || typeof query !== "object" || !("token" in query)) return undefined;
  return typeof query.token === "string" ? query.token : undefined;
}

/** The token of a header, on its way to either kind of door. */
export function bearerOf({ authorization }: { authorization?: string | undefined }): string | undefined {
  return /^Bearer\s+(\S+)$/i.exec(authorization ?? "")?.[1];
}
