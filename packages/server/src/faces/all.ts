/** The faces that a server has. */
import type { ServerContext } from "../context.ts";
import type { Face } from "./face.ts";
import { openHeritage } from "./heritage/heritage.ts";
import { openImagetools } from "./imagetools/imagetools.ts";

export async function openAllFaces(context: ServerContext): Promise<Face[]> {
  return [openHeritage(context), openImagetools(context)];
}
