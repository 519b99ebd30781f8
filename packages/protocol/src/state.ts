/** What a space is at a seq. `applyEvent` makes it of the log, and nothing else does. */
import type { ControlState } from "./control-state.ts";
import type { EventData } from "./events.ts";
import type { PathPose } from "./generation-events.ts";
import type { Digest, Id, Seq, SpaceId, TimeNs } from "./ids.ts";
import type { Verdict } from "./image-events.ts";
import type { Similarity } from "./pose.ts";
import type { Labels, SpaceSettings } from "./space-events.ts";
import type { Vec3 } from "./vectors.ts";

/** A version of an image beside the one that was added. */
export type ImageVersion = Omit<EventData<"image.changed">, "image"> & { timeNs: TimeNs };

export type ImageState = EventData<"image.added"> & {
  seq: Seq;
  addedNs: TimeNs;
  verdict?: Verdict;
  /** The version to show; left out: as it was added. */
  version?: number;
  /** Highest number that a version ever had. */
  lastVersion?: number;
  /** The last `KEPT_VERSIONS` and the one that is shown, oldest first; left out before the first change. */
  versions?: ImageVersion[];
  /** When another version was chosen last. */
  changedNs?: TimeNs;
};
export type CameraState = EventData<"camera.posed">;
export type PackState = Omit<EventData<"segments.added">, "layer">;
export type AnchorState = Omit<EventData<"anchor.placed">, "from"> & {
  /** The generation in which someone placed it; since then it was carried over. */
  placedIn: number;
};

export type HintState = EventData<"hint.given"> & { seq: Seq; timeNs: TimeNs };

/** Poses in the order of their times. */
export type PathState = { path: string; generation: number; poses: PathPose[] };

/** The newest revision of a design; one that was removed stays known, because its revisions go on. */
export type DesignState = EventData<"design.published"> & { seq: Seq; removedNs?: TimeNs };

export type LayerState = Omit<EventData<"layer.started">, "transform"> & {
  transform?: Similarity;
  /** Points of all packs. */
  points: number;
  /** Box of all points, layer frame; left out while there are none. */
  min?: Vec3;
  max?: Vec3;
  /** The compacted nodes: all packs before `packs`. */
  index?: Omit<EventData<"layer.compacted">, "layer">;
  /** Those that are not in the index, in order. */
  packs: PackState[];
  damaged?: { blob: Digest; points: number };
};

export type GenerationState = {
  generation: number;
  cameras: Record<Id, CameraState>;
  /** Numbers of the layers that hold its points. */
  layers: number[];
  /** Set once it is the one to show. */
  published?: EventData<"generation.published"> & { seq: Seq };
};

export type OperationState = {
  operation: Id;
  kind: string;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  startedNs: TimeNs;
  endedNs?: TimeNs;
  /** While it has not ended. */
  plan?: NonNullable<EventData<"operation.queued">["plan"]>;
  /** Steps that did not work; left out: none. */
  problems?: number;
  progress?: EventData<"operation.progressed">;
  result?: NonNullable<EventData<"operation.completed">["result"]>;
  error?: { code: string; message: string };
};

export type RecordingState = EventData<"recording.started"> & {
  startedNs: TimeNs;
  /** Left out: it has not ended. */
  ended?: Omit<EventData<"recording.ended">, "recording">;
};

/** What is kept of a generation that was published, as it was last, so that people can look back and go back. */
export type PublishedGeneration = Pick<
  EventData<"generation.published">,
  "generation" | "cameras" | "points" | "residual" | "doubts" | "restores"
> & {
  seq: Seq;
  timeNs: TimeNs;
  layers: number[];
  /** Where its layers lay, of those that had been moved. */
  transforms?: Record<number, Similarity>;
};

export type SpaceState = {
  title: string;
  settings: SpaceSettings;
  createdNs: TimeNs;
  /** What its makers noted of it; left out: nothing. */
  labels?: Labels;
  expiresNs?: TimeNs;
  closed?: "deleted" | "expired";
  images: Record<Id, ImageState>;
  /** Seqs of the `image.added` of images that were removed, in order; left out: none. */
  removed?: Seq[];
  /** The generation to show; 0 before the first. */
  generation: number;
  /** The one shown and those being filled; an older one is let go when a newer one is published. */
  generations: Record<number, GenerationState>;
  /** Generations that were published, oldest first, with what is needed to go back to one; the last few. */
  history: PublishedGeneration[];
  /** Layers of the generations above, and every import. */
  layers: Record<number, LayerState>;
  /** Highest number that a layer ever had: the next one's is above it, also when that layer is gone. */
  lastLayer: number;
  anchors: Record<Id, AnchorState>;
  /** Ways of cameras that filmed, by the `sequence` of their photos; left out before the first. */
  paths?: Record<string, PathState>;
  /** The newest report; left out before the first rebuild. */
  report?: EventData<"report.made">;
  /** The last `KEPT_HINTS` hints, oldest first; left out before the first. */
  hints?: HintState[];
  /** The last `KEPT_MOTION` pieces of what motion sensors felt, oldest first; left out before the first. */
  motion?: EventData<"motion.added">[];
  /** By {@link designKey}; left out before the first. */
  designs?: Record<string, DesignState>;
  /** Devices that take commands; left out before the first. */
  control?: ControlState;
  /** Left out before the first. */
  recordings?: Record<Id, RecordingState>;
  /** Every running operation and the last `ENDED_OPERATIONS` that ended. */
  operations: Record<Id, OperationState>;
};

/** A space in a list: its state in a few figures, as of `head`. */
export type SpaceSummary = {
  id: SpaceId;
  title: string;
  createdNs: TimeNs;
  expiresNs?: TimeNs;
  labels?: Labels;
  images: number;
  /** Files of designs that are there; left out where none is. */
  designs?: number;
  /** Those that are known, connected or not; left out where none is. */
  devices?: number;
  /** The one that is shown, and how many points it has. */
  generation: number;
  points: number;
  head: Seq;
  epoch: string;
};

/** What a space has where nobody said otherwise, also one whose log is older than a setting. */
export const DEFAULT_SETTINGS: Readonly<SpaceSettings> = {
  rebuildEvery: 10,
  rebuildWhenIdle: true,
  reconstruct: true,
  keyframes: true,
  maxImages: 5000,
  maxBytes: 50 * 2 ** 30,
  preset: "balanced",
};

export function emptyState(): SpaceState {
  return {
    title: "",
    settings: { ...DEFAULT_SETTINGS },
    createdNs: "0",
    images: {},
    generation: 0,
    generations: {},
    history: [],
    layers: {},
    lastLayer: 0,
    anchors: {},
    operations: {},
  };
}

/** Under which a design stands in the state: two collections may have one of the same name. */
export function designKey(collection: string, design: string): string {
  return `${collection}/${design}`;
}

/** The state as text in which equal states are equal letter by letter: keys sorted at every depth. */
export function canonicalState(state: SpaceState): string {
  return JSON.stringify(state, (_key, value: unknown) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}
