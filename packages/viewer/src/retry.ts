/** Asking again, later and later, until there is an answer or nobody wants it any more. */

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
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, delayMs);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}
