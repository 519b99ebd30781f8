/**
 * Fetches and decodes what is wanted, most wanted first: a few requests at a time, neighbours in one, and none for what
 * is no longer wanted. While nothing answers, one request now and then finds out whether anything does. What it decodes it
 * hands on at once, so whoever takes parts in order asks for them in order.
 */
import type { Part } from "@cairn/cloud";
import type { PartCache } from "./part-cache.ts";

export type PartRequest = {
  /** The same request has the same name. */
  readonly key: string;
  readonly part: Part;
  /** The parts before it are here: once its bytes are, it is decoded. */
  readonly due: boolean;
};

type PartLoaderOptions<Points, Request> = {
  cache: PartCache;
  fetch(part: Pick<Part, "blob" | "start" | "end">, signal: AbortSignal): Promise<Uint8Array>;
  decode(bytes: Uint8Array): Promise<Points>;
  /** Decoded; or bytes came that free a request. `want` is to be called again. */
  onDecoded(request: Request, points: Points): void;
  onFetched(): void;
  onProblem?: ((error: unknown) => void) | undefined;
  /** Whether asking again is of little use. */
  isFinal(error: unknown): boolean;
  /** Nothing answered at all: that says nothing of the part, and much of the way there. */
  isAway(error: unknown): boolean;
  /** A part was given up. */
  onLost(): void;
  now(): number;
  parallel?: number;
};

/** @property probe the one request that finds out whether there is a way again */
type Fetch = { parts: Part[]; probe: boolean; stop: AbortController };

const PARALLEL = 6;
/** Neighbouring parts are one request up to this. */
const MOST_BYTES = 256 * 1024;
/** Decoded at the same time: what is decoded and not yet taken is memory. */
const DECODING = 8;
const FIRST_RETRY_MS = 500;
const MOST_RETRY_MS = 15_000;
/** After so many final answers a part counts as lost: it is waited for no longer, and asked for now and then. */
const LOST_AFTER = 3;
const LOST_RETRY_MS = 60_000;

export class PartLoader<Points, Request extends PartRequest> {
  readonly #options: PartLoaderOptions<Points, Request>;
  readonly #fetching = new Set<Fetch>();
  readonly #decoding = new Set<string>();
  /** Of parts that failed: when to try again; infinite while that is under way. */
  readonly #failed = new Map<string, { untilMs: number; delayMs: number; finals: number }>();
  #requests: readonly Request[] = [];
  /** Nothing answers: when to probe again; infinite while a probe is under way. */
  #away: { untilMs: number; delayMs: number } | undefined;
  #stopped = false;

  constructor(options: PartLoaderOptions<Points, Request>) {
    this.#options = options;
  }

  get pending(): number {
    return this.#fetching.size + this.#decoding.size;
  }

  /** Earliest moment at which `want` should be called again because of a failure; `undefined`: none failed. */
  get retryAtMs(): number | undefined {
    if (this.#fetching.size >= this.#parallel) return undefined; // the end of one of them is told
    const awayMs = this.#away?.untilMs;
    let earliest = Number.POSITIVE_INFINITY;
    for (const { part } of this.#requests) {
      const failed = this.#failed.get(part.hash);
      if (failed) earliest = Math.min(earliest, failed.untilMs);
      else if (awayMs !== undefined && !this.#options.cache.has(part.hash)) earliest = Math.min(earliest, awayMs);
    }
    earliest = Math.max(earliest, awayMs ?? 0);
    return earliest < Number.POSITIVE_INFINITY ? earliest : undefined;
  }

  hasFailed({ hash }: Part): boolean {
    return this.#failed.has(hash);
  }

  /** It was answered more than once that the part cannot be had. */
  isLost({ hash }: Part): boolean {
    return (this.#failed.get(hash)?.finals ?? 0) >= LOST_AFTER;
  }

  /** Something was mended: all that failed is asked for again at the next `want`. */
  forgive(): void {
    this.#failed.clear();
  }

  /** There may be a way again: what failed for want of one is asked for at the next `want`. */
  resume(): void {
    this.#away = undefined;
    for (const [hash, { finals }] of this.#failed) if (finals === 0) this.#failed.delete(hash);
  }

  /** Everything that is wanted now, most wanted first; what was wanted before and is not named is given up. */
  want(requests: readonly Request[]): void {
    if (this.#stopped) return;
    this.#requests = requests;
    this.#giveUp(requests);
    const flying = new Set([...this.#fetching].flatMap(({ parts }) => parts.map(placeOf)));
    const { cache } = this.#options;
    let byPlace: Map<string, Part> | undefined;
    for (const request of requests) {
      const { key, part, due } = request;
      if (due && this.#decoding.size < DECODING && !this.#decoding.has(key)) {
        const bytes = cache.get(part.hash);
        if (bytes) {
          void this.#decode(request, bytes);
          continue;
        }
      }
      if (this.#fetching.size >= this.#parallel || this.#isAway()) continue;
      if (cache.has(part.hash) || flying.has(placeOf(part)) || this.#decoding.has(key)) continue;
      if (this.#isWaiting(part)) continue;
      byPlace ??= new Map(requests.map((each) => [placeOf(each.part), each.part]));
      const parts = [part];
      for (let next = byPlace.get(`${part.blob}:${part.end}`); next; next = byPlace.get(`${next.blob}:${next.end}`)) {
        if (
          next.end - part.start > MOST_BYTES ||
          flying.has(placeOf(next)) ||
          cache.has(next.hash) ||
          this.#isWaiting(next)
        )
          break;
        parts.push(next);
      }
      for (const each of parts) flying.add(placeOf(each));
      void this.#fetch(parts);
    }
  }

  /** Bytes came without being asked for: what is wanted of them need not wait its turn. @param blob begins the digest */
  arrived(blob: string, start: number, bytes: Uint8Array): void {
    const { cache, onFetched } = this.#options;
    let found = false;
    for (const { part } of this.#requests) {
      if (!part.blob.startsWith(blob) || part.start < start || part.end > start + bytes.length) continue;
      if (cache.has(part.hash)) continue;
      cache.put(part.hash, bytes.slice(part.start - start, part.end - start));
      found = true;
    }
    if (found) onFetched();
  }

  stop(): void {
    this.#stopped = true;
    for (const { stop } of this.#fetching) stop.abort();
    this.#fetching.clear();
  }

  get #parallel(): number {
    return this.#options.parallel ?? PARALLEL;
  }

  #giveUp(requests: readonly PartRequest[]): void {
    const places = new Set(requests.map(({ part }) => placeOf(part)));
    for (const fetching of this.#fetching) {
      if (fetching.parts.some((part) => places.has(placeOf(part)))) continue;
      this.#fetching.delete(fetching);
      fetching.stop.abort();
      if (fetching.probe && this.#away) this.#away.untilMs = this.#options.now();
    }
    if (this.#failed.size > 256) {
      const hashes = new Set(requests.map(({ part }) => part.hash));
      for (const hash of this.#failed.keys()) if (!hashes.has(hash)) this.#failed.delete(hash);
    }
  }

  async #fetch(parts: Part[]): Promise<void> {
    const fetching: Fetch = { parts, probe: this.#away !== undefined, stop: new AbortController() };
    this.#fetching.add(fetching);
    if (this.#away) this.#away.untilMs = Number.POSITIVE_INFINITY;
    for (const { hash } of parts) {
      const failed = this.#failed.get(hash);
      if (failed) failed.untilMs = Number.POSITIVE_INFINITY;
    }
    const { blob, start } = parts[0]!;
    const { end } = parts.at(-1)!;
    const { signal } = fetching.stop;
    try {
      const bytes = await this.#options.fetch({ blob, start, end }, signal);
      signal.throwIfAborted();
      if (this.#away) this.resume();
      if (bytes.length !== end - start) throw new RangeError(`${bytes.length} bytes of ${end - start}`);
      for (const part of parts) {
        this.#options.cache.put(part.hash, bytes.slice(part.start - start, part.end - start));
        this.#failed.delete(part.hash);
      }
    } catch (error) {
      if (signal.aborted) {
        for (const { hash } of parts) this.#failed.delete(hash);
        return;
      }
      const { isAway, isFinal } = this.#options;
      if (isAway(error)) this.#noteAway(fetching.probe);
      else if (this.#away) this.resume();
      for (const { hash } of parts) this.#fail(hash, isFinal(error));
      this.#options.onProblem?.(error);
    } finally {
      // What was given up is no longer in the set and tells nobody.
      if (this.#fetching.delete(fetching)) this.#options.onFetched();
    }
  }

  async #decode(request: Request, bytes: Uint8Array): Promise<void> {
    this.#decoding.add(request.key);
    try {
      const points = await this.#options.decode(bytes);
      this.#decoding.delete(request.key);
      if (this.#stopped) return;
      this.#failed.delete(request.part.hash);
      this.#options.onDecoded(request, points);
    } catch (error) {
      this.#decoding.delete(request.key);
      if (this.#stopped) return;
      this.#options.cache.drop(request.part.hash);
      this.#fail(request.part.hash, true);
      this.#options.onProblem?.(error);
      this.#options.onFetched();
    }
  }

  /** For the moment at which it is asked for again. */
  #isWaiting({ hash }: Part): boolean {
    return (this.#failed.get(hash)?.untilMs ?? 0) > this.#options.now();
  }

  #isAway(): boolean {
    return (this.#away?.untilMs ?? 0) > this.#options.now();
  }

  /** What was under way when the way broke fails, too, and says nothing new. */
  #noteAway(probed: boolean): void {
    if (this.#away && !probed) return;
    const delayMs = this.#away ? Math.min(this.#away.delayMs * 2, MOST_RETRY_MS) : FIRST_RETRY_MS;
    this.#away = { delayMs, untilMs: this.#options.now() + delayMs };
  }

  #fail(hash: string, final: boolean): void {
    const known = this.#failed.get(hash);
    const finals = (known?.finals ?? 0) + (final ? 1 : 0);
    const delayMs = Math.min((known?.delayMs ?? FIRST_RETRY_MS / 2) * 2, MOST_RETRY_MS);
    const lost = finals >= LOST_AFTER;
    this.#failed.set(hash, { delayMs, finals, untilMs: this.#options.now() + (lost ? LOST_RETRY_MS : delayMs) });
    if (finals === LOST_AFTER && final) this.#options.onLost();
  }
}

function placeOf({ blob, start }: Part): string {
  return `${blob}:${start}`;
}
