/** Asking again, later and later, until there is an answer or nobody wants it any more; at once when the network is back. */

export type Wait = (delayMs: number, signal: AbortSignal) => Promise<void>;

const FIRST_MS = 500;
const MOST_MS = 15_000;

type RetryOptions = {
  onProblem?: ((error: unknown) => void) | undefined;
  /** Stands in for the clock in tests. */
  wait?: Wait | undefined;
};

/** @throws the signal's reason */
export async function retry<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
  { onProblem, wait = sleep }: RetryOptions = {},
): Promise<T> {
  for (let delayMs = FIRST_MS; ; delayMs = Math.min(delayMs * 2, MOST_MS)) {
    try {
      const answer = await ask();
      signal.throwIfAborted();
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      onProblem?.(error);
      await wait(delayMs, signal);
    }
  }
}

function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      clearTimeout(timer);
      globalThis.removeEventListener?.("online", go);
      signal.removeEventListener("abort", abort);
      done();
    };
    const go = () => settle(resolve);
    const abort = () => settle(() => reject(signal.reason));
    const timer = setTimeout(go, delayMs);
    if (signal.aborted) return abort();
    globalThis.addEventListener?.("online", go);
    signal.addEventListener("abort", abort);
  });
}
