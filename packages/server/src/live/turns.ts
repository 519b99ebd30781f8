/**
 * Work that many sockets want done, one after the other and with pauses: together it takes at most a fifth of the
 * process, however many move their cameras at once. Each waits in line; nobody waits twice.
 */
const PAUSE = 4;

export class Turns {
  readonly #waiting: (() => void)[] = [];
  #nextMs = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Runs `work` now, or when its turn comes. */
  take(work: () => void): void {
    this.#waiting.push(work);
    if (this.#timer === undefined) this.#run();
  }

  #run(): void {
    this.#timer = undefined;
    for (let nowMs = performance.now(); nowMs >= this.#nextMs; ) {
      const work = this.#waiting.shift();
      if (!work) return;
      work();
      const endMs = performance.now();
      this.#nextMs = endMs + PAUSE * (endMs - nowMs);
      nowMs = endMs;
      // What takes no time to speak of needs no pause.
      if (this.#nextMs - nowMs < 0.5) this.#nextMs = nowMs;
      else break;
    }
    if (this.#waiting.length === 0) return;
    this.#timer = setTimeout(() => this.#run(), Math.max(1, this.#nextMs - performance.now()));
    this.#timer.unref();
  }
}
