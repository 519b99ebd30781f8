/** Names: what they look like, and which ones a client may choose. */

import { CairnError } from "./errors.ts";
import { type Static, Type } from "./schema.ts";

/** SHA-256 of a blob's bytes, 64 lower-case hex digits. */
export const Digest = Type.String({ pattern: "^[0-9a-f]{64}$" });
export type Digest = Static<typeof Digest>;

/** Ids that Cairn makes: UUID version 4, lower case. */
export const Id = Type.String({ pattern: "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$" });
export type Id = Static<typeof Id>;

/** UTC nanoseconds since 1970 as decimal digits: 64 bits do not fit a JSON number. */
export const TimeNs = Type.String({ pattern: "^[0-9]{1,19}$" });
export type TimeNs = Static<typeof TimeNs>;

/** The last time that is written so, in November 2286. */
const LAST_NS = 10n ** 19n - 1n;

/** The nearest time that can be written. Clocks of files and cameras say anything, also 1969 and 9999. */
export function writableNs(ns: bigint): TimeNs {
  if (ns < 0n) return "0";
  return String(ns > LAST_NS ? LAST_NS : ns);
}

/** Place in a space's log: 1, 2, 3, … without gaps; 0 means "before the first". */
export const Seq = Type.Integer({ minimum: 0 });
export type Seq = Static<typeof Seq>;

/** Chosen by people and by older clients; free text, never used as a path. */
export type SpaceId = string;

/** Words that stand for something else in a path of one of the faces. */
const RESERVED = new Set(["phone", "video", "viewer", "meshes", "reconstruct", "session", "sessions", "live"]);

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
const FORBIDDEN = /[/\\\u0000-\u001f\u007f]/;

/** @throws {CairnError} `space.id_invalid` */
export function checkSpaceId(id: string): SpaceId {
  const length = [...id].length;
  if (length < 1 || length > 128 || FORBIDDEN.test(id) || id === "." || id === ".." || RESERVED.has(id)) {
    throw new CairnError("space.id_invalid", { id: id.slice(0, 64) });
  }
  return id;
}
