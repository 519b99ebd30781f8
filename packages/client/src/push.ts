/**
 * Points that the server pushes for what is looked at: it is told the view and what is held, and granted credit as fast
 * as bytes are taken. Pushing only saves a request: what does not come is fetched.
 */
import {
  type Digest,
  decodeRangeFrame,
  encodeHaveFrame,
  type HaveFrame,
  type RangeFrame,
  type View,
} from "@cairn/protocol";
import type { CairnApi } from "./api.ts";
import { BlobCache } from "./blob-cache.ts";
import { CreditWindow, FIRST_CREDIT_BYTES } from "./credit-window.ts";
import { PushedRanges, rangeKey } from "./pushed-ranges.ts";
import { unref } from "./unref.ts";

export type PushOptions = {
  api: CairnApi;
  /** Says whether it went out. */
  send(message: string | Uint8Array<ArrayBuffer>): boolean;
  /** There is a connection that takes messages. */
  isOpen(): boolean;
  creditBytes?: number | undefined;
  cacheBytes?: number | undefined;
};

type Fetching = { signal?: AbortSignal | undefined };

/** A camera moves at every frame; the server is told this often. */
const VIEW_EVERY_MS = 100;
/** Grants count as messages, of which the server takes 100 a second. */
const GRANT_EVERY_MS = 16;

export class Push {
  /** Asked each time before the server begins to push. */
  held: (() => Iterable<HaveFrame>) | undefined;
  /** What the server may push before it is told a view. */
  readonly firstCreditBytes: number;
  readonly #options: PushOptions;
  readonly #cache: BlobCache;
  readonly #ranges: PushedRanges;
  readonly #credit = new CreditWindow();
  #view: View | undefined;
  #viewing: ReturnType<typeof setTimeout> | undefined;
  #viewSentMs = Number.NEGATIVE_INFINITY;
  #granting: ReturnType<typeof setTimeout> | undefined;
  /** This connection was told a view, so the server pushes. */
  #pushing = false;

  constructor(options: PushOptions) {
    this.#options = options;
    this.firstCreditBytes = options.creditBytes ?? FIRST_CREDIT_BYTES;
    this.#cache = new BlobCache(options.cacheBytes ?? 64 * 2 ** 20);
    this.#ranges = new PushedRanges(this.#cache);
  }

  /** @param mostBytes that the server ever lets be on its way */
  welcomed(mostBytes: number, roundTripMs: number): void {
    this.#credit.start(this.firstCreditBytes, mostBytes);
    this.#credit.roundTrip(roundTripMs);
    if (this.#view) this.#sendView();
  }

  roundTrip(ms: number): void {
    this.#credit.roundTrip(ms);
  }

  /** The log named bytes that the server may push next. */
  expect(): void {
    if (this.#pushing) this.#ranges.expect();
  }

  /** `undefined`: nothing more is asked for. As often as one likes. */
  view(view: Omit<View, "type"> | undefined): void {
    this.#view = view && { ...view, type: "view" };
    if (!view || this.#viewing !== undefined) return;
    this.#viewing = setTimeout(
      () => {
        this.#viewing = undefined;
        this.#sendView();
      },
      Math.max(0, this.#viewSentMs + VIEW_EVERY_MS - performance.now()),
    );
  }

  received(frame: Uint8Array): RangeFrame {
    const range = decodeRangeFrame(frame);
    this.#ranges.received(range.blob, range.start, range.bytes);
    this.#credit.received(range.bytes.length, performance.now());
    this.#grant();
    return range;
  }

  /** From the cache, from the push that is on its way, or by HTTP. */
  async range(digest: Digest, start: number, end: number, { signal }: Fetching = {}): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const here =
      this.#ranges.kept(digest, start, end) ??
      (this.#pushing ? await this.#ranges.arrival(digest, start, end, signal) : undefined);
    if (here) return here;
    const bytes = await this.#options.api.range(digest, start, end, { signal });
    this.#cache.put(rangeKey(digest, start), bytes);
    return bytes;
  }

  /** A whole blob that is never pushed: from the cache, or by HTTP. */
  async blob(digest: Digest, options: Fetching = {}): Promise<Uint8Array> {
    const kept = this.#cache.get(digest);
    if (kept) return kept;
    const bytes = await this.#options.api.blob(digest, options);
    this.#cache.put(digest, bytes);
    return bytes;
  }

  /** The connection is gone: nothing will come. */
  broken(): void {
    this.#pushing = false;
    this.#ranges.stop();
  }

  close(): void {
    clearTimeout(this.#viewing);
    this.broken();
  }

  #sendView(): void {
    const { send, isOpen } = this.#options;
    if (!this.#view || !isOpen()) return;
    if (!this.#pushing) for (const held of this.held?.() ?? []) send(encodeHaveFrame(held) as Uint8Array<ArrayBuffer>);
    this.#viewSentMs = performance.now();
    send(JSON.stringify(this.#view));
    this.#pushing = this.#credit.windowBytes > 0;
    this.expect();
    this.#grant();
  }

  #grant(): void {
    if (!this.#view || this.#granting !== undefined) return;
    const bytes = this.#credit.grant();
    if (bytes === 0) return;
    this.#options.send(JSON.stringify({ type: "credit", bytes }));
    this.#granting = setTimeout(() => {
      this.#granting = undefined;
      this.#grant();
    }, GRANT_EVERY_MS);
    unref(this.#granting);
  }
}
