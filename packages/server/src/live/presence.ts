/** Who is here, per space: told as a whole each time and at most a few times a second, however many come and go. */
import { PRESENCE, type Presence, type SpaceId } from "@cairn/protocol";
import type { Message } from "./frames.ts";
import { encode } from "./shared-messages.ts";

/** Peers named; the count says how many there are. */
const NAMED = 64;
const TELL_EVERY_MS = 200;

type Room = {
  peers: Map<string, string>;
  listeners: Set<(message: Message) => void>;
  timer: NodeJS.Timeout | undefined;
  dirty: boolean;
};

export class PresenceRooms {
  readonly #rooms = new Map<SpaceId, Room>();

  /** Returns how to leave. `listener` is left out by those who do not want to know. */
  join(space: SpaceId, peer: string, name: string, listener?: (message: Message) => void): () => void {
    const room: Room = this.#rooms.get(space) ?? {
      peers: new Map(),
      listeners: new Set(),
      timer: undefined,
      dirty: false,
    };
    this.#rooms.set(space, room);
    room.peers.set(peer, name);
    if (listener) room.listeners.add(listener);
    this.#changed(room);
    return () => {
      room.peers.delete(peer);
      if (listener) room.listeners.delete(listener);
      this.#changed(room);
      if (room.peers.size > 0) return;
      clearTimeout(room.timer);
      if (this.#rooms.get(space) === room) this.#rooms.delete(space);
    };
  }

  #changed(room: Room): void {
    room.dirty = true;
    if (room.timer || room.listeners.size === 0) return;
    this.#tell(room);
    room.timer = setTimeout(() => {
      room.timer = undefined;
      if (room.dirty) this.#changed(room);
    }, TELL_EVERY_MS);
    room.timer.unref();
  }

  #tell(room: Room): void {
    room.dirty = false;
    const peers = [...room.peers].slice(0, NAMED).map(([peer, name]) => ({ peer, name }));
    const data: Presence = { count: room.peers.size, peers };
    const message = encode({ type: "signal", channel: PRESENCE, from: "server", data });
    for (const listener of room.listeners) listener(message);
  }
}
