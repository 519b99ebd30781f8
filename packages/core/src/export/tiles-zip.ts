/**
 * The shown model as 3D Tiles in a zip: `tileset.json` and its tiles, as the server would serve them. Unpacked anywhere
 * it opens. What is in it is fixed when it begins, without what is lost then; each tile is made when its turn comes.
 */
import type { LayerGrid, Part, TableNode } from "@cairn/cloud";
import { CairnError } from "@cairn/protocol";
import { openTileEncoder } from "../tiles/tile-encoder.ts";
import { partsOf } from "../tiles/tile-revision.ts";
import type { Tile } from "../tiles/tile-tree.ts";
import { branchTileset, openTiledLayers, rootTileset, type TiledLayer, type Tileset } from "../tiles/tileset.ts";
import type { ExportOptions } from "./export-options.ts";
import { type ZipEntry, zipped } from "./zip.ts";

type Contents = {
  readonly documents: { name: string; tileset: Tileset }[];
  readonly tiles: {
    name: string;
    layer: number;
    grid: LayerGrid;
    node: TableNode;
    parts: readonly Part[];
    points: number;
  }[];
};

/** @throws {CairnError} `export.empty` when nothing is shown; `blob.missing` when all of it is lost */
export async function* exportTilesZip(options: ExportOptions): AsyncGenerator<Uint8Array> {
  const { space, blobs, tables, signal, onProgress } = options;
  const layers = await openTiledLayers(options);
  if (layers.length === 0) throw new CairnError("export.empty");
  const contents = contentsOf(rootTileset(space.log.snapshot().state, layers), layers);
  const { documents } = contents;
  const tiles = await readable(contents, options);
  const points = tiles.reduce((sum, tile) => sum + tile.points, 0);
  const own = options.tileEncoder ? undefined : openTileEncoder();
  const encoder = options.tileEncoder ?? own!;
  async function* entries(): AsyncGenerator<ZipEntry> {
    for (const { name, tileset } of documents) yield { name, bytes: () => [Buffer.from(JSON.stringify(tileset))] };
    let done = 0;
    for (const { name, layer, ...tile } of tiles) {
      onProgress?.("writing", done, points);
      const glb = await encoder.encode({ ...tile, read: (part) => tables.read(space, layer, part, blobs) }, signal);
      yield { name, bytes: () => [glb], compress: false };
      done += tile.points;
    }
    onProgress?.("writing", done, points);
  }
  try {
    yield* zipped(entries(), signal);
  } finally {
    await own?.close();
  }
}

/** Everything that can be reached from the first JSON: what it links to is in the archive. */
function contentsOf(root: Tileset, layers: readonly TiledLayer[]): Contents {
  const documents = [{ name: "tileset.json", tileset: root }];
  const tiles: Contents["tiles"] = [];
  // It grows while it is read: a JSON may link to further ones.
  for (const { name, tileset } of documents) {
    for (const uri of linksOf(tileset.root)) {
      const link = pathOf(uri, name);
      const [, number, key = "", file = ""] = link.split("/");
      const tiled = layers.find(({ layer }) => layer.layer === Number(number));
      if (!tiled) throw new RangeError(`${link} is in no layer`);
      if (file === "tileset.json") {
        documents.push({ name: link, tileset: branchTileset(tiled, key) });
        continue;
      }
      const { grid, nodes } = tiled.table;
      const node = nodes.get(key);
      const parts = node && partsOf(grid, node, file.slice(0, -".glb".length));
      if (!parts) throw new RangeError(`${link} is no tile`);
      tiles.push({
        name: link,
        layer: Number(number),
        grid,
        node,
        parts,
        points: parts.reduce((sum, part) => sum + part.points, 0),
      });
    }
  }
  return { documents, tiles };
}

/** Tiles without the parts that are lost; no JSON names one of which nothing is left. */
async function readable({ documents, tiles }: Contents, options: ExportOptions): Promise<Contents["tiles"]> {
  const { space, blobs, tables, signal } = options;
  const left: Contents["tiles"] = [];
  const gone = new Set<string>();
  for (const tile of tiles) {
    const parts: Part[] = [];
    for (const part of tile.parts) {
      signal?.throwIfAborted();
      if (await tables.readOrReport(space, tile.layer, part, blobs)) parts.push(part);
    }
    if (parts.length === 0) gone.add(tile.name);
    else left.push({ ...tile, parts, points: parts.reduce((sum, part) => sum + part.points, 0) });
  }
  const [lost] = tiles;
  if (lost && left.length === 0) throw new CairnError("blob.missing", { digest: lost.parts[0]!.blob });
  if (gone.size > 0) for (const { name, tileset } of documents) dropContent(tileset.root, name, gone);
  return left;
}

function dropContent(tile: Tile, document: string, gone: ReadonlySet<string>): void {
  if (tile.content && gone.has(pathOf(tile.content.uri, document))) delete tile.content;
  for (const child of tile.children ?? []) dropContent(child, document, gone);
}

function pathOf(uri: string, document: string): string {
  return new URL(uri, `zip:///${document}`).pathname.slice(1);
}

function* linksOf(tile: Tile): Generator<string> {
  if (tile.content) yield tile.content.uri;
  for (const child of tile.children ?? []) yield* linksOf(child);
}
