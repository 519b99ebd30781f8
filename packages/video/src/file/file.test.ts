import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import type { FfmpegProgram } from "../decode/ffmpeg-program.ts";
import type { VideoFrame } from "../decode/frame.ts";
import { describeTinyH264 } from "../decode/tinyh264.ts";
import { annexB } from "../h264/nal.ts";
import { writePps, writeSlice, writeSps } from "../test/bits-write.ts";
import { frameSums, hasFfmpeg, readFrameSums } from "../test/ffmpeg.ts";
import { checksum, ffmpeg, SMALL, timeOf, unitsOf } from "../test/streams.ts";
import { avcToAnnexB, readAvcConfig } from "./avc.ts";
import { type FileDecodeOptions, isVideoHead, openVideoFile } from "./open.ts";
import { decodeByFfmpeg } from "./other-codings.ts";

const installed = await hasFfmpeg();
const needsFfmpeg = installed ? {} : { skip: "SKIPPED: ffmpeg is not installed" };
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-video-"));
});
after(() => rm(folder, { recursive: true }));

const SOURCE = ["-f", "lavfi", "-i", "testsrc2=size=96x64:rate=30", "-frames:v", "45", "-pix_fmt", "yuv420p"];

async function make(name: string, ...args: string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, await ffmpeg([...args, "OUT"], name.split(".").at(-1)));
  return path;
}

async function decode(path: string, options: Partial<FileDecodeOptions> = {}) {
  const file = await openVideoFile(path);
  const sums: string[] = [];
  const times: bigint[] = [];
  const sizes: string[] = [];
  try {
    const end = await file.decode({
      onFrame(frame) {
        sums.push(checksum(frame));
        times.push(frame.timeNs);
        sizes.push(`${frame.width}x${frame.height}`);
      },
      ...options,
    });
    return { facts: file.facts, end, sums, times, sizes };
  } finally {
    file.close();
  }
}

const about = (times: readonly bigint[], expected: readonly number[]): void => {
  assert.equal(times.length, expected.length);
  for (const [i, time] of times.entries())
    assert.ok(Math.abs(Number(time) / 1e6 - expected[i]!) <= 1, `picture ${i} at ${time} instead of ${expected[i]} ms`);
};

test(
  "VID-14 MP4, MOV and WebM give the pictures of ffmpeg at their times, with B pictures in the order of showing",
  needsFfmpeg,
  async () => {
    const files = [
      [await make("a.mp4", ...SOURCE, "-c:v", "libx264", "-bf", "2", "-movflags", "+faststart"), "MP4", "avc"],
      [await make("a.mov", ...SOURCE, "-c:v", "libx264", "-profile:v", "baseline"), "QuickTime File Format", "avc"],
      [await make("a.webm", ...SOURCE, "-c:v", "libvpx", "-deadline", "realtime"), "WebM", "vp8"],
    ] as const;
    for (const [path, container, coding] of files) {
      const { facts, end, sums, times } = await decode(path);
      assert.deepEqual([facts.container, facts.coding], [container, coding]);
      assert.deepEqual(end, { frames: 45, cutOff: false });
      assert.deepEqual(sums, await frameSums(path));
      about(
        times,
        times.map((_, i) => (i * 1000) / 30),
      );
    }
  },
);

test("VID-14 a WebM whose pictures change their size gives each as it is", needsFfmpeg, async () => {
  const parts = await Promise.all(
    ["96x64", "48x80"].map((size) => {
      const source = ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=30`, "-frames:v", "12", "-pix_fmt", "yuv420p"];
      return make(`${size}.webm`, ...source, "-c:v", "libvpx", "-deadline", "realtime");
    }),
  );
  const list = join(folder, "parts.txt");
  await writeFile(list, parts.map((part) => `file ${part}\n`).join(""));
  const path = await make("joined.webm", "-f", "concat", "-safe", "0", "-i", list, "-c", "copy");
  const { sums, sizes, times } = await decode(path, { signal: AbortSignal.timeout(60_000) });
  assert.deepEqual(sizes, [...new Array(12).fill("96x64"), ...new Array(12).fill("48x80")]);
  assert.deepEqual(sums, (await Promise.all(parts.map(frameSums))).flat());
  about(
    times,
    times.map((_, i) => (i * 1000) / 30),
  );
});

/** A program that shows `count` pictures of 96 x 64 by the given times and is slow to tell of them. */
async function impostor(name: string, times: readonly (number | "NOPTS")[], tells: string): Promise<FfmpegProgram> {
  const path = join(folder, name);
  const lines = times.map((time, i) => `[Parsed_showinfo_0 @ 0x1] [info] n: ${i} pts: ${time} pos: 1 ${tells} iskey:1`);
  const script = `#!${process.execPath}
const { writeSync } = require("node:fs");
const pixels = Buffer.alloc(${(96 * 64 * 3) / 2}, 7);
for (let i = 0; i < ${times.length}; i++) for (let at = 0; at < pixels.length; ) at += writeSync(1, pixels, at);
writeSync(2, ${JSON.stringify(`${lines.join("\n")}\n`)});
`;
  await writeFile(path, script);
  await chmod(path, 0o755);
  return {
    path,
    description: describeTinyH264(),
    onePictureEach: ["-vsync", "passthrough"],
    keepSizes: [],
  };
}

test("VID-14 pictures that ffmpeg tells of late, or without a time, hold nothing up", async () => {
  const frames: VideoFrame[] = [];
  const take = (frame: VideoFrame) => void frames.push(frame);
  const times = Array.from({ length: 40 }, (_, i) => (i === 5 ? "NOPTS" : 33 * i));
  const late = await impostor("late", times, "s:96x64");
  await decodeByFfmpeg(late, "any", take, AbortSignal.timeout(60_000));
  assert.equal(frames.length, 40);
  assert.ok(frames.every(({ i420 }) => i420.length === 9216 && i420.every((value) => value === 7)));
  assert.deepEqual(
    frames.slice(4, 7).map(({ timeNs, trusted }) => [timeNs, trusted]),
    [
      [132_000_000n, true],
      [132_000_000n, false],
      [198_000_000n, true],
    ],
  );
  const silent = await impostor("silent", new Array(3000).fill(0), "");
  await assert.rejects(
    decodeByFfmpeg(silent, "any", take, AbortSignal.timeout(60_000)),
    (error) => error instanceof CairnError && error.code === "video.unreadable",
  );
});

test("VID-14 a baseline MP4 needs nothing installed", needsFfmpeg, async () => {
  const path = await make("baseline.mp4", ...SOURCE, "-c:v", "libx264", "-profile:v", "baseline");
  const { sums } = await decode(path, { ffmpeg: "off", webcodecs: "no-such-package" });
  assert.deepEqual(sums, await frameSums(path));
});

test(
  "VID-15 rotation, the time of recording, and times that are not even are read from the file",
  needsFfmpeg,
  async () => {
    const uneven = "setpts=(N*N+N)/2/30/TB";
    const flat = await make(
      "uneven.mp4",
      ...SOURCE,
      "-vf",
      uneven,
      "-fps_mode",
      "passthrough",
      "-c:v",
      "libx264",
      "-metadata",
      "creation_time=2026-01-02T03:04:05Z",
    );
    const { facts, times } = await decode(flat);
    assert.equal(facts.createdNs, BigInt(Date.UTC(2026, 0, 2, 3, 4, 5)) * 1_000_000n);
    about(
      times,
      times.map((_, n) => ((n * n + n) / 2 / 30) * 1000),
    );
    const turned = await make("turned.mov", "-i", flat, "-c", "copy", "-metadata:s:v", "rotate=90");
    const rotated = await decode(turned);
    assert.ok([90, 270].includes(rotated.facts.rotation), `${rotated.facts.rotation}`);
  },
);

test(
  "VID-16 of a file that is cut off what is there comes out; without its index it is refused with that word",
  needsFfmpeg,
  async () => {
    const noise = [
      "-f",
      "lavfi",
      "-i",
      "nullsrc=size=96x64:rate=30,geq=random(1)*255:128:128",
      "-frames:v",
      "45",
      "-pix_fmt",
      "yuv420p",
    ];
    const fast = await make("fast.mp4", ...noise, "-c:v", "libx264", "-bf", "0", "-g", "15", "-movflags", "+faststart");
    const whole = await decode(fast);
    await truncate(fast, Math.floor((await readFile(fast)).length / 2));
    const half = await decode(fast);
    assert.equal(half.end.cutOff, true);
    assert.ok(half.end.frames >= 15 && half.end.frames <= 30, `${half.end.frames} pictures`);
    assert.deepEqual(half.sums.slice(0, 15), whole.sums.slice(0, 15));

    const late = await make("late.mov", ...SOURCE, "-c:v", "libx264");
    await truncate(late, Math.floor((await readFile(late)).length / 2));
    await assert.rejects(
      openVideoFile(late),
      (error) => error instanceof CairnError && error.code === "video.unreadable" && /index/.test(error.message),
    );
  },
);

test("VID-16 what is no video is refused, whatever bytes it has", async () => {
  const path = join(folder, "noise.mp4");
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("", "....ftypisom", "\x1a\x45\xdf\xa3", "\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\0\x08moov"),
      fc.uint8Array({ maxLength: 400 }),
      async (head, tail) => {
        await writeFile(path, Buffer.concat([Buffer.from(head, "latin1"), tail]));
        await assert.rejects(decode(path), (error) => error instanceof CairnError && error.code === "video.unreadable");
      },
    ),
    { seed: 1, numRuns: 40 },
  );
});

test("VID-16 a container with damaged parameter sets is refused with that word", needsFfmpeg, async () => {
  const path = await make("sets.mp4", ...SOURCE, "-c:v", "libx264");
  const bytes = await readFile(path);
  const box = bytes.indexOf("avcC") + 4;
  // The size of its first set leads beyond its end.
  bytes.writeUInt16BE(0xffff, box + 6);
  await writeFile(path, bytes);
  await assert.rejects(
    decode(path),
    (error) => error instanceof CairnError && error.facts.problem === "its parameter sets are damaged",
  );
});

test("VID-17 a bare stream is read in pieces to the same pictures, with counted times", async () => {
  const { facts, sums, times } = await decode(SMALL, { backend: "tinyh264" });
  assert.equal(facts.container, "H.264");
  assert.deepEqual(sums, readFrameSums(await readFile(SMALL.replace(".h264", ".framemd5"), "utf8")));
  about(
    times,
    times.map((_, i) => (i * 1000) / 30),
  );
  // Longer than a piece, so that units lie across their borders.
  const path = join(folder, "long.h264");
  const small = await readFile(SMALL);
  const copies = Math.ceil((600 * 1024) / small.length);
  await writeFile(path, Buffer.concat(new Array(copies).fill(small)));
  const file = await openVideoFile(path);
  const units: string[] = [];
  for await (const unit of file.units()) units.push(Buffer.from(unit.data).toString("base64"));
  const expected = unitsOf(small).map((unit) => Buffer.from(unit.data).toString("base64"));
  assert.equal(units.length, copies * 24);
  for (const [i, unit] of units.entries()) assert.equal(unit, expected[i % 24], `unit ${i}`);
});

test("VID-17 a bare stream may have any number of small pictures in a piece", async () => {
  const path = join(folder, "tiny.h264");
  const delimiter = Uint8Array.of(9, 0xf0);
  const pictures = Array.from({ length: 6000 }, (_, i) => [
    delimiter,
    writeSlice({ first: 0, frameNum: i & 15, key: i === 0, filling: 0 }),
  ]);
  await writeFile(path, annexB([writeSps({ columns: 4, rows: 4 }), writePps(), ...pictures.flat()]));
  const file = await openVideoFile(path);
  let count = 0;
  for await (const unit of file.units()) if (!unit.lost) count++;
  assert.equal(count, 6000);
});

test("VID-17 a bare stream that becomes faster counts on from where it was", needsFfmpeg, async () => {
  const at = (rate: number) => {
    const source = ["-f", "lavfi", "-i", `testsrc2=size=64x48:rate=${rate}`, "-frames:v", "30"];
    return ffmpeg([...source, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "0", "OUT"]);
  };
  const path = join(folder, "rates.h264");
  await writeFile(path, Buffer.concat([await at(15), await at(60)]));
  const file = await openVideoFile(path);
  const times: bigint[] = [];
  for await (const { timeNs } of file.units()) times.push(timeNs);
  about(
    times,
    times.map((_, i) => (i < 30 ? (i * 1000) / 15 : 2000 + ((i - 30) * 1000) / 60)),
  );
});

test("VID-17 B pictures of a bare stream are shown one after the other", needsFfmpeg, async () => {
  const path = await make("b.h264", ...SOURCE, "-c:v", "libx264", "-bf", "3");
  const { sums, times } = await decode(path);
  assert.deepEqual(sums, await frameSums(path));
  about(
    times,
    times.map((_, i) => (i * 1000) / 30),
  );
  assert.equal(times[1], timeOf(1));
});

test("VID-14 a video is told from a photo and from anything else by its first bytes", async () => {
  assert.equal(isVideoHead(await readFile(SMALL)), true);
  assert.equal(isVideoHead(Buffer.from("\0\0\0\x18ftypmp42", "latin1")), true);
  assert.equal(isVideoHead(Buffer.from("\0\0\0\x18ftypqt  ", "latin1")), true);
  assert.equal(isVideoHead(Buffer.from("\x1a\x45\xdf\xa3....webm", "latin1")), true);
  assert.equal(isVideoHead(Buffer.from("\0\0\0\x18ftypheic", "latin1")), false);
  assert.equal(isVideoHead(Buffer.from("\xff\xd8\xff\xe0", "latin1")), false);
  assert.equal(isVideoHead(Buffer.of()), false);
});

test("VID-2 a container's boxes and sizes may lie: reading them ends within the bytes that are there", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(1, 2, 4), (data, sizeBytes) => {
      const out = avcToAnnexB(data, { sizeBytes, sets: [] }, false);
      assert.ok(out.length <= 5 * data.length);
      try {
        readAvcConfig(Uint8Array.of(1, ...data));
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
    { seed: 2 },
  );
});
