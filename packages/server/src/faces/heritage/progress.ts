/**
 * What a project's log says to heritage clients: each photo's course, in the order of arrival, with the counters that
 * the contract has. A pure fold over events: reading the log again leads to the same.
 */
import {
  type CairnEvent,
  type Id,
  type PosedCamera,
  type Similarity,
  type TimeNs,
  type Vec3,
  type Verdict,
  wasProcessed,
} from "@cairn/protocol";

/** A pack of a layer, and where the layer lay when its points were handed out. */
export type PackRef = {
  readonly layer: number;
  readonly pack: number;
  readonly blob: string;
  readonly headBytes: number;
  /** Corner of the layer's grid, layer frame. */
  readonly origin: Vec3;
  /** Layer frame→model frame. */
  readonly transform?: Similarity;
};

/** Points that go out together: an increment, or all of a model. */
export type PointSet = {
  /** Different for different points, the same after a restart. */
  readonly key: string;
  readonly packs: readonly PackRef[];
  /** The camera in whose frame the epoch's points are told (HER-33); left out: the model's own. */
  readonly frame?: PosedCamera["pose"];
};

export type Step =
  | { readonly kind: "started"; readonly image: Id }
  | {
      readonly kind: "processed";
      readonly image: Id;
      /** Everything was reconstructed: the points replace all before. */
      readonly full: boolean;
      readonly sequence: number;
      /** Photos processed so far, this one included. */
      readonly total: number;
      readonly epoch: number;
      readonly points: PointSet;
      readonly timeNs: TimeNs;
    }
  | { readonly kind: "failed"; readonly image: Id; readonly cause: string };

type Waiting = {
  readonly image: Id;
  readonly seq: number;
  started: boolean;
  told: boolean;
  verdict?: Verdict;
  /** Where `verdict` was said. */
  judgedNs?: TimeNs;
  cause?: string;
  packs: PackRef[];
};

type Layer = { origin: Vec3; packs: PackRef[]; transform?: Similarity };

export class ProjectProgress {
  /** Photos processed since the last full reconstruction. */
  updates = 0;
  total = 0;
  epoch = 0;
  lastRefetchNs: TimeNs | undefined;
  /** When anything happened last. */
  lastNs: TimeNs = "0";
  /** The newest complete set, and what came after it. */
  reference: PointSet = { key: "0", packs: [] };
  increments: PointSet[] = [];
  #rebuildEvery = 10;
  /** When the project was made: one that is made again under its name has other points. */
  #madeNs: TimeNs = "0";
  readonly #queue: Waiting[] = [];
  readonly #bySeq = new Map<number, Waiting>();
  readonly #layers = new Map<number, Layer>();
  /** Layers of each generation, and poses of its cameras. */
  #generation = 0;
  readonly #generationLayers = new Map<number, number[]>();
  #poses = new Map<Id, PosedCamera["pose"]>();
  #first: Id | undefined;
  #frame: PosedCamera["pose"] | undefined;
  /** Operations at work on a photo, or on everything. */
  readonly #operations = new Map<Id, { kind: string; cause: number | undefined }>();
  /** Whether a rebuild has ended since the photo at the head was judged, and how. */
  #rebuilt: { ok: boolean; cause: string } | undefined;

  /** Photos that wait for their turn, or are being processed. */
  get queued(): number {
    return this.#queue.length;
  }

  /** All points there are: the newest complete set and what came after it, without what is empty. */
  get sets(): readonly PointSet[] {
    return [this.reference, ...this.increments].filter(({ packs }) => packs.length > 0);
  }

  get rebuildEvery(): number {
    return this.#rebuildEvery;
  }

  /** @returns what is to be told, in order */
  apply(event: CairnEvent): Step[] {
    this.lastNs = event.timeNs;
    this.#take(event);
    return this.#advance(event.timeNs);
  }

  #take(event: CairnEvent): void {
    switch (event.type) {
      case "space.created":
        this.#rebuildEvery = event.data.settings.rebuildEvery;
        this.#madeNs = event.timeNs;
        return;
      case "space.configured":
        this.#rebuildEvery = event.data.settings.rebuildEvery ?? this.#rebuildEvery;
        return;
      case "image.added": {
        const { image } = event.data;
        const waiting: Waiting = { image, seq: event.seq, started: false, told: false, packs: [] };
        this.#queue.push(waiting);
        this.#bySeq.set(event.seq, waiting);
        return;
      }
      case "operation.started": {
        const { operation, kind } = event.data;
        this.#operations.set(operation, { kind, cause: event.cause });
        const of = event.cause === undefined ? undefined : this.#bySeq.get(event.cause);
        if (of && kind === "reconstruct") of.started = true;
        return;
      }
      case "operation.completed":
        this.#operations.delete(event.data.operation);
        return;
      case "operation.failed":
      case "operation.cancelled": {
        const { operation } = event.data;
        const ended = this.#operations.get(operation);
        this.#operations.delete(operation);
        const cause = event.type === "operation.failed" ? event.data.message : "cancelled";
        // One that a crash cut off begins again.
        if (event.type === "operation.failed" && event.data.code === "server.stopping") return;
        if (ended?.kind === "rebuild") this.#rebuilt = { ok: false, cause };
        const of = ended?.cause === undefined ? undefined : this.#bySeq.get(ended.cause);
        if (of && ended?.kind === "reconstruct") of.cause = cause;
        return;
      }
      case "image.judged": {
        const of = this.#queue.find(({ image }) => image === event.data.image);
        if (!of || of.verdict) return;
        of.verdict = event.data;
        of.judgedNs = event.timeNs;
        return;
      }
      case "image.removed": {
        // Nothing comes of it any more.
        const of = this.#queue.find(({ image }) => image === event.data.image);
        if (!of || of.verdict) return;
        of.verdict = { image: of.image, verdict: "rejected", reason: "cancelled" };
        of.judgedNs = event.timeNs;
        of.cause = "removed";
        return;
      }
      case "layer.started":
        this.#layers.set(event.data.layer, {
          origin: event.data.origin,
          packs: [],
          ...(event.data.transform && { transform: event.data.transform }),
        });
        if (event.data.generation !== undefined) {
          const layers = this.#generationLayers.get(event.data.generation) ?? [];
          this.#generationLayers.set(event.data.generation, [...layers, event.data.layer]);
        }
        return;
      case "layer.moved": {
        const layer = this.#layers.get(event.data.layer);
        if (layer) layer.transform = event.data.transform;
        return;
      }
      case "layer.removed":
        this.#layers.delete(event.data.layer);
        return;
      case "segments.added": {
        const { layer: number, pack, blob, headBytes } = event.data;
        const layer = this.#layers.get(number);
        if (!layer) return;
        const ref = { layer: number, pack, blob, headBytes, origin: layer.origin };
        layer.packs.push(ref);
        const of = event.cause === undefined ? undefined : this.#bySeq.get(event.cause);
        const shown = this.#generationLayers.get(this.#generation || 1)?.includes(number);
        if (of && shown) of.packs.push({ ...ref, ...(layer.transform && { transform: layer.transform }) });
        return;
      }
      case "generation.started":
        this.#poses = new Map();
        return;
      case "camera.posed":
        this.#first ??= event.data.image;
        this.#poses.set(event.data.image, event.data.pose);
        if (event.data.image === this.#first) this.#frame ??= event.data.pose;
        return;
      case "generation.published": {
        const { generation, layers, refined } = event.data;
        this.#generation = generation;
        if (layers) this.#generationLayers.set(generation, [...layers]);
        for (const old of this.#generationLayers.keys()) if (old < generation) this.#generationLayers.delete(old);
        if (refined > 0) this.#rebuilt = { ok: true, cause: "" };
        return;
      }
      default:
        return;
    }
  }

  /** Deals with photos at the head of the queue for as long as is known what became of them. */
  #advance(timeNs: TimeNs): Step[] {
    const steps: Step[] = [];
    for (;;) {
      const head = this.#queue[0];
      if (!head) return steps;
      if (!head.told && (head.started || head.verdict)) {
        head.told = true;
        // A rebuild that ended before belongs to an earlier photo.
        this.#rebuilt = undefined;
        steps.push({ kind: "started", image: head.image });
      }
      if (!head.verdict) return steps;
      const step = this.#outcome(head, timeNs);
      if (!step) return steps;
      steps.push(step);
      this.#queue.shift();
      this.#bySeq.delete(head.seq);
    }
  }

  #outcome(head: Waiting, timeNs: TimeNs): Step | undefined {
    if (!wasProcessed(head.verdict)) {
      return { kind: "failed", image: head.image, cause: head.cause ?? head.verdict?.reason ?? "failed" };
    }
    const sequence = this.updates + 1;
    const full = sequence >= this.#rebuildEvery;
    // Without a model there is nothing to refine, and no rebuild comes.
    if (full && this.#generation > 0) {
      if (!this.#rebuilt && !this.#wentOn(head)) return undefined;
      if (this.#rebuilt?.ok === false) return { kind: "failed", image: head.image, cause: this.#rebuilt.cause };
    }
    this.total++;
    this.updates = full ? 0 : sequence;
    if (full) this.epoch++;
    const points = full ? this.#everything() : this.#increment(head);
    if (full) {
      this.reference = points;
      this.increments = [];
      this.lastRefetchNs = timeNs;
    } else if (points.packs.length > 0) this.increments.push(points);
    const { total, epoch } = this;
    return { kind: "processed", image: head.image, full, sequence, total, epoch, points, timeNs };
  }

  /** Whether the engine is at a later photo already: then no rebuild came of this one. */
  #wentOn(head: Waiting): boolean {
    return this.#queue.some((each) => each !== head && each.started);
  }

  #increment({ image, packs }: Waiting): PointSet {
    return { key: `${this.#madeNs}-${this.epoch}-${image}`, packs, ...(this.#frame && { frame: this.#frame }) };
  }

  #everything(): PointSet {
    const layers = this.#generationLayers.get(this.#generation) ?? [];
    const packs = layers.flatMap((number) => {
      const layer = this.#layers.get(number);
      return layer?.packs.map((each) => ({ ...each, ...(layer.transform && { transform: layer.transform }) })) ?? [];
    });
    // The frame follows its camera as the model is refined, so that it stays as well as the photos allow.
    const pose = this.#first === undefined ? undefined : this.#poses.get(this.#first);
    this.#frame = pose ?? this.#frame;
    return { key: `${this.#madeNs}-${this.epoch}`, packs, ...(this.#frame && { frame: this.#frame }) };
  }
}
