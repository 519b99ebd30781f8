/**
 * Commands done once: the same id from the same client is answered from memory, also on another socket after a
 * reconnect. Bounded: the clients and ids used longest ago are forgotten.
 */
import { createHash } from "node:crypto";
import { CairnError, type ServerMessage } from "@cairn/protocol";

const CLIENTS = 2000;
const IDS_PER_CLIENT = 128;

/** Of the request only a digest is kept: a command may be 64 KiB long. */
type Known = { digest: string; answer: Promise<ServerMessage> };

export class Answers {
  readonly #clients = new Map<string, Map<string, Known>>();

  /**
   * Runs `work` for a new id, else gives what it gave. @param request tells another command under a used id from a
   * repeated one. @throws {CairnError} `request.invalid` for the former
   */
  once(client: string, id: string, request: string, work: () => Promise<ServerMessage>): Promise<ServerMessage> {
    const known = this.#clients.get(client) ?? new Map<string, Known>();
    this.#clients.delete(client);
    this.#clients.set(client, known);
    trim(this.#clients, CLIENTS);
    const digest = createHash("sha256").update(request).digest("base64");
    const earlier = known.get(id);
    if (earlier) {
      if (earlier.digest === digest) return earlier.answer;
      throw new CairnError("request.invalid", { field: "id", problem: "used for another command" });
    }
    const answer = work();
    known.set(id, { digest, answer });
    trim(known, IDS_PER_CLIENT);
    return answer;
  }

  /** What was refused only for now may be tried again under the same id. */
  forget(client: string, id: string): void {
    this.#clients.get(client)?.delete(id);
  }

  forgetClient(client: string): void {
    this.#clients.delete(client);
  }
}

function trim(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
