/**
 * A heritage project as its clients know it: shards of one cloud come in as PLY files, photos go out one by one, and the
 * counters are the server's. Rules HER-5 to HER-28; what a client is to do with shards is HER-19 and HER-28.
 */
import type { Model } from "@cairn/viewer/model";
import { inWords } from "../../words.ts";
import { fromBase64, toBase64 } from "../shared/base64.ts";
import { DELETED, Link, type LinkStatus } from "../shared/link.ts";
import { isRecord, type Place, sentence } from "../shared/place.ts";
import { Store } from "../shared/store.ts";

export type HeritagePhoto = {
  readonly ref: string;
  readonly name: string;
  /** One of ours; others send theirs, too. */
  readonly file?: File;
  readonly preview?: string;
  readonly status: "queued" | "sending" | "waiting" | "working" | "done" | "known" | "refused";
  /** How often the line broke while it was sent. */
  readonly breaks?: number;
  readonly image?: string;
  readonly points?: number;
  readonly problem?: string;
};

/** A set of shards on its way. */
export type Receiving = { readonly what: "cloud" | "rebuild"; readonly got: number; readonly total: number };

type HeritageState = {
  readonly status: LinkStatus;
  readonly photos: readonly HeritagePhoto[];
  readonly images: number;
  /** Photos since the last full reconstruction, and how many of those there were. */
  readonly updates: number;
  readonly rebuilds: number;
  readonly clients: number;
  readonly queued: number;
  readonly points: number;
  readonly shards: ReadonlyMap<string, Model>;
  readonly receiving: Receiving | undefined;
  readonly problem: string | undefined;
};

const RETRY_MS = 1000;
/** As base64 it just passes the 16 MiB of a message. */
const MOST_PHOTO_BYTES = 12 * 2 ** 20 - 2048;
const MAX_PHOTOS = 500;
const MAX_BREAKS = 5;

/** The one that is being received, and whether it is shown as it comes. */
type Incoming = Receiving & { shards: Map<string, Model>; live: boolean };

export class HeritageProject extends Store<HeritageState> {
  readonly #place: Place;
  readonly #name: string;
  readonly #link: Link;
  readonly #stop = new AbortController();
  #incoming: Incoming | undefined;
  /** Messages are taken one after the other, though reading a shard takes a moment. */
  #turn: Promise<void> = Promise.resolve();
  #shard = 0;
  #nextRef = 1;
  /** How often the counters were wanted. */
  #wanted = 0;
  #counting = false;

  constructor(place: Place, name: string) {
    super({
      status: "connecting",
      photos: [],
      images: 0,
      updates: 0,
      rebuilds: 0,
      clients: 0,
      queued: 0,
      points: 0,
      shards: new Map(),
      receiving: undefined,
      problem: undefined,
    });
    this.#place = place;
    this.#name = name;
    this.#link = new Link({
      connect: () => place.socket(`ws/${encodeURIComponent(name)}`),
      retryMs: RETRY_MS,
      ping: '{"type":"ping"}',
      onMessage: (message) => {
        this.#turn = this.#turn.then(() => this.#hear(message)).catch((error: unknown) => this.#fail(error));
      },
      onStatus: (status, reason, code) => this.#linked(status, reason, code),
    });
  }

  stop(): void {
    this.#stop.abort();
    this.#link.stop();
    for (const { preview } of this.state.photos) if (preview) URL.revokeObjectURL(preview);
  }

  get uploading(): boolean {
    return this.state.photos.some(({ status }) => status === "queued" || status === "sending");
  }

  add(files: readonly File[]): void {
    const photos = files.map((file): HeritagePhoto => {
      const ref = `photo-${this.#nextRef++}`;
      const preview = /^image\/(jpeg|png|webp)$/.test(file.type) ? { preview: URL.createObjectURL(file) } : {};
      if (file.size <= MOST_PHOTO_BYTES) return { ref, name: file.name, file, ...preview, status: "queued" };
      return { ref, name: file.name, ...preview, status: "refused", problem: "Larger than 12 MiB." };
    });
    this.#setPhotos([...this.state.photos, ...photos]);
    void this.#sendNext();
  }

  dismiss(ref: string): void {
    const photo = this.state.photos.find((each) => each.ref === ref);
    if (photo?.preview) URL.revokeObjectURL(photo.preview);
    this.set({ photos: this.state.photos.filter((each) => each !== photo) });
  }

  /** Everything there is once more. */
  resync(): void {
    this.#link.send({ type: "request_resync" });
  }

  #linked(status: LinkStatus, reason: string, code?: number): void {
    const why = code === DELETED ? "this project was deleted" : reason || "the server closed the connection";
    this.set({ status, ...(status === "closed" && { problem: sentence(why) }) });
    if (status === "disconnected") {
      const photos = this.state.photos.map((photo) => (photo.status === "sending" ? broken(photo) : photo));
      this.#incoming = undefined;
      this.set({ photos, receiving: undefined });
    }
    if (status === "connected") void this.#sendNext();
  }

  async #sendNext(): Promise<void> {
    const { photos, status } = this.state;
    const next = photos.find((photo) => photo.status === "queued");
    if (!next?.file || status !== "connected" || photos.some((photo) => photo.status === "sending")) return;
    this.#change(next.ref, { status: "sending" });
    try {
      const image_data = toBase64(new Uint8Array(await next.file.arrayBuffer()));
      const message = { type: "upload_image", image_data, filename: next.name, client_ref: next.ref };
      if (!this.#link.send(message)) this.#change(next.ref, { status: "queued" });
    } catch {
      this.#change(next.ref, { status: "refused", problem: "This file cannot be read any more." });
      void this.#sendNext();
    }
  }

  async #hear(message: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#stop.signal.aborted) return;
    switch (message.type) {
      case "initial_state_starting":
        return this.#begin("cloud", Number(message.total_shards));
      case "initial_state_shard":
        return this.#take(message);
      case "initial_state_complete":
        if (this.#incoming?.what === "cloud") this.#complete();
        // What was done before it is not told any more: the counters tell which photos still wait.
        this.#setPhotos(
          this.state.photos.map((photo) => (photo.status === "working" ? { ...photo, status: "waiting" } : photo)),
        );
        this.set({ images: Number(message.total_images), problem: undefined });
        void this.#count();
        return undefined;
      case "refetch_starting":
        return this.#begin("rebuild", Number(message.total_shards));
      case "shard_update":
        // Who comes by the first shard of a whole set may begin there, too.
        if (message.is_full_refetch === true && message.shard_index === 0 && this.#incoming?.what !== "rebuild") {
          this.#begin("rebuild", Number(message.total_shards));
        }
        return this.#take(message);
      case "upload_acknowledged":
        return this.#acknowledged(String(message.client_ref), String(message.image_id));
      case "processing_started":
        return this.#started(String(message.image_id));
      case "processing_complete":
        this.#changeImage(String(message.image_id), { status: "done" });
        this.set({ images: Number(message.total_images) });
        void this.#count();
        return undefined;
      case "error":
        return this.#refused(message);
      default:
        return undefined;
    }
  }

  #begin(what: Receiving["what"], total: number): void {
    // A cloud that is there stays until the new one is whole; where there is none one sees it come.
    this.#incoming = { what, total, got: 0, shards: new Map(), live: this.state.shards.size === 0 };
    this.set({ receiving: { what, got: 0, total } });
  }

  async #take(message: Readonly<Record<string, unknown>>): Promise<void> {
    const { parseModel } = await import("@cairn/viewer/model");
    const model = await parseModel(fromBase64(String(message.shard_data)).buffer, "ply");
    const key = String(this.#shard++);
    const incoming = this.#incoming;
    if (typeof message.image_id === "string" && message.is_full_refetch !== true)
      this.#gained(message.image_id, model.points);
    if (incoming && (message.type === "initial_state_shard" || message.is_full_refetch === true)) {
      incoming.shards.set(key, model);
      this.#incoming = { ...incoming, got: incoming.got + 1 };
      this.set({ receiving: { what: incoming.what, got: incoming.got + 1, total: incoming.total } });
      if (incoming.live) this.#show(new Map(incoming.shards));
      if (incoming.what === "rebuild" && this.#incoming.got >= incoming.total) this.#complete();
    } else if (model.points > 0) {
      this.#show(new Map([...this.state.shards, [key, model]]));
    }
  }

  #complete(): void {
    if (this.#incoming) this.#show(new Map(this.#incoming.shards));
    this.#incoming = undefined;
    this.set({ receiving: undefined });
  }

  #show(shards: ReadonlyMap<string, Model>): void {
    const points = [...shards.values()].reduce((sum, model) => sum + model.points, 0);
    this.set({ shards, points });
  }

  #acknowledged(ref: string, image: string): void {
    const before = this.state.photos.find((photo) => photo.image === image && photo.ref !== ref);
    this.#change(ref, before ? { status: "known", image } : { status: "waiting", image });
    void this.#sendNext();
    void this.#count();
  }

  #started(image: string): void {
    if (this.state.photos.some((photo) => photo.image === image)) this.#changeImage(image, { status: "working" });
    else {
      const theirs: HeritagePhoto = { ref: image, name: "Photo of someone else", image, status: "working" };
      this.#setPhotos([...this.state.photos, theirs]);
    }
  }

  #gained(image: string, points: number): void {
    const photo = this.state.photos.find((each) => each.image === image);
    if (photo) this.#changeImage(image, { points: (photo.points ?? 0) + points });
  }

  #refused({ message, client_ref, image_id }: Readonly<Record<string, unknown>>): void {
    const problem = sentence(String(message));
    if (typeof client_ref === "string") {
      this.#change(client_ref, { status: "refused", problem });
      void this.#sendNext();
    } else if (typeof image_id === "string") this.#changeImage(image_id, { status: "refused", problem });
    else this.set({ problem });
  }

  /**
   * Asks for the counters once more; never waited for, so that no message is held up. One question at a time, since an
   * answer that is overtaken would count back.
   */
  async #count(): Promise<void> {
    this.#wanted++;
    if (this.#counting) return;
    this.#counting = true;
    for (let wanted = 0; wanted !== this.#wanted && !this.#stop.signal.aborted; ) {
      wanted = this.#wanted;
      await this.#askCounters().catch(() => {}); // told again with the next photo
    }
    this.#counting = false;
  }

  /** The counters as the server has them; what it has done with all that it got, it had before. */
  async #askCounters(): Promise<void> {
    const waiting = this.state.photos.filter(({ status }) => status === "waiting").map(({ ref }) => ref);
    const { signal } = this.#stop;
    const told = await this.#place.json(`projects/${encodeURIComponent(this.#name)}/status`, { signal });
    if (!isRecord(told)) return;
    const { total_images, update_count, epoch, active_clients, queued_images } = told;
    this.set({
      images: Math.max(this.state.images, Number(total_images)),
      updates: Number(update_count),
      rebuilds: Number(epoch),
      clients: Number(active_clients),
      queued: Number(queued_images),
    });
    if (queued_images !== 0) return;
    for (const ref of waiting) {
      const photo = this.state.photos.find((each) => each.ref === ref);
      if (photo?.status === "waiting") this.#change(ref, { status: "known" });
    }
  }

  #fail(error: unknown): void {
    if (!this.#stop.signal.aborted) this.set({ problem: `A part of the cloud cannot be shown. ${inWords(error)}` });
  }

  #change(ref: string, change: Partial<HeritagePhoto>): void {
    this.set({ photos: this.state.photos.map((each) => (each.ref === ref ? { ...each, ...change } : each)) });
  }

  #changeImage(image: string, change: Partial<HeritagePhoto>): void {
    this.set({ photos: this.state.photos.map((each) => (each.image === image ? { ...each, ...change } : each)) });
  }

  #setPhotos(photos: readonly HeritagePhoto[]): void {
    const over = photos.filter(({ status }) => status === "done").slice(0, Math.max(0, photos.length - MAX_PHOTOS));
    for (const { preview } of over) if (preview) URL.revokeObjectURL(preview);
    this.set({ photos: photos.filter((photo) => !over.includes(photo)) });
  }
}

/** What was not acknowledged is sent again, but not for ever: the same picture twice is one. */
function broken(photo: HeritagePhoto): HeritagePhoto {
  const breaks = (photo.breaks ?? 0) + 1;
  if (breaks < MAX_BREAKS) return { ...photo, status: "queued", breaks };
  const problem = `The connection broke ${breaks} times while this photo was sent. Add it again where the network is better.`;
  return { ...photo, status: "refused", problem };
}
