/** Photos become a model, one after the other: what each leads to, rebuilds, reports, hints. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { check, type Hint, Report } from "@cairn/protocol";
import { add, allJudged, CountingEngine, everything, until, worlds } from "../test/counting-engine.ts";

const { folder, start } = worlds();

describe("reconstruction of a space (docs/spec/reconstruct.md)", () => {
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
});
