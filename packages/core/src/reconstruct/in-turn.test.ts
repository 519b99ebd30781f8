/** Who waits for whom: photos for rebuilds, rebuilds for photos, points for keyframes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  add,
  allJudged,
  CountingEngine,
  everything,
  hasEnded,
  judged,
  rebuildsOf,
  until,
  worlds,
} from "../test/counting-engine.ts";

const { folder, start } = worlds();

describe("photos and rebuilds in turn (docs/spec/reconstruct.md)", () => {
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
});
