/**
 * Ranges of blobs that the server pushes without being asked, and who waits for them. Pushing only saves a round trip:
 * when it stalls, or goes on without what is waited for, whoever waits is told to fetch.
 */
import type { Digest } from "@cairn/protocol";
import type { BlobCache } from "./blob-cache.ts";

/** So long without any pushed byte means that nothing is on its way. */
const STALLED_MS = 400;
/** So long after it was wanted the server has other plans. */
const PATIENCE_MS = 3000;
/** Pushed ranges remembered after they left the cache: they will not come again. */
const REMEMBERED = 65_536;

type Waiting = { blob: string; start: number; end: number; done: (bytes: Uint8Array | undefined) => void };

export class PushedRanges {
  readonly #cache: BlobCache;
  readonly #waiting = new Set<Waiting>();
  readonly #pushed = new Set<string>();
  #expected = false;
  #stalled: ReturnType<typeof setTimeout> | undefined;

  constructor(cache: BlobCache) {
    this.#cache = cache;
  }

  /** Something made the server push: a view, an event that names bytes, bytes themselves. */
  expect(): void {
    this.#expected = true;
    clearTimeout(this.#stalled);
    this.#stalled = setTimeout(() => {
      this.#expected = false;
      this.#release();
    }, STALLED_MS);
    (this.#stalled as { unref?: () => void }).unref?.();
  }

  /** The connection is gone: nothing will come. */
  stop(): void {
    this.#expected = false;
    clearTimeout(this.#stalled);
    this.#pushed.clear();
    this.#release();
  }

  /** @param blob the first 16 hex digits of its digest */
  received(blob: string, start: number, bytes: Uint8Array): void {
    this.#cache.put(rangeKey(blob, start), bytes);
    if (this.#pushed.size < REMEMBERED) this.#pushed.add(rangeKey(blob, start));
    this.expect();
    for (const each of this.#waiting) {
      if (each.blob !== blob || start >= each.end || start + bytes.length <= each.start) continue;
      // Larger than the cache it was not kept, and is here all the same.
      const whole = start === each.start && bytes.length === each.end - each.start;
      const found = whole ? bytes : this.kept(blob, each.start, each.end);
      if (found) each.done(found);
    }
  }

  /** From the cache, put together from several pieces where it came in such. */
  kept(digest: Digest, start: number, end: number): Uint8Array | undefined {
    const first = this.#cache.get(rangeKey(digest, start));
    if (!first || first.length >= end - start) return first?.subarray(0, end - start);
    const pieces = [first];
    let at = start + first.length;
    while (at < end) {
      const piece = this.#cache.get(rangeKey(digest, at));
      if (!piece || piece.length === 0) return undefined;
      pieces.push(piece);
      at += piece.length;
    }
    const joined = new Uint8Array(at - start);
    let to = 0;
    for (const piece of pieces) {
      joined.set(piece, to);
      to += piece.length;
    }
    return joined.subarray(0, end - start);
  }

  /** The range when it is being pushed; `undefined` when it must be fetched. @throws the signal's reason */
  arrival(digest: Digest, start: number, end: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    if (!this.#expected || this.#pushed.has(rangeKey(digest, start))) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const patience = setTimeout(() => waiting.done(undefined), PATIENCE_MS);
      (patience as { unref?: () => void }).unref?.();
      const settle = () => {
        clearTimeout(patience);
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(waiting);
      };
      const abort = () => {
        settle();
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        blob: digest.slice(0, 16),
        start,
        end,
        done: (bytes) => {
          settle();
          resolve(bytes);
        },
      };
      this.#waiting.add(waiting);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  #release(): void {
    for (const each of [...this.#waiting]) each.done(undefined);
  }
}

/** A frame names a blob by half its digest, so the cache does too. */
export function rangeKey(digest: string, start: number): string {
  return `${digest.slice(0, 16)}/${start}`;
}
