/** An earlier generation, read from the log: the state holds only what it takes to find it. */
import {
  CairnError,
  type CairnEvent,
  type CameraState,
  type EventData,
  type Id,
  type PublishedGeneration,
  type Seq,
  type SpaceState,
  type Vec3,
} from "@cairn/protocol";
import type { SpaceLog } from "../log/space-log.ts";

const READ_EVENTS = 1000;

export type OldGeneration = {
  readonly published: EventData<"generation.published">;
  /** As they were last posed in it, without those of photos that were removed since. */
  readonly cameras: ReadonlyMap<Id, CameraState>;
  /** Anchors that it had, where they were last. */
  readonly anchors: ReadonlyMap<Id, Vec3>;
};

/** @throws {CairnError} `generation.missing`, `generation.gone` */
export function findGeneration({ history, generation: shown }: SpaceState, generation: number): PublishedGeneration {
  const found = history.find((each) => each.generation === generation);
  if (found) return found;
  const wasThere = Number.isInteger(generation) && generation >= 1 && generation < shown;
  throw new CairnError(wasThere ? "generation.gone" : "generation.missing", { generation });
}

/**
 * All that a generation came to until the next one took its place.
 * @throws {CairnError} `generation.missing`, `generation.gone` when the state or the log no longer has it
 */
export async function readGeneration(log: SpaceLog, generation: number): Promise<OldGeneration> {
  const { state, seq: head } = log.snapshot();
  const { seq } = findGeneration(state, generation);
  const end = state.history.find((each) => each.generation > generation)?.seq ?? head + 1;
  const { images } = state;
  const from = await startOf(log, generation, seq);
  const cameras = new Map<Id, CameraState>();
  const anchors = new Map<Id, Vec3>();
  let published: EventData<"generation.published"> | undefined;
  for await (const event of eventsBetween(log, from, end, generation)) {
    if (event.type === "camera.posed" && event.data.generation === generation) {
      if (images[event.data.image]) cameras.set(event.data.image, event.data);
    } else if (event.type === "anchor.placed" && event.data.generation === generation) {
      anchors.set(event.data.anchor, event.data.point);
    } else if (event.type === "generation.published" && event.data.generation === generation) {
      published = event.data;
    }
  }
  if (!published) throw new CairnError("generation.gone", { generation });
  return { published, cameras, anchors };
}

/** Seq of its `generation.started`, looked for backwards: it is next to what was published. */
async function startOf(log: SpaceLog, generation: number, published: Seq): Promise<Seq> {
  for (let end = published; end >= log.first; ) {
    const from = Math.max(log.first, end - READ_EVENTS + 1);
    let found: Seq | undefined;
    for await (const event of eventsBetween(log, from, end + 1, generation)) {
      if (event.type === "generation.started" && event.data.generation === generation) found = event.seq;
    }
    if (found !== undefined) return found;
    end = from - 1;
  }
  throw new CairnError("generation.gone", { generation });
}

/** Events `from` … `end - 1`; one read of the log may give fewer than it is asked for. */
async function* eventsBetween(log: SpaceLog, from: Seq, end: Seq, generation: number): AsyncGenerator<CairnEvent> {
  for (let after = from - 1; after < end - 1; ) {
    const events = await log.read(after, Math.min(READ_EVENTS, end - 1 - after)).catch((error: unknown) => {
      if (!(error instanceof CairnError) || error.code !== "log.trimmed") throw error;
      throw new CairnError("generation.gone", { generation }, error);
    });
    if (events.length === 0) return;
    yield* events;
    after = events.at(-1)!.seq;
  }
}
