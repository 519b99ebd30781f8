/** All depth sessions: made, found, counted, and let go when nobody uses them. Rules DEP-1, DEP-12 to DEP-16. */
import { randomUUID } from "node:crypto";
import { CairnError, CLOSE } from "@cairn/protocol";
import type { ServerContext } from "../../context.ts";
import { Refusal } from "../refusal.ts";
import { labelsOf, paramsOf, presetFor, type SessionParams } from "./params.ts";
import { Session, type SessionHouse } from "./session.ts";

export type SessionLimits = {
  readonly sessions: number;
  /** Idle for longer, a session goes. */
  readonly idleMs: number;
  /** Those that are idle are looked for so often; left out: twelve times as often as one may be idle, at least every 300 s. */
  readonly sweepMs?: number;
  readonly runMs: number;
  /** By which idleness is judged; left out: time since the process began, which no step of the wall clock changes. */
  readonly nowMs?: () => number;
};

export const SESSION_LIMITS: SessionLimits = {
  sessions: 100,
  idleMs: 3_600_000,
  runMs: 1_800_000,
};

const SWEEP_MS = 300_000;

export class Sessions {
  readonly limits: SessionLimits;
  readonly #context: ServerContext;
  readonly #house: SessionHouse;
  readonly #known = new Map<string, Session>();
  /** Ids of sessions that are being made: they count, too. */
  readonly #making = new Set<string>();
  readonly #sweeping: NodeJS.Timeout;

  constructor(context: ServerContext, limits: SessionLimits) {
    this.limits = limits;
    this.#context = context;
    this.#house = { context, runMs: limits.runMs, nowMs: limits.nowMs ?? (() => performance.now()) };
    const { idleMs, sweepMs = Math.min(SWEEP_MS, idleMs / 12) } = limits;
    this.#sweeping = setInterval(() => void this.sweep(), sweepMs).unref();
    // Those of before the start: one whose run was cut off begins it again.
    context.core.spaces.onOpen((space) => {
      if (!paramsOf(space.log.snapshot().state.labels) || this.#known.has(space.id)) return;
      this.#known.set(space.id, new Session(this.#house, space));
    });
  }

  /** Those that live, newest first. */
  get all(): Session[] {
    for (const [id, { space }] of this.#known) if (space.signal.aborted) this.#known.delete(id);
    return [...this.#known.values()].filter((each) => !this.#isOver(each)).sort((a, b) => b.createdS - a.createdS);
  }

  async create(params: SessionParams): Promise<Session> {
    await this.sweep();
    const { sessions } = this.limits;
    const unknown = [...this.#making].filter((id) => !this.#known.has(id)).length;
    if (this.all.length + unknown >= sessions) {
      throw new Refusal(500, `Failed to create session: maximum number of sessions (${sessions}) reached`);
    }
    const id = randomUUID();
    this.#making.add(id);
    try {
      return await this.#make(id, params);
    } finally {
      this.#making.delete(id);
    }
  }

  /** `undefined` when there is none, or it is over. */
  find(id: string): Session | undefined {
    const session = this.#known.get(id);
    return session && !session.space.signal.aborted && !this.#isOver(session) ? session : undefined;
  }

  async delete(session: Session, message = "Session deleted", code: number = CLOSE.normal): Promise<void> {
    this.#known.delete(session.space.id);
    session.end(message, code);
    await this.#context.core.spaces.delete(session.space.id).catch((error: unknown) => {
      if (!(error instanceof CairnError && error.code === "space.missing")) throw error;
    });
  }

  async sweep(): Promise<void> {
    for (const session of [...this.#known.values()]) {
      if (!this.#isOver(session) || session.space.signal.aborted) continue;
      await this.delete(session, "Session expired", CLOSE.missing).catch((error: unknown) => {
        this.#context.log.error({ err: error, session: session.space.id }, "an idle session stays");
      });
    }
  }

  close(): void {
    clearInterval(this.#sweeping);
  }

  async #make(id: string, params: SessionParams): Promise<Session> {
    const settings = { maxImages: params.max_images, rebuildWhenIdle: false };
    const space = await this.#context.core.spaces.create({
      id,
      title: "depth session",
      settings,
      labels: labelsOf(params),
    });
    const { preset: usual } = space.log.snapshot().state.settings;
    const preset = presetFor(params, usual);
    if (preset !== usual) await space.configure({ preset });
    // `onOpen` has made it known already, unless it ran before the labels were there.
    const session = this.#known.get(id) ?? new Session(this.#house, space);
    this.#known.set(id, session);
    return session;
  }

  #isOver(session: Session): boolean {
    return session.status !== "processing" && session.idleMs > this.limits.idleMs;
  }
}
