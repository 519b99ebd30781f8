/** Photos and clouds of this page on their way into a space, and what became of those that were refused. */
import { type CairnApi, type SpaceConnection, uploadCloud } from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { isCloud } from "./files.ts";
import { inWords } from "./words.ts";

export type Upload = {
  id: number;
  name: string;
  /** 0…1. */
  sent: number;
  /** A picture to show until the server has one; revoked when the entry goes. */
  preview?: string;
  error?: string;
};

const MAX_FAILED = 100;

export class Uploads {
  readonly #connection: SpaceConnection;
  readonly #api: CairnApi;
  readonly #space: string;
  readonly #listeners = new Set<() => void>();
  readonly #stopped = new AbortController();
  readonly #cancels = new Map<number, AbortController>();
  #items: readonly Upload[] = [];
  #filling = false;
  #nextId = 1;

  constructor(connection: SpaceConnection, api: CairnApi, space: string) {
    this.#connection = connection;
    this.#api = api;
    this.#space = space;
  }

  /** Replaced at each change. */
  get items(): readonly Upload[] {
    return this.#items;
  }

  get active(): boolean {
    return this.#filling || this.#items.some(({ error }) => error === undefined);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** @param leftOut what else was given and is not among the files: it stands in the list, as what was refused */
  add(files: readonly File[], leftOut?: string): void {
    if (leftOut !== undefined) this.#put({ id: this.#nextId++, name: "A part of it", sent: 0, error: leftOut });
    for (const file of files) void this.#send(file);
  }

  /** The sample's photos, one after the other, so that the model grows as if someone were taking them. */
  async addSample(): Promise<void> {
    this.#filling = true;
    try {
      const answer = await fetch("./sample", { headers: { accept: "application/json" }, signal: this.#stopped.signal });
      const { photos } = (await answer.json()) as { photos: string[] };
      if (photos.length === 0) throw new Error("This server has no sample capture.");
      for (const name of photos) {
        const photo = await fetch(`./sample/${encodeURIComponent(name)}`, { signal: this.#stopped.signal });
        if (!photo.ok) throw new Error(`The sample photo ${name} is missing on this server.`);
        await this.#send(new File([await photo.blob()], name));
      }
    } catch (error) {
      if (this.#stopped.signal.aborted) return;
      this.#put({ id: this.#nextId++, name: "Sample capture", sent: 0, error: inWords(error) });
    } finally {
      this.#filling = false;
      this.#set(this.#items);
    }
  }

  /** Not sent any further; what the server has of it goes. */
  cancel(id: number): void {
    this.#cancels.get(id)?.abort(new CairnError("operation.cancelled"));
    this.dismiss(id);
  }

  dismiss(id: number): void {
    const item = this.#items.find((each) => each.id === id);
    if (item?.preview) URL.revokeObjectURL(item.preview);
    this.#set(this.#items.filter((each) => each.id !== id));
  }

  stop(): void {
    this.#stopped.abort();
    for (const { preview } of this.#items) if (preview) URL.revokeObjectURL(preview);
    this.#items = [];
  }

  async #send(file: File): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    const id = this.#nextId++;
    const cancelled = new AbortController();
    this.#cancels.set(id, cancelled);
    const signal = AbortSignal.any([this.#stopped.signal, cancelled.signal]);
    const preview = /^image\/(jpeg|png|webp)$/.test(file.type) ? { preview: URL.createObjectURL(file) } : {};
    this.#put({ id, name: file.name, sent: 0, ...preview });
    try {
      const onProgress = (sent: number, total: number) => this.#change(id, { sent: total > 0 ? sent / total : 0 });
      const options = { name: file.name, onProgress, signal };
      if (isCloud(file.name)) await uploadCloud(this.#api, this.#space, file, options);
      else await this.#connection.upload(file, options);
      this.dismiss(id); // from here on the space's own state shows it
    } catch (error) {
      if (!signal.aborted) this.#change(id, { error: inWords(error) });
    } finally {
      this.#cancels.delete(id);
    }
  }

  #put(upload: Upload): void {
    const failed = this.#items.filter(({ error }) => error !== undefined);
    for (const { id } of failed.slice(0, Math.max(0, failed.length - MAX_FAILED))) this.dismiss(id);
    this.#set([...this.#items, upload]);
  }

  #change(id: number, change: Partial<Upload>): void {
    this.#set(this.#items.map((each) => (each.id === id ? { ...each, ...change } : each)));
  }

  #set(items: readonly Upload[]): void {
    this.#items = items;
    for (const listener of this.#listeners) listener();
  }
}

/** What a space that is about to be opened is to be filled with. */
export type Arrival = { files: readonly File[]; leftOut?: string | undefined } | "sample";
const arrivals = new Map<string, Arrival>();

export function announceArrival(space: string, arrival: Arrival): void {
  arrivals.set(space, arrival);
}

export function takeArrival(space: string): Arrival | undefined {
  const arrival = arrivals.get(space);
  arrivals.delete(space);
  return arrival;
}
