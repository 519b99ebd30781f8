/**
 * A tileset that was asked for by an address with a token names its tiles and further JSONs by addresses with the same
 * token: relative addresses leave the query behind, and many clients are told an address and nothing else.
 */
import { JsonDocument } from "./tileset-documents.ts";

type Tile = { content?: { uri: string }; children?: Tile[] };

export function carryToken({ text }: JsonDocument, token: string): JsonDocument {
  const tileset = JSON.parse(text) as { root: Tile };
  const query = `?token=${encodeURIComponent(token)}`;
  const open = [tileset.root];
  for (let tile = open.pop(); tile; tile = open.pop()) {
    if (tile.content) tile.content.uri += query;
    open.push(...(tile.children ?? []));
  }
  return new JsonDocument(tileset);
}
