/** Small pictures of designs: drawn once for each content, kept where a restart finds them. */
import type { Designs } from "@cairn/core";
import type { DesignState, Digest } from "@cairn/protocol";
import type { FileCache } from "../../file-cache.ts";

const SIDE_PX = 256;
/** Another drawing of the same content has another number. */
const DRAWING = 1;

/** Several who ask at once share the work. */
export function thumbnails(designs: Designs, cache: FileCache): (content: DesignState) => Promise<Uint8Array> {
  const drawing = new Map<Digest, Promise<Uint8Array>>();
  async function draw(content: DesignState): Promise<Uint8Array> {
    const key = `${content.blob} ${content.format} ${SIDE_PX} ${DRAWING}`;
    const known = await cache.get(key);
    if (known) return known;
    const drawn = await designs.picture(content, SIDE_PX);
    await cache.put(key, drawn);
    return drawn;
  }
  return (content) => {
    const known = drawing.get(content.blob);
    if (known) return known;
    const drawn = draw(content).finally(() => drawing.delete(content.blob));
    drawing.set(content.blob, drawn);
    return drawn;
  };
}
