import { CairnError, type Digest } from "@cairn/protocol";
import type { ServerContext } from "../context.ts";

const MAX_BYTES = 64 * 2 ** 20;

/** Sides that are made; others are rounded up, so that a client can't fill the cache with variants of one photo. */
const SIDES_PX = [64, 128, 256, 512, 1024, 2048];

/** Small JPEGs, kept as long as they are used; several who ask for one at once share the work. */
export function thumbnails({ core, decoder }: Pick<ServerContext, "core" | "decoder">) {
  const made = new Map<string, Uint8Array>();
  const making = new Map<string, Promise<Uint8Array>>();
  let heldBytes = 0;

  async function make(key: string, blob: Digest, sidePx: number): Promise<Uint8Array> {
    const jpeg = await decoder.thumbnail(await core.blobs.get(blob), sidePx);
    made.set(key, jpeg);
    heldBytes += jpeg.length;
    for (const [oldest, bytes] of made) {
      if (heldBytes <= MAX_BYTES) break;
      made.delete(oldest);
      heldBytes -= bytes.length;
    }
    return jpeg;
  }

  return async (blob: Digest, wantedPx: number): Promise<Uint8Array> => {
    const sidePx = SIDES_PX.find((side) => side >= wantedPx);
    if (sidePx === undefined) throw new CairnError("request.invalid", { field: "side" });
    const key = `${blob} ${sidePx}`;
    const ready = made.get(key);
    if (ready) {
      // The map's order is that of the last use.
      made.delete(key);
      made.set(key, ready);
      return ready;
    }
    let work = making.get(key);
    if (!work) {
      work = make(key, blob, sidePx).finally(() => making.delete(key));
      making.set(key, work);
    }
    return work;
  };
}
