/**
 * What one does in a depth session: photos wait here until a model is asked for, then the session is made, the photos go
 * there one by one, and results come back. The session is in the address, so a reload comes back to it.
 */
import {
  type DepthMetadata,
  type DepthParams,
  type DepthProgress,
  DepthRefused,
  DepthSession,
} from "@cairn/client/depth";
import { CairnError } from "@cairn/protocol";
import type { Model } from "@cairn/viewer/model";
import { inWords } from "../../words.ts";
import { isRecord, type Place, sentence } from "../shared/place.ts";
import { Store } from "../shared/store.ts";

export type DepthPhoto = {
  readonly id: number;
  readonly file: File;
  readonly preview: string;
  readonly status: "new" | "sending" | "stored" | "refused";
  /** Under which the session has it. */
  readonly stored?: string;
  /** Whether the newest model has its camera. */
  readonly placed?: boolean;
  readonly problem?: string;
};

/** One model, as a file that can be saved. */
export type DepthGlb = {
  readonly model: Model;
  readonly url: string;
  readonly sizeBytes: number;
  readonly metadata: DepthMetadata | undefined;
  /** Partial ones come while photos are placed. */
  readonly partial: boolean;
};

export type DepthState = {
  readonly photos: readonly DepthPhoto[];
  /** Where the session is already. */
  readonly session: string | undefined;
  /** Photos in it that this page does not have itself. */
  readonly earlier: number;
  readonly finalized: boolean;
  readonly work: DepthProgress | undefined;
  readonly result: DepthGlb | undefined;
  readonly problem: string | undefined;
};

const EMPTY: DepthState = {
  photos: [],
  session: undefined,
  earlier: 0,
  finalized: false,
  work: undefined,
  result: undefined,
  problem: undefined,
};

/** A run that was asked for before a reload tells this page nothing: it asks. */
const LOOK_MS = 1000;

export class DepthWork extends Store<DepthState> {
  readonly #place: Place;
  readonly #stop = new AbortController();
  #session: DepthSession | undefined;
  #nextId = 1;

  /** @param session to come back to */
  constructor(place: Place, session: string | undefined) {
    super(EMPTY);
    this.#place = place;
    if (session !== undefined) void this.#comeBack(session);
  }

  stop(): void {
    this.#stop.abort(new CairnError("operation.cancelled"));
    this.#session?.close();
    for (const { preview } of this.state.photos) URL.revokeObjectURL(preview);
    if (this.state.result) URL.revokeObjectURL(this.state.result.url);
  }

  add(files: readonly File[]): void {
    const photos = files.map((file) => ({
      id: this.#nextId++,
      file,
      preview: URL.createObjectURL(file),
      status: "new" as const,
    }));
    this.set({ photos: [...this.state.photos, ...photos], problem: undefined });
  }

  /** One that the session does not have. */
  remove(id: number): void {
    const photo = this.state.photos.find((each) => each.id === id);
    if (!photo || photo.status === "stored" || photo.status === "sending") return;
    URL.revokeObjectURL(photo.preview);
    this.set({ photos: this.state.photos.filter((each) => each !== photo) });
  }

  generate(params: DepthParams, incremental: boolean): Promise<void> {
    return this.#run(params, (session, listeners) => session.generate({ incremental, ...listeners }));
  }

  finalize(params: DepthParams): Promise<void> {
    return this.#run(params, async (session, listeners) => {
      const result = await session.finalize(listeners);
      this.set({ finalized: true });
      return result;
    });
  }

  /** The photos stay, for a session with other parameters. */
  reset(): void {
    this.#session?.close();
    this.#session = undefined;
    history.replaceState(null, "", location.pathname);
    if (this.state.result) URL.revokeObjectURL(this.state.result.url);
    const photos = this.state.photos.map(({ id, file, preview }): DepthPhoto => ({ id, file, preview, status: "new" }));
    this.set({ ...EMPTY, photos });
  }

  /** The server forgets the session. */
  async delete(): Promise<void> {
    try {
      await this.#session?.delete();
      this.reset();
    } catch (error) {
      this.set({ problem: inWords(error) });
    }
  }

  async #comeBack(id: string): Promise<void> {
    const { signal } = this.#stop;
    const path = `ws/session/${encodeURIComponent(id)}`;
    try {
      for (;;) {
        const found = await this.#place.json(path, { signal });
        if (!isRecord(found)) return;
        this.#session ??= this.#open(id);
        this.set({ session: id, earlier: Number(found.image_count), finalized: found.status === "completed" });
        if (found.status !== "processing") {
          if (typeof found.error_message === "string") this.set({ problem: sentence(found.error_message) });
          if (found.has_result === true) await this.#fetchResult(path);
          return;
        }
        this.set({ work: { stage: "inference", progress: 0.3, message: "Still at work on this session..." } });
        await wait(LOOK_MS, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!this.#session) history.replaceState(null, "", location.pathname);
      this.set({ problem: `The session of this address cannot be opened. ${inWords(error)}` });
    } finally {
      if (!signal.aborted) this.set({ work: undefined });
    }
  }

  async #fetchResult(path: string): Promise<void> {
    const { signal } = this.#stop;
    const response = await this.#place.fetch(`${path}/result.glb`, { signal });
    if (response.ok) await this.#show(new Uint8Array(await response.arrayBuffer()), undefined, false);
  }

  #open(id: string): DepthSession {
    return new DepthSession(this.#place.server, id);
  }

  async #run(
    params: DepthParams,
    ask: (
      session: DepthSession,
      listeners: {
        onProgress(told: DepthProgress): void;
        onPartial(result: { glb: Uint8Array<ArrayBuffer>; metadata: DepthMetadata }): void;
        signal: AbortSignal;
      },
    ) => Promise<{ glb: Uint8Array<ArrayBuffer>; metadata: DepthMetadata }>,
  ): Promise<void> {
    if (this.state.work) return;
    const { signal } = this.#stop;
    try {
      this.set({ problem: undefined, finalized: false, work: upload(0, 1) });
      const session = await this.#sent(params);
      const { glb, metadata } = await ask(session, {
        onProgress: (work) => this.set({ work }),
        // One that cannot be shown is no loss: a newer one follows.
        onPartial: ({ glb, metadata }) => void this.#show(glb, metadata, true).catch(() => {}),
        signal,
      });
      await this.#show(glb, metadata, false);
      this.set({ photos: this.state.photos.map((photo) => placedIn(photo, metadata)) });
    } catch (error) {
      if (!signal.aborted) this.set({ problem: sentence(inWords(error)) });
    } finally {
      if (!signal.aborted) this.set({ work: undefined });
    }
  }

  /** Makes the session where there is none, and sends what it does not have. */
  async #sent(params: DepthParams): Promise<DepthSession> {
    const { signal } = this.#stop;
    this.#session ??= await DepthSession.create(this.#place.server, params, signal);
    const session = this.#session;
    this.set({ session: session.id });
    history.replaceState(null, "", `#/${session.id}`);
    const waiting = this.state.photos.filter(({ status }) => status === "new");
    for (const [i, photo] of waiting.entries()) {
      this.set({ work: upload(i, waiting.length) });
      await this.#send(session, photo);
    }
    return session;
  }

  /** One that cannot be used is refused for good; the others go on. @throws what keeps all of them back */
  async #send(session: DepthSession, { id, file }: DepthPhoto): Promise<void> {
    const { signal } = this.#stop;
    this.#change(id, { status: "sending" });
    const bytes = await file.arrayBuffer().catch(() => undefined);
    if (!bytes) return this.#change(id, { status: "refused", problem: "This file cannot be read any more." });
    try {
      this.#change(id, { status: "stored", stored: await session.image(new Uint8Array(bytes), file.name, signal) });
    } catch (error) {
      signal.throwIfAborted();
      const refused = error instanceof DepthRefused;
      this.#change(id, refused ? { status: "refused", problem: sentence(error.message) } : { status: "new" });
      if (!refused) throw error;
    }
  }

  async #show(glb: Uint8Array<ArrayBuffer>, metadata: DepthMetadata | undefined, partial: boolean): Promise<void> {
    const { parseModel } = await import("@cairn/viewer/model");
    const model = await parseModel(glb.slice().buffer, "glb");
    if (this.#stop.signal.aborted || (partial && !this.state.work)) return;
    if (this.state.result) URL.revokeObjectURL(this.state.result.url);
    const url = URL.createObjectURL(new Blob([glb], { type: "model/gltf-binary" }));
    this.set({ result: { model, url, sizeBytes: glb.length, metadata, partial } });
  }

  #change(id: number, change: Partial<DepthPhoto>): void {
    this.set({ photos: this.state.photos.map((each) => (each.id === id ? { ...each, ...change } : each)) });
  }
}

function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    setTimeout(resolve, delayMs);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function upload(done: number, total: number): DepthProgress {
  return { stage: "upload", progress: done / total, message: `Sending photo ${done + 1} of ${total}...` };
}

function placedIn(photo: DepthPhoto, { filenames, registered }: DepthMetadata): DepthPhoto {
  const at = photo.stored === undefined ? -1 : filenames.indexOf(photo.stored);
  return at < 0 ? photo : { ...photo, placed: registered[at] === true };
}
