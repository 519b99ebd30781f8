import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import { indexCursor, mergeHeads, packCursor } from "./head-cursor.ts";
import { decodeLayerIndex, encodeLayerIndex } from "./layer-index.ts";
import { childOf, type LayerGrid, type NodeId, nodeKey } from "./node.ts";
import { deflate, hashOf } from "./node-zlib.ts";
import { Octree } from "./octree.ts";
import { decodePackHead, encodePack } from "./pack.ts";
import type { NodePoints } from "./points.ts";
import { encodeSegment } from "./segment/encode.ts";
import { readSegmentHead } from "./segment/head.ts";
import { type LayerIndex, LayerTable, type PackHead, type Part } from "./table.ts";

const SEED = 20261121;
const GRID: LayerGrid = { origin: [-10, -10, -10], seed: "0_10_10_10", finest: -6 };
const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** A layer that has grown: packs, and the blobs that they are. */
function grow(batches: number, points: number, salt = 1) {
  const tree = new Octree(GRID, 24);
  let state = salt >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const blobs = new Map<string, Uint8Array>();
  const packs: { blob: string; headBytes: number; root: NodeId; segments: NodePoints[] }[] = [];
  for (let i = 0; i < batches; i++) {
    const centre = [random() * 2, random() * 2, random() * 2];
    const size = 2 ** (1 - Math.floor(random() * 8));
    const positions = Float64Array.from({ length: points * 3 }, (_, at) => centre[at % 3]! + random() * size);
    const { root, segments } = tree.insert({ positions, colors: new Uint8Array(points * 3), photos: i + 1 });
    const encoded = segments.map((segment) => encodeSegment(segment));
    const { bytes, headBytes } = encodePack(root, encoded, hashOf);
    blobs.set(digestOf(bytes), bytes);
    packs.push({ blob: digestOf(bytes), headBytes, root, segments });
  }
  const heads = packs.map(({ blob, headBytes }) => decodePackHead(blobs.get(blob)!.subarray(0, headBytes), blob));
  return { blobs, packs, heads };
}

/** All parts of these packs, by node. */
function indexOf(heads: readonly PackHead[]): LayerIndex {
  const nodes = new Map<string, { node: NodeId; parts: Part[] }>();
  for (const { parts } of heads) {
    for (const { node, part } of parts) {
      const entry = nodes.get(nodeKey(node)) ?? { node, parts: [] };
      nodes.set(nodeKey(node), entry);
      entry.parts.push(part);
    }
  }
  return { root: heads.at(-1)!.root, nodes: [...nodes.values()] };
}

function isInvalid(error: unknown): boolean {
  return error instanceof CairnError && error.code === "request.invalid";
}

/** The parts that a head, which may be altered, says there are; both readers of heads take and refuse the same. */
function partsOf(head: Uint8Array, blob: string): Part[] | undefined {
  return unlessInvalid(() => {
    const parts = decodePackHead(head, blob).parts.map(({ part }) => part);
    for (const part of parts) assert(part.end > part.start && part.points > 0);
    return parts;
  });
}

function mergedOf(head: Uint8Array, blob: string): Part[] | undefined {
  return unlessInvalid(() => [...mergeHeads([packCursor(head, blob)], false)].flatMap(({ parts }) => parts));
}

function unlessInvalid<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!isInvalid(error)) throw error;
    return undefined;
  }
}

describe("packs (docs/spec/cloud.md)", () => {
  test("CLD-11 a head says where each segment is; coarse first; each with its hash", () => {
    const { blobs, packs, heads } = grow(6, 3000);
    for (const [i, { blob, root, segments, headBytes }] of packs.entries()) {
      const bytes = blobs.get(blob)!;
      const { root: said, parts } = heads[i]!;
      assert.deepEqual(said, root);
      assert.deepEqual(
        parts.map(({ node, part }) => [node, part.points]),
        segments.map(({ node, count }) => [node, count]),
      );
      let at = headBytes;
      for (const { node, part } of parts) {
        const segment = bytes.subarray(part.start, part.end);
        assert.deepEqual([part.start, part.hash, part.blob], [at, hashOf(segment), blob]);
        assert.deepEqual([readSegmentHead(segment).node, readSegmentHead(segment).count], [node, part.points]);
        at = part.end;
      }
      assert.equal(at, bytes.length);
      assert(headBytes <= 24 + 16 * parts.length, `${headBytes} bytes for ${parts.length} segments`);
    }
  });

  test("CLD-11 segments in any order make the same pack; two of one node, or one outside of the root, none", () => {
    const { packs } = grow(3, 2000);
    const { root, segments } = packs[2]!;
    const encoded = segments.map((segment) => encodeSegment(segment));
    assert.deepEqual(encodePack(root, encoded.toReversed(), hashOf), encodePack(root, encoded, hashOf));
    assert.throws(() => encodePack(root, [...encoded, encoded[0]!], hashOf), RangeError);
    assert.throws(() => encodePack(childOf(root, 0), encoded, hashOf), RangeError);
  });

  test("CLD-11 golden bytes", () => {
    const node = (id: NodeId, count: number): NodePoints => ({
      node: id,
      bits: 8,
      count,
      coords: new Uint16Array(count * 3),
      colors: new Uint8Array(count * 3),
      photos: 0,
    });
    const root = { e: 1, x: 2, y: 3, z: 4 };
    const below = { e: -1, x: 10, y: 12, z: 16 };
    const segments = [node(below, 300), node(root, 1)].map((points) => encodeSegment(points));
    const { bytes, headBytes } = encodePack(root, segments, (segment) =>
      readSegmentHead(segment).count === 1 ? "00112233445566ff" : "8899aabbccddeeff",
    );
    const size = (segment: Uint8Array) => Buffer.from([segment.length]).toString("hex");
    assert(segments.every(({ length }) => length < 128));
    const expected = [
      "43504b31", // CPK1
      "02000000", // two segments
      "01000000" + "02000000" + "03000000" + "04000000", // the root
      "02" + "01" + "00", // its child in octant 1, of that the one in octant 0, which has none
      "01" + "00" + "ac02", // 1 point, none, 300
      size(segments[1]!) + size(segments[0]!),
      "00112233445566ff" + "8899aabbccddeeff",
    ].join("");
    assert.equal(Buffer.from(bytes.subarray(0, headBytes)).toString("hex"), expected);
  });

  test("CLD-13 a head that is cut off, altered or lies is request.invalid or another head, never more", () => {
    const { blobs, packs } = grow(3, 1500);
    const { blob, headBytes } = packs[2]!;
    const head = blobs.get(blob)!.subarray(0, headBytes);
    for (let length = 0; length < headBytes; length++) {
      assert.throws(() => decodePackHead(head.subarray(0, length), blob), isInvalid);
      assert.throws(() => packCursor(head.subarray(0, length), blob), isInvalid);
    }
    assert.throws(() => decodePackHead(Uint8Array.of(...head, 0), blob), isInvalid);
    assert.throws(() => packCursor(Uint8Array.of(...head, 0), blob), isInvalid);
    for (const [at, value] of [
      [0, 0x44], // not a pack
      [7, 0xff], // four billion segments
      [11, 0x7f], // a root of 2^2130706433
    ] as const) {
      const lie = head.slice();
      lie[at] = value;
      assert.throws(() => decodePackHead(lie, blob), isInvalid, `byte ${at}`);
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(headBytes - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const altered = head.slice();
        for (const [at, value] of changes) altered[at] = value;
        assert.deepEqual(mergedOf(altered, blob), partsOf(altered, blob));
      }),
      { seed: SEED, numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const bytes = Uint8Array.of(...head.subarray(0, 24), ...noise);
        assert.deepEqual(mergedOf(bytes, blob), partsOf(bytes, blob));
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });
});

describe("index (docs/spec/cloud.md)", () => {
  test("CLD-12 an index brings back every part, at no more than 24 bytes a node of one part", async () => {
    const { heads } = grow(8, 3000);
    const many = indexOf(heads);
    const back = await decodeLayerIndex(encodeLayerIndex(many, deflate));
    const byKey = ({ nodes }: LayerIndex) => new Map(nodes.map(({ node, parts }) => [nodeKey(node), parts]));
    assert.deepEqual([back.root, byKey(back)], [many.root, byKey(many)]);

    let end = 0;
    const blob = "ab".repeat(32);
    const nodes = many.nodes.map(({ node, parts }) => {
      const start = end;
      end += parts.reduce((sum, part) => sum + part.end - part.start, 0);
      return { node, parts: [{ ...parts[0]!, blob, start, end }] };
    });
    const one = encodeLayerIndex({ root: many.root, nodes }, deflate);
    assert(nodes.length > 50 && one.length <= 64 + 24 * nodes.length, `${one.length} bytes for ${nodes.length} nodes`);
    assert.deepEqual(byKey(await decodeLayerIndex(one)), byKey({ root: many.root, nodes }));
  });

  test("CLD-12 an index of nothing, and one whose root has no points", async () => {
    const root = { e: 3, x: 4, y: 5, z: 6 };
    assert.deepEqual(await decodeLayerIndex(encodeLayerIndex({ root, nodes: [] }, deflate)), { root, nodes: [] });
    const part = { blob: "cd".repeat(32), start: 7, end: 9, points: 1, hash: "0123456789abcdef" };
    const nodes = [
      { node: childOf(childOf(root, 7), 2), parts: [part, { ...part, start: 2 ** 40, end: 2 ** 40 + 5 }] },
    ];
    assert.deepEqual(await decodeLayerIndex(encodeLayerIndex({ root, nodes }, deflate)), { root, nodes });
  });

  test("CLD-12 a table from an index and the packs after it is the one from all packs, point for point", async () => {
    const { heads } = grow(9, 2500);
    const whole = new LayerTable(GRID);
    for (const head of heads) whole.applyPack(head);
    for (const cut of [0, 1, 5, 9]) {
      const table = new LayerTable(GRID);
      if (cut > 0) {
        table.applyIndex(await decodeLayerIndex(encodeLayerIndex(indexOf(heads.slice(0, cut)), deflate)), cut);
      }
      for (const head of heads.slice(cut)) table.applyPack(head);
      assert.deepEqual([table.points, table.packs, table.root?.key], [whole.points, whole.packs, whole.root?.key]);
      const facts = ({ list }: LayerTable) =>
        new Map(
          list.map(({ key, points, parts, chain, children }) => [
            key,
            { points, parts, chain, children: children.map((child) => child?.key) },
          ]),
        );
      assert.deepEqual(facts(table), facts(whole));
    }
  });

  test("CLD-44 heads read side by side, with an index before them or without, are the table, part for part in its order", async () => {
    for (const salt of [1, 2, 3]) {
      const { blobs, packs, heads } = grow(9, 2500, salt);
      const whole = new LayerTable(GRID);
      for (const head of heads) whole.applyPack(head);
      const order = [whole.root!];
      for (const node of order) for (const child of node.children) if (child) order.push(child);
      assert(whole.root!.id.e > 0, "the root has grown");
      for (const cut of [0, 1, 5, 9]) {
        const index =
          cut > 0 ? await decodeLayerIndex(encodeLayerIndex(indexOf(heads.slice(0, cut)), deflate)) : undefined;
        const cursors = packs
          .slice(cut)
          .map(({ blob, headBytes }) => packCursor(blobs.get(blob)!.subarray(0, headBytes), blob));
        if (index) cursors.unshift(indexCursor(index));
        const merged = [...mergeHeads(cursors, index !== undefined)];
        assert.deepEqual(
          merged.map(({ id, parts }) => ({ key: nodeKey(id), parts })).filter(({ parts }) => parts.length > 0),
          order.map(({ key, parts }) => ({ key, parts })).filter(({ parts }) => parts.length > 0),
        );
        const later = new Set(packs.slice(cut).map(({ blob }) => blob));
        for (const { parts, indexed } of merged) {
          assert.equal(indexed, parts.filter(({ blob }) => !later.has(blob)).length);
        }
      }
      const backwards = packs.map(({ blob, headBytes }) => packCursor(blobs.get(blob)!.subarray(0, headBytes), blob));
      assert.throws(() => [...mergeHeads(backwards.reverse(), false)], isInvalid);
    }
  });

  test("CLD-13 a table refuses what belongs to another layer's grid, and stays as it was", () => {
    const { heads } = grow(2, 500);
    const table = new LayerTable({ ...GRID, seed: "0_100_10_10" });
    assert.throws(() => table.applyPack(heads[0]!), isInvalid);
    assert.throws(() => table.applyIndex(indexOf(heads), 2), isInvalid);
    assert.deepEqual([table.list.length, table.packs, table.points], [0, 0, 0]);
  });

  test("CLD-12 golden bytes", async () => {
    const root = { e: 1, x: 2, y: 3, z: 4 };
    const [near, far] = ["aa".repeat(32), "bb".repeat(32)];
    const part = (blob: string, start: number, end: number, points: number, hash: string) => ({
      ...{ blob, start, end, points, hash: hash.repeat(8) },
    });
    const nodes = [
      { node: { e: -1, x: 10, y: 12, z: 16 }, parts: [part(near, 130, 230, 300, "11"), part(far, 24, 34, 5, "22")] },
      { node: root, parts: [part(near, 30, 130, 1, "00")] },
    ];
    const columns = [
      "02" + "01" + "00", // the tree: octant 1 of the root, octant 0 of that
      "01" + "00" + "02", // parts of each
      "00" + "00" + "02", // the first blob twice, then the next
      "3c" + "00" + "30", // 30 bytes into the first, at once after that, 24 into the other
      "64" + "64" + "0a", // bytes
      "01" + "ac02" + "05", // points
    ].join("");
    const size = columns.length / 2;
    const stored = (bytes: Uint8Array) => Uint8Array.of(1, bytes.length, 0, 255 - bytes.length, 255, ...bytes);
    const expected = [
      "434958310300000002000000",
      `${size.toString(16)}000000`,
      "01000000" + "02000000" + "03000000" + "04000000",
      near + far,
      "00".repeat(8) + "11".repeat(8) + "22".repeat(8),
      `01${size.toString(16)}00${(255 - size).toString(16)}ff${columns}`,
    ].join("");
    const bytes = encodeLayerIndex({ root, nodes }, stored);
    assert.equal(Buffer.from(bytes).toString("hex"), expected);
    assert.deepEqual((await decodeLayerIndex(bytes)).nodes, nodes.toReversed());
  });

  test("CLD-11, CLD-12 the Python reader finds the same parts", (t) => {
    const { blobs, packs, heads } = grow(5, 2000);
    const index = indexOf(heads);
    const inputs = [
      blobs.get(packs[4]!.blob)!,
      blobs.get(packs[3]!.blob)!.subarray(0, packs[3]!.headBytes),
      encodeLayerIndex(index, deflate),
    ];
    const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import cairn_layer
json.dump([cairn_layer.asdict(cairn_layer.read(bytes.fromhex(line.strip()))) for line in sys.stdin], sys.stdout)`;
    const input = inputs.map((bytes) => Buffer.from(bytes).toString("hex")).join("\n");
    const folder = fileURLToPath(new URL("../../../python/", import.meta.url));
    const run = spawnSync("python3", ["-B", "-c", program, folder], { input, maxBuffer: 2 ** 28, encoding: "utf8" });
    if (run.error && "code" in run.error && run.error.code === "ENOENT") return t.skip("SKIPPED: python3 not found");
    assert.equal(run.status, 0, run.stderr);
    const told = ({ e, x, y, z }: NodeId) => [e, x, y, z];
    const ofPack = ({ root, parts }: PackHead) => ({
      root: told(root),
      parts: parts.map(({ node, part }) => ({ node: told(node), ...part, blob: null })),
    });
    const [first, second, third] = JSON.parse(run.stdout) as [unknown, unknown, { parts: { node: number[] }[] }];
    assert.deepEqual([first, second], [ofPack(heads[4]!), ofPack(heads[3]!)]);
    const expected = index.nodes.flatMap(({ node, parts }) => parts.map((part) => ({ node: told(node), ...part })));
    const byNode = (parts: { node: number[] }[]) =>
      parts.toSorted((a, b) => (`${a.node}` < `${b.node}` ? -1 : `${a.node}` > `${b.node}` ? 1 : 0));
    assert.deepEqual(byNode(third.parts), byNode(expected));
  });

  test("CLD-13 what these readers refuse of heads and indexes, the Python reader refuses", async (t) => {
    const u32 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeInt32LE(value | 0);
      return bytes.toString("hex");
    };
    const place = (e: number, x = 2) => u32(e) + u32(x) + u32(3) + u32(4);
    const hash = "00".repeat(8);
    const pack = (root: string, body: string, count = 1) => Buffer.from(`43504b31${u32(count)}${root}${body}`, "hex");
    const lone = `000105${hash}`; // no children, a point, 5 bytes
    const index = (root: string, columns: string, more = "", parts = 1) =>
      Buffer.from(
        `43495831${u32(parts)}${u32(1)}${u32(columns.length / 2)}${root}${"aa".repeat(32)}${hash.repeat(parts)}` +
          Buffer.from(deflate(Buffer.from(columns, "hex"))).toString("hex") +
          more,
        "hex",
      );
    const only = "0001003c6401"; // no children, a part, of the first blob, 30 bytes into it, 100 bytes, a point
    const good = [pack(place(1), lone), index(place(1), only)];
    const bad: [string, Buffer][] = [
      ["a root of 2^128", pack(place(128), lone)],
      ["a root of 2^-129", pack(place(-129), lone)],
      ["a child of 2^-129", pack(place(-128), `01000001${lone.slice(4)}`)],
      ["a node beyond 32 bits", pack(place(1, 2 ** 31), `01000001${lone.slice(4)}`)],
      ["a leaf without points", pack(place(1), `01000100${lone.slice(4)}`)],
      ["a segment of no bytes", pack(place(1), `000100${hash}`)],
      ["bytes behind the head, less than its segment", Buffer.concat([good[0]!, Buffer.alloc(1)])],
      ["another count", pack(place(1), lone, 2)],
      ["an index with a root of 2^128", index(place(128), only)],
      ["an index with a root of 2^-129", index(place(-129), only)],
      ["an index with a child of 2^-129", index(place(-128), "01000001003c6401")],
      ["an index with a node beyond 32 bits", index(place(1, 2 ** 31), "01000001003c6401")],
      ["a leaf without parts", index(place(1), "01000100003c6401")],
      ["a part of no bytes", index(place(1), "0001003c0001")],
      ["a part of no points", index(place(1), "0001003c6400")],
      ["columns with bytes left over", index(place(1), `${only}00`)],
      ["bytes behind the columns", index(place(1), only, "00")],
      ["columns twice", index(place(1), only, Buffer.from(deflate(Buffer.from(only, "hex"))).toString("hex"))],
    ];
    assert.equal(decodePackHead(good[0]!, "aa".repeat(32)).parts.length, 1);
    assert.equal((await decodeLayerIndex(good[1]!)).nodes.length, 1);
    for (const [why, bytes] of bad) {
      if (bytes[1] === 0x50) assert.throws(() => decodePackHead(bytes, "aa".repeat(32)), isInvalid, why);
      else await assert.rejects(decodeLayerIndex(bytes), isInvalid, why);
    }
    const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import cairn_layer
def refuses(data):
    try:
        cairn_layer.read(data)
    except cairn_layer.InvalidLayer:
        return True
    return False
json.dump([refuses(bytes.fromhex(line.strip())) for line in sys.stdin], sys.stdout)`;
    const input = [...good, ...bad.map(([, bytes]) => bytes)].map((bytes) => bytes.toString("hex")).join("\n");
    const folder = fileURLToPath(new URL("../../../python/", import.meta.url));
    const run = spawnSync("python3", ["-B", "-c", program, folder], { input, encoding: "utf8" });
    if (run.error && "code" in run.error && run.error.code === "ENOENT") return t.skip("SKIPPED: python3 not found");
    assert.equal(run.status, 0, run.stderr);
    const [first, second, ...refused] = JSON.parse(run.stdout) as boolean[];
    assert.deepEqual([first, second], [false, false]);
    assert.deepEqual(
      bad.filter((_, i) => !refused[i]).map(([why]) => why),
      [],
    );
  });

  test("CLD-13 an index that is cut off, altered or lies is request.invalid, and never more memory than its bytes", async () => {
    const { heads } = grow(3, 1000);
    const bytes = encodeLayerIndex(indexOf(heads), deflate);
    for (let length = 0; length < bytes.length; length += 13) {
      await assert.rejects(decodeLayerIndex(bytes.subarray(0, length)), isInvalid, `${length} bytes`);
    }
    for (const at of [0, 4, 7, 8, 11, 12, 15, 19]) {
      const lie = bytes.slice();
      lie[at] = lie[at]! ^ 0x55;
      await assert.rejects(decodeLayerIndex(lie), isInvalid, `byte ${at}`);
    }
    const { node, parts } = indexOf(heads).nodes[0]!;
    for (const nowhere of [{ start: -5, end: 5 }, { start: 5, end: 5 }, { points: 0 }]) {
      const lie = encodeLayerIndex({ root: node, nodes: [{ node, parts: [{ ...parts[0]!, ...nowhere }] }] }, deflate);
      await assert.rejects(decodeLayerIndex(lie), isInvalid, JSON.stringify(nowhere));
    }
    // Columns that inflate to a hundred megabytes, whatever their head says.
    const bomb = deflate(new Uint8Array(100 * 2 ** 20));
    for (const said of [10, 4096, 100 * 2 ** 20]) {
      const head = bytes.slice(0, 32);
      new DataView(head.buffer).setUint32(4, 0, true);
      new DataView(head.buffer).setUint32(8, 0, true);
      new DataView(head.buffer).setUint32(12, said, true);
      await assert.rejects(decodeLayerIndex(Uint8Array.of(...head, ...bomb)), isInvalid, `${said} said`);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const altered = bytes.slice();
          for (const [at, value] of changes) altered[at] = value;
          try {
            await decodeLayerIndex(altered);
          } catch (error) {
            if (!isInvalid(error)) throw error;
          }
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});
