/** The faces that a server has. */
import type { ServerContext } from "../context.ts";
import type { Face } from "./face.ts";

export async function openAllFaces(_context: ServerContext): Promise<Face[]> {
  return [];
}
