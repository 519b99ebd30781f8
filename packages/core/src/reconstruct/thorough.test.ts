/** When a rebuild is to be thorough, and what becomes of the advice that one is worth it. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Verdict } from "@cairn/protocol";
import type { Photo, Rebuild, RebuildOptions, Step, WorkOptions } from "@cairn/reconstruct";
import type { Space } from "../space/spaces.ts";
import {
  add,
  allJudged,
  CountingEngine,
  judged,
  rebuildsOf,
  until,
  type World,
  worlds,
} from "../test/counting-engine.ts";

const { folder, start } = worlds();

/** Advises a thorough rebuild after every other, and tells what was asked of it and when it was let go. */
class AdvisingEngine extends CountingEngine {
  readonly asked: boolean[] = [];
  readonly askedAgain: boolean[] = [];
  advises = (thorough: boolean): boolean => !thorough;
  /** A thorough rebuild waits for it. */
  before: (signal: AbortSignal) => Promise<void> = async () => {};
  letGo = () => {};
  readonly closed = new Promise<void>((resolve) => {
    this.letGo = resolve;
  });

  override async rebuild(options: RebuildOptions = {}): Promise<Rebuild> {
    const { thorough = false, signal, points } = options;
    // A replay wants no points.
    (points === false ? this.askedAgain : this.asked).push(thorough);
    if (thorough) await this.before(signal!);
    const rebuild = await super.rebuild(options);
    return { ...rebuild, ...(thorough && { thorough }), thoroughAdvised: this.advises(thorough) };
  }

  override async close(): Promise<void> {
    this.letGo();
  }
}

/** Places no photo as it comes; a look from the side places all where `begins`. */
class AslantEngine extends AdvisingEngine {
  begins = true;

  override async add(photo: Photo, options: WorkOptions = {}): Promise<Step> {
    await super.add(photo, options);
    const verdicts: Verdict[] = [{ image: photo.image, verdict: "waiting", reason: "overlap" }];
    return { ...NOTHING, verdicts, rebuildAdvised: false };
  }

  override async rebuild(options: RebuildOptions = {}): Promise<Rebuild> {
    const rebuild = await super.rebuild(options);
    return options.thorough && this.begins ? rebuild : { ...rebuild, ...NOTHING, verdicts: [] };
  }
}

const NOTHING = { cameras: [], points: { positions: new Float32Array(0), colors: new Uint8Array(0) } };

/** A world with little patience, unless told otherwise. */
async function quick(
  dir: string,
  patienceMs = 20,
  traits: Partial<AslantEngine> = {},
  Kind: new () => AdvisingEngine = AdvisingEngine,
) {
  const made: AdvisingEngine[] = [];
  const make = () => {
    const engine = Object.assign(new Kind(), traits);
    made.push(engine);
    return engine;
  };
  const world = await start(dir, make, patienceMs, {}, 1000, patienceMs);
  /** An engine is let go when nothing is left to do; rebuilds without end end here, too. */
  const rest = async (space: Space) => {
    await Promise.race([made.at(-1)!.closed, until(space, (at) => rebuildsOf(at).length > 4)]);
  };
  return { ...world, rest, made, asked: () => made.flatMap(({ asked }) => asked) };
}

/** Work that goes on till it is stopped. */
function endless() {
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const work = (signal: AbortSignal) => {
    begin();
    return new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  return { begun, work };
}

/** One that cannot be decoded: it is looked at, but there is no more to refine. */
async function addUnreadable({ core }: Pick<World, "core">, space: Space): Promise<void> {
  const before = judged(space.log.snapshot().state);
  await add(core, space, 1, 0);
  await until(space, (at) => judged(at) > before);
}

describe("thorough rebuilds (docs/spec/reconstruct.md)", () => {
  for (const { advised, advises, asked } of [
    { advised: "never", advises: () => false, asked: [false] },
    { advised: "after it", advises: (thorough: boolean) => !thorough, asked: [false, true] },
    { advised: "always", advises: () => true, asked: [false, true] },
  ]) {
    test(`REC-5 one that is due is not thorough; advised ${advised}, ${asked.length - 1} follows without a photo`, async () => {
      const world = await quick(await folder(), 20, { advises });
      const space = await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
      await add(world.core, space, 3, 1, undefined, true);
      await until(space, allJudged(3));
      await world.rest(space);
      assert.deepEqual(world.asked(), asked);
      assert.deepEqual([world.made.length, space.log.snapshot().state.generation], [1, 1 + asked.length]);
    });
  }

  test("REC-5 with rebuildWhenIdle off the advice waits till it is on", async () => {
    const world = await quick(await folder());
    const settings = { rebuildEvery: 3, rebuildWhenIdle: false };
    const space = await world.core.spaces.create({ id: "a", settings });
    await add(world.core, space, 3, 1, undefined, true);
    await until(space, allJudged(3));
    await world.rest(space);
    assert.deepEqual(world.asked(), [false]);
    await space.configure({ rebuildWhenIdle: true });
    await until(space, (at) => at.generation === 3);
    assert.deepEqual(world.asked(), [false, true]);
  });

  test("REC-5 one that was asked for is thorough", async () => {
    const world = await quick(await folder(), 60_000);
    const space = await world.core.spaces.create({ id: "a" });
    await add(world.core, space, 2);
    await until(space, allJudged(2));
    await world.reconstructor.rebuild("a");
    await until(space, (at) => at.generation === 2);
    assert.deepEqual(world.asked(), [true]);
  });

  test("REC-5 photos of which none found a place are looked at thoroughly when no more come", async () => {
    const world = await quick(await folder(), 20, { advises: () => false }, AslantEngine);
    const space = await world.core.spaces.create({ id: "a" });
    await add(world.core, space, 1);
    await until(space, allJudged(1));
    await world.rest(space);
    assert.deepEqual(world.asked(), [], "a model does not begin with one photo");
    await add(world.core, space, 1, 2);
    const { generations, images } = await until(space, (at) => at.generation === 1 && allJudged(2)(at));
    await world.made.at(-1)!.closed;
    assert.deepEqual(world.asked(), [true]);
    assert.equal(Object.keys(generations[1]!.cameras).length, 2);
    assert.deepEqual(
      Object.values(images).map(({ verdict }) => verdict?.verdict),
      ["registered", "registered"],
    );
  });

  test("REC-5 where even that places none it is not done again before the next photo, nor after a restart", async () => {
    const dir = await folder();
    const before = await quick(dir, 20, { begins: false }, AslantEngine);
    const space = await before.core.spaces.create({ id: "a" });
    await add(before.core, space, 2);
    await until(space, (at) => rebuildsOf(at).some(({ endedNs }) => endedNs));
    await before.rest(space);
    const { images, ...state } = space.log.snapshot().state;
    const upTo = Object.values(images).at(-1)!.seq;
    const results = rebuildsOf({ images, ...state }).map(({ result }) => result);
    assert.deepEqual(results, [{ generation: 0, cameras: 0, points: 0, upTo }]);
    await before.reconstructor.close();
    await before.core.close();

    const after = await quick(dir, 20, {}, AslantEngine);
    const again = await after.core.spaces.open("a");
    await addUnreadable(after, again);
    await after.rest(again);
    assert.deepEqual(after.asked(), []);
    // As many as before, and not the same.
    await again.log.append([{ type: "image.removed", data: { image: Object.keys(images)[0]! } }]);
    await add(after.core, again, 1, 2);
    await until(again, (at) => at.generation === 1);
    assert.deepEqual(after.asked(), [true]);
  });

  test("REC-5 it can be asked for before there is a model, not before there are two photos", async () => {
    const world = await quick(await folder(), 60_000, {}, AslantEngine);
    const space = await world.core.spaces.create({ id: "a" });
    await add(world.core, space, 1);
    await until(space, allJudged(1));
    await assert.rejects(world.reconstructor.rebuild("a"), { code: "export.empty" });
    await add(world.core, space, 1, 2);
    await until(space, allJudged(2));
    await world.reconstructor.rebuild("a");
    await until(space, (at) => at.generation === 1);
    assert.deepEqual(world.asked(), [true]);
  });

  test("REC-17 one that a photo stopped is done again, though the photo brought nothing", async () => {
    const { begun, work } = endless();
    const world = await quick(await folder(), 20, { before: work });
    const space = await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    await add(world.core, space, 3, 1, undefined, true);
    await begun;
    world.made[0]!.before = async () => {};
    await addUnreadable(world, space);
    await world.rest(space);
    assert.deepEqual(world.asked(), [false, true, true]);
    const paused = rebuildsOf(space.log.snapshot().state).map(({ result }) => result?.paused ?? false);
    assert.deepEqual(paused, [false, true, false]);
  });

  for (const end of ["failed", "cancelled"] as const) {
    test(`REC-8 one that was ${end} is not tried again before the next photo`, async () => {
      const { begun, work } = endless();
      const before = end === "cancelled" ? work : () => Promise.reject(new Error("the engine fell over"));
      const world = await quick(await folder(), 20, { before });
      const space = await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
      await add(world.core, space, 3, 1, undefined, true);
      if (end === "cancelled") {
        await begun;
        world.made[0]!.before = async () => {};
        await space.operations.cancel(rebuildsOf(space.log.snapshot().state).at(-1)!.operation);
      }
      await until(space, (at) => rebuildsOf(at).at(-1)?.status === end);
      await addUnreadable(world, space);
      await world.rest(space);
      assert.deepEqual(world.asked(), [false, true]);
    });
  }

  test("GENR-5 who goes back to an earlier generation keeps it, whatever was advised of the later one", async () => {
    const world = await quick(await folder());
    const settings = { rebuildEvery: 3, rebuildWhenIdle: false };
    const space = await world.core.spaces.create({ id: "a", settings });
    await add(world.core, space, 3, 1, undefined, true);
    await until(space, (at) => allJudged(3)(at) && at.generation === 2);
    assert.equal(await world.reconstructor.restore("a", 1), 3);
    await space.configure({ rebuildWhenIdle: true });
    await addUnreadable(world, space);
    await world.rest(space);
    assert.equal(space.log.snapshot().state.generation, 3);
    assert.deepEqual(world.asked(), [false]);
  });
});

describe("thorough rebuilds after a restart (docs/spec/reconstruct.md)", () => {
  /** A folder with a space of so many photos, whose rebuild never ended. */
  async function stopped(photos: number): Promise<string> {
    const dir = await folder();
    const { core, reconstructor } = await quick(dir, 60_000, { hold: new Promise(() => {}) });
    const space = await core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    await add(core, space, photos, 1, undefined, true);
    const isDue = photos >= 3;
    await until(space, (at) => (isDue ? rebuildsOf(at)[0]?.status === "running" : allJudged(photos)(at)));
    await reconstructor.close();
    await core.close();
    return dir;
  }

  test("REC-6 what was thorough is so again when it is replayed; the next that is due is not", async () => {
    const dir = await folder();
    const before = await quick(dir);
    const { id } = await before.core.spaces.create({ id: "a", settings: { rebuildEvery: 3 } });
    const first = await before.core.spaces.open(id);
    await add(before.core, first, 3, 1, undefined, true);
    await until(first, (at) => at.generation === 3 && allJudged(3)(at));
    await before.reconstructor.close();
    await before.core.close();

    const { core, made, asked } = await quick(dir, 60_000);
    const space = await core.spaces.open(id);
    await add(core, space, 3, 2, undefined, true);
    await until(space, (at) => at.generation === 4 && allJudged(6)(at));
    assert.deepEqual(
      made.flatMap(({ askedAgain }) => askedAgain),
      [false, true],
    );
    assert.deepEqual(asked(), [false]);
  });

  test("REC-4 REC-6 one that was due before it is thorough where the engine comes to other cameras", async () => {
    const { core, asked } = await quick(await stopped(3), 60_000, { shift: 0.25 });
    const space = await core.spaces.open("a");
    await until(space, (at) => at.generation === 2);
    assert.deepEqual(asked(), [true]);
  });

  test("REC-6 where the engine comes to other cameras, the one that was asked for is enough", async () => {
    const { core, reconstructor, asked } = await quick(await stopped(2), 60_000, { shift: 0.25 });
    const space = await core.spaces.open("a");
    await reconstructor.rebuild("a");
    await until(space, (at) => at.generation === 2);
    // One that is due comes before the next photo.
    await addUnreadable({ core }, space);
    assert.deepEqual(asked(), [true]);
  });
});
