/** In Node a waiting timer alone must not keep the process alive; in a browser it never does. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void }).unref?.();
}
