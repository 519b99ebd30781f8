import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import type { AccessUnit } from "../h264/access-unit.ts";
import { annexB, nalUnits } from "../h264/nal.ts";
import { frameSums, hasFfmpeg, readFrameSums } from "../test/ffmpeg.ts";
import { dataset, decodeAll, ffmpeg, type Shown, SMALL, timeOf, unitsOf } from "../test/streams.ts";
import { describeDecoder } from "./choose.ts";
import { flvHead } from "./flv.ts";
import { openVideoDecoder } from "./open.ts";

const small = async () => unitsOf(await readFile(SMALL));
const smallSums = async () => readFrameSums(await readFile(SMALL.replace(".h264", ".framemd5"), "utf8"));
const BACKENDS = ["tinyh264", "ffmpeg"] as const;

async function lacksFfmpeg(t: TestContext): Promise<boolean> {
  if (await hasFfmpeg()) return false;
  t.skip("SKIPPED: ffmpeg is not installed");
  return true;
}

/** Every trusted picture is the right one at its time; returns the indexes of all pictures, trusted ones marked. */
function assertTrusted(shown: readonly Shown[], sums: readonly string[]): void {
  for (const frame of shown) {
    const index = sums.findIndex((_, i) => timeOf(i) === frame.timeNs);
    assert.ok(index >= 0, `${frame.timeNs}`);
    if (frame.trusted) assert.equal(frame.sum, sums[index], `picture ${index}`);
  }
}

for (const backend of BACKENDS) {
  test(`VID-8 ${backend} gives the pictures of ffmpeg's checksums, each with its time, cropped, and trusted`, async (t) => {
    if (backend === "ffmpeg" && (await lacksFfmpeg(t))) return;
    const { shown, stats } = await decodeAll(await small(), { backend });
    assert.deepEqual(
      shown.map(({ sum }) => sum),
      await smallSums(),
    );
    assert.deepEqual(
      shown.map(({ timeNs }) => timeNs),
      shown.map((_, i) => timeOf(i)),
    );
    assert.ok(shown.every(({ trusted, size }) => trusted && size === "90x74"));
    assert.equal(stats.backend?.backend, backend);
    assert.deepEqual([stats.units, stats.frames, stats.untrusted, stats.skipped, stats.failures], [24, 24, 0, 0, 0]);
  });

  test(`VID-8 ${backend} decodes a handheld take to the checksums of ffmpeg`, async (t) => {
    if (await lacksFfmpeg(t)) return;
    const file = dataset("sevenscenes-video/handheld-baseline-12s.h264");
    if (!file) return t.skip("SKIPPED: the data set sevenscenes-video was not found");
    const sums = await frameSums(file);
    const { shown } = await decodeAll(unitsOf(await readFile(file)).slice(0, 120), { backend });
    assert.equal(sums.length, 360);
    assert.deepEqual(
      shown.map(({ sum }) => sum),
      sums.slice(0, 120),
    );
  });

  test(`VID-9 ${backend}: after a loss that the caller tells or frame_num shows, nothing is trusted until a key picture`, async (t) => {
    if (backend === "ffmpeg" && (await lacksFfmpeg(t))) return;
    const units = await small();
    const told = units.map((unit, i): AccessUnit => (i === 4 ? { ...unit, lost: true } : unit));
    const after = await decodeAll(told, { backend });
    assert.deepEqual(
      after.shown.map(({ trusted }) => trusted),
      units.map((_, i) => i < 4 || i >= 8),
    );
    const without = await decodeAll(
      units.filter((_, i) => i !== 11),
      { backend },
    );
    assertTrusted(without.shown, await smallSums());
    const trusted = without.shown.filter((frame) => frame.trusted).map(({ timeNs }) => timeNs);
    assert.deepEqual(
      trusted,
      units.flatMap((unit, i) => (i < 11 || i >= 16 ? [unit.timeNs] : [])),
    );
  });

  test(`VID-9 ${backend}: cut, missing and overwritten slices are survived, and what they spoil is not trusted`, async (t) => {
    if (backend === "ffmpeg" && (await lacksFfmpeg(t))) return;
    const units = await small();
    const sums = await smallSums();
    const damage: Record<string, (nals: Uint8Array[]) => Uint8Array[]> = {
      cut: (nals) => nals.map((nal) => nal.subarray(0, Math.min(nal.length, 24))),
      lastSliceGone: (nals) => nals.slice(0, -1),
      firstSliceGone: (nals) => nals.slice(1),
      header: (nals) => nals.map((nal) => Uint8Array.of(nal[0]!, 0, 0, 128)),
    };
    for (const [name, spoil] of Object.entries(damage)) {
      for (const at of [3, 8]) {
        const spoilt = units.map((unit, i): AccessUnit => {
          if (i !== at) return unit;
          const nals = [...nalUnits(unit.data)].map(({ bytes }) => bytes);
          const sets = nals.filter((nal) => (nal[0]! & 31) > 5);
          const slices = spoil(nals.filter((nal) => (nal[0]! & 31) <= 5));
          return { ...unit, data: annexB([...sets, ...slices]) };
        });
        const { shown } = await decodeAll(spoilt, { backend });
        assertTrusted(shown, sums);
        const clean = shown.filter((frame) => frame.trusted).map(({ timeNs }) => timeNs);
        const end = at === 3 ? 8 : 16;
        const expected = units.flatMap((unit, i) => (i < at || i >= end ? [unit.timeNs] : []));
        assert.deepEqual(clean, expected, `${name} at ${at}`);
      }
    }
  });

  test(`VID-9 ${backend}: whatever bytes come, the pictures after the next key picture are right`, async (t) => {
    if (backend === "ffmpeg" && (await lacksFfmpeg(t))) return;
    const units = await small();
    const sums = await smallSums();
    const noise = fc.record({
      at: fc.integer({ min: 1, max: 15 }),
      bytes: fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(noise, { minLength: 1, maxLength: 6 }), async (noises) => {
        const noisy = units.flatMap((unit, i): AccessUnit[] => [
          ...noises
            .filter(({ at }) => at === i)
            .map(({ bytes }) => ({ data: annexB(bytes), timeNs: unit.timeNs - 1n, key: false })),
          unit,
        ]);
        const { shown } = await decodeAll(noisy, { backend });
        const last = shown.filter(({ timeNs }) => timeNs >= timeOf(16));
        assert.deepEqual(
          last.map(({ sum }) => sum),
          sums.slice(16),
        );
        assert.ok(last.every(({ trusted }) => trusted));
      }),
      { seed: 1, numRuns: backend === "ffmpeg" ? 6 : 12 },
    );
  });
}

test("VID-10 a stream that is joined late, or without parameter sets, begins at its first whole key picture", async () => {
  const units = await small();
  const late = await decodeAll(units.slice(3), { backend: "tinyh264" });
  assert.deepEqual(
    late.shown.map(({ timeNs }) => timeNs),
    units.slice(8).map(({ timeNs }) => timeNs),
  );
  assert.equal(late.stats.skipped, 5);
  const bare = units.map((unit, i) => {
    const nals = [...nalUnits(unit.data)].filter(({ type }) => i >= 16 || type < 7);
    return { ...unit, data: annexB(nals.map(({ bytes }) => bytes)) };
  });
  const waited = await decodeAll(bare, { backend: "tinyh264" });
  assert.deepEqual(
    waited.shown.map(({ sum }) => sum),
    (await smallSums()).slice(16),
  );
});

test("VID-10 parameter sets that came once are enough for every later key picture", async () => {
  const units = (await small()).map((unit, i) => {
    const nals = [...nalUnits(unit.data)].filter(({ type }) => i === 0 || type < 7);
    return { ...unit, data: annexB(nals.map(({ bytes }) => bytes)) };
  });
  const { shown } = await decodeAll(units, { backend: "tinyh264" });
  assert.deepEqual(
    shown.map(({ sum }) => sum),
    await smallSums(),
  );
});

test("VID-2 parameter sets larger than any encoder writes are refused, and no program is left running for them", async (t) => {
  if (await lacksFfmpeg(t)) return;
  const units = await small();
  const swollen = units.map((unit) => {
    const nals = [...nalUnits(unit.data)].map(({ type, bytes }) =>
      type === 8 ? Buffer.concat([bytes, Buffer.alloc(200_000, 0x55)]) : bytes,
    );
    return { ...unit, data: annexB(nals) };
  });
  const { shown, stats } = await decodeAll([...swollen, ...units], { backend: "ffmpeg" });
  assert.equal(stats.skipped, 24);
  assert.deepEqual(
    shown.map(({ sum }) => sum),
    await smallSums(),
  );
});

test("VID-2 the head of what ffmpeg is given counts no further than its byte can", () => {
  const set = Uint8Array.of(0x67, 66, 0, 30);
  const counted = (count: number): number => {
    const head = flvHead(set, new Array<Uint8Array>(count).fill(Uint8Array.of(0x68, 0x80)));
    return head[13 + 11 + 5 + 8 + set.length]!;
  };
  assert.deepEqual([1, 255, 256].map(counted), [1, 255, 255]);
});

test("VID-11 pictures of another size and another profile follow without a gap", async (t) => {
  if (await lacksFfmpeg(t)) return;
  const make = (size: string, ...options: string[]) =>
    ffmpeg([
      "-f",
      "lavfi",
      "-i",
      `testsrc2=size=${size}:rate=30`,
      "-frames:v",
      "10",
      "-pix_fmt",
      "yuv420p",
      "-c:v",
      "libx264",
      ...options,
      "OUT",
    ]);
  const parts = [
    await make("96x80", "-profile:v", "baseline"),
    await make("80x96", "-profile:v", "baseline"),
    await make("96x80", "-profile:v", "high", "-bf", "0"),
  ];
  const units = parts.flatMap((bytes) => unitsOf(bytes)).map((unit, i) => ({ ...unit, timeNs: timeOf(i) }));
  const { shown } = await decodeAll(units, { backend: "ffmpeg" });
  assert.deepEqual(
    shown.map(({ size }) => size),
    [..."a".repeat(30)].map((_, i) => (i >= 10 && i < 20 ? "80x96" : "96x80")),
  );
  assert.ok(shown.every(({ trusted }) => trusted));
  const embedded = await decodeAll(units.slice(0, 20), { backend: "tinyh264" });
  assert.deepEqual(
    embedded.shown.map(({ sum }) => sum),
    shown.slice(0, 20).map(({ sum }) => sum),
  );
});

test("VID-11 B pictures come out in the order of showing, each with its own time", async (t) => {
  if (await lacksFfmpeg(t)) return;
  const folder = await mkdtemp(join(tmpdir(), "cairn-video-"));
  try {
    const file = join(folder, "b.h264");
    await writeFile(
      file,
      await ffmpeg([
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=96x80:rate=30",
        "-frames:v",
        "40",
        "-pix_fmt",
        "yuv420p",
        "-c:v",
        "libx264",
        "-bf",
        "2",
        "-g",
        "20",
        "-x264-params",
        "b-adapt=0:scenecut=0:b-pyramid=0",
        "OUT",
      ]),
    );
    const sums = await frameSums(file);
    // With closed groups of I B B P B B P … in the order of decoding I P B B P B B …
    const units = unitsOf(await readFile(file));
    const kinds = units.map(({ data }) => [...nalUnits(data)].find(({ type }) => type < 6)!);
    const places: number[] = [];
    let next = 0;
    for (let i = 0; i < units.length; i++) {
      let following = 0;
      while (i + following + 1 < units.length && kinds[i + following + 1]!.refIdc === 0) following++;
      places[i] = next + following;
      for (let b = 1; b <= following; b++) places[i + b] = next + b - 1;
      next += following + 1;
      i += following;
    }
    const timed = units.map((unit, i) => ({ ...unit, timeNs: timeOf(places[i]!) }));
    const { shown } = await decodeAll(timed, { backend: "ffmpeg" });
    assert.deepEqual(
      shown.map(({ timeNs }) => timeNs),
      sums.map((_, i) => timeOf(i)),
    );
    assert.deepEqual(
      shown.map(({ sum }) => sum),
      sums,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("VID-12 a stream beyond the embedded decoder is refused with what stands in its way and what to install", async (t) => {
  if (await lacksFfmpeg(t)) return;
  const high = unitsOf(
    await ffmpeg([
      "-f",
      "lavfi",
      "-i",
      "testsrc2=size=96x80:rate=30",
      "-frames:v",
      "4",
      "-pix_fmt",
      "yuv420p",
      "-c:v",
      "libx264",
      "OUT",
    ]),
  );
  const refused = decodeAll(high, { ffmpeg: "off", webcodecs: "no-such-package" });
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof CairnError);
    assert.equal(error.code, "video.no_decoder");
    assert.match(error.message, /install ffmpeg/);
    assert.equal(error.facts.profile, "high");
    return true;
  });
  const { stats } = await decodeAll(await small(), { ffmpeg: "off", webcodecs: "no-such-package" });
  assert.equal(stats.backend?.backend, "tinyh264");
});

test("VID-12 what decodes here is described, the most able first", async () => {
  const embedded = await describeDecoder({ ffmpeg: "off", webcodecs: "no-such-package" });
  assert.deepEqual([embedded?.backend, embedded?.profiles, embedded?.codecName], ["tinyh264", "baseline", "h264"]);
  assert.match(embedded!.version, /^\d+\.\d+/);
  assert.equal(await describeDecoder({ backend: "ffmpeg", ffmpeg: "/no/such/program" }), undefined);
  if (await hasFfmpeg()) assert.equal((await describeDecoder())?.backend, "ffmpeg");
});

/** A program that says it is ffmpeg and then misbehaves. */
async function impostor(folder: string, behaviour: string): Promise<string> {
  const path = join(folder, "ffmpeg");
  const script = `#!${process.execPath}\nif (process.argv.includes("-version")) console.log("ffmpeg version 5.1");\nelse { ${behaviour} }\n`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

for (const [name, behaviour] of [
  ["dies", "process.stdin.once('data', () => process.exit(1))"],
  ["hangs", "process.stdin.on('data', () => {})"],
  ["cannot start", "process.exit(1)"],
] as const) {
  test(`VID-13 a decoder that ${name} is replaced at the next key picture, and said`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "cairn-video-"));
    try {
      const path = await impostor(folder, behaviour);
      // Enough units for more to wait than a decoder may hold back; then the end of the stream.
      const units = [...(await small()), ...(await small()), ...(await small())];
      const { shown, stats, problems } = await decodeAll(units, { backend: "ffmpeg", ffmpeg: path, stuckAfterMs: 300 });
      assert.equal(shown.length, 0);
      assert.ok(stats.failures >= 1 && problems.length === stats.failures, `${stats.failures} failures`);
      assert.equal(stats.units, 72);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test("VID-13 who takes pictures slowly holds decoding back instead of piling them up", async () => {
  const units = await small();
  let given = 0;
  let most = 0;
  let taken = 0;
  const decoder = openVideoDecoder({
    backend: "tinyh264",
    async onFrame() {
      await new Promise((resolve) => setImmediate(resolve));
      taken++;
    },
  });
  for (let round = 0; round < 4; round++)
    for (const unit of units) {
      await decoder.decode(unit);
      most = Math.max(most, ++given - taken);
    }
  await decoder.flush();
  await decoder.close();
  assert.equal(taken, 96);
  assert.ok(most <= 16, `${most} under way`);
});

test("VID-13 closing and aborting end a decoder at once", async () => {
  const controller = new AbortController();
  const decoder = openVideoDecoder({ backend: "tinyh264", onFrame() {}, signal: controller.signal });
  const [first] = await small();
  await decoder.decode(first!);
  controller.abort(new Error("enough"));
  await assert.rejects(decoder.decode(first!), /enough/);
  await decoder.close();
});
