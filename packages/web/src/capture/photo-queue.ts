/**
 * Photos from the shutter to the server's disk: kept here first, then sent, each under a key of its own, so that no
 * reload, lost answer or second window ever makes two images of one. Whatever goes wrong, this may be the only copy:
 * it is let go of when the server has it or can never take it, and waits for all else to be put right.
 */
import { Backoff, type BackoffOptions, type SpaceConnection } from "@cairn/client";
import { CairnError, type ErrorCode, msToNs } from "@cairn/protocol";
import { count, inWords } from "../words.ts";
import type { KeptPhoto, PhotoShelf } from "./photo-shelf.ts";
import { randomName } from "./random-name.ts";

export type QueuedPhoto = KeptPhoto & {
  /** On its way just now, 0…1 of it; left out: it waits, or is there. */
  readonly sent?: number;
  /** It was tried in vain, and goes on waiting. */
  readonly held?: { readonly why: string; readonly tries: number };
};

/** Small, for the strip; `undefined` where the browser cannot read the photo. */
type ThumbnailOf = (photo: Blob) => Promise<Blob | undefined>;

/** Bytes that wait for the server; beyond this the shutter rests. */
const MOST_WAITING_BYTES = 400 * 2 ** 20;
/** Of those that are there, the newest stay in sight. */
const MOST_SETTLED = 120;
const PARALLEL = 2;
/** While nothing is taken, one is tried now and then. */
const RETRY: BackoffOptions = { firstMs: 2000, maxMs: 300_000 };
/** The fault is the photo's own: the server can never take it. That it was slow to decode may be the server's. */
const FAULTS: ReadonlySet<ErrorCode> = new Set([
  "image.empty",
  "image.unsupported",
  "image.corrupt",
  "image.too_large",
]);
const UNREADABLE = "The browser cannot read it just now. Reload the page to try again.";
const nothing = () => {};

export class PhotoQueue {
  readonly #connection: SpaceConnection;
  readonly #shelf: PhotoShelf;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  readonly #sending = new Map<string, AbortController>();
  readonly #backoff: Backoff;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #items: readonly QueuedPhoto[] = [];
  /** Of photos that are not on the shelf yet. */
  #reservedBytes = 0;

  constructor(connection: SpaceConnection, shelf: PhotoShelf, retry = RETRY) {
    this.#connection = connection;
    this.#shelf = shelf;
    this.#backoff = new Backoff(retry);
  }

  /** Oldest first; replaced at each change. */
  get items(): readonly QueuedPhoto[] {
    return this.#items;
  }

  get lasting(): boolean {
    return this.#shelf.lasting;
  }

  get waitingBytes(): number {
    const waiting = this.#items.filter(isWaiting);
    return waiting.reduce((sum, { sizeBytes }) => sum + sizeBytes, this.#reservedBytes);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Goes on with what an earlier visit left. @throws {Error} the browser's, when it cannot be read */
  async start(): Promise<void> {
    const kept = await this.#shelf.list(this.#connection.space);
    if (this.#stopped.signal.aborted) return;
    const here = new Set(this.#items.map(({ key }) => key));
    this.#set([...kept.filter(({ key }) => !here.has(key)), ...this.#items]);
    this.#pump();
  }

  /** One after the other: of hundreds, one is in memory. @throws {Error} in words for people, when some are left out */
  async addAll(photos: readonly Blob[], thumbnailOf: ThumbnailOf): Promise<void> {
    let leftOut = 0;
    let why = "";
    for (const photo of photos) {
      await this.add(photo, thumbnailOf).catch((error: unknown) => {
        leftOut++;
        why = inWords(error);
      });
    }
    if (leftOut === 0) return;
    const were = leftOut === 1 ? "was" : "were";
    const which = photos.length === 1 ? "" : `${count(leftOut, "photo")} of ${photos.length} ${were} left out. `;
    throw new Error(which + why);
  }

  /** Resolves when the browser keeps it. @throws {Error} in words for people, when there is no room */
  async add(photo: Blob, thumbnailOf: ThumbnailOf): Promise<void> {
    if (this.waitingBytes + photo.size > MOST_WAITING_BYTES) {
      throw new Error("No room for more photos here until some of them are sent.");
    }
    this.#reservedBytes += photo.size;
    try {
      await this.#keep(photo, thumbnailOf);
    } finally {
      this.#reservedBytes -= photo.size;
    }
    this.#wake(); // what keeps the others waiting may not concern this one
  }

  async #keep(photo: Blob, thumbnailOf: ThumbnailOf): Promise<void> {
    const takenMs = Date.now();
    const thumbnail = await thumbnailOf(photo);
    const kept: KeptPhoto = {
      key: randomName(16),
      space: this.#connection.space,
      name: photo instanceof File && photo.name ? photo.name : photoName(takenMs, photo.type),
      takenMs,
      sizeBytes: photo.size,
      ...(thumbnail && { thumbnail }),
    };
    await this.#shelf.put(kept, await photo.arrayBuffer());
    this.#set([...this.#items, kept]);
  }

  /** Not sent any further, and no longer in sight; what the server has of it stays. @throws {Error} the browser's */
  async remove(key: string): Promise<void> {
    this.#sending.get(key)?.abort(new CairnError("operation.cancelled"));
    this.#set(this.#items.filter((photo) => photo.key !== key));
    await this.#shelf.remove(key);
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#retry);
  }

  #pump(): void {
    // A connection that has ended takes nothing any more; the next visit has another.
    if (this.#stopped.signal.aborted || this.#retry !== undefined || this.#connection.status === "closed") return;
    const parallel = this.#backoff.attempt > 0 ? 1 : PARALLEL;
    const waiting = this.#items.filter((photo) => isWaiting(photo) && !this.#sending.has(photo.key));
    waiting.sort((a, b) => triesOf(a) - triesOf(b)); // one that is in vain holds up no other
    for (const photo of waiting.slice(0, Math.max(0, parallel - this.#sending.size))) void this.#send(photo);
  }

  #wake(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#pump();
  }

  async #send({ sent: _sent, held, ...photo }: QueuedPhoto): Promise<void> {
    const { key, name, takenMs } = photo;
    const cancelled = new AbortController();
    this.#sending.set(key, cancelled);
    const signal = AbortSignal.any([this.#stopped.signal, cancelled.signal]);
    try {
      const bytes = await this.#shelf.bytes(key).catch(() => {
        throw new Error(UNREADABLE);
      });
      if (!bytes) return await this.#follow(key);
      const receipt = await this.#connection.upload(bytes, {
        key,
        name,
        capturedNs: msToNs(takenMs),
        signal,
        onProgress: (sent, total) => this.#change(key, { sent: total > 0 ? sent / total : 0 }),
      });
      this.#backoff.reset();
      await this.#settle({ ...photo, image: receipt.image });
      this.#wake();
    } catch (error) {
      if (signal.aborted) return;
      const why = inWords(error);
      if (isAtFault(error)) await this.#settle({ ...photo, refusal: why });
      else this.#hold({ ...photo, held: { why, tries: (held?.tries ?? 0) + 1 } });
    } finally {
      this.#sending.delete(key);
      this.#pump();
    }
  }

  #hold(photo: QueuedPhoto): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#wake(), this.#backoff.nextMs());
    this.#replace(photo);
  }

  /** Another window sent it or threw it away: here it is the same. */
  async #follow(key: string): Promise<void> {
    const kept = (await this.#shelf.list(this.#connection.space)).find((photo) => photo.key === key);
    if (kept && !isWaiting(kept)) this.#replace(kept);
    else this.#set(this.#items.filter((photo) => photo.key !== key));
  }

  async #settle(photo: KeptPhoto): Promise<void> {
    // What the browser fails to note is sent again by the next visit, under the same key: the same image.
    await this.#shelf.settle(photo).catch(nothing);
    const settled = this.#items.filter((each) => each.key !== photo.key && !isWaiting(each));
    const old = new Set(settled.slice(0, Math.max(0, settled.length + 1 - MOST_SETTLED)).map(({ key }) => key));
    this.#set(this.#items.filter(({ key }) => !old.has(key)));
    this.#replace(photo);
    for (const key of old) await this.#shelf.remove(key).catch(nothing);
  }

  #change(key: string, change: Partial<QueuedPhoto>): void {
    this.#set(this.#items.map((each) => (each.key === key ? { ...each, ...change } : each)));
  }

  #replace(photo: QueuedPhoto): void {
    this.#set(this.#items.map((each) => (each.key === photo.key ? photo : each)));
  }

  #set(items: readonly QueuedPhoto[]): void {
    this.#items = items;
    for (const listener of this.#listeners) listener();
  }
}

/** The server does not have it, and may yet take it. */
export function isWaiting({ image, refusal }: KeptPhoto): boolean {
  return image === undefined && refusal === undefined;
}

const triesOf = ({ held }: QueuedPhoto): number => held?.tries ?? 0;

const isAtFault = (error: unknown): boolean => error instanceof CairnError && FAULTS.has(error.code);

function photoName(takenMs: number, type: string): string {
  const extension = type === "image/png" ? "png" : "jpg";
  return `${new Date(takenMs).toISOString().replaceAll(/[:T]/g, "-").replace("Z", "")}.${extension}`;
}
