/**
 * A face is the part of Cairn that speaks the language of an earlier system, so that its clients go on unchanged. It is
 * thin: it appends to a space's log, reads it through a cursor and hands out blobs, and keeps nothing that a restart
 * would lose.
 */
import type { FastifyInstance } from "fastify";
import type { Role } from "../http/access.ts";
import type { Arrival } from "../http/upgrades.ts";
import type { FaceSocket } from "./face-socket.ts";

export const FACES = ["heritage", "depth", "meshes", "hub", "imagetools"] as const;
export type FaceName = (typeof FACES)[number];

export type FaceSocketRoute = {
  /** `/ws/:project`, from the face's root. */
  readonly path: string;
  /** Where it is spoken to in another way than the face's other sockets. */
  readonly manner?: Manner;
  /** Least role that may come in; left out: `view`. */
  readonly role?: Role | ((arrival: Arrival) => Role);
  /** In which space it is; left out: the `project` or `session` in the path. `undefined`: all, `null`: none in particular. */
  place?(arrival: Arrival): string | undefined | null;
  /** Someone has come in: the handshake is done and the token is right. */
  open(socket: FaceSocket, arrival: Arrival): void | Promise<void>;
};

export type Face = {
  readonly name: FaceName;
  /** `service` in its `/health` (GEN-11). */
  readonly service: string;
  /** How its sockets say that something went wrong, and what they make of what they cannot read. */
  readonly manner: Manner;
  readonly sockets: readonly FaceSocketRoute[];
  /** Adds its HTTP routes, from its root. Called once for each place at which they answer. */
  routes(app: FastifyInstance): void | Promise<void>;
  /** Further fields of its `/health`. */
  health?(): Record<string, unknown> | Promise<Record<string, unknown>>;
  /** What is not as it should be, for `/health`. */
  problems?(): string[];
  close?(): Promise<void>;
};

/** What differs between the faces in how a socket is spoken to. */
export type Manner = {
  /** An error in the face's shape; none: it is not said. @param facts further fields */
  error(message: string, facts?: Readonly<Record<string, unknown>>): object | undefined;
  /** The answer to a sign of life, given at once also while work runs (GEN-21); undefined when it is none. */
  pong(said: string | Readonly<Record<string, unknown>>, socket: FaceSocket): string | object | undefined;
  /** The error for text that is not a JSON object; left out or nothing said: such text is ignored. @param text what was sent */
  notAnObject?(text: string, cause: string, socket: FaceSocket): string | undefined;
  /** The error for a binary message, on a socket that takes none. */
  readonly binary: string;
  /** Messages a second, and at once; left out: 100 and 200 (GEN-25). */
  readonly rate?: { readonly perSecond: number; readonly burst: number };
};
