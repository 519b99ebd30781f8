/** A layer's index as bytes: every compacted node and where its segments are. */
import { CairnError } from "@cairn/protocol";
import type { LayerIndex } from "./table.ts";

/** @param deflate raw deflate */
export function encodeLayerIndex(index: LayerIndex, deflate: (bytes: Uint8Array) => Uint8Array): Uint8Array {
  return deflate(new TextEncoder().encode(JSON.stringify(index)));
}

/** @throws {CairnError} `request.invalid` */
export async function decodeLayerIndex(bytes: Uint8Array): Promise<LayerIndex> {
  try {
    const stream = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return JSON.parse(await new Response(stream).text()) as LayerIndex;
  } catch (cause) {
    throw new CairnError("request.invalid", { field: "index" }, cause);
  }
}
