/** The caller's cache, as the engine's thread sees it: what is asked for comes by message. */
import type { EngineCache } from "../engine.ts";

export type CacheCall =
  | { readonly kind: "get"; readonly call: number; readonly key: string }
  | { readonly kind: "put"; readonly key: string; readonly bytes: Uint8Array };

export type CacheAnswer = { readonly kind: "got"; readonly call: number; readonly bytes: Uint8Array | undefined };

export class RemoteCache implements EngineCache {
  readonly #post: (call: CacheCall) => void;
  readonly #waiting = new Map<number, (bytes: Uint8Array | undefined) => void>();
  #calls = 0;

  constructor(post: (call: CacheCall) => void) {
    this.#post = post;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    const call = ++this.#calls;
    return new Promise((resolve) => {
      this.#waiting.set(call, resolve);
      this.#post({ kind: "get", call, key });
    });
  }

  /** Does not wait until it is kept. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#post({ kind: "put", key, bytes });
  }

  take({ call, bytes }: CacheAnswer): void {
    this.#waiting.get(call)?.(bytes);
    this.#waiting.delete(call);
  }
}

/** The caller's side. A cache that fails has nothing: that costs time only. */
export async function serveCache(
  cache: EngineCache | undefined,
  call: CacheCall,
  answer: (answer: CacheAnswer) => void,
): Promise<void> {
  if (call.kind === "put") {
    await cache?.put(call.key, call.bytes).catch(() => undefined);
    return;
  }
  const bytes = await cache?.get(call.key).catch(() => undefined);
  answer({ kind: "got", call: call.call, bytes });
}
