/** What is wrong again and again is said at most once a second. */
const EVERY_MS = 1000;

export class Seldom {
  #toldMs = Number.NEGATIVE_INFINITY;

  say(tell: () => void): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < EVERY_MS) return;
    this.#toldMs = nowMs;
    tell();
  }
}
