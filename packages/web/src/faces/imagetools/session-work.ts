/**
 * An image session as a page has it: the list, what the SDK's client hears, uploads and long operations. Where no socket
 * can be had the SDK polls, and the list is read again each time: the same facts, later (IMG-70).
 */
import { ImageSession } from "@cairn/client/imagetools";
import { inWords } from "../../words.ts";
import { isRecord, type Place, refusal, sentence } from "../shared/place.ts";
import { Store } from "../shared/store.ts";
import { type Compression, type SessionImage, type SessionOperation, sourceInWords, timeOf } from "./image-types.ts";
import { type ImageUpload, ImageUploads } from "./image-uploads.ts";

export type SessionStatus = "connecting" | "connected" | "reconnecting" | "polling" | "offline" | "over";

type SessionState = {
  readonly status: SessionStatus;
  /** Milliseconds since 1970. */
  readonly expiresMs: number | undefined;
  readonly connections: number;
  /** Newest first; undefined before the first answer. */
  readonly images: readonly SessionImage[] | undefined;
  readonly uploads: readonly ImageUpload[];
  readonly operations: readonly SessionOperation[];
  readonly problem: string | undefined;
};

type Data = Readonly<Record<string, unknown>>;
type Tell = (title: string, text?: string, tone?: "good" | "bad") => void;

const ENDED = new Set(["completed", "failed", "cancelled"]);

export class SessionWork extends Store<SessionState> {
  readonly id: string;
  readonly #place: Place;
  readonly #tell: Tell;
  readonly #client: ImageSession;
  readonly #uploads: ImageUploads;
  readonly #stop = new AbortController();
  /** Names this page among those of the session: what it does itself it need not be told. */
  readonly #clientId = `page-${Math.random().toString(36).slice(2, 10)}`;
  /** Heard while the list was on its way: may not be in it. */
  #during: (() => void)[] | undefined;

  constructor(place: Place, id: string, tell: Tell) {
    super({
      status: "connecting",
      expiresMs: undefined,
      connections: 0,
      images: undefined,
      uploads: [],
      operations: [],
      problem: undefined,
    });
    this.id = id;
    this.#place = place;
    this.#tell = tell;
    const fields = { session_id: id, source: "web", client_id: this.#clientId };
    this.#uploads = new ImageUploads(place, fields, (uploads) => this.set({ uploads }));
    this.#client = new ImageSession({ ...place.server, log: { warn() {}, error: console.error } });
    this.#listen();
    this.#client.connect(id);
  }

  stop(): void {
    this.#stop.abort();
    this.#uploads.stop();
    this.#client.disconnect();
  }

  add(files: readonly File[]): void {
    this.#uploads.add(files);
  }

  cancelUpload(id: number): void {
    this.#uploads.cancel(id);
  }

  compress(images: readonly string[], how: Compression): Promise<void> {
    return this.#start("api/v1/compression/bulk", { image_ids: images, ...how });
  }

  rotate(images: readonly string[]): Promise<void> {
    const params = { degrees: 90 };
    return this.#start("api/v1/operations", { image_ids: images, operation_type: "bulk_rotate", params });
  }

  remove(images: readonly string[]): Promise<void> {
    return this.#start("api/v1/operations", { image_ids: images, operation_type: "bulk_delete" });
  }

  async cancel(operation: string): Promise<void> {
    await this.#try(async () => {
      const path = `api/v1/operations/${operation}`;
      this.#operation((await this.#place.json(path, { method: "DELETE" })) as SessionOperation);
    });
  }

  dismiss(operation: string): void {
    this.set({ operations: this.state.operations.filter(({ operation_id }) => operation_id !== operation) });
  }

  /** The session goes on from now (IMG-20); also one that has just ended. */
  async renew(): Promise<void> {
    await this.#try(async () => {
      const told = await this.#place.post("api/v1/sessions", { custom_session_id: this.id });
      if (isRecord(told)) this.set({ expiresMs: timeOf(told.expires_at) });
      if (this.state.status === "over") this.set({ status: "connecting" });
      this.#client.connect(this.id);
    });
  }

  /** A zip of these. */
  async save(images: readonly string[]): Promise<Blob | undefined> {
    let saved: Blob | undefined;
    await this.#try(async () => {
      const response = await this.#place.fetch("api/v1/images/download-zip", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ image_ids: images }),
        signal: this.#stop.signal,
      });
      if (response.status === 404) throw new Error("These images cannot be saved: one of them is gone.");
      if (!response.ok) throw await refusal(response);
      saved = await response.blob();
    });
    return saved;
  }

  #listen(): void {
    const client = this.#client;
    client.on("connection.status", (data) => this.#connection(data));
    client.on("health", ({ healthy }) => {
      if (this.state.status === "over" || client.isConnected) return;
      this.set({ status: healthy === true ? "polling" : "offline" });
      if (healthy === true) void this.#load();
    });
    client.on("session.expiring", ({ expires_at }) => this.set({ expiresMs: timeOf(expires_at) }));
    client.on("image.uploaded", (data) => {
      this.#images(() => this.#uploaded(data));
      if (data.client_id === this.#clientId) this.#tell("Uploaded", String(data.filename), "good");
      else this.#tell("New image", `${data.filename} from ${sourceInWords(String(data.source))}`);
    });
    client.on("image.updated", (data) => this.#images(() => this.#updated(data)));
    client.on("image.deleted", ({ image_id }) =>
      this.#images(() => this.set({ images: this.#list.filter(({ id }) => id !== image_id) })),
    );
    const running = (data: Data) => this.#operation({ ...OPEN, ...data, status: "running" } as SessionOperation);
    client.on("operation.started", running);
    client.on("operation.progress", running);
    client.on("operation.completed", (data) =>
      this.#operation({ ...OPEN, ...data, status: "completed" } as SessionOperation),
    );
    client.on("operation.failed", (data) =>
      this.#operation({
        ...OPEN,
        ...data,
        status: data.cancelled === true ? "cancelled" : "failed",
      } as SessionOperation),
    );
  }

  get #list(): readonly SessionImage[] {
    return this.state.images ?? [];
  }

  #connection({ status, code, active_connections, expires_at, reason }: Data): void {
    if (typeof active_connections === "number") this.set({ connections: active_connections });
    if (expires_at !== undefined) this.set({ expiresMs: timeOf(expires_at) });
    if (status === "connected") {
      this.set({ status: "connected", problem: undefined });
      // The server's own word, and not only that the socket is open: from here on events come.
      if (active_connections !== undefined) void this.#load();
    } else if (status === "reconnecting") this.set({ status: "reconnecting" });
    else if (code === 4004) this.set({ status: "over", problem: sentence(String(reason || "Invalid session")) });
    else if (code === 1000) this.set({ status: "over", problem: "This session was deleted." });
    else {
      this.set({ status: "offline" });
      void this.#load();
    }
  }

  /** The whole list, and every operation that runs. */
  async #load(): Promise<void> {
    if (this.#during) return;
    this.#during = [];
    try {
      const { signal } = this.#stop;
      const session = encodeURIComponent(this.id);
      const [about, images, operations] = await Promise.all([
        this.#place.json(`api/v1/sessions/${session}`, { signal }),
        this.#place.json(`api/v1/images/session/${session}`, { signal }),
        this.#place.json(`api/v1/operations?session_id=${session}`, { signal }),
      ]);
      const known = new Map(this.#list.map((image) => [image.id, image]));
      const listed = (images as SessionImage[]).map((image) => {
        const before = known.get(image.id);
        const same = before?.current_size === image.current_size && before.width === image.width;
        return { ...image, version: same ? before.version : (before?.version ?? 0) + 1 };
      });
      this.set({ images: listed, problem: undefined });
      for (const each of operations as SessionOperation[]) if (!ENDED.has(each.status)) this.#operation(each);
      if (isRecord(about)) this.set({ expiresMs: timeOf(about.expires_at) });
    } catch (error) {
      if (!this.#stop.signal.aborted) this.set({ problem: inWords(error) });
    } finally {
      const heard = this.#during;
      this.#during = undefined;
      for (const apply of heard ?? []) apply();
    }
  }

  /** Changes the list now, and again if a list that may not know of it is on its way. */
  #images(apply: () => void): void {
    apply();
    this.#during?.push(apply);
  }

  #uploaded(data: Data): void {
    const { image_id, filename, size, width, height, thumbnail_url, image_url, source } = data;
    if (this.#list.some(({ id }) => id === image_id)) return;
    const image: SessionImage = {
      id: String(image_id),
      original_filename: String(filename),
      original_size: Number(size),
      current_size: Number(size),
      width: Number(width),
      height: Number(height),
      thumbnail_url: String(thumbnail_url),
      image_url: String(image_url),
      source: String(source),
      version: 0,
    };
    this.set({ images: [image, ...this.#list] });
  }

  #updated({ image_id, size, width, height }: Data): void {
    const images = this.#list.map((image) =>
      image.id === image_id
        ? {
            ...image,
            current_size: Number(size),
            width: Number(width),
            height: Number(height),
            version: image.version + 1,
          }
        : image,
    );
    this.set({ images });
  }

  #operation(told: SessionOperation): void {
    const { operations } = this.state;
    const before = operations.find(({ operation_id }) => operation_id === told.operation_id);
    // What was on its way when it ended: a message, or a list.
    if (before && ENDED.has(before.status) && !ENDED.has(told.status)) return;
    const now = { ...before, ...told };
    this.set({
      operations: before ? operations.map((each) => (each === before ? now : each)) : [...operations, now],
    });
  }

  async #start(path: string, body: object): Promise<void> {
    await this.#try(async () => {
      const headers = { "x-client-id": this.#clientId };
      const told = (await this.#place.post(path, { session_id: this.id, ...body }, { headers })) as SessionOperation;
      // Its events may have been heard before this answer.
      if (!this.state.operations.some(({ operation_id }) => operation_id === told.operation_id)) {
        this.#operation({ ...OPEN, ...told });
      }
    });
  }

  async #try(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#tell("That did not work", inWords(error), "bad");
    }
  }
}

/** What an operation has before the server says more. */
const OPEN = { progress: 0, current: 0, total: 0, message: "", error: null, result: null } as const;
