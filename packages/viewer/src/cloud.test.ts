/** The cloud against a source that answers when the test says so, with the real octree, codec and packs. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CloudPoints, decodePackHead, encodeLayerIndex, LayerTable, type Part } from "@cairn/cloud";
import { deflate } from "@cairn/cloud/node";
import { CairnError, type EventDraft, type Vec3 } from "@cairn/protocol";
import { POINT_BYTES } from "./decode.ts";
import { rangesOf } from "./residents.ts";
import { type FakeSource, fakeCloud } from "./test/fake-source.ts";
import { ground, TestLayer } from "./test/space.ts";

const LOW: Vec3 = [-5, -1, -5];
const HIGH: Vec3 = [5, 1, 5];
const started = (generation: number): EventDraft => ({ type: "generation.started", data: { generation } });
const published = (generation: number, layers?: number[]): EventDraft => ({
  type: "generation.published",
  data: { generation, cameras: 0, points: 0, refined: 0, ...(layers && { layers }) },
});

/** Ground whose points are told apart by the number of their photo. */
function numbered(count: number, seed: number, options?: Parameters<typeof ground>[2]): CloudPoints {
  return {
    ...ground(count, seed, options),
    photos: Uint32Array.from({ length: count }, (_, i) => (seed % 10) * 100_000 + i),
  };
}

/** A published generation with one layer of so many points. */
function generation(source: FakeSource, number: number, seed: number, points = 20_000): TestLayer {
  const layer = new TestLayer(source.space, number, LOW, HIGH);
  source.apply(started(number), layer.started({ generation: number }), layer.insert(numbered(points, seed)));
  return layer;
}

/** The numbers of the layer's points on the GPU, sorted. */
function onGpu({ cloud, gpu }: ReturnType<typeof fakeCloud>, layer: number): number[] {
  const points: number[] = [];
  for (const resident of cloud.residents.of(layer)) {
    for (const { slab, first, count } of rangesOf(resident)) {
      const bytes = gpu.slabs[slab]!.subarray(first * POINT_BYTES, (first + count) * POINT_BYTES);
      const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, count * 8);
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, count * 4);
      for (let i = 0; i < count; i++) {
        assert.equal(halves[i * 8 + 3], resident.slot, "a point says whose it is");
        points.push(words[i * 4 + 3]! & 0xfffff);
      }
    }
  }
  return points.sort((a, b) => a - b);
}

/** Compacts what the log holds: one part a node, in one blob. */
async function compacted(source: FakeSource, number: number): Promise<EventDraft> {
  const state = source.state.layers[number]!;
  const table = new LayerTable(state);
  for (const { blob, headBytes } of state.packs) {
    table.applyPack(await decodePackHead(source.space.blobs.get(blob)!.subarray(0, headBytes), blob));
  }
  // The parts are left as they are: an index may name them too.
  const nodes = table.list.filter(({ points }) => points > 0).map(({ id, parts }) => ({ node: id, parts }));
  const bytes = encodeLayerIndex({ root: table.root!.id, nodes }, deflate);
  const blobs = [...new Set(nodes.flatMap(({ parts }) => parts.map(({ blob }: Part) => blob)))];
  const data = { layer: number, packs: table.packs, index: source.space.put(bytes), sizeBytes: bytes.length };
  return { type: "layer.compacted", data: { ...data, points: table.points, nodes: nodes.length, blobs } };
}

test("every point of every pack comes to the GPU once, whatever order the bytes come in", async () => {
  const here = fakeCloud();
  const { source, cloud, settle } = here;
  const layer = generation(source, 1, 1);
  source.apply(published(1));
  await settle();
  source.auto = false;
  for (let i = 0; i < 6; i++) source.apply(layer.insert(numbered(15_000, 2 + i)));
  for (let round = 0; round < 60; round++) {
    await settle();
    source.waiting.reverse();
    source.waiting.splice(0, 3).forEach((each) => {
      each.answer();
    });
  }
  source.auto = true;
  source.answerAll();
  await settle();
  const points = onGpu(here, 1);
  assert.equal(points.length, source.state.layers[1]!.points);
  assert.equal(new Set(points).size, points.length, "none is there twice");
  assert.deepEqual(cloud.stats, {
    points: points.length,
    loaded: points.length,
    wanted: points.length,
    failed: 0,
    total: points.length,
  });
});

test("what is held is said as a number of points for each node, and is a prefix at every moment", async () => {
  const { source, cloud, settle } = fakeCloud();
  const layer = generation(source, 1, 2, 30_000);
  source.apply(published(1));
  for (let i = 0; i < 4; i++) source.apply(layer.insert(ground(20_000, 20 + i)));
  source.auto = false;
  for (let round = 0; round < 40; round++) {
    await settle();
    for (const { nodes } of source.held!()) {
      for (const { points, ...id } of nodes) {
        const node = cloud
          .drawn()
          .find(
            ({ node: { id: other } }) => other.e === id.e && other.x === id.x && other.y === id.y && other.z === id.z,
          );
        const ends = [0];
        for (const part of node?.node.parts ?? []) ends.push(ends.at(-1)! + part.points);
        assert.ok(ends.includes(points), `${points} is no boundary of ${ends}`);
      }
    }
    source.waiting.splice(0, 2).forEach((each) => {
      each.answer();
    });
  }
});

test("at most six requests fly, and those that are no longer wanted are given up", async () => {
  const { source, cloud, frame, settle } = fakeCloud();
  for (let number = 1; number <= 3; number++) {
    const layer = new TestLayer(source.space, number, LOW, HIGH, { spacing: 0.005 });
    source.apply(layer.started(), layer.insert(ground(200_000, number)));
  }
  source.auto = false;
  await settle();
  const before = [...source.waiting];
  assert.ok(before.length > 3 && before.length <= 6, `${before.length}`);
  // Away from it all: only the roots are wanted still.
  const axes: [Vec3, Vec3, Vec3] = [
    [1, 0, 0],
    [0, 0, 1],
    [0, -1, 0],
  ];
  cloud.look({ position: [0, -200, 0], axes, tanX: 0.2, tanY: 0.2, focalPx: 2000 }, 1_000_000);
  frame();
  assert.ok(
    before.some(({ aborted }) => aborted),
    "none was given up",
  );
  assert.ok(source.waiting.length <= 3, `${source.waiting.length}`);
});

test("neighbours in a pack are one request", async () => {
  const { source, settle } = fakeCloud();
  generation(source, 1, 4, 60_000);
  source.apply(published(1));
  const { blob } = source.state.layers[1]!.packs[0]!;
  await settle();
  const requests = source.asked.filter((each) => each.startsWith(blob)).length - 1; // and the head
  const { segments } = source.state.layers[1]!.packs[0]!;
  assert.ok(requests * 2 < segments, `${requests} requests for ${segments} segments`);
});

test("pushed bytes are taken without asking", async () => {
  const { source, cloud, settle } = fakeCloud();
  generation(source, 1, 5);
  source.apply(published(1));
  source.auto = false;
  await settle();
  const asked = source.asked.length;
  const { blob, sizeBytes, headBytes } = source.state.layers[1]!.packs[0]!;
  source.push(blob, headBytes, sizeBytes);
  await settle();
  assert.equal(cloud.stats.loaded, cloud.stats.wanted);
  assert.equal(source.asked.length, asked);
});

test("bytes that fail to come are asked for again, and nothing is doubled", async () => {
  const here = fakeCloud();
  const { source, clock, cloud, settle, problems } = here;
  generation(source, 1, 6);
  source.apply(published(1));
  source.auto = false;
  await settle();
  assert.ok(source.waiting.length > 0);
  for (const each of source.waiting.splice(0)) each.fail();
  await settle();
  assert.ok(problems.length > 0);
  assert.ok(cloud.againAtMs !== undefined && cloud.againAtMs > 0);
  source.auto = true;
  clock.ms += 5000;
  await settle();
  assert.equal(onGpu(here, 1).length, source.state.layers[1]!.points);
});

test("while nothing answers, one request now and then finds out whether anything does; a line that is back ends the wait", async () => {
  const here = fakeCloud();
  const { source, clock, cloud, settle } = here;
  for (let number = 1; number <= 3; number++) {
    const layer = new TestLayer(source.space, number, LOW, HIGH, { spacing: 0.005 });
    source.apply(layer.started(), layer.insert(ground(200_000, number)));
  }
  source.auto = false;
  await settle();
  let failed = 0;
  const fail = () => {
    failed += source.waiting.length;
    for (const each of source.waiting.splice(0)) each.fail(new TypeError("fetch failed"));
  };
  fail();
  const underWay = failed;
  assert.ok(underWay > 1 && underWay <= 6, `${underWay}`);
  const startMs = clock.ms;
  const probes: number[] = [];
  while (clock.ms < startMs + 60_000) {
    await settle();
    if (source.waiting.length > 0) probes.push(clock.ms - startMs);
    assert.ok(source.waiting.length <= 1, `${source.waiting.length} at once`);
    fail();
    await settle();
    assert.ok(cloud.againAtMs !== undefined && cloud.againAtMs > clock.ms);
    clock.ms = Math.max(clock.ms, Math.min(cloud.againAtMs, startMs + 60_000));
  }
  assert.ok(probes.length >= 5 && probes.length <= 10, `probes after ${probes} ms`);

  source.line(true);
  await settle();
  assert.ok(source.waiting.length > 1, "at once, and as many as ever");
  fail();
  await settle();
  // One answer says as much.
  clock.ms = cloud.againAtMs!;
  await settle();
  assert.equal(source.waiting.length, 1);
  source.auto = true;
  source.answerAll();
  await settle();
  assert.deepEqual([cloud.againAtMs, cloud.stats.loaded], [undefined, cloud.stats.wanted]);
});

test("what the server cannot give is skipped after a few tries, told, and taken when it was mended", async () => {
  const here = fakeCloud();
  const { source, clock, cloud, settle } = here;
  const layer = generation(source, 1, 6, 60_000);
  source.apply(published(1));
  await settle();
  const { points } = cloud.stats;
  source.auto = false;
  source.apply(layer.insert(numbered(20_000, 7)));
  const { blob } = source.state.layers[1]!.packs[1]!;
  const damaged = (remade: boolean): EventDraft => {
    return { type: "layer.damaged", data: { layer: 1, blob, points: 20_000, remade } };
  };
  await settle();
  source.answerAll(); // the pack's head
  let asked = 0;
  for (let round = 0; round < 8; round++) {
    await settle();
    for (const each of source.waiting.splice(0)) {
      asked++;
      each.fail(new CairnError("blob.corrupt", { digest: blob }));
    }
    clock.ms += 5000;
  }
  const { loaded, wanted, failed } = cloud.stats;
  assert.ok(failed > 0 && loaded >= points && loaded + failed === wanted, `${loaded} + ${failed} of ${wanted}`);
  assert.ok(asked > 0 && asked < 200, `${asked} requests`);
  await settle();
  assert.equal(source.waiting.length, 0, "it is left in peace");
  source.auto = true;
  source.apply(damaged(false));
  await settle();
  assert.ok(cloud.stats.failed > 0, "still lost");
  source.apply(damaged(true));
  await settle();
  assert.deepEqual([cloud.stats.failed, cloud.stats.loaded], [0, cloud.stats.wanted]);
  assert.equal(onGpu(here, 1).length, source.state.layers[1]!.points);
});

test("the old generation stays until the new one's visible part is here, then both are drawn, then the old goes", async () => {
  const { source, cloud, clock, frame, settle } = fakeCloud();
  generation(source, 1, 7);
  source.apply(published(1));
  await settle();
  const { points } = cloud.stats;
  assert.ok(points > 0);
  generation(source, 2, 8);
  await settle();
  assert.equal(cloud.generation, 1, "not yet published");
  source.auto = false;
  source.apply(published(2));
  await settle();
  assert.equal(cloud.generation, 1, "published, but nothing of it is here");
  assert.equal(cloud.stats.points, points, "and nothing of the old is gone");
  source.answerAll();
  source.auto = true;
  let least = Number.POSITIVE_INFINITY;
  let both = false;
  for (let i = 0; i < 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    frame();
    const layers = new Set(
      cloud
        .drawn()
        .filter(({ resident }) => resident)
        .map(({ layer }) => layer.layer),
    );
    if (layers.size === 2) {
      both = true;
      const [old, next] = [cloud.fadeOf(1, clock.ms), cloud.fadeOf(2, clock.ms)];
      assert.ok(old.to - old.from === 1 || next.to - next.from === 1 || old.to - old.from + next.to - next.from > 1);
    }
    least = Math.min(
      least,
      cloud.drawn().reduce((sum, { resident }) => sum + (resident?.points ?? 0), 0),
    );
  }
  assert.ok(both, "they were never drawn together");
  assert.ok(least >= points * 0.9, `a frame had only ${least} of ${points} points`);
  assert.equal(cloud.generation, 2);
  assert.deepEqual([...cloud.residents.of(1)], [], "the old one's memory is free");
});

test("a generation overtaken while it waits is never shown, and going back shows what is still here", async () => {
  const { source, cloud, settle } = fakeCloud();
  generation(source, 1, 9);
  source.apply(published(1));
  await settle();
  source.auto = false;
  generation(source, 2, 10);
  source.apply(published(2));
  await settle();
  source.apply(started(3), published(3, [1])); // back to the first one's layer
  await settle();
  assert.equal(cloud.generation, 3);
  assert.equal(cloud.stats.points, source.state.layers[1]!.points);
  assert.equal(cloud.fading, false);
});

test("equal segments of another generation are not fetched again", async () => {
  const { source, cloud, settle } = fakeCloud();
  const first = generation(source, 1, 11, 40_000);
  source.apply(published(1));
  await settle();
  const asked = new Set(source.asked);
  const again = new TestLayer(source.space, 2, LOW, HIGH, { grid: first.grid });
  source.apply(started(2), again.started({ generation: 2 }));
  // Other bytes before it, so that the blob is another one and only its segments are the same.
  source.apply(again.insert(numbered(40_000, 11)), again.insert(ground(500, 12, { centre: [0, -3, 0] })), published(2));
  await settle();
  assert.equal(cloud.generation, 2);
  assert.equal(cloud.stats.loaded, cloud.stats.wanted);
  const pack = source.state.layers[2]!.packs[0]!;
  const fetched = source.asked.filter((each) => !asked.has(each) && each.startsWith(`${pack.blob}:`));
  assert.ok(fetched.length <= 1, `${fetched.length} requests for what was here but for the head`);
});

test("a compacted layer is read anew in a quiet moment, and nothing of what is drawn is touched", async () => {
  const here = fakeCloud();
  const { source, cloud, settle } = here;
  const layer = generation(source, 1, 13, 5000);
  source.apply(published(1));
  for (let i = 0; i < 80; i++)
    source.apply(
      layer.insert({
        ...ground(600, 40 + i),
        photos: Uint32Array.from({ length: 600 }, (_, k) => 400_000 + i * 600 + k),
      }),
    );
  await settle();
  const before = onGpu(here, 1);
  const asked = source.asked.length;
  source.apply(await compacted(source, 1));
  await settle();
  assert.deepEqual(onGpu(here, 1), before);
  assert.equal(source.asked.length, asked + 1, "only the index");
  source.apply(layer.insert(numbered(4000, 205)));
  await settle();
  const points = onGpu(here, 1);
  assert.equal(points.length, source.state.layers[1]!.points);
  assert.equal(new Set(points).size, points.length);
  assert.equal(cloud.stats.loaded, cloud.stats.wanted);
});

test("who comes late reads the index and the packs after it", async () => {
  const here = fakeCloud();
  const { source, cloud, settle } = here;
  cloud.follow(undefined);
  const layer = generation(source, 1, 14, 5000);
  source.apply(published(1));
  for (let i = 0; i < 5; i++) source.apply(layer.insert(ground(3000, 60 + i)));
  source.apply(await compacted(source, 1));
  source.apply(layer.insert(ground(3000, 70)));
  cloud.follow(source);
  await settle();
  assert.equal(onGpu(here, 1).length, source.state.layers[1]!.points);
});

test("a log that was replaced is drawn anew", async () => {
  const here = fakeCloud();
  const { source, settle } = here;
  generation(source, 1, 15, 9000);
  source.apply(published(1));
  await settle();
  const other = new TestLayer(source.space, 1, LOW, HIGH, { grid: source.state.layers[1]! });
  const insertion = other.insert(ground(5000, 99));
  source.state = structuredClone(source.state);
  assert.equal(insertion.type, "segments.added");
  if (insertion.type !== "segments.added") return;
  const { layer: _, ...pack } = insertion.data;
  Object.assign(source.state.layers[1]!, { packs: [pack], points: pack.points });
  source.apply();
  await settle();
  assert.equal(onGpu(here, 1).length, 5000);
});

test("memory is bounded: what was not seen for longest goes, and comes back when it is looked at", async () => {
  const here = fakeCloud({ maxPoints: 262_144, budget: 100_000 });
  const { source, cloud, settle } = here;
  const places = [-40, 0, 40, 80];
  const layer = new TestLayer(source.space, 1, [-50, -1, -5], [90, 1, 5], { spacing: 0.005 });
  source.apply(layer.started());
  for (const x of places) source.apply(layer.insert(ground(120_000, 80 + x, { centre: [x, 0, 0] })));
  await settle();
  const axes: [Vec3, Vec3, Vec3] = [
    [1, 0, 0],
    [0, 0, 1],
    [0, -1, 0],
  ];
  for (const x of [...places, ...places]) {
    cloud.look({ position: [x, 8, 0], axes, tanX: 0.6, tanY: 0.6, focalPx: 1000 }, 100_000);
    await settle();
    const { loaded, wanted, points } = cloud.stats;
    assert.equal(loaded, wanted, `at ${x}`);
    assert.ok(points > 40_000 && points <= 100_000, `${points}`);
    assert.ok(cloud.residents.points <= 262_144 && cloud.residents.slabs === 1);
  }
});

test("a layer that is moved keeps its points; one that is removed goes", async () => {
  const { source, cloud, settle } = fakeCloud();
  const layer = new TestLayer(source.space, 1, LOW, HIGH);
  source.apply(layer.started(), layer.insert(ground(5000, 16)));
  await settle();
  const asked = source.asked.length;
  const transform = {
    scale: 2,
    rotation: [1, 0, 0, 0] as [number, number, number, number],
    translation: [1, 2, 3] as Vec3,
  };
  source.apply({ type: "layer.moved", data: { layer: 1, transform } });
  await settle();
  assert.deepEqual(cloud.drawn()[0]?.layer.transform, transform);
  assert.equal(source.asked.length, asked);
  source.apply({ type: "layer.removed", data: { layer: 1 } });
  await settle();
  assert.equal(cloud.drawn().length, 0);
  assert.equal(cloud.residents.points, 0);
});

test("leaving a space lets go of everything", async () => {
  const { source, cloud, settle } = fakeCloud();
  generation(source, 1, 17);
  source.apply(published(1));
  source.auto = false;
  await settle();
  cloud.follow(undefined);
  source.answerAll();
  await settle();
  assert.equal(source.listeners, 0);
  assert.equal(source.held, undefined);
  assert.equal(cloud.residents.points, 0);
});
