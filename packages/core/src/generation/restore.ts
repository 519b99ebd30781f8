/**
 * Going back: a new generation that repeats the cameras of an earlier one and names its layers. Nothing is sent again,
 * and going back can itself be gone back on. Rules GENR-2 to GENR-5, GENR-8, GENR-12.
 */
import {
  CairnError,
  type EventData,
  type EventDraft,
  type PublishedGeneration,
  processedPhotos,
  type Similarity,
  type SpaceState,
} from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import { carriedAnchors, settleAnchors } from "./anchors.ts";
import { findGeneration, type OldGeneration, readGeneration } from "./history.ts";

const IDENTITY: Similarity = { scale: 1, rotation: [1, 0, 0, 0], translation: [0, 0, 0] };

/** The restore at work in each space: the next one waits for it. */
const working = new WeakMap<Space, Promise<unknown>>();

/**
 * Shows an earlier generation again, in one append. The caller sees to it that no rebuild publishes meanwhile.
 * @returns the number under which it is shown; that of the shown one when it is asked for
 * @throws {CairnError} `generation.missing`, `generation.gone`
 */
export function restoreGeneration(space: Space, generation: number): Promise<number> {
  const mine = (working.get(space) ?? Promise.resolve()).then(() => restore(space, generation));
  working.set(
    space,
    mine.catch(() => {}),
  );
  return mine;
}

async function restore(space: Space, generation: number): Promise<number> {
  const before = space.log.snapshot().state.generation;
  findGeneration(space.log.snapshot().state, generation);
  if (generation === before) return generation;
  await settleAnchors(space);
  const old = await readGeneration(space.log, generation);
  const { state } = space.log.snapshot();
  if (state.generation !== before) throw new RangeError("a generation was published while another was restored");
  const drafts = restoreDrafts(state, findGeneration(state, generation), old);
  await space.log.append(drafts);
  return before + 1;
}

function restoreDrafts(state: SpaceState, entry: PublishedGeneration, old: OldGeneration): EventDraft[] {
  const generation = state.generation + 1;
  const layers = entry.layers.map((layer) => {
    const kept = state.layers[layer];
    if (!kept) throw new CairnError("generation.gone", { generation: entry.generation, layer });
    return kept;
  });
  const cameras = [...old.cameras.values()];
  const { model, georeference, upright, scale, doubts } = old.published;
  const published: EventData<"generation.published"> = {
    generation,
    cameras: cameras.length,
    points: layers.reduce((sum, { points }) => sum + points, 0),
    // Photos that came since were refined before someone went back: only new ones are a reason to refine again.
    refined: processedPhotos(state),
    layers: entry.layers,
    ...(model && { model }),
    ...(georeference && { georeference }),
    ...(upright && { upright }),
    ...(scale && { scale }),
    ...(doubts && { doubts }),
    restores: entry.generation,
  };
  const moved = layers.flatMap(({ layer, transform }): EventDraft[] => {
    const wanted = entry.transforms?.[layer];
    if (JSON.stringify(transform ?? IDENTITY) === JSON.stringify(wanted ?? IDENTITY)) return [];
    return [{ type: "layer.moved", data: { layer, transform: wanted ?? IDENTITY } }];
  });
  return [
    { type: "generation.started", data: { generation } },
    ...cameras.map((camera): EventDraft => ({ type: "camera.posed", data: { ...camera, generation } })),
    ...carriedAnchors(state, generation, cameras, ({ anchor, placedIn }) =>
      placedIn <= entry.generation ? old.anchors.get(anchor) : undefined,
    ),
    { type: "generation.published", data: published },
    ...moved,
  ];
}
