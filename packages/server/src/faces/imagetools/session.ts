/**
 * One session as its sockets see it: follows the space's log once for all of them and keeps the newest messages, read
 * again from the log for whoever is further behind. It also tells when the session is about to end (IMG-15).
 */
import type { Space } from "@cairn/core";
import { nsToMs, type SpaceState, type TimeNs } from "@cairn/protocol";
import { textOf } from "../face-socket.ts";
import { type Envelope, SessionLog } from "./session-log.ts";

/** Set on spaces that were made as sessions, and by whom. */
export const SESSION = "imagetools";
export const USER = "imagetools.user";

/** A session that is over is still shown for so long, then its images go (IMG-21, IMG-24). */
export const GRACE_NS = 86_400n * 1_000_000_000n;

const WARNINGS_S = [300, 60] as const;
const MAX_TIMER_MS = 2 ** 31 - 1;
/** Messages kept for sockets that are behind. */
const KEPT = 2000;
const READ_EVENTS = 1000;

export type Told = { readonly seq: number; readonly text: Buffer; readonly envelope: Envelope };

/** When uploads end; left out: never. */
export function sessionEndNs({ expiresNs, labels }: SpaceState): TimeNs | undefined {
  if (expiresNs === undefined || labels?.[SESSION] !== true) return expiresNs;
  return String(BigInt(expiresNs) - GRACE_NS);
}

export function isOver(state: SpaceState, nowMs = Date.now()): boolean {
  const endNs = sessionEndNs(state);
  return endNs !== undefined && nsToMs(endNs) <= nowMs;
}

export type SessionListener = {
  /** Something is to be told, or `signal` has aborted. */
  news(): void;
  expiring(secondsLeft: number): void;
  expired(): void;
};

export class Session {
  readonly space: Space;
  readonly log: SessionLog;
  readonly listeners = new Set<SessionListener>();
  /** Resolves when the log has been read up to where it was when the session was opened. */
  readonly ready: Promise<void>;
  readonly #kept: Told[] = [];
  /** Everything after this seq is kept. */
  #keptAfter = 0;
  #seq = 0;
  /** The log could not be read on. */
  #unread = false;
  #waiting: { seq: number; done: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** The last warning given: a timer may be early by a moment, and must not give it twice. */
  #warned = "";

  constructor(space: Space, onError: (error: unknown) => void) {
    this.space = space;
    this.log = new SessionLog(space.id);
    space.signal.addEventListener("abort", () => this.#end(), { once: true });
    this.ready = this.upTo(space.log.head);
    void this.#follow().catch((error: unknown) => {
      if (!space.signal.aborted) onError(error);
      // Nothing more will be read: whoever waits for it is answered with what was.
      this.#unread = true;
      this.#letGo();
    });
    this.#arm();
  }

  /** Resolves when everything up to `seq` has been read, or the session is over. */
  upTo(seq: number): Promise<void> {
    if (this.#seq >= seq || this.#unread || this.space.signal.aborted) return Promise.resolve();
    return new Promise((done) => this.#waiting.push({ seq, done }));
  }

  /** The first message after `seq`; `undefined` when there is none yet; `"older"` when it is not kept. */
  next(seq: number): Told | undefined | "older" {
    if (seq < this.#keptAfter) return "older";
    let [low, high] = [0, this.#kept.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#kept[middle]!.seq > seq) high = middle;
      else low = middle + 1;
    }
    return this.#kept[low];
  }

  /** Messages after `seq` that are not kept. */
  async *older(seq: number): AsyncGenerator<Told> {
    const until = this.#keptAfter;
    const fold = new SessionLog(this.space.id);
    for (let after = 0; after < until; ) {
      const events = await this.space.log.read(after, Math.min(READ_EVENTS, until - after));
      if (events.length === 0) return;
      for (const event of events) {
        const envelope = fold.apply(event);
        if (envelope && event.seq > seq) yield { seq: event.seq, text: textOf(envelope), envelope };
      }
      after = events.at(-1)!.seq;
    }
  }

  /** At most `limit` messages after `seq`, and up to where they reach. */
  async after(seq: number, limit: number): Promise<{ events: Envelope[]; seq: number }> {
    const events: Envelope[] = [];
    let at = seq;
    if (this.next(at) === "older") {
      const until = this.#keptAfter;
      for await (const told of this.older(at)) {
        events.push(told.envelope);
        at = told.seq;
        if (events.length >= limit) return { events, seq: at };
      }
      at = Math.max(at, until);
    }
    for (let told = this.next(at); told && told !== "older"; told = this.next(at)) {
      events.push(told.envelope);
      at = told.seq;
      if (events.length >= limit) return { events, seq: at };
    }
    return { events, seq: Math.max(at, this.#seq) };
  }

  get keptAfter(): number {
    return this.#keptAfter;
  }

  async #follow(): Promise<void> {
    const { log, signal } = this.space;
    for await (const events of log.follow(0, { signal })) {
      for (const event of events) {
        const envelope = this.log.apply(event);
        if (envelope) this.#kept.push({ seq: event.seq, text: textOf(envelope), envelope });
        this.#seq = event.seq;
        if (event.type === "space.expiring" || event.type === "space.created") this.#arm();
      }
      const gone = this.#kept.length - KEPT;
      if (gone > 0) this.#keptAfter = this.#kept.splice(0, gone).at(-1)!.seq;
      for (const { done } of this.#waiting.filter(({ seq }) => seq <= this.#seq)) done();
      this.#waiting = this.#waiting.filter(({ seq }) => seq > this.#seq);
      for (const listener of this.listeners) listener.news();
    }
  }

  /** Sets the timer for what comes next: a warning or the end. */
  #arm(): void {
    clearTimeout(this.#timer);
    const endNs = sessionEndNs(this.space.log.snapshot().state);
    if (endNs === undefined || this.space.signal.aborted) return;
    const leftMs = nsToMs(endNs) - Date.now();
    if (leftMs <= 0) {
      for (const listener of this.listeners) listener.expired();
      return;
    }
    const name = (seconds: number) => `${endNs} ${seconds}`;
    const warning = WARNINGS_S.find((seconds) => leftMs > seconds * 1000 && name(seconds) !== this.#warned);
    const waitMs = leftMs - (warning ?? 0) * 1000;
    this.#timer = setTimeout(
      () => {
        if (waitMs <= MAX_TIMER_MS && warning !== undefined) {
          this.#warned = name(warning);
          for (const listener of this.listeners) listener.expiring(warning);
        }
        this.#arm();
      },
      Math.min(waitMs, MAX_TIMER_MS),
    ).unref();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#letGo();
    for (const listener of this.listeners) listener.news();
  }

  #letGo(): void {
    for (const { done } of this.#waiting.splice(0)) done();
  }
}
