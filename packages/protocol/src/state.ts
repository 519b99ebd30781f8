/**
 * State is what you get by reading the log. `applyEvent` is the only place that knows how; servers, clients and
 * tests share it, so the same seq means the same state everywhere.
 */
import { applyControl, type ControlState } from "./control-state.ts";
import type {
  CairnEvent,
  EventData,
  EventOf,
  Labels,
  PathPose,
  Reason,
  Similarity,
  SpaceSettings,
  Verdict,
} from "./events.ts";
import type { Digest, Id, Seq, SpaceId, TimeNs } from "./ids.ts";
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
export type AnchorState = EventData<"anchor.placed"> & {
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
  /** The one that is shown, and how many points it has. */
  generation: number;
  points: number;
  head: Seq;
  epoch: string;
};

const ENDED_OPERATIONS = 50;
/** Generations whose layers are kept, so that people can go back to one. */
const KEPT_GENERATIONS = 5;
const KEPT_HINTS = 20;
const KEPT_VERSIONS = 10;
/** Hours of it. */
const KEPT_MOTION = 500;

/** What a space has where nobody said otherwise, also one whose log is older than a setting. */
export const DEFAULT_SETTINGS: Readonly<SpaceSettings> = {
  rebuildEvery: 10,
  rebuildWhenIdle: true,
  reconstruct: true,
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

/** Folds one event into `state`, in place. Events it does not know change nothing: an older client lives on. */
export function applyEvent(state: SpaceState, event: CairnEvent): void {
  switch (event.type) {
    case "space.created":
      state.title = event.data.title;
      state.settings = { ...DEFAULT_SETTINGS, ...event.data.settings };
      state.createdNs = event.timeNs;
      if (event.data.expiresNs !== undefined) state.expiresNs = event.data.expiresNs;
      if (event.data.labels) state.labels = event.data.labels;
      return;
    case "space.labelled":
      state.labels = { ...state.labels, ...event.data.labels };
      return;
    case "space.configured":
      state.settings = { ...state.settings, ...event.data.settings };
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
    case "image.changed": {
      const image = state.images[event.data.image];
      if (image) changeImage(image, event);
      return;
    }
    case "image.removed":
      removeImage(state, event.data.image);
      return;
    case "generation.started":
      state.generations[event.data.generation] = {
        generation: event.data.generation,
        cameras: {},
        layers: [],
      };
      return;
    case "camera.posed": {
      const generation = state.generations[event.data.generation];
      if (!generation) return;
      const shown = state.history.at(-1);
      const grows = shown?.generation === event.data.generation && !generation.cameras[event.data.image];
      if (shown && grows) shown.cameras++;
      generation.cameras[event.data.image] = event.data;
      return;
    }
    case "generation.published": {
      const generation = state.generations[event.data.generation];
      if (!generation) return;
      generation.published = { ...event.data, seq: event.seq };
      if (event.data.layers) generation.layers = [...event.data.layers];
      state.generation = event.data.generation;
      for (const key of Object.keys(state.generations)) {
        if (Number(key) < event.data.generation) delete state.generations[Number(key)];
      }
      const { cameras, points, residual, doubts, restores } = event.data;
      const published: PublishedGeneration = {
        generation: generation.generation,
        seq: event.seq,
        timeNs: event.timeNs,
        cameras,
        points,
        layers: [...generation.layers],
      };
      if (residual !== undefined) published.residual = residual;
      if (doubts) published.doubts = [...doubts];
      if (restores !== undefined) published.restores = restores;
      for (const layer of generation.layers) rememberTransform(state, published, layer);
      state.history.push(published);
      state.history.splice(0, Math.max(0, state.history.length - KEPT_GENERATIONS));
      dropLayers(state);
      return;
    }
    case "path.extended":
      extendPath(state, event.data);
      return;
    case "layer.started": {
      const { layer, generation } = event.data;
      state.layers[layer] = { ...event.data, points: 0, packs: [] };
      state.lastLayer = Math.max(state.lastLayer, layer);
      if (generation === undefined) return;
      state.generations[generation]?.layers.push(layer);
      // One that starts after its generation was published: going back to that generation brings it too.
      state.history.find((each) => each.generation === generation)?.layers.push(layer);
      return;
    }
    case "segments.added": {
      const layer = state.layers[event.data.layer];
      if (!layer) return;
      const { layer: _, ...pack } = event.data;
      layer.packs.push(pack);
      layer.points += pack.points;
      const shown = state.history.at(-1);
      if (shown?.layers.includes(layer.layer)) shown.points += pack.points;
      const { min = pack.min, max = pack.max } = layer;
      layer.min = [Math.min(min[0], pack.min[0]), Math.min(min[1], pack.min[1]), Math.min(min[2], pack.min[2])];
      layer.max = [Math.max(max[0], pack.max[0]), Math.max(max[1], pack.max[1]), Math.max(max[2], pack.max[2])];
      return;
    }
    case "layer.compacted": {
      const layer = state.layers[event.data.layer];
      if (!layer) return;
      // One that was overtaken by a newer would take packs away.
      if (event.data.packs < (layer.index?.packs ?? 0)) return;
      const { layer: _, ...index } = event.data;
      layer.index = index;
      layer.packs = layer.packs.filter(({ pack }) => pack >= index.packs);
      delete layer.damaged;
      return;
    }
    case "layer.moved": {
      const layer = state.layers[event.data.layer];
      if (!layer) return;
      layer.transform = event.data.transform;
      const shown = state.history.at(-1);
      if (shown?.layers.includes(layer.layer)) rememberTransform(state, shown, layer.layer);
      return;
    }
    case "layer.removed":
      delete state.layers[event.data.layer];
      return;
    case "layer.damaged": {
      const layer = state.layers[event.data.layer];
      if (!layer) return;
      if (event.data.remade) delete layer.damaged;
      else layer.damaged = { blob: event.data.blob, points: event.data.points };
      return;
    }
    case "motion.added":
      state.motion = [...(state.motion ?? []), event.data].slice(-KEPT_MOTION);
      return;
    case "report.made":
      state.report = event.data;
      return;
    case "hint.given":
      state.hints = [...(state.hints ?? []), { ...event.data, seq: event.seq, timeNs: event.timeNs }].slice(
        -KEPT_HINTS,
      );
      return;
    case "design.published": {
      const { data, seq } = event;
      state.designs ??= {};
      state.designs[designKey(data.collection, data.design)] = { ...data, seq };
      return;
    }
    case "design.removed": {
      const design = state.designs?.[designKey(event.data.collection, event.data.design)];
      if (design) design.removedNs = event.timeNs;
      return;
    }
    case "anchor.placed": {
      const { anchor, carried, generation } = event.data;
      const placedIn = (carried && state.anchors[anchor]?.placedIn) || generation;
      state.anchors[anchor] = { ...event.data, placedIn };
      return;
    }
    case "anchor.removed":
      delete state.anchors[event.data.anchor];
      return;
    case "control.connected":
    case "control.disconnected":
    case "control.leased":
    case "control.released":
    case "control.sent":
    case "control.answered":
    case "control.stopped":
    case "control.cleared":
    case "control.secured":
      state.control ??= { lastLease: 0, lastOrder: 0, devices: {} };
      applyControl(state.control, event);
      return;
    case "recording.started":
      state.recordings ??= {};
      state.recordings[event.data.recording] = { ...event.data, startedNs: event.timeNs };
      return;
    case "recording.ended": {
      const { recording: id, ...ended } = event.data;
      const recording = state.recordings?.[id];
      if (recording) recording.ended = ended;
      return;
    }
    case "recording.removed":
      delete state.recordings?.[event.data.recording];
      return;
    case "operation.queued":
    case "operation.started": {
      const { operation, kind } = event.data;
      const known = state.operations[operation];
      const startedNs = known?.startedNs ?? event.timeNs;
      const status = event.type === "operation.queued" ? "queued" : "running";
      const plan = event.type === "operation.queued" ? event.data.plan : known?.plan;
      state.operations[operation] = { operation, kind, status, startedNs, ...(plan && { plan }) };
      return;
    }
    case "operation.progressed": {
      const operation = state.operations[event.data.operation];
      if (!operation) return;
      operation.progress = event.data;
      if (event.data.problem) operation.problems = (operation.problems ?? 0) + 1;
      return;
    }
    case "operation.completed":
      for (const layer of Object.values(state.layers)) {
        if (layer.operation === event.data.operation) delete layer.operation;
      }
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

/** Under which a design stands in the state: two collections may have one of the same name. */
export function designKey(collection: string, design: string): string {
  return `${collection}/${design}`;
}

const NOT_GIVEN: ReadonlySet<Reason> = new Set(["duplicate", "unreadable", "failed", "cancelled"]);

/**
 * Photos that were dealt with, in the order of their arrival up to the first that waits for its turn: copies, too, but
 * not those that could not be decoded or broke the engine.
 */
export function processedPhotos(state: SpaceState): number {
  let count = 0;
  for (const { verdict } of Object.values(state.images)) {
    if (!verdict) break;
    if (wasProcessed(verdict)) count++;
  }
  return count;
}

/** Whether a photo with this verdict counts: it was looked at, or is a copy of one that was. */
export function wasProcessed(verdict: Verdict | undefined): boolean {
  return wasGiven(verdict) || verdict?.reason === "duplicate";
}

/** Whether the engine ever got the photo of this verdict. */
export function wasGiven(verdict: Verdict | undefined): boolean {
  return verdict !== undefined && (verdict.reason === undefined || !NOT_GIVEN.has(verdict.reason));
}

function changeImage(image: ImageState, { data, timeNs }: EventOf<"image.changed">): void {
  const { image: _, ...version } = data;
  image.version = data.version;
  image.changedNs = timeNs;
  if (data.version <= (image.lastVersion ?? 0)) return;
  image.lastVersion = data.version;
  image.versions = [...(image.versions ?? []), { ...version, timeNs }].slice(-KEPT_VERSIONS);
}

/** Its camera goes; copies of it are photos of their own from now on. */
function removeImage(state: SpaceState, id: Id): void {
  const image = state.images[id];
  if (!image) return;
  delete state.images[id];
  state.removed = [...(state.removed ?? []), image.seq].sort((a, b) => a - b);
  for (const { cameras } of Object.values(state.generations)) delete cameras[id];
  const [first, ...others] = Object.values(state.images).filter(({ verdict }) => verdict?.duplicateOf === id);
  if (!first) return;
  delete first.verdict;
  for (const other of others) other.verdict = { ...other.verdict!, duplicateOf: first.image };
}

/** An image as it is to be shown: the version that was chosen last. */
export function shownVersion(
  image: ImageState,
): Pick<ImageState, "blob" | "mediaType" | "sizeBytes" | "width" | "height"> {
  if (!image.version) return image;
  return image.versions?.find(({ version }) => version === image.version) ?? image;
}

/** Numbers of photos as points name them: 1 is the space's first; one that was removed keeps its own. */
export function photoNumbers(state: SpaceState): Map<Id, number> {
  const { removed = [] } = state;
  const numbers = new Map<Id, number>();
  let number = 0;
  let gone = 0;
  for (const { image, seq } of Object.values(state.images)) {
    for (; gone < removed.length && removed[gone]! < seq; gone++) number++;
    numbers.set(image, ++number);
  }
  return numbers;
}

/** The layers on the screen: those of the shown generation, and imports. */
export function shownLayers(state: SpaceState): LayerState[] {
  const shown = new Set(shownGeneration(state)?.layers);
  return Object.values(state.layers).filter(({ layer, kind }) => kind === "import" || shown.has(layer));
}

export function shownGeneration(state: SpaceState): GenerationState | undefined {
  return state.generations[state.generation];
}

function extendPath(state: SpaceState, { path, generation, poses }: EventData<"path.extended">): void {
  state.paths ??= {};
  const known = state.paths[path];
  // What was refined meanwhile lies in another frame.
  if (known && generation < known.generation) return;
  const fresh = new Set(poses.map(({ image }) => image));
  const kept = known?.generation === generation ? known.poses.filter(({ image }) => !fresh.has(image)) : [];
  // Digits of equal length compare as numbers do.
  const order = (a: PathPose, b: PathPose) => a.timeNs.length - b.timeNs.length || (a.timeNs < b.timeNs ? -1 : 1);
  state.paths[path] = { path, generation, poses: [...kept, ...poses].sort(order) };
}

function rememberTransform(state: SpaceState, published: PublishedGeneration, layer: number): void {
  const transform = state.layers[layer]?.transform;
  if (!transform) return;
  published.transforms ??= {};
  published.transforms[layer] = transform;
}

/** Lets go of layers that nothing can show any more. */
function dropLayers(state: SpaceState): void {
  const kept = new Set(Object.values(state.generations).flatMap(({ layers }) => layers));
  for (const { layers } of state.history) for (const layer of layers) kept.add(layer);
  for (const { layer, kind } of Object.values(state.layers)) {
    if (kind === "model" && !kept.has(layer)) delete state.layers[layer];
  }
}

function endOperation(state: SpaceState, id: Id, timeNs: TimeNs, end: (operation: OperationState) => void): void {
  const operation = state.operations[id];
  if (!operation) return;
  end(operation);
  delete operation.plan;
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
