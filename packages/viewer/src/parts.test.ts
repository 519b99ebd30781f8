/** The pieces of the viewer that are pure: room, budget, stage, colours, what the shader is told, what a pick means. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSegment, LayerTable, type NodeId, nodeKey, parseNodeKey, planGrid } from "@cairn/cloud";
import { applyEvent, type CairnEvent, emptyState, type Vec3 } from "@cairn/protocol";
import fc from "fast-check";
import { legendOf, photoColors, RAMPS, rampColor, rgbOf } from "./color-modes.ts";
import { decodePart, POINT_BYTES } from "./decode.ts";
import { anchorOf, NodeTextures } from "./node-textures.ts";
import { PagePool, type PageRun, SLAB_PAGES } from "./page-pool.ts";
import { PartCache } from "./part-cache.ts";
import { meetsBall, nearest, PICK_PX, zoomed } from "./picker.ts";
import { planNodes } from "./plan.ts";
import { PointBudget } from "./point-budget.ts";
import { PointSample } from "./point-sample.ts";
import { type Resident, Residents } from "./residents.ts";
import { Stage } from "./stage.ts";

test("pages are given to one at a time, all of them can be had, and what is given back can be had again", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ pages: fc.integer({ min: 1, max: 700 }), give: fc.boolean() }), { maxLength: 40 }),
      (steps) => {
        const pool = new PagePool(3);
        const held: PageRun[][] = [];
        const owner = new Map<string, number>();
        steps.forEach(({ pages, give }, step) => {
          if (give && held.length > 0) {
            for (const run of held.splice(step % held.length, 1)[0]!) {
              pool.give(run);
              for (let page = 0; page < run.pages; page++) owner.delete(`${run.slab} ${run.first + page}`);
            }
            return;
          }
          const free = pool.freePages;
          const runs = pool.take(pages);
          assert.equal(runs !== undefined, pages <= free);
          if (!runs) return;
          assert.equal(
            runs.reduce((sum, run) => sum + run.pages, 0),
            pages,
          );
          const last = runs.at(-1)!;
          pool.extend(last, step % 5);
          for (const { slab, first, pages: n } of runs) {
            assert.ok(slab < 3 && first + n <= SLAB_PAGES);
            for (let page = first; page < first + n; page++) {
              assert.equal(owner.has(`${slab} ${page}`), false, "a page has two owners");
              owner.set(`${slab} ${page}`, step);
            }
          }
          held.push(runs);
        });
        assert.equal(pool.takenPages, owner.size);
      },
    ),
    { seed: 5, numRuns: 60 },
  );
});

test("the cache keeps what was used last within its bytes, and not what it is a view into", () => {
  const cache = new PartCache(100);
  cache.put("a", new Uint8Array(40));
  cache.put("b", new Uint8Array(1000).subarray(0, 40));
  assert.equal(cache.get("b")?.buffer.byteLength, 40);
  cache.get("a");
  cache.put("c", new Uint8Array(40));
  assert.deepEqual([cache.has("a"), cache.has("b"), cache.has("c"), cache.sizeBytes], [true, false, true, 80]);
  cache.put("d", new Uint8Array(101));
  assert.equal(cache.has("d"), false);
  cache.drop("a");
  assert.equal(cache.sizeBytes, 40);
});

test("the budget falls on a slow machine, rises on a fast one that could show more, and one slow frame is nothing", () => {
  const budget = new PointBudget(1_000_000, 3_000_000);
  for (let i = 0; i < 20; i++) budget.frame(16, false);
  budget.frame(120, false);
  for (let i = 0; i < 20; i++) budget.frame(16, false);
  assert.equal(budget.points, 1_000_000);
  for (let i = 0; i < 12; i++) budget.frame(3000, true);
  assert.equal(budget.points, 100_000, "a machine without a GPU is spared after a few frames");
  for (let i = 0; i < 2000; i++) budget.frame(8, true);
  assert.equal(budget.points, 3_000_000);
  budget.rest();
});

test("a still view gets more, step by step, until a picture takes long; moving takes it away at once", () => {
  const budget = new PointBudget(1_000_000, 5_000_000);
  for (let i = 0; i < 12; i++) budget.frame(100, true);
  assert.equal(budget.points, 100_000);
  const steps = [];
  while (budget.refine(20)) steps.push(budget.points);
  assert.deepEqual(steps.slice(0, 4), [200_000, 400_000, 800_000, 1_600_000]);
  assert.equal(steps.at(-1), 5_000_000, "all there is room for, and then it ends");
  budget.frame(900, true);
  assert.equal(budget.points, 5_000_000, "slow pictures of a still view say nothing of moving ones");
  budget.move();
  assert.equal(budget.points, 100_000);
  assert.equal(budget.refine(600), true);
  assert.ok(budget.points < 170_000, "twice as many would take longer than a second");
  assert.equal(budget.refine(950), false);
});

test("a sample stays small and even, however many points pass by", () => {
  const sample = new PointSample();
  let passed = 0;
  for (let part = 0; part < 500; part++) {
    const from = passed;
    sample.add(777, (i, out, offset) => out.fill(from + i, offset, offset + 3));
    passed += 777;
  }
  assert.ok(sample.count > 4000 && sample.count <= 8192, `${sample.count}`);
  const gaps = new Set<number>();
  for (let i = 1; i < sample.count; i++) gaps.add(sample.positions[i * 3]! - sample.positions[i * 3 - 3]!);
  assert.deepEqual([...gaps], [64]);
});

test("layers come and go: at once where nothing leaves, else when ready, and the picture is never empty", () => {
  const stage = new Stage();
  stage.aim(1, [1]);
  assert.equal(
    stage.step(0, () => false),
    true,
  );
  assert.deepEqual([...stage.shown], [1]);
  stage.aim(2, [2]);
  assert.equal(
    stage.step(10, () => false),
    false,
  );
  assert.deepEqual([[...stage.shown], [...stage.waiting], stage.generation, stage.waitingSinceMs], [[1], [2], 1, 10]);
  stage.step(20, () => true);
  assert.deepEqual([[...stage.shown], stage.generation, stage.fading], [[1, 2], 2, true]);
  for (let t = 20; t < 420; t += 10) {
    const [old, next] = [stage.fadeOf(1, t), stage.fadeOf(2, t)];
    // A random number of 0…1 in either range is a point that is drawn.
    assert.ok(Math.max(old.to - old.from, next.to - next.from) > 0.99, `at ${t} both are thin`);
  }
  // Another one while they fade: it waits for its turn.
  stage.aim(3, [3]);
  stage.step(100, () => true);
  assert.deepEqual([[...stage.shown], [...stage.waiting]], [[1, 2], []]);
  stage.step(430, () => true);
  assert.deepEqual([[...stage.shown], stage.generation], [[2, 3], 3]);
  stage.step(900, () => true);
  assert.deepEqual([[...stage.shown], stage.fading], [[3], false]);
});

const grid = planGrid([0, 0, 0], [1, 1, 1]);
const seed = parseNodeKey(grid.seed);
const childOf = ({ e, x, y, z }: NodeId, octant: number): NodeId => ({
  e: e - 1,
  x: x * 2 + (octant & 1),
  y: y * 2 + ((octant >> 1) & 1),
  z: z * 2 + ((octant >> 2) & 1),
});
const part = (points: number) => ({ blob: "b", start: 0, end: 1, points, hash: "h" });

/** A table of these nodes, so many points in each. */
function tableOf(nodes: readonly [NodeId, number][]): LayerTable {
  const table = new LayerTable(grid);
  table.applyPack({ root: seed, parts: nodes.map(([node, points]) => ({ node, part: part(points) })) });
  return table;
}

test("a plan holds as many nodes as the budget, parents first, the largest on the screen of all layers first", () => {
  const children = [0, 3, 5, 7].map((octant) => childOf(seed, octant));
  const nodes: [NodeId, number][] = [[seed, 100], ...children.map((id): [NodeId, number] => [id, 50])];
  const layers = ["a", "b"].map((layer) => ({ layer, table: tableOf(nodes), view: undefined }));
  const all = planNodes(layers, 1e9, 0);
  assert.deepEqual([all.nodes.length, all.points, all.short], [10, 600, false]);
  for (let i = 1; i < 10; i++) assert.ok(all.nodes[i]!.px <= all.nodes[i - 1]!.px);
  const some = planNodes(layers, 320, 0);
  assert.deepEqual([some.points, some.short], [300, true]);
  assert.deepEqual(new Set(some.nodes.slice(0, 2).map(({ layer }) => layer)), new Set(["a", "b"]));
});

test("the tree that the shader walks leads every place to the finest drawn node that covers it", () => {
  const [a, b] = [childOf(seed, 2), childOf(seed, 6)];
  const c = childOf(b, 1);
  const table = tableOf([
    [seed, 9000],
    [a, 9000],
    [b, 9000],
    [c, 600],
  ]);
  const resident = (id: NodeId, slot: number, points: number): Resident => ({
    ...{ layer: 1, id, slot, runs: [], points, parts: 1, torn: false, bits: 12, spacing: 0.01, seen: 0 },
    ...{ batch: 1, bornMs: 500, live: false, octants: new Uint32Array(64) },
  });
  const residents = [seed, a, b, c].map((id, i) => resident(id, i + 1, 0));
  const drawn = (points: Readonly<Record<string, number>>) =>
    [seed, a, b, c].map((id, i) => {
      const node = table.nodes.get(nodeKey(id))!;
      const here = points[nodeKey(id)] ?? node.points;
      return {
        grid,
        node,
        density: 1,
        resident: here > 0 ? Object.assign(residents[i]!, { points: here }) : undefined,
      };
    });
  const walk = (textures: NodeTextures, p: Vec3) => {
    let row = textures.slots[(1 * 2 + 1) * 4 + 1]!; // the root's place
    const local = [...p];
    let depth = 0;
    for (;;) {
      const octant = local.reduce((sum, value, axis) => sum | (value >= 0.5 ? 1 << axis : 0), 0);
      const entry = textures.tree[row * 4]!;
      if (((entry >> octant) & 1) === 0)
        return { depth, spacing: new Float32Array(textures.tree.buffer)[row * 4 + 1]!, row };
      let before = 0;
      for (let k = 0; k < octant; k++) before += (entry >> k) & 1;
      row = (entry >>> 16) + before;
      for (let axis = 0; axis < 3; axis++) local[axis] = (local[axis]! * 2) % 1;
      depth++;
    }
  };
  const textures = new NodeTextures();
  assert.equal(textures.fill(drawn({}), 5, 0, 9000), true);
  assert.equal(walk(textures, [0.2, 0.2, 0.2]).depth, 0);
  assert.equal(walk(textures, [0.2, 0.7, 0.2]).depth, 1);
  assert.equal(walk(textures, [0.4, 0.7, 0.7]).depth, 2);
  assert.equal(walk(textures, [0.1, 0.7, 0.7]).depth, 1);
  assert.ok(walk(textures, [0.2, 0.2, 0.2]).spacing > walk(textures, [0.4, 0.7, 0.7]).spacing);
  // A node of which little is here does not cover its place yet.
  textures.fill(drawn({ [nodeKey(b)]: 1000 }), 5, 0, 9000);
  assert.equal(walk(textures, [0.1, 0.7, 0.7]).depth, 0);
  // One that comes in takes over from what covered its place, through all that comes in with it.
  const spacingsAt = (row: number) => new Float32Array(textures.tree.buffer).subarray(row * 4 + 1, row * 4 + 4);
  const rootSpacing = spacingsAt(0)[0]!;
  assert.equal(textures.fill(drawn({}), 5, 0, 20_000), true, "it is covered again");
  const [spacing, before, since] = spacingsAt(walk(textures, [0.4, 0.7, 0.7]).row);
  assert.ok(spacing! < rootSpacing / 3 && before! >= rootSpacing && since === 9, "its child had come before");
  assert.deepEqual([...spacingsAt(walk(textures, [0.1, 0.7, 0.7]).row)].slice(1), [rootSpacing, 20]);
  assert.equal(textures.slots[3 * 8 + 7], 0, "all of its points come in, though they were born long ago");
  assert.equal(textures.slots[3 * 8 + 6], 20);
  assert.equal(textures.fill(drawn({}), 5, 0, 20_100), false);
  assert.equal(textures.slots[3 * 8 + 6], 20, "once");
  // Where a node lies, from the layer's anchor on, and its step.
  const slot = textures.slots.subarray(2 * 8, 2 * 8 + 8);
  assert.deepEqual([...slot.subarray(0, 5)], [0, 2 ** (seed.e - 1), 0, 2 ** (seed.e - 1), 2 ** (seed.e - 1 - 12)]);
  assert.deepEqual(anchorOf(grid), [
    grid.origin[0] + seed.x * 2 ** seed.e,
    grid.origin[1] + seed.y * 2 ** seed.e,
    grid.origin[2] + seed.z * 2 ** seed.e,
  ]);
});

test("what lies loosely around a scene is drawn as dots, also in nodes that have no points, and the scene as a surface", () => {
  const parent = ({ e, x, y, z }: NodeId): NodeId => ({ e: e + 1, x: x >> 1, y: y >> 1, z: z >> 1 });
  const empty = parent(seed);
  const root = parent(empty);
  const side = [0, 1, 2, 3, 4, 5, 6, 7]
    .map((octant) => childOf(root, octant))
    .find((id) => nodeKey(id) !== nodeKey(empty))!;
  const counts: [NodeId, number][] = [
    [root, 3000],
    [empty, 0],
    [seed, 9000],
    [side, 100],
  ];
  const table = new LayerTable(grid);
  table.applyPack({ root, parts: counts.filter(([, n]) => n > 0).map(([node, n]) => ({ node, part: part(n) })) });
  const spacingsOf = (around: number) => {
    const nodes = counts.map(([id, points], slot) => {
      const octants = new Uint32Array(64);
      const about = { layer: 1, id, slot, runs: [], points, parts: 1, torn: false, bits: 12, seen: 0, octants };
      const spacing = id === root || id === side ? around : 0.005;
      const resident: Resident = { ...about, spacing, batch: 1, bornMs: 0, live: false };
      return { grid, node: table.nodes.get(nodeKey(id))!, density: 1, resident: points > 0 ? resident : undefined };
    });
    const textures = new NodeTextures();
    textures.fill(nodes, 5, 0, 9000);
    const row = (from: number, id: NodeId) => {
      const mask = textures.tree[from * 4]! & 255;
      const octant = (id.x & 1) | ((id.y & 1) << 1) | ((id.z & 1) << 2);
      assert.ok((mask >> octant) & 1, nodeKey(id));
      const before = [...Array(octant).keys()].filter((k) => (mask >> k) & 1).length;
      return (textures.tree[from * 4]! >>> 16) + before;
    };
    const at = (place: number) => new Float32Array(textures.tree.buffer)[place * 4 + 1]!;
    const within = row(0, empty);
    return [at(0), at(within), at(row(within, seed)), at(row(0, side))] as const;
  };
  const [around, none, scene, few] = spacingsOf(0.002);
  assert.ok(around < 0 && none === around && few < 0 && Math.abs(few) < Math.abs(around), "loose");
  assert.ok(scene > 0);
  // As far apart as the node's own cells: an even cover, which stays closed.
  const [even, inside] = spacingsOf(0.02);
  assert.ok(even > 0 && inside === even);
});

test("a few points by themselves are told from those of a surface, those of the node above counted with them", () => {
  const child = childOf(seed, 5);
  const table = tableOf([
    [seed, 9000],
    [child, 40],
  ]);
  const residents = new Residents({ write: () => undefined }, 1);
  /** Each octant of each octant of a node gets so many points. */
  const put = (id: NodeId, counts: readonly number[]) => {
    const count = counts.reduce((sum, n) => sum + n);
    const bytes = new Uint8Array(count * POINT_BYTES);
    const points = { bytes, count, bits: 12, spacing: 0.01, octants: Uint32Array.from(counts) };
    return residents.append(1, id, points, { before: 0, nowMs: 0, live: false })!;
  };
  const counts = (octants: readonly number[]) => octants.flatMap((count) => [count, 0, 0, 0, 0, 0, 0, 0]);
  // Above the child there are 0, 9, 20, 0, … in its octants; it has 15, 7, 1, 16, … itself.
  put(seed, [...counts([100, 15, 16, 0, 9, 0, 0, 0]).slice(0, 40), 0, 9, 20, 0, 0, 0, 0, 0, ...counts([100, 3])]);
  put(child, counts([15, 7, 1, 16, 0, 0, 0, 1]));
  const nodes = [seed, child].map((id) => {
    return { grid, node: table.nodes.get(nodeKey(id))!, density: 1, resident: residents.get(1, nodeKey(id)) };
  });
  const textures = new NodeTextures();
  textures.fill(nodes, 5, 0, 9000);
  const lone = (row: number) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((octant) => (textures.tree[row * 4]! >> (8 + octant)) & 1);
  assert.deepEqual(lone(0), [1, 3, 4, 7]);
  assert.deepEqual(lone(1), [0, 4, 5, 6, 7]);
  // What comes in its place begins anew.
  residents.drop(residents.get(1, nodeKey(child))!);
  assert.equal(
    put(child, counts([20])).octants.reduce((sum, n) => sum + n),
    20,
  );
});

test("a segment's points are counted by octants of octants, as children are numbered", async () => {
  for (const bits of [2, 9, 16]) {
    const edge = 2 ** bits;
    const places = [
      [0, 0, 0],
      [edge - 1, 0, 0],
      [0, edge / 4, 0],
      [0, edge / 2, edge / 2],
      [0, edge / 2, edge - 1],
    ];
    const points = { coords: Uint16Array.from(places.flat()), colors: new Uint8Array(15), photos: 1, count: 5 };
    const { octants } = await decodePart(encodeSegment({ node: seed, bits, ...points }));
    const found = [...octants.entries()].filter(([, n]) => n > 0);
    assert.deepEqual(found, [
      [0, 1], // the corner
      [2, 1], // y in the second quarter
      [(1 << 3) | 1, 1], // x in the last
      [6 << 3, 1], // y and z from their middle on
      [(6 << 3) | 4, 1], // z in the last
    ]);
  }
});

test("a pick zooms to its pixels and takes the point nearest to the middle", () => {
  const pixels = new Uint32Array(PICK_PX * PICK_PX * 4);
  assert.equal(nearest(pixels), undefined);
  const put = (x: number, y: number, values: [number, number, number, number]) =>
    pixels.set(values, (y * PICK_PX + x) * 4);
  put(0, 0, [9, 9, 9, 9]);
  put(8, 7, [4 | (3 << 16), 200_001 | (0x1234 << 18), 10 | (20 << 16), 30 | (77 << 16) | (5 << 24)]);
  assert.deepEqual(nearest(pixels), {
    ...{ slot: 4, slab: 3, point: 200_001, coords: [10, 20, 30], photo: 0x1234 | (5 << 14), confidence: 77 },
  });
  // The middle of what is looked at comes to the middle, ten times as large.
  const clip = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, -1, 0, 0, 0, 0]; // x / z, y / z
  const m = zoomed(clip, 0.5, -0.25, 10, 10);
  const [x, y, w] = [0, 1, 3].map((row) => m[row]! * 1.1 + m[4 + row]! * -0.5 + m[8 + row]! * -2) as [
    number,
    number,
    number,
  ];
  assert.ok(Math.abs(x / w - 0.5) < 1e-9 && Math.abs(y / w) < 1e-9);
});

test("a ray meets a ball it touches, from inside too, and none behind", () => {
  const along: Vec3 = [0, 0, 1];
  assert.equal(meetsBall([0, 0, 0], along, 0, [0.9, 0, 5], 1), true);
  assert.equal(meetsBall([0, 0, 0], along, 0, [1.1, 0, 5], 1), false);
  assert.equal(meetsBall([0, 0, 0], along, 0.1, [1.1, 0, 5], 1), true);
  assert.equal(meetsBall([0, 0, 0], along, 0, [0, 0, -5], 1), false);
  assert.equal(meetsBall([0, 0, 0], along, 0, [0, 0, -0.5], 1), true);
});

test("colours say what the legend says", () => {
  const state = emptyState();
  ["ada", "ben", undefined, "ada"].forEach((contributor, i) => {
    const data = { image: `i${i}`, name: "x", ...(contributor && { contributor }) };
    applyEvent(state, { type: "image.added", seq: i + 1, timeNs: "0", data } as CairnEvent);
  });
  const people = photoColors(state, "contributor");
  const legend = legendOf(state, "contributor", [0, 1]);
  assert.equal(legend?.kind, "entries");
  if (legend?.kind !== "entries") return;
  assert.deepEqual(
    legend.entries.map(({ name }) => name),
    ["ada", "ben", "no name"],
  );
  const [ada, ben, nobody] = legend.entries.map(({ color }) => [...rgbOf(color), 255]);
  const row = (i: number) => [...people.subarray(i * 4, i * 4 + 4)];
  assert.deepEqual([row(0), row(1), row(2), row(3), row(4)], [nobody, ada, ben, nobody, ada]);
  const ages = photoColors(state, "age");
  assert.deepEqual([...ages.subarray(4, 7)], [...rampColor(RAMPS.age, 0)]);
  assert.deepEqual([...ages.subarray(16, 19)], [...rampColor(RAMPS.age, 1)]);
  assert.equal(legendOf(state, "photo", [0, 1]), undefined);
  const heights = legendOf(state, "height", [0, 12.345]);
  assert.deepEqual(heights?.kind === "scale" && [heights.low, heights.high], ["0.0", "12.3"]);
  const metres = legendOf(state, "height", [0, 12.345], "m");
  assert.deepEqual(metres?.kind === "scale" && [metres.low, metres.high], ["0.0 m", "12.3 m"]);
  for (const ramp of Object.values(RAMPS)) assert.equal(ramp.length, 6, "the shader has six");
});
