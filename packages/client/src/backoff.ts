/**
 * Exponential backoff with full jitter: the wait is drawn evenly from 0 to a bound that doubles, so that clients
 * that were cut off together do not come back together.
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export type BackoffOptions = { firstMs?: number; maxMs?: number; random?: () => number };

export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor({ firstMs = 250, maxMs = 15_000, random = Math.random }: BackoffOptions = {}) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#random = random;
  }

  /** Waits drawn since the last success. */
  get attempt(): number {
    return this.#attempt;
  }

  nextMs(): number {
    const boundMs = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt++;
    return Math.floor(this.#random() * boundMs);
  }

  reset(): void {
    this.#attempt = 0;
  }
}

/** Resolves after `delayMs`. @throws the signal's reason when it aborts first */
export function wait(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
