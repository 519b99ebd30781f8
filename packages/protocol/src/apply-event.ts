/**
 * State is what you get by reading the log. `applyEvent` is the only place that knows how; servers, clients and
 * tests share it, so the same seq means the same state everywhere.
 */
import { applyControl } from "./control-state.ts";
import type { CairnEvent, EventData, EventOf } from "./events.ts";
import type { PathPose } from "./generation-events.ts";
import type { Id, TimeNs } from "./ids.ts";
import {
  DEFAULT_SETTINGS,
  designKey,
  type ImageState,
  type OperationState,
  type PublishedGeneration,
  type SpaceState,
} from "./state.ts";

const ENDED_OPERATIONS = 50;
/** Generations whose layers are kept, so that people can go back to one. */
const KEPT_GENERATIONS = 5;
const KEPT_HINTS = 20;
const KEPT_VERSIONS = 10;
/** Hours of it. */
const KEPT_MOTION = 500;

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
      // A photo may be removed while it is being placed.
      if (!generation || !state.images[event.data.image]) return;
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
    case "anchor.placed":
      placeAnchor(state, event.data);
      return;
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
  const shown = state.history.at(-1);
  if (shown && state.generations[shown.generation]?.cameras[id]) shown.cameras--;
  for (const { cameras } of Object.values(state.generations)) delete cameras[id];
  const [first, ...others] = Object.values(state.images).filter(({ verdict }) => verdict?.duplicateOf === id);
  if (!first) return;
  delete first.verdict;
  for (const other of others) other.verdict = { ...other.verdict!, duplicateOf: first.image };
}

function extendPath(state: SpaceState, { path, generation, poses }: EventData<"path.extended">): void {
  const known = state.paths?.[path];
  // What was refined meanwhile lies in another frame.
  if (known && generation < known.generation) return;
  const fresh = new Set(poses.map(({ image }) => image));
  const kept = known?.generation === generation ? known.poses.filter(({ image }) => !fresh.has(image)) : [];
  // Digits of equal length compare as numbers do.
  const order = (a: PathPose, b: PathPose) => a.timeNs.length - b.timeNs.length || (a.timeNs < b.timeNs ? -1 : 1);
  // A sender's own word for it may be `__proto__`, which only a literal takes for a name.
  state.paths = { ...state.paths, [path]: { path, generation, poses: [...kept, ...poses].sort(order) } };
}

function placeAnchor(state: SpaceState, { from, ...data }: EventData<"anchor.placed">): void {
  const known = state.anchors[data.anchor];
  if (data.carried && from) {
    const moved = known?.point.some((value, axis) => value !== from[axis]);
    if (!known || moved || known.generation >= data.generation) return;
    state.anchors[data.anchor] = { ...known, generation: data.generation, point: data.point, carried: true };
    return;
  }
  const placedIn = (data.carried && known?.placedIn) || data.generation;
  state.anchors[data.anchor] = { ...data, placedIn };
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
