/** What an engine hands out, as events. Blobs are put first, so that no event names bytes that are not there. */
import { bounds, encodeSegment, type SparseModel, writeColmapText } from "@cairn/formats";
import type { EventData, EventDraft, Seq, SpaceState } from "@cairn/protocol";
import type { Points, Rebuild, Step } from "@cairn/reconstruct";
import type { BlobStore } from "../blob/blob-store.ts";

/** Points of one segment: 50,000 make 750 kB, which a phone shows within a second of a slow link. */
const SEGMENT_POINTS = 50_000;

/** Events of one photo, all of `cause`. The first cameras of a space also open its first generation. */
export async function stepEvents(step: Step, state: SpaceState, blobs: BlobStore, cause: Seq): Promise<EventDraft[]> {
  const drafts: EventDraft[] = [];
  const opens = state.generation === 0 && step.cameras.length > 0;
  const generation = opens ? 1 : state.generation;
  if (opens) drafts.push({ type: "generation.started", cause, data: { generation } });
  if (generation > 0) {
    for (const camera of step.cameras) drafts.push({ type: "camera.posed", cause, data: { generation, ...camera } });
    const next = state.generations[generation]?.segments.length ?? 0;
    drafts.push(...(await segmentEvents(step.points, generation, next, blobs, cause)));
  }
  if (opens) {
    const points = step.points.positions.length / 3;
    const data = { generation, cameras: step.cameras.length, points, refined: 0 };
    drafts.push({ type: "generation.published", cause, data });
  }
  drafts.push(...verdictEvents(step, state, cause));
  return drafts;
}

/** Events of a rebuild: a new generation, whole, and the switch to it. */
export async function rebuildEvents(
  rebuild: Rebuild,
  model: SparseModel,
  refined: number,
  state: SpaceState,
  blobs: BlobStore,
  cause: Seq,
): Promise<EventDraft[]> {
  const generation = state.generation + 1;
  const text = writeColmapText(model);
  const [cameras, images, points3D] = await Promise.all(
    [text.cameras, text.images, text.points3D].map(async (file) => (await blobs.put(Buffer.from(file))).digest),
  );
  const published: EventData<"generation.published"> = {
    generation,
    cameras: rebuild.cameras.length,
    points: rebuild.points.positions.length / 3,
    refined,
    ...(rebuild.alignment && { alignment: rebuild.alignment }),
    ...(rebuild.residual !== undefined && { residual: rebuild.residual }),
    ...(cameras && images && points3D && { model: { cameras, images, points3D } }),
  };
  return [
    { type: "generation.started", cause, data: { generation } },
    ...rebuild.cameras.map((camera): EventDraft => ({ type: "camera.posed", cause, data: { generation, ...camera } })),
    ...(await segmentEvents(rebuild.points, generation, 0, blobs, cause)),
    { type: "generation.published", cause, data: published },
    ...verdictEvents(rebuild, state, cause),
  ];
}

async function segmentEvents(
  points: Points,
  generation: number,
  first: number,
  blobs: BlobStore,
  cause: Seq,
): Promise<EventDraft[]> {
  const drafts: EventDraft[] = [];
  const n = points.positions.length / 3;
  for (let from = 0; from < n; from += SEGMENT_POINTS) {
    const to = Math.min(n, from + SEGMENT_POINTS);
    const positions = points.positions.subarray(from * 3, to * 3);
    const blob = await blobs.put(encodeSegment(positions, points.colors.subarray(from * 3, to * 3)));
    const data = {
      generation,
      segment: first + drafts.length,
      points: to - from,
      blob: blob.digest,
      sizeBytes: blob.sizeBytes,
      ...bounds(positions),
    };
    drafts.push({ type: "segment.added", cause, data });
  }
  return drafts;
}

/** A verdict that says what the last one said is not said again. */
function verdictEvents(step: Pick<Step, "verdicts">, state: SpaceState, cause: Seq): EventDraft[] {
  return step.verdicts
    .filter((verdict) => JSON.stringify(verdict) !== JSON.stringify(state.images[verdict.image]?.verdict))
    .map((data) => ({ type: "image.judged", cause, data }));
}
