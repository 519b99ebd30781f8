/** Those who watch, and what they are told: signals, of which a slow one loses the oldest (GEN-22). */
import type { FaceSocket } from "../face-socket.ts";

/** Waits for one viewer at most. */
const QUEUE_BYTES = 4 * 2 ** 20;
/** Frames of a source, at most so often. */
const FRAME_EVERY_MS = 100;

export class Viewer {
  readonly socket: FaceSocket;
  /** Only of this source; left out: of all. */
  readonly source: string | undefined;
  readonly frames: boolean;
  readonly #queue: Buffer[] = [];
  #queueBytes = 0;
  readonly #frameMs = new Map<string, number>();

  constructor(socket: FaceSocket, source: string | undefined, frames: boolean) {
    this.socket = socket;
    this.source = source;
    this.frames = frames;
    socket.onRoom(() => this.#drain());
  }

  sees(source: string | undefined): boolean {
    return this.source === undefined || source === undefined || this.source === source;
  }

  /** Whether it is time for another frame of the source (HUB-40). */
  takesFrame(source: string, nowMs: number): boolean {
    if (!this.frames || nowMs - (this.#frameMs.get(source) ?? Number.NEGATIVE_INFINITY) < FRAME_EVERY_MS) return false;
    if (this.#frameMs.size >= 64) this.#frameMs.clear();
    this.#frameMs.set(source, nowMs);
    return true;
  }

  tell(text: Buffer): void {
    this.#queue.push(text);
    this.#queueBytes += text.length;
    while (this.#queueBytes > QUEUE_BYTES && this.#queue.length > 1) this.#queueBytes -= this.#queue.shift()!.length;
    this.#drain();
  }

  #drain(): void {
    while (this.#queue.length > 0 && this.socket.hasRoom) {
      const text = this.#queue.shift()!;
      this.#queueBytes -= text.length;
      this.socket.reply(text);
    }
  }
}

export class Viewers {
  readonly #viewers = new Set<Viewer>();

  get count(): number {
    return this.#viewers.size;
  }

  /** Until its socket is over. */
  add(viewer: Viewer): void {
    if (viewer.socket.signal.aborted) return;
    this.#viewers.add(viewer);
    viewer.socket.signal.addEventListener("abort", () => this.#viewers.delete(viewer), { once: true });
  }

  /** @param source whose news it is; left out: everybody's @param message encoded once, or as text that stays as it is */
  tell(message: object | string, source?: string): void {
    let text: Buffer | undefined;
    for (const viewer of this.#viewers) {
      if (!viewer.sees(source)) continue;
      text ??= Buffer.from(typeof message === "string" ? message : JSON.stringify(message));
      viewer.tell(text);
    }
  }

  /** A device's own picture, to those who want pictures, not too often. @param make called when anyone does */
  frame(source: string, make: () => object): void {
    let text: Buffer | undefined;
    const nowMs = performance.now();
    for (const viewer of this.#viewers) {
      if (!viewer.sees(source) || !viewer.takesFrame(source, nowMs)) continue;
      text ??= Buffer.from(JSON.stringify(make()));
      viewer.tell(text);
    }
  }
}
