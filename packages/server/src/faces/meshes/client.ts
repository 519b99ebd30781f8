/** One socket of mesh updates: an acknowledgement, what was missed if it asks for that, then what happens. */
import { type FaceSocket, shownType, textOf } from "../face-socket.ts";
import { type Filter, filterOf } from "./filter.ts";
import type { DesignEvent, Library } from "./library.ts";
import { messageOf } from "./wire.ts";

export class MeshClient {
  readonly #socket: FaceSocket;
  readonly #library: Library;
  /** Messages that all sockets are sent, encoded once. */
  readonly #encoded: WeakMap<DesignEvent, Buffer>;

  constructor(socket: FaceSocket, library: Library, encoded: WeakMap<DesignEvent, Buffer>) {
    this.#socket = socket;
    this.#library = library;
    this.#encoded = encoded;
  }

  /** Until the socket is over. @param active sockets that are open, this one included */
  async run(query: URLSearchParams, active: number): Promise<void> {
    const { position, lastSeq, collections } = this.#library;
    this.#socket.reply({
      event: "connection_ack",
      message: "Connected to mesh update stream",
      active_connections: active,
      seq: lastSeq,
    });
    this.#socket.listen((message) => {
      this.#socket.error(`Unknown message type: ${shownType(message.event ?? message.type)}`);
    });
    const given = { wanted: query.getAll("collection"), globs: query.getAll("match") };
    const { filter, problems } = filterOf(given, collections, ["current"]);
    for (const { text, input } of problems) this.#socket.error(`${text}: ${input}`);
    const since = query.get("since");
    if (since !== null) {
      if (/^\d{1,15}$/.test(since)) await this.#replay(Number(since), position, lastSeq, filter);
      else this.#socket.error(`Invalid since: ${since.slice(0, 64)}`);
    }
    await this.#live(position, filter);
  }

  async #replay(since: number, until: number, lastSeq: number, filter: Filter): Promise<void> {
    let count = 0;
    for await (const event of this.#library.replay(since, until)) {
      if (this.#socket.signal.aborted) return;
      if (!wants(filter, event)) continue;
      count++;
      await this.#socket.send({ ...messageOf(this.#library, event), replayed: true });
    }
    await this.#socket.send({ event: "replay_complete", seq: lastSeq, count });
  }

  async #live(after: number, filter: Filter): Promise<void> {
    for await (const events of this.#library.follow(after, this.#socket.signal)) {
      for (const event of events) {
        if (this.#socket.signal.aborted) return;
        if (!wants(filter, event)) continue;
        const text = this.#encoded.get(event) ?? textOf(messageOf(this.#library, event));
        this.#encoded.set(event, text);
        await this.#socket.send(text);
      }
    }
  }
}

function wants({ collections, matches }: Filter, { data }: DesignEvent): boolean {
  return collections.has(data.collection) && matches(data.design);
}
