/** Tiles are made when they are first asked for: once, however many ask, and then kept on disk as long as they are used. */
import type { TileEncoder, TileSource } from "@cairn/core";
import { CairnError } from "@cairn/protocol";
import type { FileCache } from "../file-cache.ts";

export type WantedTile = TileSource & { readonly revision: string };

type Making = { readonly glb: Promise<Uint8Array>; readonly stop: AbortController; waiting: number };

export class TileMaker {
  readonly #encoder: TileEncoder;
  readonly #cache: FileCache;
  readonly #making = new Map<string, Making>();

  constructor(encoder: TileEncoder, cache: FileCache) {
    this.#encoder = encoder;
    this.#cache = cache;
  }

  /**
   * @param signal aborts when the caller has lost interest; when all have, the tile is not made
   * @throws {CairnError} `blob.missing`, `blob.corrupt` when its points are lost
   */
  async make(tile: WantedTile, signal: AbortSignal): Promise<Uint8Array> {
    signal.throwIfAborted();
    let making = this.#making.get(tile.revision);
    if (!making) {
      const stop = new AbortController();
      const glb = this.#find(tile, stop.signal).finally(() => {
        if (this.#making.get(tile.revision) === making) this.#making.delete(tile.revision);
      });
      making = { glb, stop, waiting: 0 };
      this.#making.set(tile.revision, making);
      glb.catch(() => undefined); // Those who wait hear of it; maybe nobody does.
    }
    return wait(making, signal, () => this.#making.delete(tile.revision));
  }

  async #find({ revision, ...tile }: WantedTile, signal: AbortSignal): Promise<Uint8Array> {
    const known = await this.#cache.get(keyOf(revision));
    if (known) return known;
    const glb = await this.#encoder.encode(tile, signal);
    await this.#cache.put(keyOf(revision), glb);
    return glb;
  }
}

function keyOf(revision: string): string {
  return `glb ${revision}`;
}

async function wait(making: Making, signal: AbortSignal, forget: () => void): Promise<Uint8Array> {
  making.waiting++;
  let leave = () => {};
  const left = new Promise<never>((_, reject) => {
    leave = () => reject(new CairnError("operation.cancelled"));
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([making.glb, left]);
  } finally {
    signal.removeEventListener("abort", leave);
    if (--making.waiting === 0 && signal.aborted) {
      // Whoever comes now begins anew: this one is not to be waited for.
      forget();
      making.stop.abort(new CairnError("operation.cancelled"));
    }
  }
}
