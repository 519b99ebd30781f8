/**
 * The shown model as a 3D Tiles tileset: one JSON that names every layer's tiles, or where further JSONs lie when there
 * are many. Its frame is the model's, or the earth's (ECEF) once the model has its place there.
 */
import { type LayerTable, modelFromLayer, movePoints, type TableNode } from "@cairn/cloud";
import { ecefFromModel } from "@cairn/geometry";
import { CairnError, type LayerState, type SpaceState, shownGeneration, shownLayers, type Vec3 } from "@cairn/protocol";
import type { LayerTables } from "../cloud/layer-tables.ts";
import type { Space } from "../space/spaces.ts";
import { boxVolume, MAX_TILES, type Tile, TileTree, tileOrigin } from "./tile-tree.ts";

export type Tileset = {
  asset: { version: "1.1" };
  geometricError: number;
  root: Tile;
};

/** A layer that is shown, with its tiles as of now. */
export type TiledLayer = { readonly layer: LayerState; readonly table: LayerTable; readonly tree: TileTree };

type Sources = { readonly space: Space; readonly tables: LayerTables; readonly maxTiles?: number };

/**
 * Those with points, in the order of their numbers, without what is lost. To be used at once: tables grow.
 * @throws {CairnError} `blob.missing` when all of it is lost
 */
export async function openTiledLayers({ space, tables, maxTiles }: Sources): Promise<TiledLayer[]> {
  const numbers = shownLayers(space.log.snapshot().state).map(({ layer }) => layer);
  const opened = await Promise.all(
    numbers.map(async (layer) => ({ layer, table: await tables.openOrReport(space, layer) })),
  );
  const { layers } = space.log.snapshot().state;
  const tiled = opened.flatMap(({ layer: number, table }) => {
    const layer = layers[number];
    if (!layer || !table) return [];
    const tree = new TileTree(table, layer, maxTiles);
    return tree.weight > 0 ? [{ layer, table, tree }] : [];
  });
  const lost = opened.find(({ layer, table }) => !table && layers[layer]?.index);
  if (tiled.length === 0 && lost) throw new CairnError("blob.missing", { digest: layers[lost.layer]!.index!.index });
  return tiled;
}

/**
 * `tileset.json`; addresses of tiles begin with `tiles/`. Without points it has an empty root.
 * @param maxTiles how many tiles one JSON names, about; the same as of the layers
 */
export function rootTileset(state: SpaceState, layers: readonly TiledLayer[], maxTiles: number = MAX_TILES): Tileset {
  let tilesLeft = maxTiles;
  const boxes = { min: [Infinity, Infinity, Infinity] as Vec3, max: [-Infinity, -Infinity, -Infinity] as Vec3 };
  let geometricError = 0;
  const children = layers.map(({ layer, table, tree }): Tile => {
    const root = rootOf(table);
    const transform = modelFromTiles(layer);
    const box = tree.boxOf(root);
    widen(boxes, box, transform);
    const base = `tiles/${layer.layer}/`;
    const inline = tree.weight <= tilesLeft;
    if (inline) tilesLeft -= tree.weight;
    geometricError = Math.max(geometricError, tree.errorAbove(root) * (layer.transform?.scale ?? 1));
    return { transform: [...transform], ...(inline ? tree.tilesFrom(root, base) : tree.reference(root, base)) };
  });
  const georeference = shownGeneration(state)?.published?.georeference;
  const root: Tile = {
    ...(georeference && { transform: [...ecefFromModel(georeference)] }),
    boundingVolume: boxVolume(layers.length ? boxes : { min: [0, 0, 0], max: [0, 0, 0] }),
    geometricError,
    refine: "ADD",
    ...(children.length > 0 && { children }),
  };
  // Metres where the earth's frame is: the root's own error is scaled by its transform, the tileset's by nothing.
  const unit = georeference?.enuFromModel.scale ?? 1;
  return { asset: { version: "1.1" }, geometricError: geometricError * unit, root };
}

/** The JSON at `tiles/LAYER/NODE/tileset.json`. @throws {CairnError} `tile.gone` when there is no such node */
export function branchTileset({ layer, tree }: TiledLayer, key: string): Tileset {
  const node = tree.nodeAt(key);
  if (!node) throw new CairnError("tile.gone", { layer: layer.layer, node: key.slice(0, 64) });
  return {
    asset: { version: "1.1" },
    geometricError: tree.errorAbove(node),
    root: { refine: "ADD", ...tree.tilesFrom(node, "../") },
  };
}

/** Frame of a layer's tiles→model frame, column-major. */
function modelFromTiles(layer: LayerState): Float64Array {
  const matrix = modelFromLayer(layer);
  movePoints(matrix, Float64Array.from(tileOrigin(layer)), matrix.subarray(12, 15));
  return matrix;
}

function widen(boxes: { min: Vec3; max: Vec3 }, { min, max }: { min: Vec3; max: Vec3 }, matrix: Float64Array): void {
  const corners = Float64Array.from({ length: 24 }, (_, i) => ((Math.floor(i / 3) >> (i % 3)) & 1 ? max : min)[i % 3]!);
  movePoints(matrix, corners, corners);
  for (const [i, value] of corners.entries()) {
    boxes.min[i % 3] = Math.min(boxes.min[i % 3]!, value);
    boxes.max[i % 3] = Math.max(boxes.max[i % 3]!, value);
  }
}

function rootOf({ root }: LayerTable): TableNode {
  if (!root) throw new RangeError("a layer without a root has no tiles");
  return root;
}
