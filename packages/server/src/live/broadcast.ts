/**
 * Those who have heard all hear what comes next together: one follower of the log for a space, one message for what one
 * turn brought, and one write for each socket, of a Buffer that they share. New points that a client sees are in it.
 * Who has no room, or something of its own to hear first, goes on with a cursor and joins again when it has caught up.
 */
import type { Core, Space } from "@cairn/core";
import type { CairnEvent, EventData, Seq } from "@cairn/protocol";
import type { Message } from "./frames.ts";
import { type FreshBytes, type FreshPack, freshBytes, readFreshPack } from "./fresh-pack.ts";
import type { LiveTables } from "./live-tables.ts";
import { placeOf, type SharedMessages } from "./shared-messages.ts";

/** Events in one message. */
export const BATCH = 512;
/** An event waits at most so long for the points it tells of; they come after it otherwise. */
const READ_MS = 10;
/** Sets of parts for which one turn makes a Buffer: beyond that, viewers are sent parts one by one, which all share. */
const SETS = 16;

export interface Listener {
  /** Seq of the last event it was sent. */
  readonly position: Seq;
  /** It may be sent points. */
  readonly watching: boolean;
  /** Sends what the turn brought, all or nothing. False: not now. */
  hear(turn: Turn): boolean;
  /** It is no listener any more: what comes after its position it reads for itself. */
  catchUp(): void;
}

/** What one turn brought: the events after `after`, encoded once, and the pack they tell of. */
export class Turn {
  readonly after: Seq;
  readonly last: Seq;
  readonly events: CairnEvent[];
  readonly pack: FreshPack | undefined;
  /** One message, ready to write. */
  readonly facts: Buffer;
  readonly #message: Message;
  readonly #withBytes = new Map<string, FreshBytes>();

  constructor(after: Seq, events: CairnEvent[], message: Message, pack: FreshPack | undefined) {
    this.after = after;
    this.last = events.at(-1)?.seq ?? after;
    this.events = events;
    this.pack = pack;
    this.#message = message;
    this.facts = message.length === 1 ? message[0]! : Buffer.concat(message);
  }

  /** The facts and behind them the pack without what is unseen: one Buffer for all who see the same. */
  withBytes(unseen: string): FreshBytes | undefined {
    const known = this.#withBytes.get(unseen);
    if (known || !this.pack || this.#withBytes.size >= SETS) return known;
    const made = freshBytes(this.#message, this.pack, unseen);
    this.#withBytes.set(unseen, made);
    return made;
  }
}

type House = { core: Core; tables: LiveTables; shared: SharedMessages };

export class Broadcasts {
  readonly #house: House;
  readonly #spaces = new WeakMap<Space, Broadcast>();

  constructor(house: House) {
    this.#house = house;
  }

  of(space: Space): Broadcast {
    const broadcast = this.#spaces.get(space) ?? new Broadcast(this.#house, space);
    this.#spaces.set(space, broadcast);
    return broadcast;
  }
}

export class Broadcast {
  readonly #house: House;
  readonly #space: Space;
  readonly #listeners = new Set<Listener>();
  /** Seq of the last event that was handed out. */
  #position: Seq = 0;
  /** Set while the log is followed, which is while there are listeners. */
  #following: AbortController | undefined;

  constructor(house: House, space: Space) {
    this.#house = house;
    this.#space = space;
  }

  has(listener: Listener): boolean {
    return this.#listeners.has(listener);
  }

  /** False for who has not caught up. One that is ahead is passed over until the others are there. */
  join(listener: Listener): boolean {
    const { log } = this.#space;
    if (listener.position < (this.#following ? this.#position : log.head)) return false;
    this.#listeners.add(listener);
    if (!this.#following) {
      this.#position = log.head;
      this.#following = new AbortController();
      void this.#follow(this.#following);
    }
    return true;
  }

  leave(listener: Listener): void {
    this.#listeners.delete(listener);
    if (this.#listeners.size > 0) return;
    this.#following?.abort();
    this.#following = undefined;
  }

  async #follow(following: AbortController): Promise<void> {
    const { signal } = following;
    const { log } = this.#space;
    try {
      for await (const events of log.follow(this.#position, { signal, limit: BATCH })) {
        const pack = await this.#read(events);
        // Answers that this turn brought as well go first, and are known at its end.
        await new Promise((resolve) => setImmediate(resolve));
        if (signal.aborted) return;
        const message = this.#house.shared.events(placeOf(this.#space), this.#position, events);
        this.#tell(new Turn(this.#position, events, message, pack));
      }
    } catch {
      // The log is trimmed, damaged or closed: each listener finds that for itself, and knows what to say.
    }
    if (this.#following !== following) return;
    this.#following = undefined;
    const all = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of all) listener.catchUp();
  }

  #tell(turn: Turn): void {
    this.#position = turn.last;
    for (const listener of this.#listeners) {
      if (listener.position >= turn.last) continue;
      if (listener.position === turn.after && listener.hear(turn)) continue;
      // It may have closed while it heard.
      if (!this.#listeners.has(listener)) continue;
      this.leave(listener);
      listener.catchUp();
    }
  }

  /** The pack that the events tell of, when it is the only one, and soon at hand. */
  async #read(events: readonly CairnEvent[]): Promise<FreshPack | undefined> {
    const added = theOnlyPack(events);
    if (!added || ![...this.#listeners].some(({ watching }) => watching)) return undefined;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), READ_MS);
    });
    // What cannot be read is said where it is sent to one client.
    const pack = readFreshPack(this.#house, this.#space, added).catch(() => undefined);
    const read = await Promise.race([pack, late]);
    clearTimeout(timer);
    return read;
  }
}

function theOnlyPack(events: readonly CairnEvent[]): EventData<"segments.added"> | undefined {
  let only: EventData<"segments.added"> | undefined;
  for (const { type, data } of events) {
    if (type === "segments.added") {
      if (only) return undefined;
      only = data;
    } else if (type.startsWith("layer.") || type === "generation.published" || type === "space.closed") {
      return undefined;
    }
  }
  return only;
}
