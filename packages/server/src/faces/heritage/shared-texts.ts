/** Messages that many sockets of a project are sent, kept for a while: a crowd is told one after the other. */
import { SharedText } from "../shared-text.ts";

/** Most bytes of encoded messages that are kept for the next socket. */
const SHARED_BYTES = 32 * 2 ** 20;

/** Messages that many are sent, encoded once; those asked for longest ago go. */
export class SharedTexts {
  readonly #texts = new Map<string, Promise<SharedText | undefined>>();
  readonly #sizes = new Map<string, number>();
  readonly #onError: (error: unknown, key: string) => void;
  #bytes = 0;

  constructor(onError: (error: unknown, key: string) => void) {
    this.#onError = onError;
  }

  /** `undefined` when it could not be made. */
  of(key: string, make: () => Promise<object>): Promise<SharedText | undefined> {
    const known = this.#texts.get(key);
    if (known) return known;
    const made = make()
      .then((message) => SharedText.of(message))
      .catch((error: unknown) => {
        this.#onError(error, key);
        return undefined;
      });
    this.#texts.set(key, made);
    void made.then((text) => {
      if (!text) {
        this.#texts.delete(key);
        return;
      }
      this.#sizes.set(key, text.sizeBytes);
      this.#bytes += text.sizeBytes;
      for (const [oldest, size] of this.#sizes) {
        if (this.#bytes <= SHARED_BYTES || oldest === key) break;
        this.#texts.delete(oldest);
        this.#sizes.delete(oldest);
        this.#bytes -= size;
      }
    });
    return made;
  }
}
