/** Keeps the screen on while someone captures; given back by the browser whenever the page is hidden, so asked again. */
export function keepAwake(signal: AbortSignal): void {
  let lock: WakeLockSentinel | undefined;
  const ask = async () => {
    if (document.visibilityState !== "visible" || signal.aborted) return;
    try {
      lock = await navigator.wakeLock?.request("screen");
      if (signal.aborted) await lock?.release();
    } catch {
      // A battery that runs low: the screen may sleep then.
    }
  };
  document.addEventListener("visibilitychange", () => void ask(), { signal });
  signal.addEventListener("abort", () => void lock?.release(), { once: true });
  void ask();
}
