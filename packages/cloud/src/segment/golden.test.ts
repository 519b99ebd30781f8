import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { NodePoints } from "../points.ts";
import { onSurface, pointsOf } from "../test/random-points.ts";
import { decodeSegment } from "./decode.ts";
import { encodeSegment } from "./encode.ts";

type Values = {
  coords: number[];
  colors: number[];
  photos: number | number[];
  confidences?: number[];
  normals?: number[];
};
type Golden = Values & {
  name: string;
  hex: string;
  /** What earlier writers made of the same points; it is read as well. */
  earlier?: string;
  node: NodePoints["node"];
  bits: number;
  read: Values;
};

const root = new URL("../../../../", import.meta.url);
const golden = JSON.parse(readFileSync(new URL("packages/cloud/test-data/segments.json", root), "utf8")) as Golden[];

const valuesOf = ({ coords, colors, photos, confidences, normals }: NodePoints): Values => ({
  coords: [...coords],
  colors: [...colors],
  photos: typeof photos === "number" ? photos : [...photos],
  ...(confidences && { confidences: [...confidences] }),
  ...(normals && { normals: [...normals] }),
});

/** What the Python reader says of segments; `undefined` where there is no Python. */
function readInPython(segments: readonly Uint8Array[]): PythonSegment[] | undefined {
  const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import cairn_segment
json.dump([cairn_segment.decode(bytes.fromhex(line.strip())).__dict__ for line in sys.stdin], sys.stdout)`;
  const input = segments.map((bytes) => Buffer.from(bytes).toString("hex")).join("\n");
  const folder = fileURLToPath(new URL("python/", root));
  const run = spawnSync("python3", ["-B", "-c", program, folder], { input, maxBuffer: 2 ** 28, encoding: "utf8" });
  if (run.error && "code" in run.error && run.error.code === "ENOENT") return undefined;
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as PythonSegment[];
}

/** Of each whether the Python reader says that it is no segment; anything else that it throws is an error here. */
function refusedInPython(segments: readonly Uint8Array[]): boolean[] | undefined {
  const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
import cairn_segment
def refuses(data):
    try:
        cairn_segment.decode(data)
    except cairn_segment.InvalidSegment:
        return True
    return False
json.dump([refuses(bytes.fromhex(line.strip())) for line in sys.stdin], sys.stdout)`;
  const input = segments.map((bytes) => Buffer.from(bytes).toString("hex")).join("\n");
  const folder = fileURLToPath(new URL("python/", root));
  const run = spawnSync("python3", ["-B", "-c", program, folder], { input, encoding: "utf8" });
  if (run.error && "code" in run.error && run.error.code === "ENOENT") return undefined;
  assert.equal(run.status, 0, run.stderr);
  return JSON.parse(run.stdout) as boolean[];
}

type PythonSegment = {
  node: number[];
  bits: number;
  coords: number[][];
  colors: number[][];
  photos: number[];
  confidences: number[] | null;
  normals: number[][] | null;
};

function assertSame(python: PythonSegment, points: NodePoints): void {
  const { node, bits, count, photos } = points;
  assert.deepEqual(python.node, [node.e, node.x, node.y, node.z]);
  assert.equal(python.bits, bits);
  assert.deepEqual(python.coords.flat(), [...points.coords]);
  assert.deepEqual(python.colors.flat(), [...points.colors]);
  assert.deepEqual(python.photos, typeof photos === "number" ? new Array<number>(count).fill(photos) : [...photos]);
  assert.deepEqual(python.confidences, points.confidences ? [...points.confidences] : null);
  assert.deepEqual(python.normals?.flat() ?? null, points.normals ? [...points.normals] : null);
}

describe("golden segments", () => {
  for (const { name, hex, earlier = hex, node, bits, read, ...values } of golden) {
    test(`SEG-10 ${name}`, () => {
      const points: NodePoints = {
        node,
        bits,
        count: values.coords.length / 3,
        coords: Uint16Array.from(values.coords),
        colors: Uint8Array.from(values.colors),
        photos: typeof values.photos === "number" ? values.photos : Uint32Array.from(values.photos),
        ...(values.confidences && { confidences: Uint8Array.from(values.confidences) }),
        ...(values.normals && { normals: Int8Array.from(values.normals) }),
      };
      const bytes = encodeSegment(points);
      assert.equal(Buffer.from(bytes).toString("hex"), hex);
      const back = decodeSegment(bytes);
      assert.deepEqual(valuesOf(back), read);
      assert.deepEqual(decodeSegment(Buffer.from(earlier, "hex")), back);
      assert.deepEqual(back.node, node);
      assert.equal(back.bits, bits);
    });
  }

  test("SEG-10 the specification shows the first", () => {
    const text = readFileSync(new URL("docs/spec/cloud.md", root), "utf8");
    const block = /```\n(4353 [\s\S]*?)```/.exec(text)?.[1];
    const shown = block?.split("\n").map((line) => line.split(/ {2,}/)[0]!.replaceAll(" ", ""));
    assert.equal(shown?.join(""), golden[0]!.hex);
  });

  test("SEG-9 what this reader refuses the Python reader refuses: bytes behind the planes, cut off, altered", (t) => {
    const whole = Buffer.from(golden[0]!.hex, "hex");
    const altered = (at: number, value: number) => Buffer.from(whole.map((byte, i) => (i === at ? value : byte)));
    const bad = [
      Buffer.concat([whole, Buffer.of(0)]),
      Buffer.concat([whole, whole]),
      whole.subarray(0, -1),
      whole.subarray(0, 6),
      altered(2, 2), // a version that is not known
      altered(3, 16), // a flag that is none
      altered(5, 0), // no bits
      altered(5, 17),
      altered(6, 3), // a precision that is none
    ];
    for (const [i, bytes] of bad.entries())
      assert.throws(() => decodeSegment(bytes), { code: "request.invalid" }, `${i}`);
    const python = refusedInPython(bad);
    if (!python) return t.skip("SKIPPED: python3 not found");
    assert.deepEqual(
      python,
      bad.map(() => true),
    );
  });

  test("SEG-10 the Python reader reads the same points, of these and of others", (t) => {
    const about = { seed: 3, bits: 13, spread: 0.05, confidences: true, normals: true };
    const segments = [
      ...golden.flatMap(({ hex, earlier = hex }) => [hex, earlier].map((text) => Buffer.from(text, "hex"))),
      encodeSegment(pointsOf({ ...about, count: 6000, photos: 5 })),
      encodeSegment(pointsOf({ ...about, count: 1500, photos: 300, bits: 16, spread: 1 })),
      encodeSegment(pointsOf({ ...about, count: 300, photos: 1, bits: 1, confidences: false, normals: false })),
      encodeSegment(pointsOf({ ...about, count: 21_000, photos: 1, confidences: false, normals: false })),
      ...[0, 1, 2].flatMap((axis) =>
        [1, 4, 9, 16].map((bits) =>
          encodeSegment(onSurface(pointsOf({ ...about, count: 700, photos: 2, bits }), axis, bits)),
        ),
      ),
      encodeSegment(pointsOf({ ...about, count: 0, photos: 1, confidences: false, normals: false })),
    ];
    const python = readInPython(segments);
    if (!python) return t.skip("SKIPPED: python3 not found");
    assert.equal(python.length, segments.length);
    for (const [i, bytes] of segments.entries()) assertSame(python[i]!, decodeSegment(bytes));
  });
});
