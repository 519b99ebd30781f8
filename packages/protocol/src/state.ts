/**
 * State is what you get by reading the log. `applyEvent` is the only place that knows how; servers, clients and
 * tests share it, so the same seq means the same state everywhere.
 */
import type { CairnEvent, EventData, Verdict } from "./events.ts";
import type { Id, Seq, SpaceId, TimeNs } from "./ids.ts";

export type ImageState = EventData<"image.added"> & { seq: Seq; addedNs: TimeNs; verdict?: Verdict };
export type CameraState = EventData<"camera.posed">;
export type SegmentState = EventData<"segment.added">;

export type GenerationState = {
  generation: number;
  cameras: Record<Id, CameraState>;
  segments: SegmentState[];
  /** Set once it is the one to show. */
  published?: EventData<"generation.published"> & { seq: Seq };
};

export type OperationState = {
  operation: Id;
  kind: string;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  startedNs: TimeNs;
  endedNs?: TimeNs;
  progress?: EventData<"operation.progressed">;
  result?: NonNullable<EventData<"operation.completed">["result"]>;
  error?: { code: string; message: string };
};

export type SpaceState = {
  title: string;
  settings: EventData<"space.created">["settings"];
  createdNs: TimeNs;
  expiresNs?: TimeNs;
  closed?: "deleted" | "expired";
  images: Record<Id, ImageState>;
  /** The generation to show; 0 before the first. */
  generation: number;
  /** The one shown and those being filled; an older one is let go when a newer one is published. */
  generations: Record<number, GenerationState>;
  /** Every running operation and the last `ENDED_OPERATIONS` that ended. */
  operations: Record<Id, OperationState>;
};

/** A space in a list: its state in a few figures, as of `head`. */
export type SpaceSummary = {
  id: SpaceId;
  title: string;
  createdNs: TimeNs;
  expiresNs?: TimeNs;
  images: number;
  /** The one that is shown, and how many points it has. */
  generation: number;
  points: number;
  head: Seq;
  epoch: string;
};

const ENDED_OPERATIONS = 50;

export function emptyState(): SpaceState {
  return {
    title: "",
    settings: { rebuildEvery: 10, maxImages: 5000, maxBytes: 50 * 2 ** 30 },
    createdNs: "0",
    images: {},
    generation: 0,
    generations: {},
    operations: {},
  };
}

/** Folds one event into `state`, in place. Events it does not know change nothing: an older client lives on. */
export function applyEvent(state: SpaceState, event: CairnEvent): void {
  switch (event.type) {
    case "space.created":
      state.title = event.data.title;
      state.settings = event.data.settings;
      state.createdNs = event.timeNs;
      if (event.data.expiresNs !== undefined) state.expiresNs = event.data.expiresNs;
      return;
    case "space.renamed":
      state.title = event.data.title;
      return;
    case "space.expiring":
      if (event.data.expiresNs === undefined) delete state.expiresNs;
      else state.expiresNs = event.data.expiresNs;
      return;
    case "space.closed":
      state.closed = event.data.reason;
      return;
    case "image.added":
      state.images[event.data.image] = { ...event.data, seq: event.seq, addedNs: event.timeNs };
      return;
    case "image.judged": {
      const image = state.images[event.data.image];
      if (image) image.verdict = event.data;
      return;
    }
    case "generation.started":
      state.generations[event.data.generation] = { generation: event.data.generation, cameras: {}, segments: [] };
      return;
    case "camera.posed": {
      const generation = state.generations[event.data.generation];
      if (generation) generation.cameras[event.data.image] = event.data;
      return;
    }
    case "segment.added":
      state.generations[event.data.generation]?.segments.push(event.data);
      return;
    case "generation.published": {
      const generation = state.generations[event.data.generation];
      if (!generation) return;
      generation.published = { ...event.data, seq: event.seq };
      state.generation = event.data.generation;
      for (const key of Object.keys(state.generations)) {
        if (Number(key) < event.data.generation) delete state.generations[Number(key)];
      }
      return;
    }
    case "operation.queued":
    case "operation.started": {
      const { operation, kind } = event.data;
      const startedNs = state.operations[operation]?.startedNs ?? event.timeNs;
      const status = event.type === "operation.queued" ? "queued" : "running";
      state.operations[operation] = { operation, kind, status, startedNs };
      return;
    }
    case "operation.progressed": {
      const operation = state.operations[event.data.operation];
      if (operation) operation.progress = event.data;
      return;
    }
    case "operation.completed":
      endOperation(state, event.data.operation, event.timeNs, (operation) => {
        operation.status = "completed";
        if (event.data.result) operation.result = event.data.result;
      });
      return;
    case "operation.failed":
      endOperation(state, event.data.operation, event.timeNs, (operation) => {
        operation.status = "failed";
        operation.error = { code: event.data.code, message: event.data.message };
      });
      return;
    case "operation.cancelled":
      endOperation(state, event.data.operation, event.timeNs, (operation) => {
        operation.status = "cancelled";
      });
      return;
  }
}

function endOperation(state: SpaceState, id: Id, timeNs: TimeNs, end: (operation: OperationState) => void): void {
  const operation = state.operations[id];
  if (!operation) return;
  end(operation);
  operation.endedNs = timeNs;
  const ended = Object.values(state.operations).filter((each) => each.endedNs !== undefined);
  // Insertion order is log order, so the first of those that ended is the oldest.
  for (const old of ended.slice(0, Math.max(0, ended.length - ENDED_OPERATIONS)))
    delete state.operations[old.operation];
}

/** The state as text in which equal states are equal letter by letter: keys sorted at every depth. */
export function canonicalState(state: SpaceState): string {
  return JSON.stringify(state, (_key, value: unknown) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
