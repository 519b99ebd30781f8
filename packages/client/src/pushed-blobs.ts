/**
 * Which blobs the server will push without being asked, and who waits for them. Pushing only saves a round trip:
 * when it stalls, whoever waits is told to fetch.
 */
import type { Digest, SpaceState } from "@cairn/protocol";

/** So long without any pushed blob means that nothing is on its way. */
const STALLED_MS = 400;

export class PushedBlobs {
  readonly #grant: (bytes: number) => void;
  readonly #announced = new Set<Digest>();
  readonly #waiting = new Map<Digest, ((bytes: Uint8Array | undefined) => void)[]>();
  #windowBytes = 0;
  #consumedBytes = 0;
  #stalled: ReturnType<typeof setTimeout> | undefined;

  constructor(grant: (bytes: number) => void) {
    this.#grant = grant;
  }

  /** A connection is there; `windowBytes` is what the server pushes at most in one go. */
  start(windowBytes: number): void {
    this.stop();
    this.#windowBytes = windowBytes;
  }

  /** The connection is gone: nothing announced will come. */
  stop(): void {
    this.#windowBytes = 0;
    this.#consumedBytes = 0;
    this.#announced.clear();
    this.#release();
  }

  announce(digest: Digest, sizeBytes: number): void {
    if (sizeBytes <= this.#windowBytes) this.#announced.add(digest);
  }

  /** A snapshot is followed by the segments of the generation that is shown. */
  announceState(state: SpaceState): void {
    for (const segment of state.generations[state.generation]?.segments ?? []) {
      this.announce(segment.blob, segment.sizeBytes);
    }
  }

  /** The blob when it is being pushed; `undefined` when it must be fetched. */
  arrival(digest: Digest): Promise<Uint8Array | undefined> {
    if (!this.#announced.has(digest)) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.set(digest, [...(this.#waiting.get(digest) ?? []), resolve]);
      if (this.#stalled === undefined) this.#watch();
    });
  }

  /** Grants what was taken in quarters of the window: one message for several blobs. */
  received(digest: Digest, bytes: Uint8Array): void {
    this.#announced.delete(digest);
    this.#consumedBytes += bytes.length;
    if (this.#consumedBytes * 4 >= this.#windowBytes && this.#windowBytes > 0) {
      this.#grant(this.#consumedBytes);
      this.#consumedBytes = 0;
    }
    for (const resolve of this.#waiting.get(digest) ?? []) resolve(bytes);
    this.#waiting.delete(digest);
    if (this.#waiting.size > 0) this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#stalled);
    this.#stalled = setTimeout(() => {
      this.#announced.clear();
      this.#release();
    }, STALLED_MS);
  }

  #release(): void {
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
    for (const resolves of this.#waiting.values()) for (const resolve of resolves) resolve(undefined);
    this.#waiting.clear();
  }
}
