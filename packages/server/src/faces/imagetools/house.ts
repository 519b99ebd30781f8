/** What the routes of this face share. */
import type { Editing, Space } from "@cairn/core";
import { CairnError, type Id, type ImageState } from "@cairn/protocol";
import type { FastifyRequest } from "fastify";
import type { ServerContext } from "../../context.ts";
import { Refusal } from "../refusal.ts";
import { isOver, type Session } from "./session.ts";

export type ImagetoolsLimits = {
  readonly images: number;
  readonly fileBytes: number;
};

/** IMG-40. */
export const LIMITS: ImagetoolsLimits = { images: 100, fileBytes: 20 * 2 ** 20 };

export type Found = { readonly space: Space; readonly image: ImageState };

export type ImagetoolsHouse = {
  readonly context: ServerContext;
  readonly limits: ImagetoolsLimits;
  /** Read up to where its log is now. @throws {CairnError} `space.missing`, `space.id_invalid` */
  session(id: string): Promise<Session>;
  /** Sessions whose logs have been read. */
  open(): Iterable<Session>;
  /** Every space that is open. */
  readonly spaces: ReadonlySet<Space>;
};

/** Long enough for any id, short enough to be kept with every image. */
const CLIENT_ID_CHARS = 200;

/** `undefined`: there is none. */
export async function findSession(house: ImagetoolsHouse, id: string): Promise<Session | undefined> {
  try {
    return await house.session(id);
  } catch (error) {
    if (error instanceof CairnError && (error.code === "space.missing" || error.code === "space.id_invalid")) {
      return undefined;
    }
    throw error;
  }
}

/** One that takes uploads and operations. @throws {Refusal} 401 (IMG-55, IMG-62) */
export async function openSession(house: ImagetoolsHouse, id: string): Promise<Session> {
  const session = await findSession(house, id);
  if (!session || isOver(session.space.log.snapshot().state)) throw new Refusal(401, "Invalid or expired session");
  return session;
}

/** @throws {Refusal} 404 */
export function findImage({ spaces }: ImagetoolsHouse, id: string): Found {
  for (const space of spaces) {
    const { images } = space.log.snapshot().state;
    const image = Object.hasOwn(images, id) ? images[id] : undefined;
    if (image) return { space, image };
  }
  throw new Refusal(404, "Image not found");
}

/** Where an operation ran: the space whose state names it; else it is one of long ago, and any session may remember it. */
export function rememberingSpaces({ spaces, open }: ImagetoolsHouse, operation: Id): readonly Space[] {
  for (const space of spaces) if (Object.hasOwn(space.log.snapshot().state.operations, operation)) return [space];
  return [...open()].filter(({ log }) => log.operation(operation)).map(({ space }) => space);
}

/** What a change of an image needs. @throws {Refusal} 404, 401 */
export function editing(house: ImagetoolsHouse, id: string, request: FastifyRequest): Found & { house: Editing } {
  const found = findImage(house, id);
  if (isOver(found.space.log.snapshot().state)) throw new Refusal(401, "Invalid or expired session");
  const { core, decoder } = house.context;
  const contributor = clientId(request.headers["x-client-id"]);
  const by = contributor === undefined ? {} : { contributor };
  return { ...found, house: { blobs: core.blobs, decoder, space: found.space, ...by } };
}

/** A name that a client gives itself, so that it can tell its own events (IMG-6). */
export function clientId(given: unknown): string | undefined {
  return typeof given === "string" && given !== "" ? given.slice(0, CLIENT_ID_CHARS) : undefined;
}

/** Fields that are null are as good as left out. */
export function withoutNulls(body: unknown): unknown {
  if (body === undefined || body === null) return {};
  if (typeof body !== "object" || Array.isArray(body)) return body;
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
}

/** What became of a picture, in the words of this face. */
export function imageRefusal(error: unknown): unknown {
  if (!(error instanceof CairnError)) return error;
  switch (error.code) {
    case "image.empty":
    case "image.unsupported":
    case "image.corrupt":
    case "image.too_slow":
      return new Refusal(400, "File is not a supported image");
    case "image.too_large":
      return new Refusal(413, "File too large");
    case "image.missing":
      return new Refusal(404, "Image not found");
    case "space.closed":
    case "space.missing":
      return new Refusal(401, "Invalid or expired session");
    default:
      return error;
  }
}
