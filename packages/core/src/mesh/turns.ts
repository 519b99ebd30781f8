/** A mesh takes a processor and up to a gigabyte for a while: one is made after the other, in the whole process. */

let last: Promise<void> = Promise.resolve();

/** Resolves when it is this one's turn, with what ends it. @throws the signal's reason when it aborts before */
export async function takeTurn(signal?: AbortSignal): Promise<() => void> {
  const before = last;
  let done: () => void = () => undefined;
  const mine = new Promise<void>((resolve) => {
    done = resolve;
  });
  last = before.then(() => mine);
  try {
    await aborted(before, signal);
    return done;
  } catch (error) {
    done();
    throw error;
  }
}

function aborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    void work.then(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
  });
}
