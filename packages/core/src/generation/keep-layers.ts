/**
 * When a rebuild moved everything as one, the points that are there are the points of the new generation: its layers
 * are named again with a new transform, and only points that they lack are sent. Rules GENR-6, GENR-7.
 *
 * What counts as the same is the layer's own grain, a cell of its finest level: points nearer to each other than that
 * merge anyway. A camera must end within it too, also what it looks at across the scene.
 */
import { setImmediate } from "node:timers/promises";
import { decodeSegment, modelFromLayer, movePoints, NearPoints, positionsOf, spacingOf } from "@cairn/cloud";
import { type LayerState, type Similarity, shownGeneration, shownLayers } from "@cairn/protocol";
import { composeMotions, motionAsOne, type Points, type Rebuild } from "@cairn/reconstruct";
import type { Layers } from "../cloud/layers.ts";
import type { Space } from "../space/spaces.ts";

/** Of the points that are shown, this part may have been let go by the rebuild; they stay on the screen. */
const MOST_LOST = 0.01;
/** More new points than this part, and the model is written whole: it then has one octree again. */
const MOST_FRESH = 0.25;
/** Layers that may pile up before the model is written whole. */
const MOST_LAYERS = 4;
/** A move of less than this part of a grain is none. */
const STILL = 100;
/** Larger models are not read back to be compared. */
const MOST_POINTS = 2_000_000;
/** Points looked up in one turn: 10 to 20 ms. */
const TURN_POINTS = 20_000;

export type KeptLayers = {
  /** With the transform that brings each into the new generation; left out where it stays as it is. */
  readonly layers: { readonly layer: number; readonly points: number; readonly transform?: Similarity }[];
  /** Points of the rebuild that they lack. */
  readonly fresh: Points;
};

/** @returns `undefined` when the model is to be written whole */
export async function keepLayers(
  space: Space,
  { tables, parts: reader }: Layers,
  rebuild: Pick<Rebuild, "cameras" | "points">,
): Promise<KeptLayers | undefined> {
  const { state } = space.log.snapshot();
  const layers = shownLayers(state).filter(({ kind }) => kind === "model");
  const shown = layers.reduce((sum, { points }) => sum + points, 0);
  const wanted = rebuild.points.positions.length / 3;
  if (layers.length === 0 || layers.length > MOST_LAYERS || layers.some(({ damaged }) => damaged)) return undefined;
  if (shown > MOST_POINTS || wanted > MOST_POINTS || wanted < (1 - MOST_LOST) * shown) return undefined;
  const grain = Math.min(...layers.map(({ finest, transform }) => spacingOf(finest) * (transform?.scale ?? 1)));
  const motion = motionAsOne(
    Object.values(shownGeneration(state)?.cameras ?? {}),
    rebuild.cameras,
    (scale) => grain * scale,
  );
  if (!motion) return undefined;

  const placed = layers.map((layer) => ({ layer, transform: composeMotions(motion, layer.transform) }));
  const clouds: Float64Array[] = [];
  for (const { layer, transform } of placed) {
    const table = await tables.openOrReport(space, layer.layer);
    if (!table) return undefined;
    const place = modelFromLayer({ transform });
    for (const { parts } of table.list) {
      for (const part of parts) {
        const bytes = await reader.readOrReport(space, layer.layer, part);
        if (!bytes) return undefined;
        const positions = positionsOf(decodeSegment(bytes), layer.origin);
        clouds.push(movePoints(place, positions, positions));
      }
    }
  }
  const old = joined(clouds);
  const distance = grain * motion.scale;
  const { positions, colors, source, confidences } = rebuild.points;
  const lost = await lacking(positions, old, distance);
  if (lost.length > (MOST_LOST * old.length) / 3) return undefined;
  const missing = Uint32Array.from(await lacking(old, positions, distance));
  if (missing.length > MOST_FRESH * wanted) return undefined;
  const stays = layers.every((layer) => largestMove(motion, layer) < distance / STILL);
  return {
    layers: placed.map(({ layer: { layer, points }, transform }) => ({
      layer,
      points,
      ...(stays ? {} : { transform }),
    })),
    fresh: {
      positions: picked(positions, missing, 3),
      colors: picked(colors, missing, 3),
      ...(source && { source: { images: source.images, of: picked(source.of, missing, 1) } }),
      ...(confidences && { confidences: picked(confidences, missing, 1) }),
    },
  };
}

/** Indices of the points that the cloud lacks, looked for in turns that leave the event loop to others. */
async function lacking(cloud: ArrayLike<number>, points: ArrayLike<number>, distance: number): Promise<number[]> {
  const near = new NearPoints(cloud, distance);
  const found: number[] = [];
  for (let from = 0; from < points.length / 3; from += TURN_POINTS) {
    found.push(...near.lacks(points, from, Math.min(points.length / 3, from + TURN_POINTS)));
    await setImmediate();
  }
  return found;
}

/** How far a corner of the layer's box moves, at most: new units. */
function largestMove(motion: Similarity, { min, max, transform }: LayerState): number {
  if (!min || !max) return 0;
  const corners = Float64Array.from({ length: 24 }, (_, i) => ((Math.floor(i / 3) >> (i % 3)) & 1 ? max : min)[i % 3]!);
  movePoints(modelFromLayer({ ...(transform && { transform }) }), corners, corners);
  const moved = movePoints(modelFromLayer({ transform: motion }), corners, new Float64Array(24));
  let most = 0;
  for (let i = 0; i < 24; i += 3) {
    most = Math.max(
      most,
      Math.hypot(moved[i]! - corners[i]!, moved[i + 1]! - corners[i + 1]!, moved[i + 2]! - corners[i + 2]!),
    );
  }
  return most;
}

function joined(clouds: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(clouds.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const cloud of clouds) {
    all.set(cloud, at);
    at += cloud.length;
  }
  return all;
}

/** Of rows of `width` values those of these indices. */
function picked<T extends Float32Array | Uint8Array | Uint32Array>(values: T, indices: Uint32Array, width: number): T {
  const out = values.slice(0, width * indices.length) as T;
  for (const [to, from] of indices.entries()) {
    for (let k = 0; k < width; k++) out[width * to + k] = values[width * from + k]!;
  }
  return out;
}
