/**
 * Brings a fresh engine to where the log is. An engine is deterministic, so the same photos and rebuilds in the same
 * order lead to the same model; where they do not (another release, a trimmed log), the caller is told and lays a new
 * generation onto the cameras that everybody sees.
 */
import {
  type CairnEvent,
  type EventOf,
  type PosedCamera,
  type SpaceState,
  shownGeneration,
  wasGiven,
} from "@cairn/protocol";
import type { Engine, Photo, WorkOptions } from "@cairn/reconstruct";
import type { SpaceLog } from "../log/space-log.ts";

const READ_EVENTS = 1000;

/** Cameras may differ by this part of the model's size before a replay counts as different. */
const SAME = 1e-6;

export type PhotoSource = (image: EventOf<"image.added">["data"], signal: AbortSignal) => Promise<Photo>;

/** How the engine's model stands to the cameras that everybody sees. */
export type Replayed = {
  /** It came to what the log tells of. */
  readonly same: boolean;
  /** Someone went back to an earlier generation, and nothing was refined since: what is shown is not the engine's. */
  readonly restored: boolean;
};

export async function replay(
  engine: Engine,
  log: SpaceLog,
  photoOf: PhotoSource,
  signal: AbortSignal,
  onProgress: NonNullable<WorkOptions["onProgress"]>,
): Promise<Replayed> {
  const { seq: head, state } = log.snapshot();
  const images = Object.values(state.images);
  const present = new Set(images.map(({ image }) => image));
  const known = images.filter((image) => wasGiven(image.verdict)).length;
  const shown = new Map<string, PosedCamera>();
  const given = new Set<string>();
  /** Since someone went back the log alone says what is shown. */
  let restored = false;
  const show = (cameras: readonly PosedCamera[]) => {
    for (const camera of cameras) shown.set(camera.image, camera);
  };
  const give = async (image: EventOf<"image.added">["data"]) => {
    signal.throwIfAborted();
    // One that was removed is not given again: the model differs from what is shown until the next rebuild.
    if (!present.has(image.image)) return;
    given.add(image.image);
    const step = await engine.add(await photoOf(image, signal), { signal, points: false });
    if (!restored) show(step.cameras);
    onProgress("resume", given.size, known);
  };

  if (log.first > 1) {
    for (const image of images) if (wasGiven(image.verdict)) await give(image);
    return { same: false, restored: false };
  }
  /** Cameras since the last generation began, and the generation that is shown. */
  let posed: PosedCamera[] = [];
  let at = 0;
  const added = new Map<number, EventOf<"image.added">["data"]>();
  for await (const event of eventsUntil(log, head)) {
    if (event.type === "image.added") added.set(event.seq, event.data);
    else if (event.type === "image.judged" && event.cause !== undefined) {
      const image = added.get(event.cause);
      if (image?.image === event.data.image && !given.has(image.image) && wasGiven(event.data)) await give(image);
    } else if (event.type === "generation.started") {
      posed = [];
    } else if (event.type === "camera.posed") {
      posed.push(event.data);
      if (restored && event.data.generation === at) show([event.data]);
    } else if (event.type === "generation.published") {
      at = event.data.generation;
      if (event.data.restores !== undefined) {
        shown.clear();
        show(posed);
        restored = true;
      } else if (event.data.refined > 0) {
        const frame = restored ? { frame: [...shown.values()] } : {};
        shown.clear();
        const { thorough = false } = event.data;
        show((await engine.rebuild({ signal, points: false, thorough, ...frame })).cameras);
        restored = false;
      }
    }
  }
  return { same: sameCameras(shown, state), restored };
}

async function* eventsUntil(log: SpaceLog, head: number): AsyncGenerator<CairnEvent> {
  let after = 0;
  while (after < head) {
    const events = await log.read(after, Math.min(READ_EVENTS, head - after));
    if (events.length === 0) return;
    yield* events;
    after = events.at(-1)!.seq;
  }
}

function sameCameras(shown: ReadonlyMap<string, PosedCamera>, state: SpaceState): boolean {
  const cameras = Object.values(shownGeneration(state)?.cameras ?? {});
  if (cameras.length !== shown.size) return false;
  const size = Math.max(1e-12, ...cameras.flatMap((camera) => camera.pose.translation.map(Math.abs)));
  return cameras.every((camera) => {
    const other = shown.get(camera.image);
    if (!other) return false;
    const moved = camera.pose.translation.map((value, i) => Math.abs(value - other.pose.translation[i]!) / size);
    const turned = camera.pose.rotation.map((value, i) => Math.abs(value - other.pose.rotation[i]!));
    return Math.max(...moved, ...turned) < SAME;
  });
}
