import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import {
  CairnError,
  type CairnEvent,
  check,
  type EventDraft,
  type Hint,
  type OperationState,
  type PosedCamera,
  type Preset,
  Report,
  type SpaceState,
  type Verdict,
} from "@cairn/protocol";
import type { Engine, Photo, Points, Rebuild, Step, WorkOptions } from "@cairn/reconstruct";
import { type Core, openCore } from "../core.ts";
import type { SpaceLogOptions } from "../log/file-space-log.ts";
import { openSegmentFile } from "../log/segment.ts";
import type { Space } from "../space/spaces.ts";
import { emptyReport } from "../test/empty-report.ts";
import { type Reconstructor, startReconstructor } from "./reconstructor.ts";

/** An engine whose model can be read off: camera k stands at x = k, one point a camera; rebuilds move nothing. */
class CountingEngine implements Engine {
  readonly given: string[] = [];
  /** Whether the points of each photo were wanted. */
  readonly wanted: WorkOptions["points"][] = [];
  /** How many photos were given when each was foreseen. */
  readonly foreseen = new Map<string, number>();
  placesMs = 0;
  /** Adding waits for it. */
  placed: Promise<void> | undefined;
  readonly shift: number;
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

type World = {
  core: Core;
  reconstructor: Reconstructor;
  engines: CountingEngine[];
  presets: Preset[];
  errors: unknown[];
};

describe("reconstruction of a space (docs/spec/reconstruct.md)", () => {
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
  ): Promise<World> {
    const core = await openCore({ dataDir, log });
    const engines: CountingEngine[] = [];
    const presets: Preset[] = [];
    const errors: unknown[] = [];
    const reconstructor = startReconstructor({
      core,
      settleMs,
      followMs,
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

  /** @param atOnce all lie there before the first is looked at */
  async function add(
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
  async function until(space: Space, fits: (state: SpaceState) => boolean): Promise<SpaceState> {
    const deadline = AbortSignal.timeout(120_000);
    if (fits(space.log.snapshot().state)) return structuredClone(space.log.snapshot().state);
    for await (const _ of space.log.follow(space.log.head, { signal: deadline })) {
      const { state } = space.log.snapshot();
      if (fits(state)) return structuredClone(state);
    }
    throw new Error("the state never came");
  }

  const allJudged = (n: number) => (state: SpaceState) =>
    Object.values(state.images).filter((image) => image.verdict).length === n &&
    Object.values(state.operations).every((operation) => operation.endedNs !== undefined);

  const judged = (state: SpaceState) => Object.values(state.images).filter((image) => image.verdict).length;
  const hasEnded = ({ endedNs }: OperationState) => endedNs !== undefined;
  const rebuildsOf = (state: SpaceState) => Object.values(state.operations).filter(({ kind }) => kind === "rebuild");

  const everything = (space: Space): Promise<CairnEvent[]> => space.log.read(0, 100_000);

  test("REC-1 REC-2 REC-3 each photo is given once, in order, and what it led to is next to each other", async () => {
    const { core, engines } = await start(await folder());
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 5);
    const state = await until(space, allJudged(5));
    assert.deepEqual(engines[0]?.given, Object.keys(state.images));
    assert.equal(state.generation, 1);
    assert.equal(Object.keys(state.generations[1]?.cameras ?? {}).length, 5);
    assert.deepEqual(state.generations[1]?.layers, [1]);
    assert.deepEqual(
      state.layers[1]?.packs.map(({ pack, points, image }) => [pack, points, image]),
      [2, 1, 1, 1].map((points, pack) => [pack, points, Object.keys(state.images)[pack + 1]]),
    );
    assert.deepEqual([state.layers[1]?.kind, state.layers[1]?.generation], ["model", 1]);
    const events = await everything(space);
    for (const image of Object.values(state.images)) {
      const led = events.filter((event) => event.cause === image.seq && !event.type.startsWith("operation."));
      assert.equal(led.at(-1)!.seq - led[0]!.seq, led.length - 1, "one append");
      assert.equal(events[led.at(-1)!.seq]?.type, "operation.completed");
    }
  });

  test("REC-4 every tenth photo is followed by one rebuild, no more", async () => {
    const { core } = await start(await folder());
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 10 } });
    await add(core, space, 25);
    const state = await until(space, (at) => allJudged(25)(at) && at.generation === 3);
    assert.equal(state.generations[3]?.published?.refined, 20);
    const published = (await everything(space)).filter((event) => event.type === "generation.published");
    assert.deepEqual(
      published.map((event) => event.data.refined),
      [0, 10, 20],
    );
    assert.equal(Object.keys(state.generations[3]?.cameras ?? {}).length, 25);
  });

  test("REC-11 another preset: the next rebuild has an engine of it, which knows all photos", async () => {
    const { core, reconstructor, engines, presets } = await start(await folder());
    const space = await core.spaces.create({ id: "a", settings: { preset: "fast" } });
    await add(core, space, 3);
    const { generation } = await until(space, allJudged(3));
    await space.configure({ preset: "fine" });
    assert.deepEqual(presets, ["fast"]);
    await reconstructor.rebuild("a");
    const state = await until(space, (at) => at.generation > generation);
    assert.deepEqual(presets, ["fast", "fine"]);
    assert.deepEqual(engines[1]?.given, Object.keys(state.images));
    await add(core, space, 1);
    await until(space, allJudged(4));
    assert.deepEqual(presets, ["fast", "fine"]);
  });

  test("RPT-1 RPT-2 every rebuild brings a report with every photo of the space, in the same append", async () => {
    const { core } = await start(await folder());
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 4 } });
    await add(core, space, 2);
    const { digest, sizeBytes } = await core.blobs.put(Buffer.from([0, 1]));
    const unreadable = randomUUID();
    const photo = { image: unreadable, blob: digest, mediaType: "image/jpeg", name: "broken.jpg", sizeBytes };
    await space.log.append([
      { type: "image.added", data: { ...photo, width: 8, height: 8, orientation: 1, source: "test" } },
    ]);
    await add(core, space, 3, 2);
    const state = await until(space, (at) => allJudged(6)(at) && at.generation === 2);
    const events = await everything(space);
    const made = events.find((event) => event.type === "report.made");
    const published = events.findLast((event) => event.type === "generation.published");
    assert.ok(made && made.seq > published!.seq && made.cause === published!.cause);
    assert.deepEqual(state.report, made.data);
    const report = check(Report, JSON.parse(Buffer.from(await core.blobs.get(made.data.blob)).toString()));
    assert.equal(report.generation, 2);
    assert.equal(report.used, report.photos.length - 1 - report.photos.filter((p) => p.verdict === "unjudged").length);
    assert.deepEqual(report.photos.map(({ image }) => image).sort(), Object.keys(state.images).sort());
    assert.equal(report.photos.find(({ image }) => image === unreadable)?.reason, "unreadable");
  });

  test("HINT-5 hints are events next to what led to them, at most two of a photo, and never said twice", async () => {
    const hintsOf = (photo: number): Hint[] => {
      if (photo === 2) return [{ code: "rotation" }, { code: "thin_side" }, { code: "blurred" }];
      // The same words as a photo before: the engine thinks that it is news again.
      return photo === 4 ? [{ code: "rotation" }, { code: "flat" }] : [];
    };
    const make = () => Object.assign(new CountingEngine(), { hintsOf });
    const { core } = await start(await folder(), make);
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 4);
    const state = await until(space, allJudged(4));
    const given = (await everything(space)).filter((event) => event.type === "hint.given");
    assert.deepEqual(
      given.map(({ data, cause }) => [data.code, data.generation, cause]),
      [
        ["rotation", 1, Object.values(state.images)[1]!.seq],
        ["thin_side", 1, Object.values(state.images)[1]!.seq],
        ["flat", 1, Object.values(state.images)[3]!.seq],
      ],
    );
    assert.deepEqual(
      state.hints,
      given.map(({ data, seq, timeNs }) => ({ ...data, seq, timeNs })),
    );
  });

  test("REC-5 what came since the last rebuild is refined when photos stop coming", async () => {
    const { core } = await start(await folder(), undefined, 20);
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    const state = await until(space, (at) => (at.generations[at.generation]?.published?.refined ?? 0) === 3);
    assert.equal(state.generations[state.generation]?.published?.cameras, 3);
    assert.ok(state.generations[state.generation]?.published?.model);
  });

  test("REC-17 a photo that comes does not wait for a rebuild that idleness began, which is done when photos stop again", async () => {
    let goOn = () => {};
    const { core, engines, errors } = await start(
      await folder(),
      () => {
        const engine = new CountingEngine();
        engine.hold = new Promise((resolve) => {
          goOn = resolve;
        });
        return engine;
      },
      20,
    );
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 5 } });
    await add(core, space, 3);
    await until(space, (at) => rebuildsOf(at).some(({ status }) => status === "running"));
    await add(core, space, 1);
    const paused = await until(
      space,
      (at) =>
        judged(at) === 4 &&
        Object.values(at.operations)
          .filter(({ kind }) => kind === "reconstruct")
          .every(hasEnded),
    );
    const [first] = rebuildsOf(paused);
    assert.equal(first?.status, "completed");
    assert.deepEqual(first?.result, { paused: true });
    assert.equal(paused.generation, 1, "nothing has changed");

    // One that is due after so many photos is not let go.
    await until(space, (at) => rebuildsOf(at).filter(({ status }) => status === "running").length === 1);
    await add(core, space, 1);
    const due = await until(space, (at) => judged(at) === 5 && rebuildsOf(at).at(-1)?.status === "running");
    const { operation } = rebuildsOf(due).at(-1)!;
    await add(core, space, 1);
    await until(space, (at) => Object.keys(at.images).length === 6);
    assert.equal(space.log.snapshot().state.operations[operation]?.status, "running");
    engines[0]!.hold = undefined;
    goOn();
    const state = await until(space, (at) => (at.generations[at.generation]?.published?.refined ?? 0) === 6);
    assert.equal(state.operations[operation]?.result?.generation, 2);
    assert.equal(engines.length, 1);
    assert.deepEqual(errors, []);
  });

  test("REC-18 while another keyframe of a stream waits its dense points do, till the rebuild", async () => {
    const { core, engines } = await start(await folder(), undefined, 20);
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    await add(core, space, 7, 1, "stream:cam:1", true);
    // All are placed before the rebuild that is due, and it comes by itself.
    const state = await until(space, (at) => at.generation === 2 && allJudged(7)(at));
    assert.deepEqual(engines[0]?.wanted, ["later", "later", "later", "later", "later", "later", true]);
    assert.equal(rebuildsOf(state).length, 1);
    // A stream that the engine keeps up with, and photos that somebody took, have their points at once.
    await add(core, space, 1, 2, "stream:cam:1");
    await until(space, (at) => at.generation === 3 && allJudged(8)(at));
    await add(core, space, 2, 3, undefined, true);
    await until(space, allJudged(10));
    assert.deepEqual(engines[0]?.wanted.slice(7), [true, true, true]);
    const still = await core.spaces.create({ id: "b", settings: { rebuildEvery: 100, rebuildWhenIdle: false } });
    await add(core, still, 3, 4, "stream:cam:2", true);
    await until(still, allJudged(3));
    assert.deepEqual(engines[1]?.wanted, [true, true, true], "nothing would make them later");
  });

  test("REC-18 keyframes of a live stream do not wait for a rebuild, but that it is far larger than the last", async () => {
    const { core } = await start(await folder(), undefined, 60_000, {}, -1);
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    await add(core, space, 7, 1, "stream:cam:1");
    const state = await until(space, allJudged(7));
    assert.deepEqual([state.generation, rebuildsOf(state).length], [1, 0]);
    // A photo that somebody took is no such keyframe.
    await add(core, space, 1);
    await until(space, (at) => at.generation === 2 && allJudged(8)(at));

    const long = await core.spaces.create({ id: "b", settings: { rebuildEvery: 10 } });
    await add(core, long, 130, 2, "stream:cam:2");
    await until(long, allJudged(130));
    const published = (await everything(long)).filter((event) => event.type === "generation.published");
    assert.deepEqual(
      published.map((event) => event.data.refined),
      [0, 64, 128],
    );
  });

  test("REC-18 a keyframe that had its points at once is followed by some that have not, though nothing waits", async () => {
    const { core, engines, reconstructor } = await start(await folder(), () => {
      const engine = new CountingEngine();
      engine.placesMs = 2500;
      return engine;
    });
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 100 } });
    for (let i = 1; i <= 3; i++) {
      await add(core, space, 1, i, "stream:cam:1");
      await until(space, allJudged(i));
      engines[0]!.placesMs = 0;
      if (i < 2) continue;
      // Then nothing is owed any more.
      await reconstructor.rebuild("a");
      await until(space, (at) => at.generation === i && rebuildsOf(at).every(hasEnded));
    }
    assert.deepEqual(engines[0]!.wanted, [true, "later", true]);
  });

  test("REC-18 a stream's first rebuild is expected to take as long as placing its photos did", async () => {
    const { core } = await start(
      await folder(),
      () => {
        const engine = new CountingEngine();
        engine.placesMs = 30;
        return engine;
      },
      60_000,
      {},
      60,
    );
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    for (let i = 1; i <= 4; i++) {
      await add(core, space, 1, i, "stream:cam:1");
      await until(space, allJudged(i));
    }
    assert.equal(rebuildsOf(space.log.snapshot().state).length, 0, "three photos took 90 ms, more than 60");

    const { core: other } = await start(await folder(), undefined, 60_000, {}, 60_000);
    const quick = await other.spaces.create({ id: "b", settings: { rebuildEvery: 3, preset: "sparse" } });
    for (let i = 1; i <= 3; i++) {
      await add(other, quick, 1, i, "stream:cam:1");
      await until(quick, (at) => judged(at) === i);
    }
    await until(quick, (at) => at.generation === 2);
  });

  test("REC-19 while a photo is placed the one that waits behind it is decoded, and the engine begins with it", async () => {
    let letGo = () => {};
    const { core, engines } = await start(await folder(), () => {
      const engine = new CountingEngine();
      engine.placed = new Promise((resolve) => {
        letGo = resolve;
      });
      return engine;
    });
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 4, 1, undefined, true);
    const [first, second, ...others] = Object.keys(space.log.snapshot().state.images);
    await until(space, (at) => Object.values(at.operations).some(({ status }) => status === "running"));
    while (!engines[0]?.foreseen.has(second!)) await new Promise((next) => setImmediate(next));
    assert.deepEqual([...engines[0].foreseen], [[second, 0]], "before the first is placed");
    letGo();
    await until(space, allJudged(4));
    assert.deepEqual(engines[0].given, [first, second, ...others]);
    assert.ok(!engines[0].foreseen.has(first!));
  });

  test("REC-4 REC-5 copies count in their turn, and without rebuildWhenIdle nothing else leads to a rebuild", async () => {
    const { core } = await start(await folder(), undefined, 20);
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 5, rebuildWhenIdle: false } });
    await add(core, space, 3);
    const [first = ""] = Object.keys((await until(space, allJudged(3))).images);
    for (let i = 0; i < 2; i++) {
      const image = randomUUID();
      const { blob, seq: _, addedNs: __, verdict: ___, ...rest } = space.log.snapshot().state.images[first]!;
      await space.log.append([
        { type: "image.added", data: { ...rest, blob, image } },
        { type: "image.judged", data: { image, verdict: "rejected", reason: "duplicate", duplicateOf: first } },
      ]);
    }
    const state = await until(space, (at) => at.generation === 2);
    assert.equal(state.generations[2]?.published?.refined, 5);
    await add(core, space, 1);
    await until(space, allJudged(6));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(space.log.snapshot().state.generation, 2);
  });

  test("REC-6 after a restart the photos that have a verdict are replayed, not judged again", async () => {
    const dir = await folder();
    const before = await start(dir);
    const space = await before.core.spaces.create({ id: "a" });
    await add(before.core, space, 12);
    const old = await until(space, (at) => allJudged(12)(at) && at.generation === 2);
    await before.reconstructor.close();
    await add(before.core, space, 1);
    await before.core.close();

    const { core, engines } = await start(dir);
    const again = await core.spaces.open("a");
    const state = await until(again, allJudged(13));
    assert.equal(engines[0]?.given.length, 13);
    assert.equal(engines[0]?.frames.length, 1, "the rebuild after the tenth");
    assert.equal(state.generation, 2, "the replay came to the same cameras");
    const judged = (await everything(again)).filter((event) => event.type === "image.judged");
    assert.equal(judged.length, 14, "the first was waiting, then registered; each other one once");
    for (const [image, camera] of Object.entries(old.generations[2]?.cameras ?? {})) {
      assert.deepEqual(state.generations[2]?.cameras[image], camera);
    }
  });

  test("REC-6 an engine that comes to other cameras is laid onto those that everybody sees", async () => {
    const dir = await folder();
    const before = await start(dir);
    const space = await before.core.spaces.create({ id: "a" });
    await add(before.core, space, 3);
    await until(space, allJudged(3));
    await before.reconstructor.close();
    await add(before.core, space, 1);
    await before.core.close();

    const { core, engines } = await start(dir, () => new CountingEngine(0.25));
    const again = await core.spaces.open("a");
    await until(again, (at) => allJudged(4)(at) && at.generation === 2);
    const frame = engines[0]?.frames[0]?.map((camera) => camera.pose.translation[0]);
    assert.deepEqual(
      frame?.slice(0, 3),
      [-0, -1, -2].map((x) => x + 0),
      "the cameras of the log",
    );
  });

  test("REC-7 a photo that cannot be decoded or breaks the engine costs itself only", async () => {
    const { core, engines, errors } = await start(await folder(), () => {
      const engine = new CountingEngine();
      engine.fail = (name) => name === "7-0.jpg";
      return engine;
    });
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 2);
    await add(core, space, 1, 0);
    await add(core, space, 1, 7);
    await add(core, space, 2, 9);
    const state = await until(space, allJudged(6));
    const verdicts = Object.values(state.images).map((image) => image.verdict?.reason ?? image.verdict?.verdict);
    assert.deepEqual(verdicts, ["registered", "registered", "unreadable", "failed", "registered", "registered"]);
    assert.equal(engines.length, 2, "the one that fell over was replaced");
    assert.equal(errors.length, 1);
  });

  test("REC-8 a cancelled rebuild changes nothing and is tried again after the next photo", async () => {
    const { core, reconstructor } = await start(await folder(), () => {
      const engine = new CountingEngine();
      engine.hold = new Promise(() => {});
      return engine;
    });
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    const before = await until(space, allJudged(3));
    const operation = await reconstructor.rebuild("a");
    await until(space, (at) => at.operations[operation]?.status === "running");
    await space.operations.cancel(operation);
    const after = await until(space, (at) => at.operations[operation]?.status === "cancelled");
    assert.deepEqual(after.generations, before.generations);
    assert.equal(after.generation, 1);
  });

  test("REC-9 a full disk stops the work, and it goes on when there is room again", async () => {
    let full = false;
    let refused = 0;
    const { core, engines } = await start(await folder(), undefined, undefined, {
      openSegment: async (path) => {
        const file = await openSegmentFile(path);
        return {
          ...file,
          write: async (bytes, offset) => {
            if (full) {
              refused++;
              full = refused < 4; // room again after a few refusals
              throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
            }
            await file.write(bytes, offset);
          },
        };
      },
    });
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    await until(space, allJudged(3));
    await add(core, space, 2);
    full = true;
    const state = await until(space, allJudged(5));
    assert.equal(refused, 4);
    assert.ok(Object.values(state.images).every((image) => image.verdict?.verdict === "registered"));
    assert.equal(Object.keys(state.generations[state.generation]?.cameras ?? {}).length, 5);
    const given = engines.map((engine) => new Set(engine.given).size === engine.given.length);
    assert.ok(given.every(Boolean), "no engine got a photo twice");
  });

  test("CLD-51 a model whose pack is lost is rebuilt from its photos, which is said", async () => {
    const dir = await folder();
    const { core, errors } = await start(dir);
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    const before = await until(space, allJudged(3));
    const { blob } = before.layers[1]!.packs[0]!;
    await rm(join(dir, "blobs", blob.slice(0, 2), blob.slice(2)));
    const { list } = await core.layers.tables.open(space, 1);
    assert.equal(list.length, 1, "the table knew it");
    await until(space, (at) => at.generation === 2 && allJudged(3)(at) && !at.layers[1]?.damaged);
    const told = (await everything(space)).filter(({ type }) => type === "layer.damaged");
    assert.deepEqual(
      told.map(({ data }) => data),
      [false, true].map((remade) => ({ layer: 1, blob, points: 2, remade })),
    );
    const after = space.log.snapshot().state;
    assert.deepEqual(after.generations[2]?.layers, [2]);
    assert.equal(after.layers[2]?.points, 3);
    assert.deepEqual(errors, []);
  });

  test("REC-10 deleting a space ends its work, others go on", async () => {
    const { core } = await start(await folder());
    const gone = await core.spaces.create({ id: "gone" });
    const stays = await core.spaces.create({ id: "stays" });
    await add(core, gone, 1);
    await add(core, stays, 1);
    await core.spaces.delete("gone");
    await add(core, stays, 2);
    await until(stays, allJudged(3));
  });
});
