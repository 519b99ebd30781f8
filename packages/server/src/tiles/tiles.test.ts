/** Layers of a space as 3D Tiles, over HTTP, as clients that others wrote see them. Rules: docs/spec/tiles.md. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { contains, cornerOf, decodeSegment, edgeOf, parseNodeKey } from "@cairn/cloud";
import { readPart } from "@cairn/core";
import { readPly } from "@cairn/formats";
import type { Georeference, Similarity, SpaceState, Vec3 } from "@cairn/protocol";
import gltfValidator from "gltf-validator";
import { openFileCache } from "../file-cache.ts";
import { floor, layerSpace } from "../test/layer-space.ts";
import { openTiles, type ShownTile } from "../test/open-tiles.ts";
import { errorOf, type TestServer, testServer } from "../test/test-server.ts";
import { TileMaker } from "./tile-maker.ts";

type Tile = {
  boundingVolume: { box: number[] };
  geometricError: number;
  transform?: number[];
  content?: { uri: string };
  children?: Tile[];
};

/** Every address that the tileset leads to, as a client would ask for it, JSONs first. */
async function crawl(server: TestServer): Promise<{ documents: string[]; tiles: string[] }> {
  const documents = ["/v1/spaces/place/tileset.json"];
  const tiles: string[] = [];
  for (const path of documents) {
    const { root } = (await (await server.send("GET", path)).json()) as { root: Tile };
    const visit = ({ content, children = [] }: Tile) => {
      if (content) {
        const link = new URL(content.uri, server.url + path).pathname;
        (link.endsWith(".json") ? documents : tiles).push(link);
      }
      for (const child of children) visit(child);
    };
    visit(root);
  }
  return { documents, tiles };
}

async function bytesOf(server: TestServer, path: string): Promise<ArrayBuffer> {
  const response = await server.send("GET", path);
  assert.equal(response.status, 200, path);
  return response.arrayBuffer();
}

/** Every kept point by layer and node: what the tiles must say, from the segments themselves. */
type Truth = Map<string, { corner: Vec3; edge: number; bits: number; cells: number[][]; colors: Uint8Array[] }>;

async function truthOf(space: Awaited<ReturnType<typeof layerSpace>>): Promise<{ truth: Truth; state: SpaceState }> {
  return space.change(async (core, opened) => {
    const truth: Truth = new Map();
    const state = structuredClone(opened.log.snapshot().state);
    for (const { layer, origin } of Object.values(state.layers)) {
      for (const node of (await core.layers.tables.open(opened, layer)).list) {
        if (node.points === 0) continue;
        const cells: number[][] = [];
        const colors: Uint8Array[] = [];
        let bits = 0;
        for (const part of node.parts) {
          const points = decodeSegment(await readPart(core.blobs, part));
          bits = Math.min(14, points.bits);
          for (let i = 0; i < points.count * 3; i += 3) {
            cells.push([...points.coords.subarray(i, i + 3)].map((value) => value >> (points.bits - bits)));
            colors.push(points.colors.slice(i, i + 3));
          }
        }
        truth.set(`${layer}/${node.key}`, {
          corner: cornerOf(node.id, origin),
          edge: edgeOf(node.id.e),
          bits,
          cells,
          colors,
        });
      }
    }
    return { truth, state };
  });
}

/** Rotation matrix rows of a unit quaternion, w first. */
function rotate([w, x, y, z]: Similarity["rotation"], [a, b, c]: readonly number[]): Vec3 {
  const [tx, ty, tz] = [2 * (y * c! - z * b!), 2 * (z * a! - x * c!), 2 * (x * b! - y * a!)];
  return [a! + w * tx + y * tz - z * ty, b! + w * ty + z * tx - x * tz, c! + w * tz + x * ty - y * tx];
}

function moved({ scale, rotation, translation }: Similarity, point: readonly number[]): Vec3 {
  const turned = rotate(rotation, point);
  return [0, 1, 2].map((axis) => scale * turned[axis]! + translation[axis]!) as Vec3;
}

/**
 * Holds what a client shows against the segments: each tile has its node's points, each where it belongs in the
 * tileset's outermost frame and of its colour.
 */
function compare(
  shown: readonly ShownTile[],
  truth: Truth,
  worldOf: (layer: number, point: Vec3) => Vec3,
  slack: number,
) {
  assert.equal(shown.length, truth.size, "every node is shown, once");
  for (const { url, positions, colors } of shown) {
    const [, number, key] = /(\d+)\/([^/]+)\/[0-9a-f]{16}\.glb$/.exec(url)!;
    const node = truth.get(`${number}/${key}`)!;
    assert.equal(positions.length, node.cells.length * 3);
    const { corner, edge, bits } = node;
    const step = edge / 2 ** bits;
    const expected = node.cells.map((cell, i) => {
      const local = cell.map((value, axis) => corner[axis]! + (value + 0.5) * step) as Vec3;
      return { place: worldOf(Number(number), local), color: node.colors[i]! };
    });
    // The same points in another order: both sorted by a projection that no two share.
    const along = (place: readonly number[]) => place[0]! * 0.7073 + place[1]! * 0.5431 + place[2]! * 0.4529;
    expected.sort((a, b) => along(a.place) - along(b.place));
    const order = Array.from({ length: positions.length / 3 }, (_, i) => i);
    order.sort(
      (a, b) =>
        along(positions.subarray(3 * a, 3 * a + 3) as never) - along(positions.subarray(3 * b, 3 * b + 3) as never),
    );
    for (const [rank, i] of order.entries()) {
      // Points of one cell are at one place: any of those near in rank may be the one.
      const near = expected.slice(Math.max(0, rank - 3), rank + 4);
      const found = near.some(({ place, color }) => {
        const off = Math.hypot(...place.map((value, axis) => value - positions[3 * i + axis]!));
        return (
          off < slack && [0, 1, 2].every((axis) => Math.abs(linear(color[axis]!) - colors[3 * i + axis]!) < 1.01 / 255)
        );
      });
      assert.ok(found, `${url}: a point is not where it should be, or not of its colour`);
    }
  }
}

function linear(srgb: number): number {
  const value = srgb / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}

const TURNED: Similarity = { scale: 2, rotation: [0.5, 0.5, 0.5, 0.5], translation: [100, -20, 3] };
/** On the equator at 0° east, up is earth-centred x, east y, north z. */
const EQUATOR: Georeference = {
  latitudeDeg: 0,
  longitudeDeg: 0,
  altitudeM: 10,
  enuFromModel: { scale: 3, rotation: [Math.SQRT1_2, 0, 0, Math.SQRT1_2], translation: [7, 8, 9] },
  residualM: 0.5,
};

/** A model that grew beyond its first root, on the earth, and an import beside it. */
async function placedSpace(georeference?: Georeference) {
  const space = await layerSpace();
  await space.change(async (core, place) => {
    await place.log.append([{ type: "generation.started", data: { generation: 1 } }]);
    const model = core.layers.start(place, { kind: "model", name: "Model", generation: 1, spacing: 2 ** -10 });
    await place.log.append(await model.insert([floor(20_000, 4, [0, 0, 0])]));
    await place.log.append(await model.insert([floor(9000, 6, [11, -9, 4], 2)]));
    const data = { generation: 1, cameras: 0, points: 0, refined: 0, ...(georeference && { georeference }) };
    await place.log.append([{ type: "generation.published", data }]);
    const cloud = core.layers.start(place, { kind: "import", name: "Scan", spacing: 2 ** -8, transform: TURNED });
    await place.log.append(await cloud.insert([floor(12_000, 8, [481_234.5, 5_456_789.25, 312], 3)]));
  });
  return space;
}

describe("a space as 3D Tiles", () => {
  for (const [name, georeference, tilesPerJson] of [
    ["in the model's frame", undefined, undefined],
    ["on the earth", EQUATOR, undefined],
    ["in many JSONs", EQUATOR, 4],
  ] as const) {
    test(`TIL-6 TIL-10 ${name}: 3d-tiles-renderer shows every point of every layer where it is`, async (t) => {
      const space = await placedSpace(georeference);
      const { truth, state } = await truthOf(space);
      assert.ok([...truth.keys()].length > 8 && Object.keys(state.layers).length === 2);
      const server = await testServer(t, { dataDir: space.dataDir, ...(tilesPerJson && { tilesPerJson }) });
      const { documents } = await crawl(server);
      const outer = (await (await server.send("GET", documents[0]!)).json()) as { geometricError: number; root: Tile };
      assert.equal(outer.geometricError, outer.root.geometricError * (georeference?.enuFromModel.scale ?? 1));
      assert.ok(tilesPerJson ? documents.length > 3 : documents.length === 1, `${documents.length} JSONs`);
      const shown = await openTiles(`${server.url}/v1/spaces/place/tileset.json`, truth.size);
      const worldOf = (layer: number, point: Vec3): Vec3 => {
        const inModel = layer === 2 ? moved(TURNED, point) : point;
        if (!georeference) return inModel;
        const [east, north, up] = moved(georeference.enuFromModel, inModel);
        return [6_378_137 + georeference.altitudeM + up, east, north];
      };
      // Doubles all the way: what is left is their rounding at UTM times scale and earth radius.
      compare(shown, truth, worldOf, 1e-6);
    });
  }

  test("TIL-7 from far away the halves of a root that grew are shown, and nothing finer", async (t) => {
    const space = await layerSpace();
    await space.change(async (core, place) => {
      const writer = core.layers.start(place, { kind: "import", name: "A", spacing: 2 ** -10 });
      await place.log.append(await writer.insert([floor(20_000, 4, [0, 0, 0])]));
      await place.log.append(await writer.insert([floor(20_000, 6, [11, -9, 4], 2)]));
    });
    const { truth, state } = await truthOf(space);
    const seed = parseNodeKey(state.layers[1]!.seed);
    const keys = [...truth.keys()].map((key) => key.slice(2));
    const former = keys.filter((key) => contains(parseNodeKey(key), seed));
    assert.ok(former.length > 2 && former.length < keys.length);
    const server = await testServer(t, { dataDir: space.dataDir });
    // The whole is some 60 pixels wide: far too small for the next finer nodes.
    const url = `${server.url}/v1/spaces/place/tileset.json`;
    const shown = await openTiles(url, former.length, { radii: 30, errorPx: 16 });
    assert.deepEqual(shown.map((tile) => tile.url.split("/").at(-2)!).sort(), former.sort());
  });

  test("TIL-1 TIL-9 a real scan: every tile passes the validator; all of its points are there", async (t) => {
    const file = join(datasets, "clouds/autzen-crop.ply");
    if (!existsSync(file)) return t.skip(`SKIPPED: ${file} not found`);
    const { positions, colors } = readPly(await readFile(file));
    const space = await layerSpace();
    await space.change(async (core, place) => {
      const cloud = core.layers.start(place, { kind: "import", name: "Autzen", spacing: 0.25 });
      await place.log.append(await cloud.insert([{ positions, colors, photos: 0 }]));
    });
    const { truth } = await truthOf(space);
    const points = [...truth.values()].reduce((sum, { cells }) => sum + cells.length, 0);
    assert.ok(points > 500_000, `${points} points`);
    const server = await testServer(t, { dataDir: space.dataDir });
    const { tiles } = await crawl(server);
    assert.equal(tiles.length, truth.size);
    let [seen, sizeBytes] = [0, 0];
    for (const path of tiles) {
      const response = await server.send("GET", path);
      assert.equal(response.headers.get("content-type"), "model/gltf-binary");
      const glb = new Uint8Array(await response.arrayBuffer());
      const { issues, info } = await gltfValidator.validateBytes(glb, { maxIssues: 20 });
      assert.deepEqual([issues.numErrors, issues.numWarnings], [0, 0], JSON.stringify(issues.messages));
      seen += info.totalVertexCount;
      sizeBytes += glb.length;
    }
    assert.equal(seen, points);
    t.diagnostic(`${tiles.length} tiles, ${(sizeBytes / points).toFixed(2)} bytes a point`);
  });
});

const datasets =
  process.env.CAIRN_DATASETS ?? fileURLToPath(new URL("../../../../../shared/datasets", import.meta.url));

describe("tiles over HTTP", () => {
  test("TIL-9 a tile never changes: immutable, an older revision of a node that grew is served, an unknown node is tile.gone", async (t) => {
    const space = await layerSpace();
    const grow = (seed: number) =>
      space.change(async (core, place) => {
        const known = place.log.snapshot().state.layers[1];
        const writer = known ? core.layers.writer(place, 1) : core.layers.start(place, { kind: "import", name: "A" });
        await place.log.append(await writer.insert([floor(3000, 2, [0, 0, 0], seed)]));
      });
    await grow(1);
    let server = await testServer(t, { dataDir: space.dataDir });
    const before = (await crawl(server)).tiles;
    const old = await server.send("GET", before[0]!);
    const oldBytes = Buffer.from(await old.arrayBuffer());
    assert.equal(old.headers.get("cache-control"), "public, max-age=31536000, immutable");
    const again = await server.send("GET", before[0]!, null, { "if-none-match": old.headers.get("etag")! });
    assert.equal(again.status, 304);
    const tileset = await server.send("GET", "/v1/spaces/place/tileset.json");
    const etag = tileset.headers.get("etag")!;
    assert.equal(tileset.headers.get("cache-control"), "no-cache");
    const same = await server.send("GET", "/v1/spaces/place/tileset.json", null, { "if-none-match": etag });
    assert.equal(same.status, 304);
    await server.close();

    // Without the copy it is made again, from the first part alone.
    await rm(join(space.dataDir, "tiles"), { recursive: true });
    await grow(2);
    server = await testServer(t, { dataDir: space.dataDir });
    const changed = await server.send("GET", "/v1/spaces/place/tileset.json", null, { "if-none-match": etag });
    assert.equal(changed.status, 200);
    const after = (await crawl(server)).tiles;
    assert.notEqual(after[0], before[0]);
    assert.deepEqual(Buffer.from(await (await server.send("GET", before[0]!)).arrayBuffer()), oldBytes);
    const grown = Buffer.from(await (await server.send("GET", after[0]!)).arrayBuffer());
    assert.ok(grown.length > oldBytes.length);

    const [, node] = /\/tiles\/1\/([^/]+)\//.exec(after[0]!)!;
    for (const path of [
      `tiles/1/${node}/x.glb`,
      `tiles/1/3_1_2_3/0123456789abcdef.glb`,
      "tiles/1/3_1_2_3/tileset.json",
      "tiles/9/3_1_2_3/tileset.json",
    ]) {
      const error = await errorOf(await server.send("GET", `/v1/spaces/place/${path}`));
      assert.deepEqual([error.status, error.code], [404, "tile.gone"], path);
    }
    const never = await server.send("GET", `/v1/spaces/place/tiles/1/${node}/0123456789abcdef.glb`);
    assert.equal(never.headers.get("cache-control"), "no-cache");
    assert.deepEqual(Buffer.from(await never.arrayBuffer()), grown);
    const missing = await errorOf(await server.send("GET", `/v1/spaces/place/tiles/9/${node}/0123456789abcdef.glb`));
    assert.equal(missing.code, "layer.missing");
  });

  test("TIL-9 GEN-24 a tileset is packed for who asks for it, in any spelling, and for nobody who does not; a tile never", async (t) => {
    const space = await placedSpace();
    const server = await testServer(t, { dataDir: space.dataDir });
    const path = "/v1/spaces/place/tileset.json";
    for (const [wanted, packed] of [
      ["gzip", "gzip"],
      ["GZIP", "gzip"],
      ["identity;q=0.5, gzip", "gzip"],
      ["*", "gzip"],
      ["gzip;q=0", null],
      ["gzip;q=0, identity", null],
      ["identity", null],
    ] as const) {
      const answer = await server.send("GET", path, null, { "accept-encoding": wanted });
      assert.equal(answer.headers.get("content-encoding"), packed, wanted);
      assert.equal(((await answer.json()) as { asset: { version: string } }).asset.version, "1.1");
    }
    const { tiles } = await crawl(server);
    for (const made of [tiles[0]!, "/v1/spaces/place/exports/glb"]) {
      const response = await server.send("GET", made, null, { "accept-encoding": "gzip, deflate, br" });
      const { headers } = response;
      assert.deepEqual([headers.get("content-type"), headers.get("content-encoding")], ["model/gltf-binary", null]);
      const { byteLength } = await response.arrayBuffer();
      if (made === tiles[0]) assert.equal(Number(headers.get("content-length")), byteLength);
    }
  });

  test("TIL-9 who opened the tileset before its layer was compacted still finds every tile", async (t) => {
    const space = await layerSpace();
    await space.change(async (core, place) => {
      const writer = core.layers.start(place, { kind: "import", name: "A", spacing: 2 ** -8 });
      for (const seed of [1, 2, 3]) await place.log.append(await writer.insert([floor(4000, 2, [0, 0, 0], seed)]));
    });
    let server = await testServer(t, { dataDir: space.dataDir });
    const { tiles } = await crawl(server);
    const before = await Promise.all(tiles.map(async (path) => Buffer.from(await bytesOf(server, path))));
    await server.close();
    await space.change(async (core, place) => {
      await core.layers.compact(place, 1);
      assert.equal(place.log.snapshot().state.layers[1]!.packs.length, 0);
    });
    server = await testServer(t, { dataDir: space.dataDir });
    const after = (await crawl(server)).tiles;
    assert.ok(tiles.length > 1 && after.some((path) => !tiles.includes(path)));
    for (const [i, path] of tiles.entries()) {
      const now = Buffer.from(await bytesOf(server, path));
      // The order of the points that share a cell may differ, so the bytes need not be the same.
      const count = async (glb: Buffer) => (await gltfValidator.validateBytes(glb)).info.totalVertexCount;
      assert.equal(await count(now), await count(before[i]!));
    }
  });

  test("TIL-11 a tile is made once for all who ask, kept over a restart, and made again when the copy is damaged or gone", async (t) => {
    const space = await layerSpace();
    await space.change(async (core, place) => {
      const writer = core.layers.start(place, { kind: "import", name: "A" });
      await place.log.append(await writer.insert([floor(5000, 2, [0, 0, 0])]));
    });
    const server = await testServer(t, { dataDir: space.dataDir });
    const [path] = (await crawl(server)).tiles;
    const fetchTile = async () => Buffer.from(await (await server.send("GET", path!)).arrayBuffer());
    const all = await Promise.all(Array.from({ length: 20 }, fetchTile));
    for (const each of all) assert.deepEqual(each, all[0]);
    const folder = join(space.dataDir, "tiles");
    const [name] = await readdir(folder);
    const stored = await readFile(join(folder, name!));
    await server.restart();
    assert.deepEqual(await fetchTile(), all[0]);
    for (const damaged of [Buffer.alloc(0), stored.subarray(0, 100), Buffer.from(stored).fill(7, 60, 61)]) {
      await writeFile(join(folder, name!), damaged);
      assert.deepEqual(await fetchTile(), all[0]);
      assert.deepEqual(await readFile(join(folder, name!)), stored);
    }
  });

  test("TIL-11 it is not made when everyone who asked has gone, and is when someone comes again", async () => {
    const space = await layerSpace();
    const calls: AbortSignal[] = [];
    let finish = (_: Uint8Array) => {};
    const encoder = {
      encode: (_: unknown, signal?: AbortSignal) =>
        new Promise<Uint8Array>((resolve, reject) => {
          calls.push(signal!);
          finish = resolve;
          signal!.addEventListener("abort", () => reject(signal!.reason));
        }),
      close: async () => {},
    };
    const maker = new TileMaker(encoder, openFileCache(join(space.dataDir, "tiles")));
    const wanted = {
      revision: "0123456789abcdef",
      grid: { origin: [0, 0, 0] as Vec3, seed: "0_1_1_1", finest: -5 },
      node: { id: parseNodeKey("0_1_1_1") },
      parts: [],
      read: async () => new Uint8Array(0),
    };
    const begun = async (count: number) => {
      while (calls.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const asked = [maker.make(wanted, first.signal), maker.make(wanted, second.signal)];
    const ends = Promise.allSettled(asked);
    await begun(1);
    first.abort();
    await assert.rejects(asked[0]!, { code: "operation.cancelled" });
    assert.equal(calls[0]!.aborted, false);
    second.abort();
    await ends;
    assert.equal(calls[0]!.aborted, true);
    const third = maker.make(wanted, new AbortController().signal);
    await begun(2);
    finish(Uint8Array.of(1, 2, 3));
    assert.deepEqual(await third, Uint8Array.of(1, 2, 3));
    assert.deepEqual(await maker.make(wanted, new AbortController().signal), Buffer.of(1, 2, 3));
    assert.equal(calls.length, 2);
  });

  test("TIL-11 points whose blob is lost are said with its code, and nothing wrong is kept", async (t) => {
    const space = await layerSpace();
    const blob = await space.change(async (core, place) => {
      const writer = core.layers.start(place, { kind: "import", name: "A" });
      await place.log.append(await writer.insert([floor(500, 2, [0, 0, 0])]));
      return place.log.snapshot().state.layers[1]!.packs[0]!;
    });
    const server = await testServer(t, { dataDir: space.dataDir });
    const [path] = (await crawl(server)).tiles;
    const file = join(space.dataDir, "blobs", blob.blob.slice(0, 2), blob.blob.slice(2));
    const bytes = await readFile(file);
    await writeFile(file, Buffer.from(bytes).fill(0, blob.headBytes + 40, blob.headBytes + 60));
    const refused = await server.send("GET", path!);
    assert.deepEqual([refused.headers.get("cache-control"), refused.headers.get("etag")], ["no-store", null]);
    const error = await errorOf(refused);
    assert.deepEqual([error.status, error.code], [500, "blob.corrupt"]);
    await writeFile(file, bytes);
    assert.equal((await server.send("GET", path!)).status, 200);
  });

  test("TIL-13 a client that knows only an address with a token opens a closed space; no other answer has the token", async (t) => {
    const space = await placedSpace();
    const { truth } = await truthOf(space);
    const [token, viewer] = ["s&e+all", "only looks"];
    const server = await testServer(t, {
      dataDir: space.dataDir,
      token,
      tokens: [{ token: viewer, role: "view", spaces: ["place"] }],
      tilesPerJson: 4,
    });
    const path = "/v1/spaces/place/tileset.json";
    const shown = await openTiles(`${server.url}${path}?token=${encodeURIComponent(viewer)}`, truth.size);
    compare(shown, truth, (layer, point) => (layer === 2 ? moved(TURNED, point) : point), 1e-6);

    const query = `?token=${encodeURIComponent(token)}`;
    const headers = { authorization: `Bearer ${token}` };
    const branch = (await crawl(server)).documents.find((document) => document !== path)!;
    for (const document of [path, branch]) {
      const byAddress = await fetch(server.url + document + query);
      const carried = await byAddress.text();
      assert.ok(carried.includes(query), "each link has the token");
      assert.deepEqual([byAddress.headers.get("cache-control"), byAddress.headers.get("etag")], ["no-store", null]);
      const again = await fetch(server.url + document + query, { headers: { "if-none-match": "*" } });
      assert.equal(again.status, 200);
      const byHeader = await fetch(server.url + document, { headers });
      assert.equal(byHeader.headers.get("cache-control"), "no-cache");
      assert.equal(await byHeader.text(), carried.replaceAll(query, ""));
      // Where both are, the header's is the one that counts.
      const both = await fetch(server.url + document + query, { headers });
      assert.ok(!(await both.text()).includes("token"));
      assert.equal((await fetch(`${server.url}${document}?token=wrong`)).status, 401);
    }
    const open = await testServer(t, { dataDir: (await placedSpace()).dataDir });
    assert.ok(
      !(await (await open.send("GET", `${path}?token=any`)).text()).includes("token"),
      "nothing is closed here",
    );
  });

  test("TIL-13 a tile whose address has the token is kept for an hour by who asked; by a header, or in the open, for good", async (t) => {
    const space = await placedSpace();
    const token = "the-token-of-the-house";
    const headers = { authorization: `Bearer ${token}` };
    const kept = async (address: string, asking: RequestInit = {}) => {
      const answer = await fetch(address, asking);
      assert.equal(answer.status, 200);
      const again = await fetch(address, {
        headers: { ...asking.headers, "if-none-match": answer.headers.get("etag")! },
      });
      assert.equal(again.status, 304);
      assert.equal(again.headers.get("cache-control"), answer.headers.get("cache-control"));
      return answer.headers.get("cache-control");
    };
    const closed = await testServer(t, { dataDir: space.dataDir, token });
    const tile = closed.url + (await crawl(closed)).tiles[0]!;
    assert.equal(await kept(`${tile}?token=${token}`), "private, max-age=3600");
    for (const address of [tile, `${tile}?token=${token}`]) {
      assert.equal(await kept(address, { headers }), "private, max-age=31536000, immutable");
    }
    await closed.close();
    const open = await testServer(t, { dataDir: space.dataDir });
    const path = new URL(tile).pathname;
    assert.equal(await kept(`${open.url}${path}?token=any`), "public, max-age=31536000, immutable");
  });

  test("TIL-6 an empty space is an empty tileset; with a token only who has it sees tiles; JSON is packed when asked", async (t) => {
    const server = await testServer(t, { token: "secret" });
    assert.equal((await fetch(`${server.url}/v1/spaces/place/tileset.json`)).status, 401);
    const response = await server.send("GET", "/v1/spaces/place/tileset.json");
    const { root } = (await response.json()) as { root: Tile };
    assert.deepEqual([root.children, root.content, root.geometricError], [undefined, undefined, 0]);
    const packed = await server.send("GET", "/v1/spaces/place/tileset.json", null, { "accept-encoding": "gzip" });
    assert.equal(packed.headers.get("content-encoding"), "gzip");
    assert.deepEqual((await packed.json()) as unknown, { asset: { version: "1.1" }, geometricError: 0, root });
  });
});
