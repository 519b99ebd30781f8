/**
 * Those who have heard all hear what comes next together: one follower of the log for a space, one message for what one
 * turn brought, and one write for each socket, of a Buffer that they share. New points that a client sees are in it.
 * Who has no room, or something of its own to hear first, goes on with a cursor and joins again when it has caught up.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Core, CursorItem, Space } from "@cairn/core";
import type { CairnEvent, EventData, Seq, SpaceState } from "@cairn/protocol";
import type { Message } from "./frames.ts";
import { type FreshBytes, type FreshPack, freshBytes, readFreshPack } from "./fresh-pack.ts";
import type { LiveTables } from "./live-tables.ts";
import { Writes } from "./outbox.ts";
import { bearsOnPoints } from "./segment-push.ts";
import { placeOf, type SharedMessages } from "./shared-messages.ts";
import { Step } from "./step.ts";

/** Events in one message. */
export const BATCH = 512;
/** An event waits at most so long for the points it tells of; they come after it otherwise. */
const READ_MS = 25;
/**
 * After a turn the next waits so many times as long as telling it took, and takes with it what came meanwhile: one write
 * for each listener is what an event costs, and so many small ones take a hundredth of the process. After quiet nothing
 * waits, and nothing waits longer than the eye sees.
 */
const PAUSE = 100;
const LONGEST_PAUSE_MS = 50;
/** Sets of parts for which one turn makes a Buffer: beyond that, viewers are sent parts one by one, which all share. */
const SETS = 16;

export interface Listener {
  /** Seq of the last event it was sent. */
  readonly position: Seq;
  /** It may be sent points. */
  readonly watching: boolean;
  /** Takes what the turn brought, all or nothing. False: not now. */
  hear(turn: Turn): boolean;
  /** It is no listener any more: what comes after its position it reads for itself. */
  catchUp(): void;
}

/** What one turn brought: the events after `after`, encoded once, and the pack they tell of. */
export class Turn {
  readonly after: Seq;
  readonly last: Seq;
  readonly events: CairnEvent[];
  /** The same, as a cursor delivers it. */
  readonly item: CursorItem;
  readonly pack: FreshPack | undefined;
  /** Something in it bears on points; the space is closed with it. Asked once, not by each listener. */
  readonly aboutPoints: boolean;
  readonly closes: boolean;
  /** The log's, while the turn is told; asked for once, not by each listener. */
  readonly state: SpaceState;
  /** One message, ready to write. */
  readonly facts: Buffer;
  /** The step in which those are who have all that came before the pack. */
  readonly step: Step | undefined;
  /** What its listeners took, until all were asked. */
  readonly writes = new Writes();
  readonly #message: Message;
  readonly #withBytes = new Map<string, FreshBytes>();
  #together: Together | undefined;

  constructor(after: Seq, events: CairnEvent[], message: Message, pack: FreshPack | undefined, state: SpaceState) {
    this.after = after;
    this.last = events.at(-1)?.seq ?? after;
    this.events = events;
    this.item = { kind: "events", events };
    this.pack = pack;
    this.aboutPoints = events.some(bearsOnPoints);
    this.closes = events.some(({ type }) => type === "space.closed");
    this.state = state;
    this.#message = message;
    this.step = pack && Step.before(pack, state.generation);
    this.facts = message.length === 1 ? message[0]! : Buffer.concat(message);
  }

  /** The facts and behind them all of the pack, for those who are in step; and the step in which they are then. */
  get together(): Together | undefined {
    const { pack, step } = this;
    if (this.#together || !pack || !step) return this.#together;
    const whole = this.withBytes("");
    if (whole) this.#together = { ...whole, pack, step, next: step.take(pack.live, whole.parts) };
    return this.#together;
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

/** What those who are in step are sent: the facts and all of the pack. */
export type Together = FreshBytes & { readonly pack: FreshPack; readonly step: Step; readonly next: Step };

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
  readonly #longestPauseMs: number;
  readonly #listeners = new Set<Listener>();
  /** Seq of the last event that was handed out. */
  #position: Seq = 0;
  /** Set while the log is followed, which is while there are listeners. */
  #following: AbortController | undefined;

  constructor(house: House, space: Space, longestPauseMs: number = LONGEST_PAUSE_MS) {
    this.#house = house;
    this.#space = space;
    this.#longestPauseMs = longestPauseMs;
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
      for await (const batch of log.follow(this.#position, { signal, limit: BATCH })) {
        let tookMs = 0;
        for (const events of eachWithOnePack(batch)) {
          const pack = await this.#read(events);
          // Answers that this turn brought as well go first, and are known at its end.
          await new Promise((resolve) => setImmediate(resolve));
          if (signal.aborted) return;
          const fromMs = performance.now();
          const message = this.#house.shared.events(placeOf(this.#space), this.#position, events);
          this.#tell(new Turn(this.#position, events, message, pack, log.snapshot().state));
          tookMs += performance.now() - fromMs;
        }
        const pauseMs = Math.min(this.#longestPauseMs, PAUSE * tookMs);
        // Who is told all at once what has piled up need not be spared writes.
        if (pauseMs >= 1 && batch.length < BATCH) await sleep(pauseMs, undefined, { signal });
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
    try {
      for (const listener of this.#listeners) {
        if (listener.position >= turn.last) continue;
        if (listener.position === turn.after && listener.hear(turn)) continue;
        // It may have closed while it heard.
        if (!this.#listeners.has(listener)) continue;
        this.leave(listener);
        listener.catchUp();
      }
    } finally {
      turn.writes.flush();
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

/** Cut where a second pack comes: one pack goes with the event that tells of it, several would go piece by piece. */
function eachWithOnePack(events: CairnEvent[]): CairnEvent[][] {
  const cuts: CairnEvent[][] = [];
  let from = 0;
  let packs = 0;
  events.forEach(({ type }, i) => {
    if (type !== "segments.added" || ++packs === 1) return;
    cuts.push(events.slice(from, i));
    from = i;
    packs = 1;
  });
  cuts.push(from === 0 ? events : events.slice(from));
  return cuts;
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
