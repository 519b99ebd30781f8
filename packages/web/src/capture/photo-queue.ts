/**
 * Photos from the shutter to the server's disk: kept here first, then sent, each under a key of its own, so that no
 * reload, lost answer or second window ever makes two images of one.
 */
import type { SpaceConnection } from "@cairn/client";
import { CairnError, msToNs } from "@cairn/protocol";
import { inWords } from "../words.ts";
import type { KeptPhoto, PhotoShelf } from "./photo-shelf.ts";
import { randomName } from "./random-name.ts";

export type QueuedPhoto = KeptPhoto & {
  /** On its way just now, 0…1 of it; left out: it waits, or is there. */
  readonly sent?: number;
};

/** Bytes that wait for the server; beyond this the shutter rests. */
const MOST_WAITING_BYTES = 400 * 2 ** 20;
/** Of those that are there, the newest stay in sight. */
const MOST_SETTLED = 120;
const PARALLEL = 2;
const UNREADABLE = "The browser cannot read it just now. Reload the page to try again.";
const nothing = () => {};

export class PhotoQueue {
  readonly #connection: SpaceConnection;
  readonly #shelf: PhotoShelf;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  readonly #sending = new Map<string, AbortController>();
  #items: readonly QueuedPhoto[] = [];

  constructor(connection: SpaceConnection, shelf: PhotoShelf) {
    this.#connection = connection;
    this.#shelf = shelf;
  }

  /** Oldest first; replaced at each change. */
  get items(): readonly QueuedPhoto[] {
    return this.#items;
  }

  get lasting(): boolean {
    return this.#shelf.lasting;
  }

  get waitingBytes(): number {
    return this.#items.reduce((sum, photo) => sum + (isWaiting(photo) ? photo.sizeBytes : 0), 0);
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

  /** Resolves when the browser keeps it. @throws {Error} in words for people, when there is no room */
  async add(photo: Blob, thumbnail: Blob | undefined): Promise<void> {
    if (this.waitingBytes + photo.size > MOST_WAITING_BYTES) {
      throw new Error("No room for more photos here until some of them are sent.");
    }
    const takenMs = Date.now();
    const kept: KeptPhoto = {
      key: randomName(16),
      space: this.#connection.space,
      name: photo instanceof File && photo.name ? photo.name : photoName(takenMs, photo.type),
      takenMs,
      sizeBytes: photo.size,
      ...(thumbnail && { thumbnail }),
    };
    await this.#shelf.put(kept, await photo.arrayBuffer());
    if (this.#stopped.signal.aborted) return;
    this.#set([...this.#items, kept]);
    this.#pump();
  }

  /** Not sent any further, and no longer in sight; what the server has of it stays. @throws {Error} the browser's */
  async remove(key: string): Promise<void> {
    this.#sending.get(key)?.abort(new CairnError("operation.cancelled"));
    this.#set(this.#items.filter((photo) => photo.key !== key));
    await this.#shelf.remove(key);
  }

  stop(): void {
    this.#stopped.abort();
  }

  #pump(): void {
    for (const photo of this.#items) {
      if (this.#sending.size >= PARALLEL || this.#stopped.signal.aborted) return;
      if (isWaiting(photo) && !this.#sending.has(photo.key)) void this.#send(photo);
    }
  }

  async #send(photo: KeptPhoto): Promise<void> {
    const { key, name, takenMs } = photo;
    const cancelled = new AbortController();
    this.#sending.set(key, cancelled);
    const signal = AbortSignal.any([this.#stopped.signal, cancelled.signal]);
    try {
      let bytes: ArrayBuffer | undefined;
      try {
        bytes = await this.#shelf.bytes(key);
      } catch {
        // It stays on the shelf: the next visit tries again. This one would ask for ever.
        if (!signal.aborted) this.#change(key, { refusal: UNREADABLE });
        return;
      }
      if (!bytes) throw new CairnError("operation.cancelled", { reason: "another window removed it" });
      const receipt = await this.#connection.upload(bytes, {
        key,
        name,
        capturedNs: msToNs(takenMs),
        signal,
        onProgress: (sent, total) => this.#change(key, { sent: total > 0 ? sent / total : 0 }),
      });
      await this.#settle({ ...photo, image: receipt.image });
    } catch (error) {
      if (!signal.aborted) await this.#settle({ ...photo, refusal: inWords(error) });
    } finally {
      this.#sending.delete(key);
      this.#pump();
    }
  }

  async #settle(photo: KeptPhoto): Promise<void> {
    // What the browser fails to note is sent again by the next visit, under the same key: the same image.
    await this.#shelf.settle(photo).catch(nothing);
    const settled = this.#items.filter((each) => each.key !== photo.key && !isWaiting(each));
    const old = new Set(settled.slice(0, Math.max(0, settled.length + 1 - MOST_SETTLED)).map(({ key }) => key));
    this.#set(this.#items.filter(({ key }) => !old.has(key)).map((each) => (each.key === photo.key ? photo : each)));
    for (const key of old) await this.#shelf.remove(key).catch(nothing);
  }

  #change(key: string, change: Partial<QueuedPhoto>): void {
    this.#set(this.#items.map((each) => (each.key === key ? { ...each, ...change } : each)));
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

function photoName(takenMs: number, type: string): string {
  const extension = type === "image/png" ? "png" : "jpg";
  return `${new Date(takenMs).toISOString().replaceAll(/[:T]/g, "-").replace("Z", "")}.${extension}`;
}
