/**
 * Projects that nobody has begun, for those who may watch them and not begin them: a socket is shown that nothing is
 * there, and waits for who begins. Rules HTTP-29, HER-5, HER-6, HER-12.
 */
import type { Spaces } from "@cairn/core";
import { type FaceSocket, shownType } from "../face-socket.ts";
import { refOf } from "./upload.ts";

export class UnbegunProjects {
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(spaces: Spaces) {
    spaces.onOpen(({ id }) => {
      for (const go of this.#waiting.get(id) ?? []) go();
    });
  }

  /** @returns what `find` finds, once it does; `undefined` when the socket is over before */
  async watch<T>(socket: FaceSocket, id: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    let shown = false;
    while (!socket.signal.aborted) {
      const begun = this.#begun(id, socket.signal);
      const found = await find();
      if (found) return found;
      if (!shown) await showNothing(socket);
      shown = true;
      await begun;
    }
    return undefined;
  }

  /** Resolves when a space of this name opens, or the socket is over. */
  #begun(id: string, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiting);
    return new Promise((resolve) => {
      const go = () => {
        signal.removeEventListener("abort", go);
        waiting.delete(go);
        if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
        resolve();
      };
      waiting.add(go);
      signal.addEventListener("abort", go, { once: true });
      if (signal.aborted) go();
    });
  }
}

function showNothing(socket: FaceSocket): Promise<void> {
  const block = () => {
    void socket.send({ type: "initial_state_starting", total_shards: 0, total_images: 0, epoch: 0 });
    return socket.send({ type: "initial_state_complete", total_images: 0, epoch: 0 });
  };
  socket.listen((message) => {
    if (message.type === "request_resync") return block();
    if (message.type === "upload_image") socket.may("contribute", refOf(message));
    else socket.error(`Unknown message type: ${shownType(message.type)}`);
  });
  return block();
}
