import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import fc from "fast-check";
import { frameSums, hasFfmpeg, readFrameSums } from "../test/ffmpeg.ts";
import { checksum, ffmpeg, SMALL, timeOf, unitsOf } from "../test/streams.ts";
import { avcToAnnexB, readAvcConfig } from "./avc.ts";
import { type FileDecodeOptions, isVideoHead, openVideoFile } from "./open.ts";

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
  try {
    const end = await file.decode({
      onFrame(frame) {
        sums.push(checksum(frame));
        times.push(frame.timeNs);
      },
      ...options,
    });
    return { facts: file.facts, end, sums, times };
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
