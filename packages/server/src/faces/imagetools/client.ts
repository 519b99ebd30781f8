/**
 * One socket of a session: `connection.status`, then every event after where it joins, once and in order. One loop sends
 * them; what is no event of the log (who is there, that the session ends) goes between two of them.
 */
import { CairnError, CLOSE, nsToMs } from "@cairn/protocol";
import { type FaceSocket, shownType } from "../face-socket.ts";
import { type Session, type SessionListener, sessionEndNs } from "./session.ts";
import { isoMicros, isoSeconds } from "./times.ts";

/** On connect it is said that the session ends when less than this is left. */
const SOON_MS = 300_000;

/** Signals that wait for one socket; the oldest go (GEN-22). */
const MOST_SIGNALS = 64;

/** Sockets of a session that are told of each other. */
export type Crowd = Set<SessionClient>;

export class SessionClient implements SessionListener {
  readonly #socket: FaceSocket;
  readonly #session: Session;
  readonly #crowd: Crowd;
  readonly #signals: { type: string; data: Record<string, unknown> }[] = [];
  /** Up to here everything was sent. */
  #seq: number;
  #wake = () => {};

  /** @param after left out: only what happens from now on */
  constructor(socket: FaceSocket, session: Session, crowd: Crowd, after: number | undefined) {
    this.#socket = socket;
    this.#session = session;
    this.#crowd = crowd;
    const { head } = session.space.log;
    this.#seq = after === undefined ? head : Math.min(after, head);
    socket.listen((message) => socket.error(`Unknown message type: ${shownType(message.type)}`));
  }

  /** Until the socket is over. */
  async run(): Promise<void> {
    const { signal } = this.#socket;
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    this.#crowd.add(this);
    this.#session.listeners.add(this);
    try {
      for (const each of this.#crowd) each.#status();
      this.#warn();
      while (!signal.aborted) {
        for (let next = this.#signals.shift(); next; next = this.#signals.shift()) await this.#say(next);
        if (this.#session.space.signal.aborted) return this.#over();
        const next = this.#session.next(this.#seq);
        if (next === "older") await this.#catchUp();
        else if (next) {
          await this.#socket.send(next.text);
          this.#seq = next.seq;
        } else await this.#news();
      }
    } finally {
      this.#session.listeners.delete(this);
      this.#crowd.delete(this);
      for (const each of this.#crowd) each.#status();
    }
  }

  news(): void {
    this.#wake();
  }

  expiring(secondsLeft: number): void {
    this.#signal("session.expiring", { ...this.#facts(), seconds_left: secondsLeft });
  }

  expired(): void {
    this.#socket.close(CLOSE.missing, "Session expired");
  }

  #over(): void {
    const reason: unknown = this.#session.space.signal.reason;
    const stopping = reason instanceof CairnError && reason.code === "server.stopping";
    if (stopping) this.#socket.close(CLOSE.stopping, "server shutting down");
    else this.#socket.close(1000, "Session deleted");
  }

  #status(): void {
    const data = { status: "connected", ...this.#facts(), active_connections: this.#crowd.size };
    this.#signal("connection.status", data);
  }

  #warn(): void {
    const endNs = sessionEndNs(this.#session.space.log.snapshot().state);
    if (endNs === undefined) return;
    const leftMs = nsToMs(endNs) - Date.now();
    if (leftMs < SOON_MS) this.expiring(Math.max(0, Math.ceil(leftMs / 1000)));
  }

  #facts(): Record<string, unknown> {
    const { space } = this.#session;
    const endNs = sessionEndNs(space.log.snapshot().state);
    return { session_id: space.id, expires_at: endNs === undefined ? null : isoMicros(endNs) };
  }

  #signal(type: string, data: Record<string, unknown>): void {
    this.#signals.push({ type, data });
    if (this.#signals.length > MOST_SIGNALS) this.#signals.shift();
    this.#wake();
  }

  async #say({ type, data }: { type: string; data: Record<string, unknown> }): Promise<void> {
    const seq = this.#seq;
    const facts = type === "connection.status" ? { ...data, seq } : data;
    await this.#socket.send({ type, timestamp: isoSeconds(Date.now()), seq, data: facts });
  }

  async #catchUp(): Promise<void> {
    const until = this.#session.keptAfter;
    for await (const { seq, text } of this.#session.older(this.#seq)) {
      if (this.#socket.signal.aborted) return;
      await this.#socket.send(text);
      this.#seq = seq;
    }
    this.#seq = Math.max(this.#seq, until);
  }

  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const over = this.#socket.signal.aborted || this.#session.space.signal.aborted;
      if (over || this.#signals.length > 0 || this.#session.next(this.#seq) !== undefined) resolve();
    });
    this.#wake = () => {};
  }
}
