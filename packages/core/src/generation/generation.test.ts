/** Going back to an earlier generation, layers that stay, anchors and places: docs/spec/generations.md. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, type TestContext, test } from "node:test";
import { modelFromLayer, movePoints } from "@cairn/cloud";
import {
  type CairnEvent,
  type EventDraft,
  type PosedCamera,
  type SpaceState,
  shownGeneration,
  type Vec3,
} from "@cairn/protocol";
import type { Core } from "../core.ts";
import type { Space } from "../space/spaces.ts";
import { temporaryFolder } from "../test/fixtures.ts";
import { rejects } from "../test/log.contract.ts";
import { addPhotos, everything, quiet, reconstructed, until, type World } from "../test/reconstructed.ts";
import { type Motion, SceneEngine, type SceneEngineOptions, shifted, stay, wallPoints } from "../test/scene-engine.ts";
import { placeAnchor, removeAnchor } from "./anchors.ts";
import { restoreGeneration } from "./restore.ts";

/** Each rebuild moves every point its own way, far more than a cell. */
const shaken =
  (amount: number): Motion =>
  ([x, y, z]) => [x + amount * Math.sin(3 * x + 5 * y), y + amount * Math.sin(4 * z + x), z + amount * Math.sin(7 * x)];

type Place = World<SceneEngine> & { space: Space; dir: string };

async function place(t: TestContext, options: SceneEngineOptions, photos = 6, dir?: string): Promise<Place> {
  const folder = dir ?? (await temporaryFolder(t));
  const world = await reconstructed(t, folder, () => new SceneEngine(options));
  const space = dir
    ? await world.core.spaces.open("a")
    : await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 1000 } });
  if (!dir) {
    await addPhotos(world.core, space, photos);
    await until(space, quiet(photos));
  }
  return { ...world, space, dir: folder };
}

/** Asks for a rebuild; resolves with the state that it led to. */
async function rebuilt({ reconstructor, space }: Pick<Place, "reconstructor" | "space">): Promise<SpaceState> {
  const operation = await reconstructor.rebuild("a");
  return until(space, (at) => at.operations[operation]?.status === "completed");
}

const posesOf = (cameras: readonly PosedCamera[]) =>
  Object.fromEntries(cameras.map(({ image, pose, intrinsics }) => [image, { pose, intrinsics }]));
const shownCameras = (state: SpaceState) => posesOf(Object.values(shownGeneration(state)?.cameras ?? {}));

/** The events of one generation's append, from its start to its end. */
function appendOf(events: readonly CairnEvent[], generation: number): CairnEvent[] {
  const from = events.findIndex((each) => each.type === "generation.started" && each.data.generation === generation);
  const published = events.findIndex(
    (each) => each.type === "generation.published" && each.data.generation === generation,
  );
  assert.ok(from >= 0 && published > from);
  let end = published + 1;
  while (["layer.moved", "image.judged"].includes(events[end]?.type ?? "")) end++;
  return events.slice(from, end);
}

async function blobCount({ blobs }: Core): Promise<number> {
  let count = 0;
  const counted = () => {
    count++;
    return true;
  };
  await blobs.collect(counted, 0);
  return count;
}

describe("going back", () => {
  test("REC-12 a doubt is part of the generation and of what the operation says, and comes back with it", async (t) => {
    const { core, space, reconstructor } = await place(t, {
      doubtsOf: (rebuilds) => (rebuilds < 2 ? ["focal_uncertain"] : []),
    });
    const doubtsOf = (state: SpaceState) => shownGeneration(state)?.published?.doubts;
    const resultsOf = (state: SpaceState, kind: string) =>
      Object.values(state.operations).flatMap((each) => (each.kind === kind && each.result ? [each.result] : []));
    const first = space.log.snapshot().state;
    assert.deepEqual(doubtsOf(first), ["focal_uncertain"]);
    assert.equal(resultsOf(first, "reconstruct").at(-1)?.focal_uncertain, true);
    const { generation } = await rebuilt({ reconstructor, space });
    const sure = await rebuilt({ reconstructor, space });
    assert.deepEqual(
      resultsOf(sure, "rebuild").map((result) => result.focal_uncertain),
      [true, undefined],
    );
    assert.equal(doubtsOf(sure), undefined);
    assert.deepEqual(sure.history.map(({ doubts }) => doubts).slice(-2), [["focal_uncertain"], undefined]);
    await reconstructor.restore("a", generation);
    assert.deepEqual(doubtsOf(space.log.snapshot().state), ["focal_uncertain"]);
    await core.close();
  });

  const options: SceneEngineOptions = { motionOf: (rebuilds) => shaken(0.05 * rebuilds) };

  test("EDIT-4 GENR-2 the camera of a photo that was removed meanwhile does not come back, and is counted nowhere", async (t) => {
    const at = await place(t, options);
    await rebuilt(at);
    const [gone] = Object.keys(shownCameras(at.space.log.snapshot().state));
    await at.space.log.append([{ type: "image.removed", data: { image: gone! } }]);
    const before = at.space.log.snapshot().state;
    assert.deepEqual([before.history.at(-1)?.cameras, before.history.at(-2)?.cameras], [5, 6]);
    await at.reconstructor.restore("a", 1);
    const state = at.space.log.snapshot().state;
    assert.ok(!(gone! in shownCameras(state)));
    assert.deepEqual([Object.keys(shownCameras(state)).length, state.history.at(-1)?.cameras], [5, 5]);
    await at.core.close();
  });

  test("GENR-1 GENR-2 the earlier generation under a new number: its cameras, its layers, one append, no bytes", async (t) => {
    const at = await place(t, options);
    const second = await rebuilt(at);
    const third = await rebuilt(at);
    assert.notDeepEqual(shownCameras(second), shownCameras(third));
    const blobs = await blobCount(at.core);

    assert.equal(await at.reconstructor.restore("a", 2), 4);
    const state = at.space.log.snapshot().state;
    assert.equal(state.generation, 4);
    assert.equal(state.generations[4]?.published?.restores, 2);
    assert.deepEqual(shownCameras(state), shownCameras(second));
    assert.deepEqual(state.generations[4]?.layers, second.generations[2]?.layers);
    assert.deepEqual(state.generations[4]?.published?.model, second.generations[2]?.published?.model);
    assert.equal(state.generations[4]?.published?.points, second.generations[2]?.published?.points);
    assert.equal(await blobCount(at.core), blobs);
    const events = appendOf(await everything(at.space), 4);
    assert.deepEqual(
      [...new Set(events.map(({ type }) => type))],
      ["generation.started", "camera.posed", "generation.published"],
    );
    assert.deepEqual(
      state.history.map(({ generation, restores, residual }) => [generation, restores, residual]),
      [
        [1, undefined, undefined],
        [2, undefined, 0.001],
        [3, undefined, 0.002],
        [4, 2, undefined],
      ],
    );
    assert.deepEqual(
      state.history.map(({ cameras, points }) => [cameras, points]),
      [1, 2, 3, 4].map(() => [6, 120]),
      "the first as it was when the second came",
    );
    // Forth again, and back to the very first, which had grown photo by photo.
    assert.equal(await at.reconstructor.restore("a", 3), 5);
    assert.deepEqual(shownCameras(at.space.log.snapshot().state), shownCameras(third));
    assert.equal(await at.reconstructor.restore("a", 1), 6);
    assert.equal(Object.keys(shownCameras(at.space.log.snapshot().state)).length, 6);
    assert.equal(await at.reconstructor.restore("a", 6), 6, "what is shown is shown");
  });

  test("GENR-3 one that never was, and one that the history or the log let go", async (t) => {
    const at = await place(t, options);
    await rejects(at.reconstructor.restore("a", 2), "generation.missing");
    await rejects(at.reconstructor.restore("a", 0), "generation.missing");
    for (let i = 0; i < 5; i++) await rebuilt(at);
    const gone = await rejects(at.reconstructor.restore("a", 1), "generation.gone");
    assert.equal(gone.status, 410);
    assert.equal(await at.reconstructor.restore("a", 2), 7);
  });

  test("GENR-3 a log that was trimmed past the start of a generation; nothing is half restored", async (t) => {
    const world = await reconstructed(t, await temporaryFolder(t), () => new SceneEngine(options), 60_000, {
      segmentBytes: 4096,
    });
    const space = await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 1000 } });
    await addPhotos(world.core, space, 6);
    await until(space, quiet(6));
    for (let i = 0; i < 3; i++) await rebuilt({ reconstructor: world.reconstructor, space });
    const seqOf = (generation: number) => space.log.snapshot().state.history[generation - 1]?.seq ?? 0;
    await space.log.trim(seqOf(3) - 10);
    assert.ok(space.log.first > seqOf(2), "the second's events are gone");
    await rejects(world.reconstructor.restore("a", 2), "generation.gone");
    assert.equal(space.log.snapshot().state.generation, 4);
    assert.equal(await world.reconstructor.restore("a", 4), 4);
  });

  test("GENR-4 photos go on after it, and the next rebuild is laid onto what is shown", async (t) => {
    const at = await place(t, { motionOf: (rebuilds) => shifted(1, [rebuilds, 0, 0]) });
    await rebuilt(at);
    const first = await until(at.space, () => true);
    await rebuilt(at);
    await at.reconstructor.restore("a", 2);
    await addPhotos(at.core, at.space, 1);
    const grown = await until(at.space, quiet(7));
    assert.equal(grown.generation, 4);
    const cameras = shownCameras(grown);
    assert.equal(Object.keys(cameras).length, 7);
    const [image = "", fresh] = Object.entries(cameras).find(([each]) => !shownCameras(first)[each]) ?? [];
    assert.ok(image);
    // The engine has it two units on, after two rebuilds; what is shown is one unit on.
    assert.ok(Math.abs((fresh?.pose.translation[0] ?? 0) - -(3 + 1)) < 1e-9, `${fresh?.pose.translation}`);
    const layers = grown.generations[4]?.layers ?? [];
    assert.equal(layers.length, 2, "points of the photo are a layer of the new generation");
    assert.deepEqual(grown.history.find(({ generation }) => generation === 2)?.layers, layers.slice(0, 1));
    const points = grown.layers[layers[1] ?? 0];
    assert.ok(points?.min && Math.abs(points.min[0] - (3 + 1)) < 0.01, `${points?.min}`);

    await rebuilt(at);
    assert.deepEqual(posesOf(at.engines[0]?.frames.at(-1) ?? []), cameras);
    await rebuilt(at);
    assert.equal(at.engines[0]?.frames.at(-1), undefined, "and the one after it onto its own");
  });

  test("GENR-4 GENR-5 the same after a restart: it stays until a photo comes, and the log is replayed as it was", async (t) => {
    const at = await place(t, options);
    await rebuilt(at);
    const second = await until(at.space, () => true);
    await rebuilt(at);
    await at.reconstructor.restore("a", 2);
    const refined = at.space.log.snapshot().state.generations[4]?.published?.refined;
    assert.equal(refined, 6, "no photo waits to be refined");
    await at.close();

    const again = await place(t, options, 6, at.dir);
    await addPhotos(again.core, again.space, 1);
    const grown = await until(again.space, quiet(7));
    assert.equal(grown.generation, 4, "no rebuild takes it back");
    for (const [image, camera] of Object.entries(shownCameras(second))) {
      assert.deepEqual(shownCameras(grown)[image], camera);
    }
    const state = await rebuilt(again);
    assert.deepEqual(posesOf(again.engines[0]?.frames.at(-1) ?? []), shownCameras(grown));
    await again.close();

    const third = await place(t, options, 6, at.dir);
    await addPhotos(third.core, third.space, 1);
    const after = await until(third.space, quiet(8));
    assert.equal(after.generation, state.generation, "the replay came to what is shown: nothing is to be repaired");
    assert.deepEqual(posesOf(third.engines[0]?.frames[2] ?? []), shownCameras(grown));
  });

  test("GENR-5 a rebuild at work is cancelled, and several who go back at once are served one after the other", async (t) => {
    let held = false;
    const at = await place(t, { ...options, hold: () => (held ? new Promise(() => {}) : undefined) });
    await rebuilt(at);
    await rebuilt(at);
    held = true;
    const operation = await at.reconstructor.rebuild("a");
    await until(at.space, (state) => state.operations[operation]?.status === "running");
    const shown = await Promise.all([1, 2, 3].map((each) => at.reconstructor.restore("a", each)));
    assert.deepEqual(shown, [4, 5, 6]);
    assert.equal(at.space.log.snapshot().state.operations[operation]?.status, "cancelled");
    assert.deepEqual(at.errors, []);
    const both = await Promise.all([restoreGeneration(at.space, 2), restoreGeneration(at.space, 3)]);
    assert.deepEqual(both, [7, 8], "also without an engine");
  });
});

describe("layers that stay", () => {
  const turned: Motion = ([x, y, z]) => [2 * x + 10, 2 * y - 4, 2 * z + 1];

  test("GENR-6 a rebuild that moves everything as one sends 16 numbers and no point", async (t) => {
    const at = await place(t, { motionOf: (rebuilds) => (rebuilds === 0 ? stay : turned) });
    const before = await until(at.space, () => true);
    const blobs = await blobCount(at.core);
    const state = await rebuilt(at);
    const [layer = 0] = before.generations[1]?.layers ?? [];
    assert.deepEqual(state.generations[2]?.layers, [layer]);
    assert.equal(state.generations[2]?.published?.points, before.layers[layer]?.points);
    assert.equal((await blobCount(at.core)) - blobs, 4, "the COLMAP files and the report, and no pack");
    const events = appendOf(await everything(at.space), 2);
    assert.ok(!events.some(({ type }) => type === "segments.added" || type === "layer.started"));
    assert.equal(events.filter(({ type }) => type === "layer.moved").length, 1);
    const moved = movePoints(modelFromLayer(state.layers[layer] ?? {}), Float64Array.of(3, 1, 0), new Float64Array(3));
    for (const [i, value] of turned([3, 1, 0]).entries()) assert.ok(Math.abs((moved[i] ?? 0) - value) < 1e-6);

    const again = await rebuilt(at);
    assert.deepEqual(again.generations[3]?.layers, [layer]);
    assert.ok(!appendOf(await everything(at.space), 3).some(({ type }) => type === "layer.moved"), "it lies right");
  });

  test("GENR-6 points that the kept layers lack are sent, and only they", async (t) => {
    const extra: Vec3[] = [
      [0.3, 2.5, 2],
      [1.3, 2.5, 2],
    ];
    const pointsOf = (photo: number, rebuilds: number) => [
      ...wallPoints(photo),
      ...(rebuilds > 0 && photo === 0 ? extra : []),
    ];
    const at = await place(t, { motionOf: (rebuilds) => (rebuilds === 0 ? stay : turned), pointsOf });
    const before = await until(at.space, () => true);
    const state = await rebuilt(at);
    const layers = state.generations[2]?.layers ?? [];
    assert.equal(layers.length, 2);
    assert.equal(layers[0], before.generations[1]?.layers[0]);
    assert.equal(state.layers[layers[1] ?? 0]?.points, extra.length);
    assert.equal(state.generations[2]?.published?.points, 6 * 20 + extra.length);
  });

  test("GENR-7 below a cell of the finest level it stays, above it is written anew; so with one camera, or lost points", async (t) => {
    const grainOf = (state: SpaceState) => 2 ** (Object.values(state.layers)[0]?.finest ?? 0) / 64;
    const keeps = async (motion: Motion, pointsOf?: SceneEngineOptions["pointsOf"]) => {
      const at = await place(t, { motionOf: (n) => (n === 0 ? stay : motion), ...(pointsOf && { pointsOf }) });
      const before = await until(at.space, () => true);
      const state = await rebuilt(at);
      await at.close();
      return state.generations[2]?.layers[0] === before.generations[1]?.layers[0];
    };
    const at = await place(t, {});
    const grain = grainOf(at.space.log.snapshot().state);
    assert.ok(grain > 1e-5 && grain < 0.01, `${grain}`);
    await at.close();
    assert.equal(await keeps(shaken(0.2 * grain)), true);
    assert.equal(await keeps(shaken(5 * grain)), false);
    // One camera steps aside, its points stay.
    const stray: Motion = ([x, y, z]) => [x, z === -5 && x === 2 ? y + 5 * grain : y, z];
    assert.equal(await keeps(stray), false);
    assert.equal(await keeps(stay, (photo, rebuilds) => (rebuilds && photo === 3 ? [] : wallPoints(photo))), false);
    assert.equal(await keeps(stay), true);
  });

  test("GENR-8 going back past a move puts the layer back, and forth again", async (t) => {
    const at = await place(t, { motionOf: (rebuilds) => (rebuilds === 0 ? stay : turned) });
    const before = await until(at.space, () => true);
    const moved = await rebuilt(at);
    const [layer = 0] = before.generations[1]?.layers ?? [];
    const placeOf = (state: SpaceState) => [...modelFromLayer(state.layers[layer] ?? {})];
    assert.notDeepEqual(placeOf(before), placeOf(moved));
    await at.reconstructor.restore("a", 1);
    assert.deepEqual(placeOf(at.space.log.snapshot().state), placeOf(before));
    await at.reconstructor.restore("a", 2);
    assert.deepEqual(placeOf(at.space.log.snapshot().state), placeOf(moved));
  });
});

describe("anchors", () => {
  const bowed: Motion = ([x, y, z]) => [x, y + 0.02 * x * x, z + 0.01 * x];
  const options: SceneEngineOptions = { motionOf: (rebuilds) => (rebuilds === 0 ? stay : bowed) };
  const near = (a: readonly number[] | undefined, b: readonly number[], distance: number) =>
    assert.ok(a && Math.hypot(...b.map((value, i) => value - (a[i] ?? 0))) <= distance, `${a} is not ${b}`);

  test("GENR-10 placed, moved, listed, removed; refused without a model, beyond it, and when it is not there", async (t) => {
    const at = await place(t, options);
    const anchor = randomUUID();
    const placed = await placeAnchor(at.space, anchor, { point: [1, 0, 0], label: "door" });
    assert.deepEqual(placed, { anchor, point: [1, 0, 0], label: "door", generation: 1, placedIn: 1 });
    await placeAnchor(at.space, anchor, { point: [1, 1, 0] });
    assert.deepEqual(at.space.log.snapshot().state.anchors[anchor]?.point, [1, 1, 0]);
    await rejects(placeAnchor(at.space, randomUUID(), { point: [0, 0, 0], generation: 2 }), "generation.missing");
    await removeAnchor(at.space, anchor);
    assert.deepEqual(at.space.log.snapshot().state.anchors, {});
    await rejects(removeAnchor(at.space, anchor), "anchor.missing");
    const many = Array.from({ length: 1000 }, (): EventDraft => {
      return { type: "anchor.placed", data: { anchor: randomUUID(), generation: 1, point: [0, 0, 0] } };
    });
    await at.space.log.append(many);
    await rejects(placeAnchor(at.space, anchor, { point: [0, 0, 0] }), "space.quota");
    await placeAnchor(at.space, Object.keys(at.space.log.snapshot().state.anchors)[0] ?? "", { point: [1, 0, 0] });
    const empty = await at.core.spaces.create({ id: "empty" });
    await rejects(placeAnchor(empty, anchor, { point: [0, 0, 0] }), "export.empty");
  });

  test("GENR-11 a rebuild carries every anchor over in its own append, to where photos show it", async (t) => {
    const at = await place(t, options, 12);
    const anchor = randomUUID();
    await placeAnchor(at.space, anchor, { point: [3, 0.2, 0], label: "door" });
    const state = await rebuilt(at);
    const carried = appendOf(await everything(at.space), 2).filter(({ type }) => type === "anchor.placed");
    assert.equal(carried.length, 1);
    const now = state.anchors[anchor];
    assert.equal(now?.generation, 2);
    assert.equal(now?.label, "door");
    assert.equal(now?.carried, true);
    assert.equal(now?.placedIn, 1);
    const truth = bowed([3, 0.2, 0]);
    near(now?.point, truth, 0.02);
    assert.ok(Math.hypot(...truth.map((value, i) => value - [3, 0.2, 0][i]!)) > 0.1, "left alone it would be off");
  });

  test("GENR-11 anchors that are moved, named anew or removed while a rebuild ends stay so, and are brought along", async (t) => {
    const at = await place(t, options, 12);
    const [moved, named, gone] = [randomUUID(), randomUUID(), randomUUID()];
    for (const anchor of [moved, named, gone])
      await placeAnchor(at.space, anchor, { point: [3, 0.2, 0], label: "old" });
    at.engines[0]!.meanwhile = async () => {
      await placeAnchor(at.space, moved, { point: [3, 0.3, 0], label: "old" });
      await placeAnchor(at.space, named, { point: [3, 0.2, 0], label: "new" });
      await removeAnchor(at.space, gone);
    };
    await rebuilt(at);
    const { anchors } = await until(at.space, (state) => state.anchors[moved]?.generation === 2);
    assert.deepEqual(Object.keys(anchors).sort(), [moved, named].sort());
    near(anchors[moved]?.point, bowed([3, 0.3, 0]), 0.05);
    near(anchors[named]?.point, bowed([3, 0.2, 0]), 0.02);
    assert.deepEqual([anchors[moved]?.label, anchors[named]?.label], ["old", "new"]);
    assert.ok([moved, named].every((anchor) => anchors[anchor]?.generation === 2 && anchors[anchor]?.placedIn === 1));
  });

  test("GENR-11 one that fell between a rebuild and its append is brought along after a restart; so is one too old to tell", async (t) => {
    const at = await place(t, options, 12);
    await rebuilt(at);
    const [late, lost] = [randomUUID(), randomUUID()];
    const placed = (anchor: string): EventDraft => {
      return { type: "anchor.placed", data: { anchor, generation: 1, point: [3, 0.2, 0] } };
    };
    await at.space.log.append([placed(late)]);
    await at.close();
    const again = await place(t, options, 12, at.dir);
    const { anchors } = await until(again.space, (state) => state.anchors[late]?.generation === 2);
    near(anchors[late]?.point, bowed([3, 0.2, 0]), 0.02);
    for (let i = 0; i < 5; i++) await rebuilt(again);
    await again.space.log.append([placed(lost)]);
    await rebuilt(again);
    const state = await until(again.space, (now) => now.anchors[lost]?.generation === 8);
    assert.equal(state.anchors[late]?.generation, 8);
    assert.deepEqual(state.anchors[lost]?.point, [3, 0.2, 0], "its cameras are gone: it keeps its coordinates");
    assert.deepEqual(again.errors, []);
  });

  test("GENR-12 going back puts an anchor exactly where it was, and one placed later where it belongs", async (t) => {
    const motion = shifted(1.02, [0.3, 0.1, 0]);
    const at = await place(t, { motionOf: (rebuilds) => (rebuilds === 0 ? stay : motion) }, 12);
    const [early, late] = [randomUUID(), randomUUID()];
    await placeAnchor(at.space, early, { point: [3, 0.2, 0] });
    await rebuilt(at);
    await placeAnchor(at.space, late, { point: motion([2, 0.5, 0.5]) });
    await at.reconstructor.restore("a", 1);
    const { anchors } = at.space.log.snapshot().state;
    assert.deepEqual(anchors[early]?.point, [3, 0.2, 0]);
    near(anchors[late]?.point, [2, 0.5, 0.5], 1e-9);
    assert.equal(anchors[late]?.generation, 3);
  });

  test("GENR-11 one that someone placed who still saw the generation before is brought along", async (t) => {
    const at = await place(t, options, 12);
    await rebuilt(at);
    const placed = await placeAnchor(at.space, randomUUID(), { point: [3, 0.2, 0], generation: 1 });
    assert.equal(placed.generation, 2);
    near(placed.point, bowed([3, 0.2, 0]), 0.02);
  });
});

describe("a place on the earth", () => {
  /** Model units of ten metres, x to the east, y to the south, as a receiver at 47° N 8° E tells it. */
  const gpsAt = ([x, y]: Vec3) => ({
    latitudeDeg: 47 - (10 * y) / 111_173,
    longitudeDeg: 8 + (10 * x) / 76_056,
    altitudeM: 400,
  });

  async function captured(t: TestContext, motion: Motion, gpsOf: (i: number) => ReturnType<typeof gpsAt>) {
    const world = await reconstructed(t, await temporaryFolder(t), () => new SceneEngine({ motionOf: () => motion }));
    const space = await world.core.spaces.create({ id: "a", settings: { rebuildEvery: 1000 } });
    await addPhotos(world.core, space, 8, gpsOf);
    await until(space, quiet(8));
    return { ...world, space };
  }

  test("GENR-13 GPS of the photos puts a generation on the earth; going back brings its place with it", async (t) => {
    const zigzag: Motion = ([x, y, z]) => (z === -5 ? [x, Math.round(2 * x) % 2, z] : [x, y, z]);
    const world = await captured(t, zigzag, (i) => gpsAt(zigzag([i / 2, 0, -5])));
    const state = await rebuilt(world);
    const place = state.generations[2]?.published?.georeference;
    assert.ok(place && place.residualM < 0.01, `${place?.residualM}`);
    assert.ok(Math.abs(place.enuFromModel.scale - 10) < 0.01, `${place.enuFromModel.scale}`);
    assert.ok(Math.abs(place.altitudeM - 400) < 0.01 && Math.abs(place.latitudeDeg - 47) < 1e-4);
    await rebuilt(world);
    await world.reconstructor.restore("a", 2);
    assert.deepEqual(world.space.log.snapshot().state.generations[4]?.published?.georeference, place);
  });

  test("GENR-14 photos along a line tell no place", async (t) => {
    const world = await captured(t, stay, (i) => gpsAt([i / 2, 0, -5]));
    const state = await rebuilt(world);
    assert.equal(state.generations[2]?.published?.georeference, undefined);
  });
});
