/** The dense stage inside the engine, on a synthetic wall whose depth is known exactly. */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { describe, test } from "node:test";
import { cameraCentre, seededRandom } from "@cairn/geometry";
import { CairnError, type PosedCamera } from "@cairn/protocol";
import type { DenseView, DepthMap } from "../dense/contract.ts";
import { fuse } from "../dense/fuse.ts";
import { undistortView } from "../dense/undistort.ts";
import type { EngineCache, Points } from "../engine.ts";
import type { DepthPlan } from "../presets.ts";
import { arc, type Shot, type Synthetic, syntheticPhotos } from "../test/synthetic.ts";
import type { DenseKernels } from "./dense-kernels.ts";
import { DenseStage } from "./dense-stage.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";
import { Scratch } from "./scratch.ts";
import { SHELF_BYTES, Shelf } from "./shelf.ts";

const FREE: JobOptions = { stop: () => {}, progress: () => {} };
const PHOTOS = 6;
const LIVE: DepthPlan = { sidePx: 96, sources: 3, minViews: 3, quality: {} };
const PLAN = { live: LIVE, rebuild: [{ photos: 100, plan: { ...LIVE, sidePx: 128, sources: 4 } }] };

/** The wall is the plane z = 0 of the true frame; lengths of the model are told from two camera centres. */
function depthOfWall({ truth }: Synthetic, reference: DenseView, [source]: readonly DenseView[]): DepthMap {
  const { rows, eye } = truth[reference.view];
  const apart = (p: ArrayLike<number>, q: ArrayLike<number>) => Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
  const modelled = apart(cameraCentre(reference.cameraFromWorld), cameraCentre(source.cameraFromWorld));
  const scale = modelled / apart(eye, truth[source.view].eye);
  const { widthPx, heightPx, pinhole } = reference;
  const [fx, fy, cx, cy] = pinhole;
  const depths = new Float32Array(widthPx * heightPx);
  const normals = new Int8Array(3 * widthPx * heightPx);
  for (let at = 0; at < depths.length; at++) {
    const x = ((at % widthPx) + 0.5 - cx) / fx;
    const y = (Math.floor(at / widthPx) + 0.5 - cy) / fy;
    const along = rows[0][2] * x + rows[1][2] * y + rows[2][2];
    depths[at] = (scale * -eye[2]) / along;
    for (let k = 0; k < 3; k++) normals[3 * at + k] = Math.round(-127 * rows[k][2]);
  }
  return { widthPx, heightPx, depths, normals, confidences: new Uint8Array(depths.length).fill(220) };
}

/** Knows what lies on it. */
class KnownShelf extends Shelf {
  readonly keys = new Set<string>();

  override put(key: string, bytes: Uint8Array): void {
    super.put(key, bytes);
    this.keys.add(key);
  }

  override drop(key: string): void {
    super.drop(key);
    this.keys.delete(key);
  }
}

type World = {
  core: EngineCore;
  synthetic: Synthetic;
  count: { depths: number; matches: number };
  shelf: KnownShelf;
};

type WorldOptions = {
  cache?: EngineCache;
  shelfBytes?: number;
  shots?: Shot[];
  late?: () => Promise<void>;
  fusedBytes?: number;
};

function open({
  cache,
  shelfBytes = SHELF_BYTES,
  shots = arc(PHOTOS, 0.7),
  late,
  fusedBytes,
}: WorldOptions = {}): World {
  const synthetic = syntheticPhotos(shots, { told: true, flat: true, points: 500 });
  const count = { depths: 0, matches: 0 };
  const kernels: DenseKernels = {
    async depth(reference, sources, _range, { signal } = {}) {
      count.depths++;
      await late?.();
      signal?.throwIfAborted();
      return depthOfWall(synthetic, reference, sources);
    },
    undistort: async (view, photo, calibration, pose, sidePx) => undistortView(view, photo, calibration, pose, sidePx),
    async fuse(depths, { gains, onGains, ...options } = {}) {
      await late?.();
      const known = await gains;
      const fused = fuse(depths, { ...options, ...(known && { gains: known }) });
      onGains?.(fused.gains);
      return fused;
    },
    close: async () => {},
  };
  const shelf = new KnownShelf(new Scratch(tmpdir()), shelfBytes);
  const dense = new DenseStage({ plan: PLAN, kernels, shelf, cache, threads: 2, ...(fusedBytes && { fusedBytes }) });
  const { matchMany } = synthetic.kernels;
  const counted: Synthetic["kernels"] = {
    ...synthetic.kernels,
    matchMany(...given) {
      count.matches++;
      return matchMany(...given);
    },
  };
  return { core: new EngineCore(counted, 1, { dense, ...(cache && { cache }) }), synthetic, count, shelf };
}

async function add({ core, synthetic }: World, index: number, job: JobOptions = FREE) {
  return (await core.add(synthetic.photos[index], undefined, job)).step;
}

function keeping(): EngineCache & { readonly kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>();
  return {
    kept,
    get: async (key) => kept.get(key),
    async put(key, bytes) {
      kept.set(key, bytes);
    },
  };
}

/** A rebuild that ends at the first word of a stage when so much of it is done. */
async function paused({ core }: World, stage: string, share: number): Promise<void> {
  let ended = false;
  const job: JobOptions = {
    stop() {
      if (ended) throw new CairnError("operation.cancelled");
    },
    progress(at, done, total) {
      if (at === stage && done >= share * total) ended = true;
    },
  };
  await assert.rejects(core.rebuild(job), { code: "operation.cancelled" });
}

function depthMaps({ shelf }: World): number {
  return [...shelf.keys].filter((key) => key.startsWith("depth")).length;
}

/** Points of each photo, by its number. */
function counts({ source }: Points): number[] {
  const counted = new Array<number>(PHOTOS).fill(0);
  for (const index of source!.of) counted[Number(source!.images[index].split("-")[1])]++;
  return counted;
}

/** Largest distance of the middle 99 % of the points from their plane, as a part of their extent. */
function unevenness({ positions }: Points): number {
  const n = positions.length / 3;
  const point = (i: number) => [...positions.subarray(3 * i, 3 * i + 3)];
  const minus = (p: number[], q: number[]) => p.map((x, k) => x - q[k]);
  const [a, b, c] = [0, Math.floor(n / 3), n - 1].map(point);
  const [u, v] = [minus(b, a), minus(c, a)];
  const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const length = Math.hypot(...normal);
  const off = Array.from({ length: n }, (_, i) => {
    const d = minus(point(i), a);
    return Math.abs(d[0] * normal[0] + d[1] * normal[1] + d[2] * normal[2]) / length;
  });
  const extent = Math.max(...[0, 1, 2].map((k) => Math.abs(v[k])));
  return off.sort((p, q) => p - q)[Math.floor(0.99 * n)] / extent;
}

describe("dense points (docs/spec/reconstruct.md)", () => {
  test("REC-16 the second photo brings the dense points of both, each later one its own", async () => {
    const world = open();
    assert.equal((await add(world, 0)).points.positions.length, 0);
    const [first, second] = counts((await add(world, 1)).points);
    const pixels = 96 * 64;
    assert.ok(first > pixels / 2, `${first} points of the first photo`);
    assert.ok(second > 0);
    for (let index = 2; index < PHOTOS; index++) {
      const { points } = await add(world, index);
      const own = counts(points);
      assert.ok(own[index] > 100, `${own} of photo ${index}`);
      assert.ok(points.confidences!.length === points.positions.length / 3);
    }
    const { points } = await world.core.rebuild(FREE);
    assert.ok(points.positions.length / 3 > 1.1 * 128 * 85, `${points.positions.length / 3} points`);
    assert.ok(unevenness(points) < 0.02, `${unevenness(points)}`);
    assert.ok(counts(points).every((own) => own > 0));
  });

  test("REC-13 the order in which depth maps come, and how much memory holds, change no point", async () => {
    const run = async (options: WorldOptions) => {
      const world = open(options);
      const steps: Points[] = [];
      for (let index = 0; index < PHOTOS; index++) steps.push((await add(world, index)).points);
      steps.push((await world.core.rebuild(FREE)).points);
      steps.push((await world.core.rebuild(FREE)).points);
      return steps;
    };
    const random = seededRandom(3);
    const late = async () => {
      for (let turns = Math.floor(8 * random()); turns > 0; turns--) await new Promise((next) => setImmediate(next));
    };
    const expected = await run({});
    assert.deepEqual(await run({ late }), expected);
    assert.deepEqual(await run({ shelfBytes: 1 }), expected);
    assert.deepEqual(await run({ cache: keeping() }), expected);
    assert.deepEqual(await run({ late, fusedBytes: 1 }), await run({ fusedBytes: 1 }));
  });

  test("more than memory holds is fused in parts, to about the same points and none twice", async () => {
    const made = async (options: WorldOptions) => {
      const world = open(options);
      for (let index = 0; index < PHOTOS; index++) await add(world, index, { ...FREE, points: false });
      return (await world.core.rebuild(FREE)).points;
    };
    const [whole, parts] = [await made({}), await made({ fusedBytes: 1 })];
    const ratio = parts.positions.length / whole.positions.length;
    assert.ok(ratio > 0.85 && ratio < 1.2, `${ratio} times as many`);
    assert.ok(unevenness(parts) < 0.02);
  });

  test("REC-18 dense points that are to come later cost nothing now, and the photo after them no more than its own", async () => {
    const world = open();
    for (let index = 0; index < 4; index++) await add(world, index, { ...FREE, points: "later" });
    assert.equal(world.count.depths, 0);
    const { points } = await add(world, 4);
    assert.ok(world.count.depths > 0 && world.count.depths <= 2, `${world.count.depths} sought with one photo`);
    assert.ok(counts(points)[4] > 500, "it has points of its own");
    await add(world, 5, { ...FREE, points: "later" });

    const whole = open();
    for (let index = 0; index < PHOTOS; index++) await add(whole, index);
    assert.deepEqual((await world.core.rebuild(FREE)).points, (await whole.core.rebuild(FREE)).points);
  });

  test("REC-14 brought back with what was kept, nothing is matched or sought again, and all goes on the same", async () => {
    const cache = keeping();
    const live = open({ cache });
    for (let index = 0; index < 4; index++) await add(live, index);
    await live.core.rebuild(FREE);
    await add(live, 4);
    await live.core.close();

    const again = open({ cache });
    const quiet = { ...FREE, points: false };
    const shown: PosedCamera[] = [];
    for (let index = 0; index < 4; index++) await add(again, index, quiet);
    const { points, cameras } = await again.core.rebuild(quiet);
    assert.ok(points.positions.length / 3 < 1000, "only the sparse points");
    shown.push(...cameras, ...(await add(again, 4, quiet)).cameras);
    assert.deepEqual(again.count, { depths: 0, matches: 0 });
    assert.deepEqual(await add(again, 5).then(({ points }) => points), await add(live, 5).then(({ points }) => points));
    assert.ok(again.count.depths <= 2, `${again.count.depths} sought with one photo`);
    assert.ok(shown.length >= 5);

    // Without what was kept it is sought again, to the same points.
    const afresh = open({ cache: keeping() });
    for (let index = 0; index < 4; index++) await add(afresh, index, quiet);
    await afresh.core.rebuild(quiet);
    await add(afresh, 4, quiet);
    assert.equal(afresh.count.depths, 0);
    await add(afresh, 5);
    assert.ok(afresh.count.depths > 2);
    const rebuilt = (await live.core.rebuild(FREE)).points;
    assert.deepEqual((await again.core.rebuild(FREE)).points, rebuilt);
    assert.deepEqual((await afresh.core.rebuild(FREE)).points, rebuilt);
  });

  test("REC-15 a rebuild seeks again only what other photos or other places have changed", async () => {
    const world = open();
    for (let index = 0; index < 5; index++) await add(world, index);
    await world.core.rebuild(FREE);
    const before = world.count.depths;
    await world.core.rebuild(FREE);
    assert.equal(world.count.depths, before, "nothing has come");
    await add(world, 5);
    const live = world.count.depths;
    const { points } = await world.core.rebuild(FREE);
    assert.ok(world.count.depths - live < PHOTOS, `${world.count.depths - live} sought again`);
    assert.ok(counts(points).every((own) => own > 0));
  });

  test("REC-8 a rebuild that is cancelled at any moment leaves everything as it was", async () => {
    const control = open();
    for (let index = 0; index < 5; index++) await add(control, index);
    const expected = [(await add(control, 5)).points, (await control.core.rebuild(FREE)).points];

    const world = open();
    for (let index = 0; index < 5; index++) await add(world, index);
    const stages = new Set<string>();
    for (let moment = 0; ; moment++) {
      const controller = new AbortController();
      let left = moment;
      const job: JobOptions = {
        stop() {
          if (controller.signal.aborted) throw new CairnError("operation.cancelled");
        },
        progress(stage) {
          if (left-- > 0) return;
          if (!controller.signal.aborted) stages.add(stage);
          controller.abort(new CairnError("operation.cancelled"));
        },
        signal: controller.signal,
      };
      // The last moment is when all is said already.
      if (stages.has("fusion")) break;
      await assert.rejects(world.core.rebuild(job), { code: "operation.cancelled" });
    }
    assert.ok(stages.has("refine") && stages.has("depth") && stages.has("fusion"), [...stages].join());
    assert.deepEqual([(await add(world, 5)).points, (await world.core.rebuild(FREE)).points], expected);
  });

  test("of rebuilds that are paused one more depth map a photo is kept, and the next one goes on with it", async () => {
    const world = open();
    for (let index = 0; index < PHOTOS; index++) {
      await add(world, index);
      if (index < 2) continue;
      await paused(world, "depth", 0.5);
      assert.ok(depthMaps(world) <= 2 * (index + 1), `${depthMaps(world)} depth maps of ${index + 1} photos`);
      await paused(world, "fusion", 0);
      assert.ok(depthMaps(world) <= 2 * (index + 1), `${depthMaps(world)} depth maps of ${index + 1} photos`);
    }
    const before = world.count.depths;
    await world.core.rebuild(FREE);
    assert.equal(world.count.depths, before, "all were found before it was paused");
    assert.equal(depthMaps(world), PHOTOS);
  });
});
