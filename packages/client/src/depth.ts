/**
 * A depth session: photos in one by one, a GLB with the matrices of their cameras out. The session is the server's and
 * outlives the socket: a connection that breaks is made again, and what happened meanwhile is asked for. Contract: DEP.
 */

import { Backoff, type BackoffOptions, wait } from "./backoff.ts";
import type { ApiOptions } from "./calls.ts";
import { DepthLine, LineBroken, type Said } from "./depth-line.ts";
import type { SocketConstructor } from "./open-socket.ts";
import { randomId } from "./random-id.ts";

/** How the photos are looked at and what the GLB holds; what is left out the server decides. */
export type DepthParams = {
  max_images?: number | undefined;
  /** Pixels of the side that `process_res_method` means. */
  process_res?: number | undefined;
  process_res_method?: "upper_bound_resize" | "lower_bound_resize" | undefined;
  /** So many percent of the points, the least certain, are left out. */
  conf_thresh_percentile?: number | undefined;
  num_max_points?: number | undefined;
  show_cameras?: boolean | undefined;
  auto_generate_after?: number | undefined;
};

export type DepthProgress = { readonly stage: string; readonly progress: number; readonly message: string };

/** By the names of the contract; a photo that was not placed has `null` among the matrices. */
export type DepthMetadata = Readonly<Record<string, unknown>> & {
  readonly num_frames: number;
  readonly filenames: readonly string[];
  readonly registered: readonly boolean[];
  /** N×3×3, pixels of the photo as it was looked at. */
  readonly intrinsics: readonly (readonly (readonly number[])[] | null)[];
  /** N×4×4, camera from world, x right, y down, z forward. */
  readonly extrinsics: readonly (readonly (readonly number[])[] | null)[];
  /** `[points, 3]` */
  readonly points3d_shape: readonly [number, number];
};

export type DepthResult = { readonly glb: Uint8Array<ArrayBuffer>; readonly metadata: DepthMetadata };

export type DepthRun = {
  /** Partial results while photos are placed, each a whole GLB. */
  incremental?: boolean;
  onProgress?: (told: DepthProgress) => void;
  onPartial?: (result: DepthResult) => void;
  signal?: AbortSignal | undefined;
};

export type DepthOptions = ApiOptions & {
  /** Where there is no global one. */
  WebSocket?: SocketConstructor;
  /** Waits before a broken connection is made again. */
  backoff?: BackoffOptions;
};

/** What the server refuses, in its words. */
export class DepthRefused extends Error {
  /** Of HTTP; 0 when it was said on the socket. */
  readonly status: number;

  constructor(message: string, status = 0) {
    super(message);
    this.status = status;
  }
}

const ATTEMPTS = 8;
/** So often a photo is sent at which the line breaks. */
const PHOTO_ATTEMPTS = 5;
/** As base64 it just passes the 16 MiB of a message. */
const MOST_PHOTO_BYTES = 12 * 2 ** 20 - 2048;
/** An error of a run is told to every socket of a session; all others are answers. */
const RUN_FAILED = /^Failed to (generate|finalize)/;

export class DepthSession {
  readonly id: string;
  readonly #options: DepthOptions;
  readonly #closed = new AbortController();
  #line: DepthLine | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #imageCount = 0;

  /** @throws {DepthRefused} */
  static async create(options: DepthOptions, params: DepthParams = {}, signal?: AbortSignal): Promise<DepthSession> {
    const body = JSON.stringify(params);
    const headers = { "content-type": "application/json" };
    const answer = await call(options, "/ws/session/create", { method: "POST", body, headers, signal: signal ?? null });
    const { session_id } = (await answer.json()) as { session_id: string };
    return new DepthSession(options, session_id);
  }

  /** One that there is already. */
  constructor(options: DepthOptions, id: string) {
    this.#options = options;
    this.id = id;
  }

  /** Photos that the server was heard to have. */
  get imageCount(): number {
    return this.#imageCount;
  }

  /**
   * Resolves when the photo is stored durably, with the name under which it is. Photos arrive in the order of the calls.
   * @throws {DepthRefused} it cannot be used; the session goes on. Any other error: it could not be sent
   */
  image(bytes: Uint8Array, filename?: string, signal?: AbortSignal): Promise<string> {
    return this.#inTurn(signal, async (until) => {
      if (bytes.length > MOST_PHOTO_BYTES) throw new DepthRefused("the photo is larger than 12 MiB");
      // It may be stored, or on its way to be, when the line breaks: by its key it is the same photo when it comes again.
      const named = filename === undefined ? {} : { filename };
      const photo = { type: "image", data: base64Of(bytes), ...named, key: randomId() };
      for (let attempt = 1; ; attempt++) {
        const line = await this.#connected(until);
        try {
          line.send(photo);
          return this.#stored(await nextOf(line, until, isAnswer));
        } catch (error) {
          this.#lost(error);
          if (attempt === PHOTO_ATTEMPTS)
            throw new Error(`the connection broke ${attempt} times while a photo was sent`);
        }
      }
    });
  }

  /** Makes the model of the photos that are there. @throws {DepthRefused} with the cause */
  generate(run: DepthRun = {}): Promise<DepthResult> {
    return this.#run({ type: "generate", incremental: run.incremental ?? false }, run);
  }

  /** The same, and ends the session's work; with no new photo since the last result that one, at once. */
  finalize(run: Omit<DepthRun, "incremental"> = {}): Promise<DepthResult> {
    return this.#run({ type: "finalize" }, run);
  }

  /** The session and its photos go, a run is cancelled. */
  async delete(): Promise<void> {
    await call(this.#options, `/ws/session/${this.id}`, { method: "DELETE" });
    this.close();
  }

  /** Only the connection ends. */
  close(): void {
    this.#closed.abort(new DOMException("the session was closed", "AbortError"));
    this.#line?.close();
  }

  #run(request: object, { onProgress, onPartial, signal }: DepthRun): Promise<DepthResult> {
    return this.#inTurn(signal, async (until) => {
      const line = await this.#connected(until);
      const wanted = this.#imageCount;
      line.send({ ...request, glb: "url" });
      for (;;) {
        try {
          const said = await nextOf(await this.#connected(until, () => this.#askAgain(until)), until, isOfRun);
          if (said.type === "progress") onProgress?.(said as Said & DepthProgress);
          else if (said.type === "error") throw new DepthRefused(String(said.message));
          else if (said.type === "delta") {
            onPartial?.({ glb: bytesOf(String(said.glb_base64)), metadata: said.metadata as DepthMetadata });
          }
          // One of before, that another asked for, has fewer photos.
          else if (Number(said.image_count) >= wanted) return await this.#fetched(said, until);
        } catch (error) {
          this.#lost(error);
        }
      }
    });
  }

  /** On a new line, in the middle of a run: one that ended meanwhile is told again, one never heard of is done. */
  async #askAgain(signal: AbortSignal): Promise<void> {
    const answer = await call(this.#options, `/ws/session/${this.id}`, { signal });
    const { status, error_message } = (await answer.json()) as { status: string; error_message: string | null };
    if (status === "error") throw new DepthRefused(error_message ?? "the run failed");
    if (status !== "processing") this.#line?.send({ type: "finalize", glb: "url" });
  }

  async #fetched({ glb_url, metadata }: Said, signal: AbortSignal): Promise<DepthResult> {
    const answer = await call(this.#options, String(glb_url), { signal });
    return { glb: new Uint8Array(await answer.arrayBuffer()), metadata: metadata as DepthMetadata };
  }

  #stored({ type, message, image_count, image_path }: Said): string {
    if (type === "error") throw new DepthRefused(String(message).replace(/^Failed to process image: /, ""));
    this.#imageCount = Number(image_count);
    return String(image_path);
  }

  /** The line, made where there is none. @param again done on a line that was made again */
  async #connected(signal: AbortSignal, again?: () => Promise<void>): Promise<DepthLine> {
    if (this.#line) return this.#line;
    const { url, token, backoff } = this.#options;
    const Socket = this.#options.WebSocket ?? (globalThis.WebSocket as SocketConstructor | undefined);
    if (!Socket) throw new TypeError("no WebSocket here: pass one");
    const waits = new Backoff(backoff);
    for (;;) {
      const line = new DepthLine(
        Socket,
        `${url.replace(/^http/, "ws").replace(/\/+$/, "")}/ws/reconstruct/${this.id}`,
        token,
      );
      try {
        const { type, image_count, message } = await line.next(signal);
        if (type !== "connected") throw new DepthRefused(String(message));
        this.#imageCount = Number(image_count);
        this.#line = line;
        await again?.();
        return line;
      } catch (error) {
        line.close();
        this.#line = undefined;
        // `fetch` says with a TypeError that nobody answered.
        const passing = (error instanceof LineBroken && !error.final) || error instanceof TypeError;
        if (!passing || waits.attempt >= ATTEMPTS) throw error;
        await wait(waits.nextMs(), signal);
      }
    }
  }

  /** @throws what is not only a broken line */
  #lost(error: unknown): void {
    const passing = error instanceof LineBroken && !error.final;
    if (passing || !(error instanceof DepthRefused)) {
      // Where nobody waits for it any more, an answer that is still to come would be taken for the next one's.
      this.#line?.close();
      this.#line = undefined;
    }
    if (!passing) throw error;
  }

  /** One request at a time: an answer says not to which it belongs. One that is given up does not wait for its turn. */
  #inTurn<T>(signal: AbortSignal | undefined, work: (until: AbortSignal) => Promise<T>): Promise<T> {
    const until = signal ? AbortSignal.any([this.#closed.signal, signal]) : this.#closed.signal;
    const done = this.#turn.then(() => {
      until.throwIfAborted();
      return work(until);
    });
    this.#turn = done.catch(() => undefined);
    return new Promise((resolve, reject) => {
      const givenUp = () => reject(until.reason);
      if (until.aborted) givenUp();
      until.addEventListener("abort", givenUp);
      void done.then(resolve, reject).finally(() => until.removeEventListener("abort", givenUp));
    });
  }
}

const isAnswer = ({ type, message }: Said) => type === "ack" || (type === "error" && !RUN_FAILED.test(String(message)));
const isOfRun = ({ type }: Said) => ["progress", "delta", "complete", "error"].includes(type);

async function nextOf(line: DepthLine, signal: AbortSignal, fits: (said: Said) => boolean): Promise<Said> {
  for (;;) {
    const said = await line.next(signal);
    if (fits(said)) return said;
  }
}

async function call({ url, token, fetch }: DepthOptions, path: string, init: RequestInit): Promise<Response> {
  const headers = { ...init.headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
  const answer = await (fetch ?? globalThis.fetch)(url.replace(/\/+$/, "") + path, { ...init, headers });
  if (answer.ok) return answer;
  const { detail } = (await answer.json().catch(() => ({}))) as { detail?: string | { loc: string[]; msg: string }[] };
  const words = Array.isArray(detail) ? detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ") : detail;
  throw new DepthRefused(words ?? `the server answered ${answer.status}`, answer.status);
}

function base64Of(bytes: Uint8Array): string {
  let text = "";
  // Arguments of a call are bounded.
  for (let i = 0; i < bytes.length; i += 32_768) text += String.fromCharCode(...bytes.subarray(i, i + 32_768));
  return btoa(text);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
