/**
 * The points that are on the screen, as one stream in the model's frame: every layer, node by node, in constant memory.
 * What is there is fixed when it is opened: a layer that grows meanwhile changes neither the count nor the points, and
 * what turns out to be lost then is in neither.
 */
import {
  decodeSegment,
  edgeOf,
  FINEST_BITS,
  MAX_BITS,
  modelFromLayer,
  movePoints,
  type Part,
  positionsOf,
} from "@cairn/cloud";
import type { PointRun } from "@cairn/formats";
import {
  CairnError,
  type Digest,
  type Georeference,
  type LayerState,
  shownGeneration,
  shownLayers,
  type Vec3,
} from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import { BlobWindows } from "../cloud/blob-windows.ts";
import type { LayerTables } from "../cloud/layer-tables.ts";
import type { Space } from "../space/spaces.ts";
import type { ExportOptions } from "./export-options.ts";

export type ShownPoints = {
  readonly count: number;
  /** Box around all of them, as tight as the layers' own boxes are. */
  readonly min: Vec3;
  readonly max: Vec3;
  /** The finest step of their coordinates. */
  readonly step: number;
  /** Whether any layer knows normals. */
  readonly normals: boolean;
  /** Whether any layer is the model that photos made. */
  readonly ofPhotos: boolean;
  /** Where the model lies, when that is known. */
  readonly georeference: Georeference | undefined;
  /** The same points in the same order each time. */
  read(): AsyncGenerator<PointRun>;
};

type Options = Pick<ExportOptions, "space" | "blobs" | "tables" | "signal" | "layer">;
type Placed = { readonly part: Part; readonly layer: LayerState };

/**
 * @throws {CairnError} `export.empty` when nothing is shown; `layer.missing` when the only layer asked for is not;
 *   `blob.missing`, `blob.corrupt` when all of it is lost
 */
export async function openShownPoints({ space, blobs, tables, signal, layer: only }: Options): Promise<ShownPoints> {
  const { state } = space.log.snapshot();
  const placed: Placed[] = [];
  const min: Vec3 = [Infinity, Infinity, Infinity];
  const max: Vec3 = [-Infinity, -Infinity, -Infinity];
  let step = Infinity;
  let normals = false;
  let lost: Digest | undefined;
  const { georeference } = shownGeneration(state)?.published ?? {};
  const numbers = shownLayers(state).map(({ layer }) => layer);
  if (only !== undefined && !numbers.includes(only)) throw new CairnError("layer.missing", { layer: only });
  for (const number of only === undefined ? numbers : [only]) {
    const table = await tables.openOrReport(space, number);
    // Taken after the table, so that its box holds what the table does. Meanwhile it may have been removed.
    const now = space.log.snapshot().state.layers[number];
    if (!table) lost ??= now?.index?.index;
    if (!now || !table?.root) continue;
    const { list, root } = table;
    const all = list.flatMap((node) => node.parts);
    const layer = { ...now };
    let looked = false;
    const windows = windowsOn(blobs, all);
    for (const part of all) {
      signal?.throwIfAborted();
      const bytes = await tables.readOrReport(space, number, part, windows);
      if (!bytes) {
        lost ??= part.blob;
        continue;
      }
      placed.push({ part, layer });
      if (!looked) normals ||= decodeSegment(bytes).normals !== undefined;
      looked = true;
    }
    if (!looked) continue;
    const finest = edgeOf(layer.finest) / 2 ** FINEST_BITS;
    step = Math.min(step, finest * (layer.transform?.scale ?? 1));
    // A point lies in the middle of its step, which may be past the box of what was inserted.
    const margin = Math.max(finest, edgeOf(root.id.e) / 2 ** MAX_BITS);
    const corners = movePoints(modelFromLayer(layer), cornersOf(layer, margin), new Float64Array(24));
    for (let i = 0; i < 24; i++) {
      min[i % 3] = Math.min(min[i % 3]!, corners[i]!);
      max[i % 3] = Math.max(max[i % 3]!, corners[i]!);
    }
  }
  if (placed.length === 0)
    throw lost ? new CairnError("blob.missing", { digest: lost }) : new CairnError("export.empty");
  return {
    count: placed.reduce((sum, { part }) => sum + part.points, 0),
    min,
    max,
    step,
    normals,
    ofPhotos: placed.some(({ layer }) => layer.kind === "model"),
    georeference,
    async *read() {
      const windows = windowsOn(
        blobs,
        placed.map(({ part }) => part),
      );
      for (const each of placed) {
        signal?.throwIfAborted();
        yield await readNode(space, tables, windows, each);
      }
    },
  };
}

function windowsOn(blobs: BlobStore, parts: readonly Part[]): BlobWindows {
  return new BlobWindows(blobs, new Set(parts.map(({ blob }) => blob)).size);
}

async function readNode(
  space: Space,
  tables: LayerTables,
  blobs: BlobWindows,
  { part, layer }: Placed,
): Promise<PointRun> {
  const points = decodeSegment(await tables.read(space, layer.layer, part, blobs));
  const { count, colors, photos, confidences, normals } = points;
  // The count that a file's header says comes from the directory; the hash says that the segment is the one meant.
  if (count !== part.points) throw new CairnError("blob.corrupt", { digest: part.blob });
  const positions = positionsOf(points, layer.origin);
  if (!layer.transform) return { count, positions, colors, photos, confidences, normals };
  movePoints(modelFromLayer(layer), positions, positions);
  return { count, positions, colors, photos, confidences, normals: normals && turned(normals, layer) };
}

function turned(normals: Int8Array, { transform }: LayerState): Int8Array {
  const turn = modelFromLayer({ transform: { ...transform!, scale: 1, translation: [0, 0, 0] } });
  return Int8Array.from(movePoints(turn, Float64Array.from(normals), new Float64Array(normals.length)), Math.round);
}

function cornersOf({ min, max }: LayerState, margin: number): Float64Array {
  return Float64Array.from({ length: 24 }, (_, i) => {
    const axis = i % 3;
    const upper = (Math.floor(i / 3) >> axis) & 1;
    return upper ? (max?.[axis] ?? 0) + margin : (min?.[axis] ?? 0) - margin;
  });
}
