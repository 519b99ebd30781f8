/** For tests of reconstruction: an engine whose model can be read off, and a space that it works for. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "node:test";
import {
  CairnError,
  type CairnEvent,
  type EventDraft,
  type Hint,
  type OperationState,
  type PosedCamera,
  type Preset,
  type SpaceState,
  type Verdict,
} from "@cairn/protocol";
import type { Engine, Photo, Points, Rebuild, Step, WorkOptions } from "@cairn/reconstruct";
import { type Core, openCore } from "../core.ts";
import type { SpaceLogOptions } from "../log/file-space-log.ts";
import { type Reconstructor, startReconstructor } from "../reconstruct/reconstructor.ts";
import type { Space } from "../space/spaces.ts";
import { emptyReport } from "./empty-report.ts";

/** An engine whose model can be read off: camera k stands at x = k, one point a camera; rebuilds move nothing. */
export class CountingEngine implements Engine {
  readonly given: string[] = [];
  /** Whether the points of each photo were wanted. */
  readonly wanted: WorkOptions["points"][] = [];
  /** How many photos were given when each was foreseen. */
  readonly foreseen = new Map<string, number>();
  placesMs = 0;
  /** Adding waits for it. */
  placed: Promise<void> | undefined;
  shift: number;
  /** By how much a rebuild shifts the model. */
  drift = 0;
  /** Happens while what a rebuild came to is being put together. */
  meanwhile: (() => Promise<unknown>) | undefined;
  readonly frames: (readonly PosedCamera[] | undefined)[] = [];
  fail: (name: string) => boolean = () => false;
  hintsOf: (photo: number) => Hint[] = () => [];
  hold: Promise<void> | undefined;

  constructor(shift = 0) {
    this.shift = shift;
  }

  foresee(photo: Photo): void {
    this.foreseen.set(photo.image, this.given.length);
  }

  async add(photo: Photo, options: WorkOptions = {}): Promise<Step> {
    await this.placed;
    if (this.placesMs > 0) await new Promise((done) => setTimeout(done, this.placesMs));
    if (this.fail(photo.name)) throw new Error("the engine fell over");
    this.given.push(photo.image);
    this.wanted.push(options.points ?? true);
    if (this.given.length === 1) {
      return {
        verdicts: [{ image: photo.image, verdict: "waiting", reason: "first" }],
        cameras: [],
        points: points(0, 0),
        rebuildAdvised: false,
      };
    }
    const from = this.given.length === 2 ? 0 : this.given.length - 1;
    const fresh = this.given.slice(from);
    return {
      verdicts: fresh.map(registered),
      cameras: fresh.map((image, i) => this.#camera(image, from + i)),
      points: points(from, this.given.length),
      rebuildAdvised: false,
      hints: this.hintsOf(this.given.length),
    };
  }

  async rebuild(options: { signal?: AbortSignal; frame?: readonly PosedCamera[] } = {}): Promise<Rebuild> {
    options.signal?.throwIfAborted();
    this.frames.push(options.frame);
    if (this.hold) {
      await Promise.race([
        this.hold,
        new Promise((_, reject) => options.signal?.addEventListener("abort", () => reject(options.signal?.reason))),
      ]);
    }
    this.shift += this.drift;
    return {
      verdicts: this.given.map(registered),
      cameras: this.given.map((image, i) => this.#camera(image, i)),
      points: points(0, this.given.length),
      alignment: { scale: 1, rotation: [1, 0, 0, 0], translation: [0, 0, 0] },
      residual: 0,
    };
  }

  async model() {
    return { images: [], positions: new Float64Array(0), colors: new Uint8Array(0), errorsPx: new Float32Array(0) };
  }

  focal(): undefined {}
  async report() {
    const { meanwhile } = this;
    this.meanwhile = undefined;
    await meanwhile?.();
    return emptyReport(this.given);
  }
  async close(): Promise<void> {}

  #camera(image: string, k: number): PosedCamera {
    return {
      image,
      pose: { rotation: [1, 0, 0, 0], translation: [-k - this.shift, 0, 0] },
      intrinsics: { model: "PINHOLE", width: 8, height: 8, params: [8, 8, 4, 4] },
      reprojectionPx: 0.5,
    };
  }
}

function registered(image: string): Verdict {
  return { image, verdict: "registered", reprojectionPx: 0.5, matches: 100 };
}

function points(from: number, to: number): Points {
  const n = to - from;
  return {
    positions: Float32Array.from({ length: n * 3 }, (_, i) => from + i),
    colors: new Uint8Array(n * 3).fill(200),
  };
}

export type World = {
  core: Core;
  reconstructor: Reconstructor;
  engines: CountingEngine[];
  presets: Preset[];
  errors: unknown[];
};

/** Worlds of the tests of one file: each with its folder, all gone after each test. */
export function worlds() {
  const cleanups: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function folder(): Promise<string> {
    const dir = await mkdtemp(join(tmpdir(), "cairn-reconstruct-"));
    cleanups.push(() => rm(dir, { recursive: true, force: true }));
    return dir;
  }

  async function start(
    dataDir: string,
    make: () => CountingEngine = () => new CountingEngine(),
    settleMs = 60_000,
    log: SpaceLogOptions = {},
    followMs = 1000,
    idleMs = 60_000,
  ): Promise<World> {
    const core = await openCore({ dataDir, log });
    const engines: CountingEngine[] = [];
    const presets: Preset[] = [];
    const errors: unknown[] = [];
    const reconstructor = startReconstructor({
      core,
      settleMs,
      followMs,
      idleMs,
      cache: { get: async () => undefined, put: async () => {} },
      decode: async (bytes) => {
        if (bytes[0] === 0) throw new CairnError("image.corrupt");
        return { rgb: new Uint8Array(3), widthPx: 1, heightPx: 1, fullWidthPx: 8, fullHeightPx: 8 };
      },
      openEngine: async ({ preset }) => {
        presets.push(preset);
        const engine = make();
        engines.push(engine);
        return engine;
      },
      onError: (error) => errors.push(error),
    });
    cleanups.push(async () => {
      await reconstructor.close();
      await core.close();
    });
    return { core, reconstructor, engines, presets, errors };
  }

  return { folder, start };
}

/** @param atOnce all lie there before the first is looked at */
export async function add(
  core: Core,
  space: Space,
  count: number,
  first = 1,
  sequence?: string,
  atOnce = false,
): Promise<void> {
  const drafts: EventDraft[] = [];
  for (let i = 0; i < count; i++) {
    const { digest, sizeBytes } = await core.blobs.put(Buffer.from([first, i, ...Buffer.from(randomUUID())]));
    const data = {
      image: randomUUID(),
      blob: digest,
      mediaType: "image/jpeg",
      name: `${first}-${i}.jpg`,
      sizeBytes,
      width: 8,
      height: 8,
      orientation: 1,
      source: "test",
      ...(sequence !== undefined && { sequence }),
    };
    drafts.push({ type: "image.added", data });
    if (!atOnce) await space.log.append(drafts.splice(0));
  }
  if (atOnce) await space.log.append(drafts);
}

/** Reads the log until the state fits. */
export async function until(space: Space, fits: (state: SpaceState) => boolean): Promise<SpaceState> {
  const deadline = AbortSignal.timeout(120_000);
  if (fits(space.log.snapshot().state)) return structuredClone(space.log.snapshot().state);
  for await (const _ of space.log.follow(space.log.head, { signal: deadline })) {
    const { state } = space.log.snapshot();
    if (fits(state)) return structuredClone(state);
  }
  throw new Error("the state never came");
}

export const allJudged = (n: number) => (state: SpaceState) =>
  Object.values(state.images).filter((image) => image.verdict).length === n &&
  Object.values(state.operations).every((operation) => operation.endedNs !== undefined);

export const judged = (state: SpaceState) => Object.values(state.images).filter((image) => image.verdict).length;
export const hasEnded = ({ endedNs }: OperationState) => endedNs !== undefined;
export const rebuildsOf = (state: SpaceState) =>
  Object.values(state.operations).filter(({ kind }) => kind === "rebuild");

export const everything = (space: Space): Promise<CairnEvent[]> => space.log.read(0, 100_000);
