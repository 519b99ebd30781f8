/** What the live doors need from the rest of the server, and their limits. */
import type { Core, Space } from "@cairn/core";
import type { Id, ImageHead, ImageReceipt, SpaceId } from "@cairn/protocol";
import type { Role, Verdict } from "../http/access.ts";
import type { Metrics } from "../metrics/metrics.ts";

interface LiveLog {
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export type LiveContext = {
  core: Core;
  /** Takes one photo; resolves when it is durable. @throws {CairnError} why it was refused */
  ingest(space: Space, photo: Omit<ImageHead, "id">, bytes: Uint8Array, signal: AbortSignal): Promise<ImageReceipt>;
  /** Starts an operation that people may ask for. @throws {CairnError} `operation.unknown_kind` */
  startOperation(space: Space, kind: string): Promise<Id>;
  log: LiveLog;
  metrics?: Pick<Metrics, "messages" | "error">;
  /** Left out: everybody may. */
  authorize?(token: string | undefined, role: Role, space: SpaceId): Verdict;
  limits?: Partial<LiveLimits>;
};

export type LiveLimits = {
  /** Largest inbound message, bytes (GEN-15). */
  messageBytes: number;
  /** Largest inbound text, bytes, and how deep its JSON may nest. */
  textBytes: number;
  jsonDepth: number;
  helloMs: number;
  pingEveryMs: number;
  /** Without a sign of life for so long a socket is dropped (GEN-20). */
  deadMs: number;
  /** Taking nothing for so long while data wait, a client is too slow (GEN-22). */
  slowMs: number;
  /** Bytes above what the kernel holds at which a socket's cursor stops. */
  highWaterBytes: number;
  /** Signals that wait for one socket, bytes; above it the oldest go. */
  signalBytes: number;
  /** Token bucket of inbound messages (GEN-25). */
  messagesPerS: number;
  messageBurst: number;
  /** Photos of one socket in hand at the same time, and bytes of them over all sockets. */
  imagesInHand: number;
  imageBytesInHand: number;
  /** Most bytes of points on their way to one client, however much it grants. */
  pushBytes: number;
  /** Encoded messages kept for the next socket at the same place. */
  sharedBytes: number;
};

export const LIVE_LIMITS: Readonly<LiveLimits> = {
  messageBytes: 16 * 2 ** 20,
  textBytes: 64 * 1024,
  jsonDepth: 32,
  helloMs: 10_000,
  pingEveryMs: 20_000,
  deadMs: 60_000,
  slowMs: 30_000,
  highWaterBytes: 256 * 1024,
  signalBytes: 256 * 1024,
  messagesPerS: 100,
  messageBurst: 200,
  imagesInHand: 4,
  imageBytesInHand: 256 * 2 ** 20,
  pushBytes: 4 * 2 ** 20,
  sharedBytes: 32 * 2 ** 20,
};
