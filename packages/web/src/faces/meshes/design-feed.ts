/**
 * The newest designs of a server, live: a page of the timeline, then every event after it, so that nothing is missed and
 * nothing is told twice. Rules MSH-16, MSH-17, MSH-33 to MSH-35.
 */
import { inWords } from "../../words.ts";
import { Link, type LinkStatus } from "../shared/link.ts";
import { isRecord, type Place, sentence } from "../shared/place.ts";
import { Store } from "../shared/store.ts";

export type Design = {
  readonly design_id: string;
  readonly collection: string;
  readonly file_size: number;
  /** Epoch seconds. */
  readonly created_at: number;
  readonly url: string;
  readonly metadata_url: string;
  /** A small picture, where the server makes them. */
  readonly thumbnail_url?: string | null;
  readonly seq: number;
  readonly revision: number;
  readonly vertex_count: number | null;
  readonly face_count: number | null;
};

type FeedStats = { total_designs: number; recent_designs: number; total_file_size: number };

/** Which designs: as the server's lists have them, those with the demonstration, or every collection there is. */
export type Scope = "usual" | "demo" | "all";

type FeedState = {
  status: LinkStatus;
  /** Newest event first; undefined before the first answer. */
  designs: readonly Design[] | undefined;
  stats: FeedStats;
  /** Seconds that the server's clock is ahead of ours. */
  aheadS: number;
  problem: string | undefined;
};

export type FeedNews = (change: "added" | "overwritten" | "removed", design: string) => void;

const RETRY_MS = 5000;
/** Events that a slower answer over HTTP may not know of yet. */
const KEPT_EVENTS = 500;

type DesignEvent = Readonly<Record<string, unknown>> & { seq: number; design_id: string; collection: string };

export class DesignFeed extends Store<FeedState> {
  readonly #place: Place;
  readonly #limit: number;
  readonly #scope: Scope;
  readonly #onNews: FeedNews;
  readonly #stop = new AbortController();
  #link: Link | undefined;
  /** The newest event that is known. */
  #seq: number | undefined;
  #events: DesignEvent[] = [];
  #counting = false;

  constructor(place: Place, { limit, scope, onNews }: { limit: number; scope: Scope; onNews: FeedNews }) {
    const stats = { total_designs: 0, recent_designs: 0, total_file_size: 0 };
    super({ status: "connecting", designs: undefined, stats, aheadS: 0, problem: undefined });
    this.#place = place;
    this.#limit = limit;
    this.#scope = scope;
    this.#onNews = onNews;
    void this.refresh().finally(() => {
      if (!this.#stop.signal.aborted) this.#listen();
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#link?.stop();
  }

  /** Asks for the whole list again. */
  async refresh(): Promise<void> {
    try {
      const answer = await this.#ask(this.#limit);
      if (this.#stop.signal.aborted) return;
      this.#seq = Math.max(this.#seq ?? 0, answer.seq);
      const { stats, aheadS } = answer;
      this.set({ designs: answer.designs, stats, aheadS, problem: undefined });
      for (const event of this.#events) if (event.seq > answer.seq) this.#put(event);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.set({ problem: inWords(error) });
    }
  }

  async #ask(limit: number): Promise<{ designs: Design[]; stats: FeedStats; aheadS: number; seq: number }> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (this.#scope === "demo") query.set("include_demo", "true");
    if (this.#scope === "all") query.set("collection", "*");
    const askedMs = Date.now();
    const body = await this.#place.json(`api/meshes/timeline?${query}`, { signal: this.#stop.signal });
    const { meshes, stats, server_time, seq } = body as {
      meshes: Design[];
      stats: FeedStats;
      server_time: number;
      seq: number;
    };
    return { designs: meshes, stats, seq, aheadS: server_time - (askedMs + Date.now()) / 2000 };
  }

  #listen(): void {
    this.#link = new Link({
      connect: () => {
        const query = new URLSearchParams({ collection: "*" });
        if (this.#seq !== undefined) query.set("since", String(this.#seq));
        return this.#place.socket(`ws/meshes?${query}`);
      },
      retryMs: RETRY_MS,
      ping: "ping",
      onMessage: (message) => this.#hear(message),
      onStatus: (status, reason) => {
        this.set({
          status,
          ...(status === "closed" && { problem: sentence(reason || "the server closed the connection") }),
        });
        if (status === "connected" && this.state.problem !== undefined) void this.refresh();
      },
    });
  }

  #hear(message: Readonly<Record<string, unknown>>): void {
    const { event, seq } = message;
    if (event === "error") this.set({ problem: sentence(String(message.message)) });
    if (event === "replay_complete" && typeof seq === "number") this.#seq = Math.max(this.#seq ?? 0, seq);
    if ((event !== "new_mesh" && event !== "mesh_removed") || !isDesignEvent(message)) return;
    this.#seq = Math.max(this.#seq ?? 0, message.seq);
    if (!this.#wants(message.collection)) return;
    this.#events = [...this.#events, message].slice(-KEPT_EVENTS);
    const known = this.#put(message);
    const change = event === "mesh_removed" ? "removed" : known ? "overwritten" : "added";
    this.#onNews(change, message.design_id);
    void this.#count();
  }

  #wants(collection: string): boolean {
    if (this.#scope === "all") return true;
    return collection === "current" || collection === "archive" || (this.#scope === "demo" && collection === "demo");
  }

  /** @returns whether the list had it */
  #put(event: DesignEvent): boolean {
    const designs = this.state.designs ?? [];
    const others = designs.filter(
      ({ design_id, collection }) => design_id !== event.design_id || collection !== event.collection,
    );
    const now = event.event === "mesh_removed" ? others : [event as DesignEvent & Design, ...others];
    this.set({ designs: now.sort((a, b) => b.seq - a.seq).slice(0, this.#limit) });
    return others.length < designs.length;
  }

  /** The totals are of all designs, also those beyond this page; many events are counted once. */
  async #count(): Promise<void> {
    if (this.#counting) return;
    this.#counting = true;
    try {
      let counted: number | undefined;
      while (counted !== this.#seq && !this.#stop.signal.aborted) {
        counted = this.#seq;
        const { stats, aheadS } = await this.#ask(1);
        this.set({ stats, aheadS });
      }
    } catch {
      // The next event asks again, and so does the next refresh.
    } finally {
      this.#counting = false;
    }
  }
}

function isDesignEvent(message: unknown): message is DesignEvent {
  if (!isRecord(message)) return false;
  const { seq, design_id, collection } = message;
  return typeof seq === "number" && typeof design_id === "string" && typeof collection === "string";
}
