/** What an engine hands out, as events. Blobs are put first, so that no event names bytes that are not there. */
import type { CloudPoints, LayerGrid } from "@cairn/cloud";
import { type SparseModel, writeColmapText } from "@cairn/formats";
import {
  type EventData,
  type EventDraft,
  type Hint,
  type ImageState,
  photoNumbers,
  type Seq,
  type SpaceState,
  shownGeneration,
  shownLayers,
} from "@cairn/protocol";
import { type Points, placeOnEarth, type Rebuild, type Step, scaleOf, uprightOf } from "@cairn/reconstruct";
import type { BlobStore } from "../blob/blob-store.ts";
import type { Layers } from "../cloud/layers.ts";
import { carriedAnchors } from "../generation/anchors.ts";
import { keepLayers } from "../generation/keep-layers.ts";
import type { MotionLog } from "../motion/motion-log.ts";
import type { Space } from "../space/spaces.ts";
import { feltModel, surerUp } from "./felt-model.ts";

/** Points of one insertion: as many as a worker holds beside others; a node's points then come in few parts. */
const CHUNK_POINTS = 1_000_000;

export type Places = {
  readonly space: Space;
  readonly blobs: BlobStore;
  readonly layers: Layers;
  readonly motionLog: MotionLog;
};

/** Events of one photo, all of `cause`. The first cameras or points of a space also open its first generation. */
export async function stepEvents(
  step: Step,
  { image, seq: cause }: ImageState,
  { space, layers }: Places,
  signal: AbortSignal,
): Promise<EventDraft[]> {
  const { state } = space.log.snapshot();
  const drafts: EventDraft[] = [];
  const opens = state.generation === 0 && (step.cameras.length > 0 || step.points.positions.length > 0);
  const generation = opens ? 1 : state.generation;
  if (opens) drafts.push({ type: "generation.started", cause, data: { generation } });
  if (generation > 0) {
    drafts.push(...cameraEvents(step, generation, state, cause));
    if (step.points.positions.length > 0) {
      const growing = growingLayer(state);
      const writer =
        growing === undefined
          ? layers.start(space, { kind: "model", name: "model", generation })
          : layers.writer(space, growing);
      drafts.push(
        ...(await writer.insert(chunksOf(step.points, numbersOf(state)(image)), {
          image,
          cause,
          signal,
          move: true,
        })),
      );
    }
  }
  if (opens) {
    const data = {
      generation,
      cameras: step.cameras.length,
      points: countPoints(drafts),
      refined: 0,
      ...doubtsOf(step),
    };
    drafts.push({ type: "generation.published", cause, data });
  }
  drafts.push(...verdictEvents(step, state, cause), ...hintEvents(step, generation, state, cause));
  return drafts;
}

/** Events of a rebuild: a new generation, whole, and the switch to it. */
export async function rebuildEvents(
  rebuild: Rebuild,
  model: SparseModel,
  refined: number,
  cause: Seq,
  places: Places,
  signal: AbortSignal,
): Promise<EventDraft[]> {
  const { space, blobs, layers } = places;
  const felt = await feltModel(rebuild.cameras, places);
  const { state } = space.log.snapshot();
  const generation = state.generation + 1;
  const kept = await keepLayers(space, layers, rebuild);
  const fresh = kept ? kept.fresh : rebuild.points;
  const filled: EventDraft[] = [];
  if (fresh.positions.length > 0 || !kept) {
    const grid = shownGrid(state);
    const writer = layers.start(space, { kind: "model", name: "model", generation, ...(grid && { grid }) });
    filled.push(...(await writer.insert(chunksOf(fresh, photosOf(fresh, state)), { cause, signal, move: true })));
  }
  const text = writeColmapText(model);
  const [cameras, images, points3D] = await Promise.all(
    [text.cameras, text.images, text.points3D].map(async (file) => (await blobs.put(Buffer.from(file))).digest),
  );
  const upright = surerUp(rebuild.upright ?? uprightOf(rebuild.cameras, (image) => state.images[image]?.gravity), felt);
  const placed = placeOnEarth(rebuild.cameras, (image) => state.images[image]?.gps);
  const moved = (kept?.layers ?? []).flatMap(({ layer, transform }): EventDraft[] =>
    transform ? [{ type: "layer.moved", cause, data: { layer, transform } }] : [],
  );
  const posed = cameraEvents(rebuild, generation, state, cause);
  const published: EventData<"generation.published"> = {
    generation,
    cameras: posed.length,
    points: countPoints(filled) + (kept?.layers ?? []).reduce((sum, { points }) => sum + points, 0),
    refined,
    ...(kept && { layers: [...kept.layers.map(({ layer }) => layer), ...startedLayers(filled)] }),
    ...(placed && { georeference: placed.georeference }),
    ...(upright && { upright }),
    scale: scaleOf(rebuild.cameras, placed, felt),
    ...(rebuild.alignment && { alignment: rebuild.alignment }),
    ...(rebuild.residual !== undefined && { residual: rebuild.residual }),
    ...(cameras && images && points3D && { model: { cameras, images, points3D } }),
    ...doubtsOf(rebuild),
    ...(rebuild.thorough && { thorough: true }),
  };
  return [
    { type: "generation.started", cause, data: { generation } },
    ...posed,
    ...filled,
    ...carriedAnchors(state, generation, rebuild.cameras),
    { type: "generation.published", cause, data: published },
    ...moved,
    ...verdictEvents(rebuild, state, cause),
    ...hintEvents(rebuild, generation, state, cause),
  ];
}

/** Of photos that were not removed meanwhile. */
function cameraEvents(
  { cameras }: Pick<Step, "cameras">,
  generation: number,
  state: SpaceState,
  cause: Seq,
): EventDraft[] {
  return cameras
    .filter(({ image }) => state.images[image])
    .map((camera) => ({ type: "camera.posed", cause, data: { generation, ...camera } }));
}

function doubtsOf({ doubts }: Pick<Step, "doubts">): Pick<EventData<"generation.published">, "doubts"> {
  return doubts?.length ? { doubts: [...doubts] } : {};
}

/** The layer that takes the points of a generation that grows: its own, where no transform lies between them. */
function growingLayer(state: SpaceState): number | undefined {
  const shown = shownGeneration(state);
  return shown?.layers.find((number) => {
    const layer = state.layers[number];
    return layer?.kind === "model" && layer.generation === shown.generation && !layer.transform;
  });
}

/** The grid of the model that is shown: what does not change in a rebuild keeps its bytes. */
function shownGrid(state: SpaceState): LayerGrid | undefined {
  for (const { kind, transform, origin, seed, finest } of shownLayers(state)) {
    if (kind === "model" && !transform) return { origin, seed, finest };
  }
  return undefined;
}

/** An image's number: 1 is the space's first `image.added`, 0 one that it has not. */
function numbersOf(state: SpaceState): (image: string) => number {
  const numbers = photoNumbers(state);
  return (image) => numbers.get(image) ?? 0;
}

function photosOf({ source }: Points, state: SpaceState): Uint32Array | number {
  if (!source) return 0;
  const numbers = source.images.map(numbersOf(state));
  return source.of.map((index) => numbers[index] ?? 0);
}

/** In pieces that a worker can hold beside others. */
function* chunksOf(points: Points, photos: Uint32Array | number): Generator<CloudPoints> {
  const { positions, colors, confidences } = points;
  const n = positions.length / 3;
  for (let from = 0; from < n; from += CHUNK_POINTS) {
    const to = Math.min(n, from + CHUNK_POINTS);
    yield {
      positions: positions.slice(3 * from, 3 * to),
      colors: colors.slice(3 * from, 3 * to),
      photos: typeof photos === "number" ? photos : photos.slice(from, to),
      ...(confidences && { confidences: confidences.slice(from, to) }),
    };
  }
}

function startedLayers(drafts: readonly EventDraft[]): number[] {
  return drafts.flatMap(({ type, data }) => (type === "layer.started" ? [data.layer] : []));
}

function countPoints(drafts: readonly EventDraft[]): number {
  return drafts.reduce((sum, { type, data }) => sum + (type === "segments.added" ? data.points : 0), 0);
}

/** A verdict that says what the last one said is not said again. */
function verdictEvents(step: Pick<Step, "verdicts">, state: SpaceState, cause: Seq): EventDraft[] {
  return step.verdicts
    .filter((verdict) => JSON.stringify(verdict) !== JSON.stringify(state.images[verdict.image]?.verdict))
    .map((data) => ({ type: "image.judged", cause, data }));
}

/** Most hints of one photo or rebuild: more are not read. */
const MAX_HINTS = 2;

/** An engine says what is news to it; one that was brought back may say again what the log has. */
function hintEvents(
  { hints = [] }: Pick<Step, "hints">,
  generation: number,
  state: SpaceState,
  cause: Seq,
): EventDraft[] {
  const known = new Set(state.hints?.map((hint) => wordsOf(hint)));
  return hints
    .filter((hint) => !known.has(wordsOf(hint)))
    .slice(0, MAX_HINTS)
    .map((hint) => ({ type: "hint.given", cause, data: { generation, ...hint } }));
}

function wordsOf({ code, image, region, step }: Hint): string {
  return JSON.stringify([code, image, region, step]);
}
