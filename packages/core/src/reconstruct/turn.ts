/** One at a time, first come first served: an engine uses every core, so spaces take turns. */
export function openTurns(): <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work, signal) => {
    const mine = last.then(() => {
      signal.throwIfAborted();
      return work();
    });
    last = mine.catch(() => {}); // the next one's turn comes whatever became of this one
    return mine;
  };
}

/** A flag that can be waited for: raising it wakes one waiter, and a raise before the wait is not lost. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** `true` when rung, `false` when `timeoutMs` passed first. Rejects with the signal's reason. */
  async wait(signal: AbortSignal, timeoutMs?: number): Promise<boolean> {
    signal.throwIfAborted();
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
        const wake = () => done();
        this.#wake = wake;
        signal.addEventListener("abort", wake, { once: true });
        function done() {
          clearTimeout(timer);
          signal.removeEventListener("abort", wake);
          resolve();
        }
      });
      this.#wake = undefined;
      signal.throwIfAborted();
    }
    const rung = this.#rung;
    this.#rung = false;
    return rung;
  }
}
