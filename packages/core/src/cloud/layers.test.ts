/** Layers as they are written, compacted, brought back and repaired. Rules: CLD-40 and on in docs/spec/cloud.md. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { BroadcastChannel } from "node:worker_threads";
import { type Box, type CloudPoints, decodeSegment, type LayerTable, nodeKey } from "@cairn/cloud";
import { CairnError, type CairnEvent, type Digest, type EventDraft, type SpaceState } from "@cairn/protocol";
import { type Core, openCore } from "../core.ts";
import type { SpaceLogOptions } from "../log/file-space-log.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, fillableDisk, idOf, temporaryFolder } from "../test/fixtures.ts";
import { rejects } from "../test/log.contract.ts";
import { CHUNK_POINTS, sheet } from "../test/sheet.ts";
import { importPoints } from "./import-points.ts";
import { readPart } from "./layer-tables.ts";
import { LayerWorkers } from "./layer-workers.ts";
import { LayerWriter } from "./layer-writer.ts";
import { PartReader } from "./part-reader.ts";

type Place = { core: Core; space: Space; dataDir: string; errors: unknown[] };

async function place(t: TestContext, dataDir?: string, log: SpaceLogOptions = {}): Promise<Place> {
  const folder = dataDir ?? (await temporaryFolder(t));
  const errors: unknown[] = [];
  const core = await openCore({ dataDir: folder, log, onError: (_, error) => errors.push(error) });
  afterwards(t, () => core.close());
  const known = (await core.spaces.list()).length > 0;
  const space = known ? await core.spaces.open("place") : await core.spaces.create({ id: "place" });
  return { core, space, dataDir: folder, errors };
}

async function grow({ core, space }: Place, layer: number | undefined, ...chunks: CloudPoints[]): Promise<number> {
  const writer =
    layer === undefined
      ? core.layers.start(space, { kind: "import", name: "sheet" })
      : core.layers.writer(space, layer);
  for (const chunk of chunks) await space.log.append(await writer.insert([chunk]));
  return writer.layer;
}

/** Every point of each node as text, sorted: what the bytes say, whatever pieces they are in. */
async function contents({ core }: Place, table: LayerTable): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>();
  for (const { key, parts } of table.list) {
    const points: string[] = [];
    for (const part of parts) {
      const { node, count, coords, colors, photos } = decodeSegment(await readPart(core.blobs, part));
      assert.equal(nodeKey(node), key);
      assert.equal(count, part.points);
      for (let i = 0; i < count; i++) {
        const photo = typeof photos === "number" ? photos : photos[i];
        points.push(`${coords.slice(3 * i, 3 * i + 3)} ${colors.slice(3 * i, 3 * i + 3)} ${photo}`);
      }
    }
    if (points.length > 0) all.set(key, points.sort());
  }
  return all;
}

async function until(space: Space, fits: (state: SpaceState, event: CairnEvent | undefined) => boolean): Promise<void> {
  if (fits(space.log.snapshot().state, undefined)) return;
  const signal = AbortSignal.timeout(120_000);
  for await (const events of space.log.follow(0, { signal })) {
    for (const event of events) if (fits(space.log.snapshot().state, event)) return;
  }
  throw new Error("it never came");
}

const ofType = async (space: Space, type: CairnEvent["type"]) =>
  (await space.log.read(0, 10_000)).filter((event) => event.type === type);

function blobPath(dataDir: string, digest: Digest): string {
  return join(dataDir, "blobs", digest.slice(0, 2), digest.slice(2));
}

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}

describe("layers of a space (docs/spec/cloud.md)", () => {
  test("CLD-40 an insertion is one pack and one event; what all packs hold is what was inserted", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(12_000, 1), sheet(3000, 2));
    const state = at.space.log.snapshot().state.layers[layer]!;
    assert.deepEqual(
      state.packs.map(({ pack }) => pack),
      [0, 1],
    );
    const merged = state.packs.reduce((sum, pack) => sum + pack.merged, 0);
    assert.equal(state.points + merged, 15_000);
    const table = await at.core.layers.tables.open(at.space, layer);
    assert.equal(table.points, state.points);
    const points = [...(await contents(at, table)).values()].flat();
    assert.equal(points.length, state.points);
    assert.deepEqual(at.errors, []);
  });

  test("CLD-41 after a restart insertion goes on as if there had been none", async (t) => {
    const chunks = () => [sheet(8000, 1, 0, 5), sheet(8000, 2, 3, 10), sheet(8000, 3, -40, 60)];
    const whole = await place(t);
    await grow(whole, undefined, ...chunks());
    const folder = await temporaryFolder(t);
    for (const [i, chunk] of chunks().entries()) {
      const again = await place(t, folder);
      await grow(again, i === 0 ? undefined : 1, chunk);
      // The second life begins with an index, the third with an index and a pack.
      if (i === 0) await again.core.layers.compact(again.space, 1);
      await again.core.close();
    }
    const again = await place(t, folder);
    const packs = async ({ space }: Place) =>
      (await ofType(space, "segments.added")).map(({ data }) => JSON.stringify(data));
    assert.deepEqual(await packs(again), await packs(whole));
  });

  test("CLD-42 what an append that failed had inserted was never inserted", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(10_000, 1));
    const writer = at.core.layers.writer(at.space, layer);
    const lost = await writer.insert([sheet(10_000, 2)]);
    assert.equal(lost.length, 1); // and not appended
    const drafts = await writer.insert([sheet(10_000, 2)]);
    assert.deepEqual(drafts, lost);
    const bad: EventDraft = { type: "space.renamed", data: { title: "x".repeat(999) } };
    await rejects(at.space.log.append([...drafts, bad]), "request.invalid");
    assert.deepEqual(await writer.insert([sheet(10_000, 2)]), lost);
    // A layer whose start was never appended starts again, with a number that nobody else has taken.
    const [first, second] = [1, 2].map((n) => at.core.layers.start(at.space, { kind: "import", name: `${n}` }));
    await first!.insert([sheet(100, 3)]);
    await at.space.log.append(await second!.insert([sheet(100, 4)]));
    const again = await first!.insert([sheet(100, 3)]);
    assert.deepEqual(
      again.map(({ type }) => type),
      ["layer.started", "segments.added"],
    );
    await at.space.log.append(again);
    assert.deepEqual(Object.keys(at.space.log.snapshot().state.layers), ["1", "2", "3"]);
  });

  test("CLD-43 an insertion that is aborted costs itself only", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(10_000, 1));
    const writer = at.core.layers.writer(at.space, layer);
    const stop = new AbortController();
    const inserting = writer.insert([sheet(50_000, 2)], { signal: stop.signal });
    await assert.rejects(writer.insert([sheet(1, 1)]), RangeError);
    stop.abort(new CairnError("operation.cancelled"));
    await rejects(inserting, "operation.cancelled");
    const drafts = await writer.insert([sheet(10_000, 2)]);
    const other = await place(t);
    await grow(other, undefined, sheet(10_000, 1));
    assert.deepEqual(drafts, await other.core.layers.writer(other.space, 1).insert([sheet(10_000, 2)]));
  });

  test("CLD-43 a worker that dies costs the insertion it was at and no other; the trees grow again", async (t) => {
    const at = await place(t);
    const { tables, parts } = at.core.layers;
    const workers = new LayerWorkers(new URL("../test/mortal-layer.worker.js", import.meta.url));
    afterwards(t, () => workers.close());
    const house = { blobs: at.core.blobs, tables, parts, workers };
    const [a, b, c] = [1, 2, 3].map(
      (layer) => new LayerWriter(at.space, house, { layer, kind: "import", name: "sheet" }),
    );
    for (const writer of [a!, b!]) await at.space.log.append(await writer.insert([sheet(10_000, 1)]));
    await rejects(a!.insert([sheet(5000, 2), sheet(5000, 666)]), "engine.failed");
    const [again, other] = [await a!.insert([sheet(10_000, 2)]), await b!.insert([sheet(10_000, 2)], { move: true })];
    const alike = await place(t);
    await grow(alike, undefined, sheet(10_000, 1));
    assert.deepEqual(again, await alike.core.layers.writer(alike.space, 1).insert([sheet(10_000, 2)]));
    assert.deepEqual({ ...other[0]!.data, layer: 1 }, again[0]!.data);

    // In the middle of insertions of several lots, of a layer that the log knows and of one that begins.
    await at.space.log.append([...again, ...other]);
    async function* lots() {
      yield sheet(10_000, 3);
      await rejects(a!.insert([sheet(5000, 666)]), "engine.failed");
      yield sheet(10_000, 4);
    }
    await alike.space.log.append(await alike.core.layers.writer(alike.space, 1).insert([sheet(10_000, 2)]));
    const whole = await alike.core.layers.writer(alike.space, 1).insert([sheet(10_000, 3), sheet(10_000, 4)]);
    const inMiddle = await b!.insert(lots(), { move: true });
    assert.deepEqual(
      inMiddle.map(({ data }) => ({ ...data, layer: 1 })),
      whole.map(({ data }) => data),
    );
    const fresh = alike.core.layers.start(alike.space, { kind: "import", name: "sheet" });
    const begun = await fresh.insert([sheet(10_000, 3), sheet(10_000, 4)]);
    assert.deepEqual(
      (await c!.insert(lots())).map(({ data }) => ({ ...data, layer: fresh.layer })),
      begun.map(({ data }) => data),
    );
  });

  test("CLD-43 a tree that cannot be brought back, or whose planting is aborted, does not stay in the worker", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(10_000, 1));
    const { tables } = at.core.layers;
    const workers = new LayerWorkers(new URL("../test/counted-layer.worker.js", import.meta.url));
    afterwards(t, () => workers.close());
    let trees = 0;
    let most = 0;
    const told = new BroadcastChannel("trees");
    t.after(() => told.close());
    told.onmessage = (event) => {
      trees = (event as { data: number }).data;
      most = Math.max(most, trees);
    };
    /** What the worker says of trees comes on a line of its own. */
    const settled = async (wanted: number) => {
      const endMs = performance.now() + 120_000;
      while (trees !== wanted && performance.now() < endMs) await new Promise((next) => setTimeout(next, 5));
      assert.equal(trees, wanted);
    };
    const disk = { error: new CairnError("store.failed", { errno: "EIO" }) };
    const parts = new PartReader(at.core.blobs, () => undefined);
    parts.readOrReport = () => Promise.reject(disk.error);
    const house = { blobs: at.core.blobs, tables, parts, workers };
    const writer = new LayerWriter(at.space, house, { layer, kind: "import", name: "sheet" });
    for (let i = 0; i < 3; i++) await rejects(writer.insert([sheet(100, 2)]), "store.failed");
    const grid = at.space.log.snapshot().state.layers[layer]!;
    const kept = await workers.plant(grid);
    await settled(1);
    await kept.fell();
    await settled(0);
    for (let i = 0; i < 3; i++) {
      const stop = new AbortController();
      const planting = workers.plant(grid, { signal: stop.signal });
      stop.abort(new CairnError("operation.cancelled"));
      await rejects(planting, "operation.cancelled");
    }
    const last = await workers.plant(grid);
    await settled(1);
    assert.equal(most, 1);
    await last.fell();
  });

  test("CLD-44 compaction keeps every point in its node, one part a node; who follows live ends at the same", async (t) => {
    const at = await place(t);
    const { tables } = at.core.layers;
    const layer = await grow(at, undefined, sheet(8000, 1), sheet(8000, 2), sheet(8000, 3));
    const follower = await tables.open(at.space, layer);
    const before = await contents(at, follower);
    await at.core.layers.compact(at.space, layer);
    const newcomer = await tables.open(at.space, layer);
    assert.notEqual(newcomer, follower);
    assert.deepEqual(await contents(at, newcomer), before);
    assert.ok(newcomer.list.every(({ parts }) => parts.length <= 1));
    assert.deepEqual([newcomer.packs, newcomer.points], [follower.packs, follower.points]);

    // What was compacted and is not touched again keeps its bytes; what is touched is merged again.
    const hashes = new Map(newcomer.list.map(({ key, parts }) => [key, parts[0]?.hash]));
    const drafts = await at.core.layers.writer(at.space, layer).insert([sheet(3000, 4, 0, 1)]);
    const [{ data: pack }] = (await at.space.log.append(drafts)) as [Extract<CairnEvent, { type: "segments.added" }>];
    const touched = new Set((await tables.advance(at.space, layer, follower, pack)).map(({ key }) => key));
    assert.ok(touched.size > 0 && touched.size < newcomer.list.length);
    assert.deepEqual(await tables.advance(at.space, layer, follower, pack), [], "once");
    assert.equal(await tables.open(at.space, layer), newcomer);
    await at.core.layers.compact(at.space, layer);
    const last = await tables.open(at.space, layer);
    assert.deepEqual(await contents(at, last), await contents(at, follower));
    assert.deepEqual(await contents(at, newcomer), await contents(at, follower));
    for (const { key, parts } of last.list) {
      if (parts[0]) assert.equal(parts[0].hash === hashes.get(key), !touched.has(key), key);
    }
    assert.deepEqual(at.errors, []);
  });

  test("CLD-44 compaction reads each pack once from its beginning to its end, however many parts it has", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, ...[1, 2, 3].map((seed) => sheet(60_000, seed)));
    const { packs } = at.space.log.snapshot().state.layers[layer]!;
    const reads = new Map<Digest, { times: number; bytes: number }>();
    const range = at.core.blobs.range.bind(at.core.blobs);
    at.core.blobs.range = (digest, start, end, into) => {
      const { times, bytes } = reads.get(digest) ?? { times: 0, bytes: 0 };
      reads.set(digest, { times: times + 1, bytes: bytes + end - start });
      return range(digest, start, end, into);
    };
    await at.core.layers.compact(at.space, layer);
    for (const { blob, segments, sizeBytes } of packs) {
      const { times, bytes } = reads.get(blob)!;
      assert.ok(segments > 20, `${segments} segments`);
      assert.ok(times <= 2 + Math.ceil(sizeBytes / 2 ** 15), `${times} reads of ${sizeBytes} bytes`);
      assert.ok(bytes <= 1.5 * sizeBytes, `${bytes} bytes read of ${sizeBytes}`);
    }
  });

  test("CLD-45 a layer that grows is compacted in the background, and inserting goes on meanwhile", async (t) => {
    const at = await place(t);
    const chunks = Array.from({ length: 20 }, (_, i) => sheet(1000, i + 1));
    const layer = await grow(at, undefined, ...chunks);
    await until(at.space, ({ layers }) => layers[layer]?.index !== undefined);
    const { index, packs, points } = at.space.log.snapshot().state.layers[layer]!;
    assert.equal(index!.packs + packs.length, 20);
    assert.equal((await at.core.layers.tables.open(at.space, layer)).points, points);
    assert.deepEqual(at.errors, []);
  });

  test("CLD-46 nothing that a layer needs is collected; packs go when the index has their points and no event names them", async (t) => {
    const at = await place(t, undefined, { segmentBytes: 1000 });
    const layer = await grow(at, undefined, sheet(8000, 1), sheet(8000, 2));
    const packs = at.space.log.snapshot().state.layers[layer]!.packs.map(({ blob }) => blob);
    const before = await contents(at, await at.core.layers.tables.open(at.space, layer));
    await at.core.layers.compact(at.space, layer);
    assert.equal((await at.core.collect(0)).removed, 0);
    await at.space.log.trim(at.space.log.head + 1);
    assert.equal((await at.core.collect(0)).removed, packs.length);
    for (const blob of packs) assert.equal(await at.core.blobs.stat(blob), undefined);
    await at.core.close();
    const again = await place(t, at.dataDir);
    assert.deepEqual(await contents(again, await again.core.layers.tables.open(again.space, layer)), before);
  });

  test("CLD-47 an import is a layer that everyone sees grow; settled it is compacted, with every point in its place", async (t) => {
    const at = await place(t);
    const [n, size] = [300_000, 37_000];
    const seen: number[] = [];
    async function* chunks() {
      for (let from = 0, seed = 1; from < n; from += size, seed++) yield sheet(Math.min(size, n - from), seed);
      yield { positions: Float64Array.of(Number.NaN, 0, 0), colors: Uint8Array.of(0, 0, 0), photos: 0 };
    }
    const sheetBox: Box = { min: [0, 0, -2], max: [10, 10, 2] };
    const { operation, ended } = await importPoints(at.space, at.core.layers, {
      name: "sheet.ply",
      chunks: chunks(),
      points: n,
      plan: async () => ({ spacing: 0.01, places: { bulk: sheetBox, all: sheetBox } }),
      onProgress: (done) => seen.push(done),
    });
    assert.equal(await ended, "completed");
    assert.deepEqual(seen, [...Array.from({ length: 3 }, (_, i) => (i + 1) * 100_000), n + 1]);
    const { state } = at.space.log.snapshot();
    const layer = state.layers[1]!;
    const { points, merged, refused } = state.operations[operation]!.result as Record<string, number>;
    assert.deepEqual([layer.kind, layer.name, layer.points, refused], ["import", "sheet.ply", points, 1]);
    assert.equal(points! + merged!, n);
    assert.deepEqual([layer.packs.length, layer.index?.packs, layer.operation], [0, 3, undefined]);
    const table = await at.core.layers.tables.open(at.space, 1);
    assert.equal([...(await contents(at, table)).values()].flat().length, points);
    assert.deepEqual(at.errors, []);
  });

  test("CLD-48 an import that is cancelled, fails or is cut off leaves nothing", async (t) => {
    const at = await place(t);
    const { space, core } = at;
    async function* endless() {
      for (let seed = 1; ; seed++) yield sheet(100_000, seed);
    }
    const stop = new AbortController();
    const onProgress = (done: number) => done >= 200_000 && stop.abort();
    const cancelled = await importPoints(space, core.layers, {
      name: "a",
      chunks: endless(),
      signal: stop.signal,
      onProgress,
    });
    assert.equal(await cancelled.ended, "cancelled");
    async function* broken() {
      yield sheet(100_000, 1);
      throw new CairnError("request.invalid", { field: "ply" });
    }
    const failed = await importPoints(space, core.layers, { name: "b", chunks: broken() });
    assert.equal(await failed.ended, "failed");
    assert.equal(space.log.snapshot().state.operations[failed.operation]?.error?.code, "request.invalid");
    const empty = await importPoints(space, core.layers, { name: "c", chunks: [] });
    assert.equal(await empty.ended, "failed");
    assert.equal(space.log.snapshot().state.operations[empty.operation]?.error?.code, "import.empty");
    assert.deepEqual(space.log.snapshot().state.layers, {});
    // One that hangs is cancelled as fast; here the server is stopped under one.
    let begun = () => {};
    const some = new Promise<void>((resolve) => {
      begun = resolve;
    });
    async function* hanging() {
      yield sheet(100_000, 1);
      await new Promise(() => {});
    }
    await importPoints(space, core.layers, { name: "d", chunks: hanging(), onProgress: () => begun() });
    await some;
    assert.equal(Object.keys(space.log.snapshot().state.layers).length, 1);
    await core.close();
    const again = await place(t, at.dataDir);
    await until(again.space, ({ layers }) => Object.keys(layers).length === 0);
    assert.deepEqual(at.errors, []);
  });

  test("CLD-48 what an import that was cut off has left is removed as soon as a full disk has room", async (t) => {
    const folder = await temporaryFolder(t);
    const killed = await place(t, folder);
    const data = { operation: idOf(1), kind: "import" };
    const writer = killed.core.layers.start(killed.space, { kind: "import", name: "a", operation: idOf(1) });
    const drafts = await writer.insert([sheet(1000, 1)]);
    await killed.space.log.append([{ type: "operation.queued", data }, { type: "operation.started", data }, ...drafts]);
    await killed.core.close();
    const disk = fillableDisk(true);
    const at = await place(t, folder, disk.log);
    assert.deepEqual(Object.keys(at.space.log.snapshot().state.layers), ["1"]);
    disk.full = false;
    await until(at.space, ({ layers }) => Object.keys(layers).length === 0);
    assert.equal(at.space.log.snapshot().state.operations[idOf(1)]?.status, "failed");
  });

  test("CLD-49 a killed process leaves either all or nothing of each insertion and each compaction", async (t) => {
    const folder = await temporaryFolder(t);
    let acknowledged = 0;
    for (let kill = 0; kill < 4; kill++) {
      const lines = await killWriter(folder, 6 + 8 * kill);
      acknowledged += lines.filter((line) => line.startsWith("pack ")).length;
    }
    const at = await place(t, folder);
    const { layers } = at.space.log.snapshot().state;
    const layer = layers[1]!;
    const table = await at.core.layers.tables.open(at.space, 1);
    assert.ok(table.packs >= acknowledged, `${table.packs} packs, ${acknowledged} acknowledged`);
    assert.equal([...(await contents(at, table)).values()].flat().length, layer.points);
    const packs = (await ofType(at.space, "segments.added")).map(({ data }) => (data as { pack: number }).pack);
    assert.deepEqual(
      packs,
      packs.map((_, i) => i),
    );
    assert.ok(layer.index, "it was compacted between the kills");
    // The same chunks without a kill.
    const whole = await place(t);
    await grow(whole, undefined, ...packs.map((pack) => sheet(CHUNK_POINTS, pack + 1)));
    assert.equal(whole.space.log.snapshot().state.layers[1]?.points, layer.points);
  });

  test("CLD-50 a compacted blob that is lost or wrong is said once and made again from the packs", async (t) => {
    for (const damage of ["delete", "flip", "index"] as const) {
      const at = await place(t);
      const layer = await grow(at, undefined, sheet(8000, 1), sheet(8000, 2));
      const before = await contents(at, await at.core.layers.tables.open(at.space, layer));
      await at.core.layers.compact(at.space, layer);
      const { index } = at.space.log.snapshot().state.layers[layer]!;
      const blob = damage === "index" ? index!.index : index!.blobs[0]!;
      if (damage === "delete") await rm(blobPath(at.dataDir, blob));
      else await flipByte(blobPath(at.dataDir, blob), 100);
      const read = async () => {
        const { list } = await at.core.layers.tables.open(at.space, layer);
        for (const { parts } of list) for (const part of parts) await at.core.layers.tables.read(at.space, layer, part);
      };
      if (damage === "delete") at.core.layers.lost(blob);
      else await rejects(read(), "blob.corrupt");
      await read().catch(() => undefined);
      await until(at.space, (_, event) => event?.type === "layer.damaged" && event.data.remade);
      const said = (await ofType(at.space, "layer.damaged")).map(({ data }) => data);
      const points = damage === "index" ? at.space.log.snapshot().state.layers[layer]!.points : 0;
      assert.deepEqual(
        said.map((data) => ({ ...data, points: damage === "index" ? (data as { points: number }).points : 0 })),
        [false, true].map((remade) => ({ layer, blob, points, remade })),
      );
      assert.ok((said[0] as { points: number }).points > 0);
      await read();
      assert.deepEqual(await contents(at, await at.core.layers.tables.open(at.space, layer)), before);
      assert.equal(at.space.log.snapshot().state.layers[layer]?.damaged, undefined);
    }
  });

  test("CLD-50 a damage that a full disk did not let be said is said and made good when it is found again", async (t) => {
    const disk = fillableDisk(false);
    const at = await place(t, undefined, disk.log);
    const layer = await grow(at, undefined, sheet(8000, 1), sheet(8000, 2));
    await at.core.layers.compact(at.space, layer);
    const table = await at.core.layers.tables.open(at.space, layer);
    const { index } = at.space.log.snapshot().state.layers[layer]!;
    await flipByte(blobPath(at.dataDir, index!.blobs[0]!), 100);
    const read = async () => {
      for (const { parts } of table.list)
        for (const part of parts) await at.core.layers.tables.read(at.space, layer, part);
    };
    disk.full = true;
    await rejects(read(), "blob.corrupt");
    while (at.errors.length === 0) await new Promise((next) => setTimeout(next, 5));
    assert.deepEqual(
      at.errors.map((error) => (error as CairnError).code),
      ["store.full"],
    );
    disk.full = false;
    await read().catch(() => undefined);
    await until(at.space, (_, event) => event?.type === "layer.damaged" && event.data.remade);
    assert.equal((await ofType(at.space, "layer.damaged")).length, 2);
    assert.equal(at.errors.length, 1);
  });

  test("CLD-50 a damage that was said is taken back at the next start when every blob is whole again, and not before", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(8000, 1), sheet(8000, 2));
    const { packs, points } = at.space.log.snapshot().state.layers[layer]!;
    const paths = packs.map(({ blob }) => blobPath(at.dataDir, blob));
    await at.core.close(); // what was just put is in its memory still
    const kept = await Promise.all(paths.map((path) => readFile(path)));
    for (const path of paths) await rm(path);
    const hurt = await place(t, at.dataDir);
    await hurt.core.layers.tables.open(hurt.space, layer);
    await until(hurt.space, ({ layers }) => layers[layer]?.damaged?.blob === packs[1]!.blob);
    await hurt.core.close();
    await writeFile(paths[1]!, kept[1]!); // the one that the state names; the other is lost still
    const half = await place(t, at.dataDir);
    await half.core.layers.tables.open(half.space, layer);
    await half.space.operations.recovered;
    await new Promise((resolve) => setImmediate(resolve));
    await rejects(half.core.layers.compact(half.space, layer), "blob.missing"); // in its turn, which comes after the look
    assert.ok(half.space.log.snapshot().state.layers[layer]?.damaged);
    await half.core.close();
    await writeFile(paths[0]!, kept[0]!);
    const whole = await place(t, at.dataDir);
    await until(whole.space, ({ layers }) => !layers[layer]?.damaged);
    assert.equal((await whole.core.layers.tables.open(whole.space, layer)).points, points);
    const said = (await ofType(whole.space, "layer.damaged")).map(({ data }) => (data as { remade: boolean }).remade);
    assert.deepEqual(said.slice(-1), [true]);
    await whole.core.close();
    // Lost once more, it is said once more.
    await rm(paths[0]!);
    const again = await place(t, at.dataDir);
    await again.core.layers.tables.open(again.space, layer);
    await until(again.space, ({ layers }) => layers[layer]?.damaged?.blob === packs[0]!.blob);
  });

  test("CLD-51 a pack that is lost costs its own points: the layer stays damaged, goes on, and asks for its photos", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(10_000, 1), sheet(10_000, 2));
    const { packs } = at.space.log.snapshot().state.layers[layer]!;
    const { blob } = packs[0]!;
    const table = await at.core.layers.tables.open(at.space, layer);
    await flipByte(blobPath(at.dataDir, blob), packs[0]!.sizeBytes - 5);
    await at.core.close();
    const again = await place(t, at.dataDir);
    await grow(again, layer, sheet(5000, 3)); // the tree is brought back from what there is
    await until(again.space, ({ layers }) => layers[layer]?.damaged !== undefined);
    assert.deepEqual(again.space.log.snapshot().state.layers[layer]?.damaged, { blob, points: packs[0]!.points });
    assert.ok((await again.core.layers.tables.open(again.space, layer)).points > table.points);
    await rejects(again.core.layers.compact(again.space, layer), "blob.corrupt");
    // A model's photos are there to make it again.
    await again.space.log.append([{ type: "generation.started", data: { generation: 1 } }]);
    const writer = again.core.layers.start(again.space, { kind: "model", name: "model", generation: 1 });
    await again.space.log.append(await writer.insert([sheet(1000, 1)]));
    await again.space.log.append(await writer.insert([sheet(9000, 2)]));
    const [pack, other] = again.space.log.snapshot().state.layers[writer.layer]!.packs;
    await again.core.close(); // what was just put is in its memory still
    const later = await place(t, again.dataDir);
    await rm(blobPath(later.dataDir, pack!.blob));
    assert.equal((await later.core.layers.tables.open(later.space, writer.layer)).points, other!.points);
    await until(later.space, ({ layers }) => layers[writer.layer]?.damaged !== undefined);
    const lost = new Promise((resolve) => later.core.layers.onLost(resolve)); // also who listens only now is told
    assert.equal(await lost, later.space);
  });

  test("CLD-52 what two layers of one grid have alike has the same bytes: only the other parts differ", async (t) => {
    const at = await place(t);
    const first = sheet(30_000, 1);
    const second = sheet(30_000, 1);
    for (let i = 0; i < second.positions.length; i += 3) {
      if (second.positions[i]! < 1 && second.positions[i + 1]! < 1) second.positions[i + 2]! += 0.3;
    }
    const a = await grow(at, undefined, first);
    const { origin, seed, finest } = at.space.log.snapshot().state.layers[a]!;
    const writer = at.core.layers.start(at.space, { kind: "import", name: "again", grid: { origin, seed, finest } });
    await at.space.log.append(await writer.insert([second]));
    const hashes = async (layer: number) => {
      const { list } = await at.core.layers.tables.open(at.space, layer);
      return new Map(list.flatMap(({ key, parts }) => (parts[0] ? [[key, parts[0].hash] as const] : [])));
    };
    const [of1, of2] = [await hashes(a), await hashes(writer.layer)];
    const alike = [...of1].filter(([key, hash]) => of2.get(key) === hash);
    assert.ok(alike.length >= 0.7 * of1.size && alike.length < of1.size, `${alike.length} of ${of1.size} alike`);
  });

  test("CLD-53 a layer that is removed is gone, with its number; who reads it is told so", async (t) => {
    const at = await place(t);
    const layer = await grow(at, undefined, sheet(1000, 1));
    const writer = at.core.layers.writer(at.space, layer);
    await at.core.layers.remove(at.space, layer);
    await rejects(at.core.layers.tables.open(at.space, layer), "layer.missing");
    await rejects(writer.insert([sheet(10, 1)]), "layer.missing");
    await rejects(at.core.layers.remove(at.space, layer), "layer.missing");
    assert.equal(await grow(at, undefined, sheet(1000, 1)), layer + 1);
  });
});

/** Kills `test/layer-writer.js` once it has printed `lines` lines; gives back what it had acknowledged. */
async function killWriter(dataDir: string, lines: number): Promise<string[]> {
  const file = fileURLToPath(new URL("../test/layer-writer.js", import.meta.url));
  const writer = spawn(process.execPath, [file, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  writer.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (out.split("\n").length > lines) writer.kill("SIGKILL");
  });
  const [code, signal] = await once(writer, "close");
  assert.equal(signal, "SIGKILL", `the writer ended by itself (${code})`);
  return out.slice(0, out.lastIndexOf("\n")).split("\n");
}
