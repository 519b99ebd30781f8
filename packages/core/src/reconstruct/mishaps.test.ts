/** Restarts, broken photos, cancelled rebuilds, full disks and lost packs. */
import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { removeImage } from "../image/versions.ts";
import { openSegmentFile } from "../log/segment.ts";
import { add, allJudged, CountingEngine, everything, hasEnded, until, worlds } from "../test/counting-engine.ts";

const { folder, start } = worlds();

describe("what goes wrong (docs/spec/reconstruct.md)", () => {
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

  test("REC-8 a rebuild that is cancelled when the engine has its result changes nothing: the next photo comes to the shown model", async () => {
    const { core, reconstructor, engines } = await start(await folder(), () => {
      const engine = new CountingEngine();
      engine.drift = 50;
      return engine;
    });
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    await until(space, allJudged(3));
    let operation = "";
    engines[0]!.meanwhile = async () => void space.operations.cancel(operation);
    operation = await reconstructor.rebuild("a");
    const after = await until(space, (at) => at.operations[operation]?.endedNs !== undefined);
    assert.deepEqual([after.operations[operation]?.status, after.generation], ["cancelled", 1]);
    await add(core, space, 1, 7);
    const { generations } = await until(space, allJudged(4));
    const places = Object.values(generations[1]?.cameras ?? {}).map(({ pose }) => 0 - pose.translation[0]);
    assert.deepEqual(places, [0, 1, 2, 3]);
  });

  test("EDIT-4 a photo that is removed while a rebuild ends is not in what it publishes, and the model is made once more without it", async () => {
    const { core, reconstructor, engines } = await start(await folder(), undefined, 50);
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    const [, gone] = Object.keys((await until(space, allJudged(3))).images);
    await until(space, (at) => at.generation === 2 && Object.values(at.operations).every(hasEnded));
    engines[0]!.meanwhile = () => removeImage({ space }, gone!);
    await reconstructor.rebuild("a");
    const state = await until(space, (at) => at.generation === 3);
    const cameras = Object.keys(state.generations[3]?.cameras ?? {});
    assert.deepEqual(cameras, Object.keys(state.images));
    assert.equal(cameras.length, 2);
    const again = await until(space, (at) => at.generation === 4);
    assert.equal(again.generations[4]?.published?.cameras, 2);
    assert.equal(again.layers[again.generations[4]!.layers[0]!]?.points, 2);
  });

  test("REC-9 a disk that is full while points are put costs no photo", async () => {
    const { core, errors } = await start(await folder());
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 2);
    await until(space, allJudged(2));
    const put = core.blobs.put.bind(core.blobs);
    let puts = 0;
    core.blobs.put = async (...args) => {
      puts++;
      // The photo itself, then its points.
      if (puts === 2 || puts === 3) throw new CairnError("store.full");
      return put(...args);
    };
    await add(core, space, 1, 7);
    const { images } = await until(space, allJudged(3));
    assert.ok(puts > 3);
    assert.deepEqual(
      Object.values(images).map(({ verdict }) => verdict?.verdict),
      ["registered", "registered", "registered"],
    );
    assert.ok(errors.every((error) => error instanceof CairnError && error.code === "store.full"));
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
    const first = await start(dir);
    const own = await first.core.spaces.create({ id: "a" });
    await add(first.core, own, 3);
    const before = await until(own, allJudged(3));
    const { blob } = before.layers[1]!.packs[0]!;
    await first.reconstructor.close();
    await first.core.close(); // what was just put is in its memory still
    await rm(join(dir, "blobs", blob.slice(0, 2), blob.slice(2)));
    const { core, errors } = await start(dir);
    const space = await core.spaces.open("a");
    await core.layers.tables.open(space, 1);
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

  test("CLD-51 a model whose pack is altered, twice, reads again after each rebuild, which makes the same bytes", async () => {
    const dir = await folder();
    const { core, errors } = await start(dir);
    const space = await core.spaces.create({ id: "a" });
    await add(core, space, 3);
    await until(space, allJudged(3));
    const packOf = () => {
      const { generation, generations, layers } = space.log.snapshot().state;
      return { generation, blob: layers[generations[generation]!.layers[0]!]!.packs[0]!.blob };
    };
    const blobs: string[] = [];
    for (let round = 0; round < 3; round++) {
      const { generation, blob } = packOf();
      blobs.push(blob);
      const path = join(dir, "blobs", blob.slice(0, 2), blob.slice(2));
      const altered = await readFile(path);
      altered[altered.length >> 1]! ^= 0x55;
      await writeFile(path, altered);
      core.layers.lost(blob);
      await until(space, (at) => at.generation > generation && Object.values(at.layers).every((each) => !each.damaged));
      await core.blobs.get(packOf().blob);
    }
    assert.equal(blobs[1], blobs[2], "what is rebuilt has the bytes of what was");
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
