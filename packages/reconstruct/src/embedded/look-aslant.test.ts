/** How much a thorough rebuild looks at from the side, and what is left where it is cancelled meanwhile. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol/errors";
import { readManifest, samplePhotosDir } from "@cairn/sample";
import sharp from "sharp";
import type { Photo } from "../engine.ts";
import { allocateFeatures, type Features } from "../features/features.ts";
import type { Descriptors } from "../features/matcher.ts";
import type { SlantSide } from "../features/slant-matches.ts";
import type { Slants } from "../features/slants.ts";
import type { Tie } from "../mapper/unsure.ts";
import { arc, type Shot, syntheticPhotos } from "../test/synthetic.ts";
import { openEmbeddedEngine } from "./embedded-engine.ts";
import { EngineCore, type JobOptions, type Kernels } from "./engine-core.ts";
import { lookAslant } from "./look-aslant.ts";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";
import { SlantedLooks } from "./slanted-looks.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };

/** One, in a corner. */
const SLANTS: Slants = {
  ...{ count: 1, x: Float32Array.of(3), y: Float32Array.of(3), scale: Float32Array.of(5) },
  ...{ descriptors: new Uint8Array(128), first: Uint32Array.of(0, 1) },
};

/** Of places that have nothing in common. */
function strangers(photos: number): Shot[] {
  return Array.from({ length: photos }, (_, place) => ({ ...arc(4)[place % 4], place }));
}

type World = {
  /** Photos that show what they share with others from the side alone. */
  readonly hidden?: readonly number[];
  /** When a job is done. */
  readonly atJob?: () => void;
  /** When geometry is asked about what was seen. */
  readonly atQuestions?: () => void;
};

/** An engine that looks at photos from the side one job after the other. */
function engineOf(shots: readonly Shot[], { hidden = [], atJob, atQuestions }: World = {}) {
  const { photos, kernels } = syntheticPhotos(shots, { told: true });
  const photoOf = new Map<Features["descriptors"], number>();
  const looks: string[] = [];
  const isHidden = ({ descriptors }: Descriptors) => hidden.includes(photoOf.get(descriptors)!);
  const plain: Kernels = {
    ...kernels,
    async extract(...given) {
      const features = await kernels.extract(...given);
      photoOf.set(features.descriptors, photoOf.size);
      return features;
    },
    async matchMany(a, others, options) {
      const matches = await kernels.matchMany(a, others, options);
      return matches.map((each, k) => (isHidden(a) || isHidden(others[k]) ? new Uint32Array(0) : each));
    },
    verifyMany(questions) {
      if (looks.length > 0) atQuestions?.();
      return kernels.verifyMany(questions);
    },
  };
  let last: Promise<unknown> = Promise.resolve();
  /** As a pool of one thread does it: what is cancelled ends at once, and what waits never begins. */
  const inTurn = <T>(signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T> => {
    const turn = last.then(async () => {
      signal?.throwIfAborted();
      const result = await work();
      atJob?.();
      signal?.throwIfAborted();
      return result;
    });
    last = turn.catch(() => {});
    return turn;
  };
  const looking: ConstructorParameters<typeof SlantedLooks>[0] = {
    grey: async () => ({ grey: new Uint8Array(4), widthPx: 2, heightPx: 2 }),
    slants: (_, { signal } = {}) => inTurn(signal, () => SLANTS),
    matchAslant: (a, b, { signal } = {}) =>
      inTurn(signal, async () => {
        const sides = [a, b].map(({ features }) => photoOf.get(features.descriptors)!);
        looks.push(sides.join("-"));
        if (!sides.some((side) => hidden.includes(side))) return new Uint32Array(0);
        const [shared] = await kernels.matchMany(a.features, [b.features]);
        return Uint32Array.of(...shared, a.features.count, b.features.count);
      }),
  };
  const shelf = new Shelf(new Scratch(tmpdir()));
  const core = new EngineCore(plain, 1, { slants: new SlantedLooks(looking, shelf) });
  const addAll = async () => {
    for (const photo of photos) await core.add(photo, undefined, FREE);
  };
  return { core, looks, photos, addAll };
}

test("a thorough rebuild looks at no more than 24 pairs from the side and leaves the others to the next", async () => {
  const { core, looks, addAll } = engineOf(strangers(14));
  await addAll();
  const counts: number[] = [];
  do {
    const before = looks.length;
    const { thorough = false } = await core.rebuild(FREE, { thorough: true });
    counts.push(looks.length - before);
    assert.equal(thorough, looks.length > before);
  } while (counts.at(-1));
  assert.deepEqual(counts, [24, 24, 24, 4, 0]);
  assert.equal(new Set(looks).size, looks.length, "none twice");
});

test("what waited is linked as soon as it may be, though nothing is left to look at", async () => {
  const steps: string[] = [];
  const ties = [[{ a: 0, b: 1 }], [], []];
  const due = [true, false];
  const mapper: Parameters<typeof lookAslant>[0]["mapper"] = {
    views: [],
    unsureTies: () => ties.shift()!,
    aslantDue: () => due.shift()!,
    questionsAslant: () => [],
    linkAslant: (seen) => steps.push(`link ${seen.length}`),
    settle: () => steps.push("settle"),
  };
  const side: SlantSide = { features: allocateFeatures(0, 1, 1), slants: SLANTS };
  const see = async (tie: Tie) => ({ ...tie, matches: new Uint32Array(0), sides: [side, side] as const });
  const answer = { kind: "general", pose: new Float64Array(12), inliers: new Uint8Array(0) } as const;
  const verifyMany = async () => [{ ...answer, inlierCount: 0, angleRad: 0 }];
  assert.equal(await lookAslant({ mapper, slants: { see }, kernels: { verifyMany } }, FREE), true);
  assert.deepEqual(steps, ["link 1", "settle", "link 0", "settle"]);
});

/** As the engine's thread gives it to a job. */
function abortable() {
  const controller = new AbortController();
  const { signal } = controller;
  const job: JobOptions = { stop: () => signal.throwIfAborted(), progress: () => {}, signal };
  return { job, abort: () => controller.abort(new CairnError("operation.cancelled")) };
}

/** Four photos that find their places, and others that find none. */
const SOME: readonly Shot[] = [...arc(4), ...strangers(5).slice(1)];

test("cancelled while it looks, it looks no further, and what there was before stays", async () => {
  let [done, last, abort] = [0, 0, () => {}];
  const atJob = () => {
    if (++done === last) abort();
  };
  const { core, looks, addAll } = engineOf(SOME, { atJob });
  await addAll();
  assert.equal(core.model().images.length, 4);
  const [model, report] = [core.model(), core.report()];
  // While slants are made, at the first look, and in the middle of all.
  for (last of [2, 8, 12]) {
    done = 0;
    const cancelled = abortable();
    abort = cancelled.abort;
    await assert.rejects(core.rebuild(cancelled.job, { thorough: true }), { code: "operation.cancelled" });
    assert.equal(done, last);
    assert.deepEqual(core.model(), model);
    assert.deepEqual(core.report(), report);
  }
  [done, last] = [0, 0];
  looks.length = 0;
  const { thorough, cameras } = await core.rebuild(FREE, { thorough: true });
  assert.equal(cameras.length, 4);
  assert.ok(thorough && looks.length > 12, `${looks.length} looks`);
});

test("cancelled while geometry is asked about what it saw, it takes nothing of that for known", async () => {
  let abort = () => {};
  const { core, looks, addAll } = engineOf(SOME, { atQuestions: () => abort() });
  await addAll();
  const cancelled = abortable();
  abort = cancelled.abort;
  await assert.rejects(core.rebuild(cancelled.job, { thorough: true }), { code: "operation.cancelled" });
  const first = looks.splice(0);
  abort = () => {};
  await core.rebuild(FREE, { thorough: true });
  assert.deepEqual(looks.slice(0, first.length), first);
});

test("REC-8 cancelled when a photo was seen from the side, all goes on as if nothing had been", async () => {
  const shots = arc(6);
  const [{ core, photos, looks }, other] = [engineOf(shots, { hidden: [4] }), engineOf(shots, { hidden: [4] })];
  for (const photo of photos.slice(0, 5)) {
    await core.add(photo, undefined, FREE);
    await other.core.add(photo, undefined, FREE);
  }
  // While it is given its place, and while all is refined.
  for (const at of ["doubt", "refine"]) {
    const { job, abort } = abortable();
    const reached = (what: string) => {
      if (what === at && looks.length > 0) abort();
    };
    const cancelled = core.rebuild({ ...job, progress: reached, stage: reached }, { thorough: true });
    await assert.rejects(cancelled, { code: "operation.cancelled" });
    assert.ok(looks.splice(0).some((pair) => pair.includes("4")));
    assert.deepEqual(core.model(), other.core.model());
    assert.deepEqual(core.report(), other.core.report());
  }
  const next = photos[5];
  assert.deepEqual(await core.add(next, undefined, FREE), await other.core.add(next, undefined, FREE));
  const rebuilt = await core.rebuild(FREE, { thorough: true });
  assert.equal(rebuilt.cameras.length, 6);
  assert.deepEqual(rebuilt, await other.core.rebuild(FREE, { thorough: true }));
  assert.deepEqual(core.model(), other.core.model());
});

test("an engine that is cancelled while its threads look from the side says so before they are done, and goes on", async () => {
  const engine = await openEmbeddedEngine({ preset: "sparse", threads: 1 });
  try {
    const { photos } = readManifest();
    for (const { name } of photos.slice(8).filter((_, i) => i % 2 === 0)) await engine.add(await smallPhoto(name));
    assert.equal((await engine.rebuild()).thoroughAdvised, true);
    const model = await engine.model();
    const controller = new AbortController();
    const seen: number[] = [];
    let pairs = 0;
    const onProgress = (stage: string, done: number, total: number) => {
      if (stage !== "slants") return;
      controller.abort();
      seen.push(done);
      pairs = total;
    };
    const rebuild = engine.rebuild({ thorough: true, signal: controller.signal, onProgress });
    await assert.rejects(rebuild, { code: "operation.cancelled" });
    assert.ok(seen.length > 0 && seen.at(-1)! < pairs, `looked at ${seen.at(-1)} of ${pairs}`);
    assert.deepEqual(await engine.model(), model);
    assert.equal((await engine.rebuild()).cameras.length, model.images.length);
  } finally {
    await engine.close();
  }
});

/** Of the sample capture, at a size at which a look takes a moment. */
async function smallPhoto(name: string): Promise<Photo> {
  const resized = sharp(join(samplePhotosDir, name)).resize(480, 480, { fit: "inside" }).removeAlpha().raw();
  const { data, info } = await resized.toBuffer({ resolveWithObject: true });
  const size = { widthPx: info.width, heightPx: info.height, fullWidthPx: info.width, fullHeightPx: info.height };
  return { image: name, name, rgb: new Uint8Array(data), ...size, digest: name, focalPx: (28 / 36) * info.width };
}
