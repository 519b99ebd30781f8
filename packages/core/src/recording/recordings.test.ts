/** What is recorded, when it ends, and what readers that nobody here wrote find in it. Rules: docs/spec/recordings.md. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { CairnEvent, RecordingFile } from "@cairn/protocol";
import { HUB_FLAG, HUB_PACKET } from "@cairn/video";
import { frameSums, hasFfmpeg } from "@cairn/video/test/ffmpeg";
import { type Core, openCore } from "../core.ts";
import type { PoseSignal } from "../keyframe/stream-poses.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, idOf, temporaryFolder } from "../test/fixtures.ts";
import { rejects } from "../test/log.contract.ts";
import { coded, ended, fetched, PICTURE_NS, packetsOf, pictures, readMcap, STREAM, unitsIn } from "../test/recorded.ts";

type Opened = { core: Core; space: Space; folder: string };

async function opened(t: TestContext): Promise<Opened> {
  const folder = await temporaryFolder(t);
  const core = await openCore({ dataDir: join(folder, "data") });
  afterwards(t, () => core.close());
  return { core, space: await core.spaces.create({ id: "place" }), folder };
}

function ofFormat(files: readonly RecordingFile[], format: "mp4" | "mcap"): RecordingFile[] {
  return files.filter((file) => file.format === format);
}

test("RCD-1 only what is chosen is taken, of this space; of none only what is chosen by name and may be", async (t) => {
  const { core, space, folder } = await opened(t);
  for (const channels of [[], ["video"], ["video/"], ["sound/a"], ["events/x"], [`imu/${"x".repeat(200)}`]]) {
    await rejects(core.recordings.start(space, { channels }), "request.invalid");
  }
  const start = (channels: string[], strays = false) => core.recordings.start(space, { channels }, { strays });
  const all = await start(["*"], true);
  const front = await start(["video/front", "video/stray", "signals/a"], true);
  const strict = await start(["video/*", "video/stray", "imu/*"]);
  const units = await pictures();
  for (const [source, where] of [
    ["front", "place"],
    ["back", "place"],
    ["other", "elsewhere"],
    ["stray", undefined],
  ] as const) {
    const producer = core.video.open({ source, space: where });
    for (const packet of packetsOf(units)) producer.publish(packet);
    producer.end();
    const sample = { timestamp: 1n, accelerometer: [0, 0, 9.81], gyroscope: [0, 0, 0] } as const;
    core.motion.push(source, sample, where);
    core.motion.flush(source);
  }
  for (const channel of ["a", "b"]) space.channels.publish({ channel, from: "me", data: { n: 1 } });
  await space.rename("told");
  const taken = async (recording: string) => {
    const { ended } = await core.recordings.stop(space, recording);
    const mcap = ofFormat(ended!.files, "mcap")[0]!;
    const { messages } = await readMcap(await fetched(core, folder, mcap));
    const topics = [...new Set(messages.map(({ topic }) => topic))].sort();
    return { mp4: ofFormat(ended!.files, "mp4").map(({ source }) => source), topics };
  };
  assert.deepEqual(await taken(front.recording), {
    mp4: ["front", "stray"],
    topics: ["/signals/a", "/video/front", "/video/stray"],
  });
  assert.deepEqual(await taken(strict.recording), {
    mp4: ["front", "back"],
    topics: ["/imu/back", "/imu/front", "/video/back", "/video/front"],
  });
  assert.deepEqual(await taken(all.recording), {
    mp4: ["front", "back"],
    topics: ["/events", "/imu/back", "/imu/front", "/signals/a", "/signals/b", "/video/back", "/video/front"],
  });
});

test("RCD-2 the MP4 has the coded pictures as they came, from the last key picture on, at the sender's distances", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = await pictures();
  const producer = core.video.open({ source: "front", space: space.id });
  const packets = packetsOf(units);
  // Twelve have been before anybody records: the second key picture is the eighth of them.
  for (const packet of packets.slice(0, 12)) producer.publish(packet);
  const { recording } = await core.recordings.start(space, { channels: ["video/*"] });
  for (const packet of packets.slice(12)) producer.publish(packet);
  producer.end();
  const { files, reason } = (await core.recordings.stop(space, recording)).ended!;
  assert.equal(reason, "stopped");
  const [mp4, mcap, ...others] = files;
  assert.deepEqual([mp4?.format, mcap?.format, others.length], ["mp4", "mcap", 0]);
  assert.deepEqual(
    [mp4!.source, mp4!.pictures, mp4!.width, mp4!.height, mp4!.codec],
    ["front", 16, 90, 74, "avc1.42C00A"],
  );
  const path = await fetched(core, folder, mp4!);
  const found = await unitsIn(path);
  assert.deepEqual(found.map(coded), units.slice(8).map(coded));
  assert.deepEqual(
    found.map(({ key }) => key),
    units.slice(8).map(({ key }) => key),
  );
  for (const [i, { timeNs }] of found.entries()) {
    assert.ok(Math.abs(Number(timeNs - BigInt(i) * PICTURE_NS)) <= 1000, `picture ${i} at ${timeNs}`);
  }
  const { messages } = await readMcap(await fetched(core, folder, mcap!));
  const video = messages.filter(({ topic }) => topic === "/video/front");
  assert.equal(video.length, 16);
  assert.equal(video[0]!.logNs, mp4!.fromNs);

  if (!(await hasFfmpeg())) return t.diagnostic("SKIPPED: no ffmpeg to decode with");
  assert.deepEqual(await frameSums(path), (await frameSums(STREAM)).slice(8));
  const probe = ["-v", "error", "-show_entries", "stream=nb_frames,codec_name,width,height", "-of", "csv=p=0", path];
  const { stdout } = await promisify(execFile)("ffprobe", probe);
  assert.equal(stdout.trim(), "h264,90,74,16");
});

test("RCD-3 another size, and a stream that begins anew, begin another file; pictures between key pictures wait", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = await pictures();
  const { recording } = await core.recordings.start(space, { channels: ["video/front"], formats: ["mp4"] });
  let producer = core.video.open({ source: "front", space: space.id });
  const send = (some: typeof units, from: number) => {
    for (const packet of packetsOf(some, from)) producer.publish(packet);
  };
  send(units.slice(0, 12), 0);
  producer.end();
  producer = core.video.open({ source: "front", space: space.id });
  send(units.slice(12), 100); // four pictures that nothing can be made of, then a key picture
  // The same pictures said to be of another level: other parameter sets, which a file's head can hold only once.
  const other = units.map((unit) => {
    const data = Uint8Array.from(unit.data);
    if (unit.key)
      data[data.findIndex((byte, i) => (byte & 31) === 7 && data[i - 1] === 1 && data[i - 2] === 0) + 3] = 11;
    return { ...unit, data };
  });
  send(other.slice(0, 8), 200);
  producer.end();
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  assert.deepEqual(
    files.map(({ pictures, codec }) => [pictures, codec]),
    [
      [12, "avc1.42C00A"],
      [8, "avc1.42C00A"],
      [8, "avc1.42C00B"],
    ],
  );
  const found = await Promise.all(
    files.map(async (file) => (await unitsIn(await fetched(core, folder, file))).map(coded)),
  );
  assert.deepEqual(found, [units.slice(0, 12).map(coded), units.slice(16).map(coded), other.slice(0, 8).map(coded)]);
});

test("RCD-2 pictures that are shown in another order than they are decoded keep their times", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = (await pictures()).slice(0, 8);
  const shown = [0, 3, 1, 2, 6, 4, 5, 7];
  const { recording } = await core.recordings.start(space, { channels: ["video/front"], formats: ["mp4"] });
  const producer = core.video.open({ source: "front", space: space.id });
  for (const [i, packet] of packetsOf(units).entries()) {
    producer.publish({ ...packet, timeNs: 5_000_000_000n + BigInt(shown[i]!) * PICTURE_NS });
  }
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  const found = await unitsIn(await fetched(core, folder, files[0]!));
  assert.deepEqual(
    found.map(({ timeNs }) => Math.round(Number(timeNs) / Number(PICTURE_NS))),
    shown,
  );
});

test("RCD-4 the MCAP has everything under well-known schemas, by the server's time", async (t) => {
  const { core, space, folder } = await opened(t);
  const { recording, startedNs } = await core.recordings.start(space, { formats: ["mcap"] });
  const producer = core.video.open({ source: "front", space: space.id });
  const units = await pictures();
  for (const packet of packetsOf(units)) producer.publish(packet);
  producer.end();
  for (let n = 0; n < 50; n++) {
    const sample = { timestamp: 2n ** 62n + BigInt(n), accelerometer: [n, 0, 9.81], gyroscope: [0, n, 0] } as const;
    core.motion.push("phone", sample, space.id);
  }
  core.motion.flush("phone");
  space.channels.publish({ channel: "pointer", from: "me", data: { at: [1, 2, 3] } });
  const sin = Math.sin(Math.PI / 4);
  await space.log.append([
    { type: "generation.started", data: { generation: 1 } },
    {
      type: "camera.posed",
      data: {
        generation: 1,
        image: idOf(1),
        // A quarter turn about z, then one along x: the camera is at (0, 1, 0).
        pose: { rotation: [sin, 0, 0, sin], translation: [1, 0, 0] },
        intrinsics: { model: "PINHOLE", width: 4, height: 3, params: [4, 4, 2, 1.5] },
        reprojectionPx: 0.5,
      },
    },
  ]);
  const at: PoseSignal = {
    path: "front/1",
    generation: 1,
    poses: [{ timeNs: startedNs, rotation: [1, 0, 0, 0], translation: [0, 0, 2] }],
  };
  space.channels.publish({ channel: "pose/front", from: "", data: at });
  space.channels.publish({ channel: "pose/front", from: "somebody", data: "anything" });
  const { head } = space.log;
  const { files, endedNs } = (await core.recordings.stop(space, recording)).ended!;
  const [mcap] = files;
  assert.equal(files.length, 1);
  const path = await fetched(core, folder, mcap!);
  const read = await readMcap(path);
  // By the index they come in the order of time, from the file's beginning in that of their arrival.
  const inOrder = (messages: typeof read.messages) => messages.map((message) => JSON.stringify(message)).sort();
  assert.deepEqual(inOrder(read.messages), inOrder((await readMcap(path, "streamed")).messages));
  assert.equal(read.counted, read.messages.length);
  assert.equal(mcap!.messages, read.messages.length);
  const of = (topic: string) => read.messages.filter((message) => message.topic === topic);
  assert.deepEqual(
    [...new Set(read.messages.map(({ topic, schema, encoding }) => `${topic} ${schema} ${encoding}`))].sort(),
    [
      "/events cairn.Event json",
      "/imu/phone cairn.ImuSample json",
      "/poses/cameras foxglove.PoseInFrame json",
      "/poses/front foxglove.PoseInFrame json",
      "/signals/pointer cairn.Signal json",
      "/signals/pose/front cairn.Signal json",
      "/video/front foxglove.CompressedVideo protobuf",
    ],
  );
  const imu = of("/imu/phone").map(({ data }) => data as { device_timestamp: string });
  assert.deepEqual(
    imu.map(({ device_timestamp }) => device_timestamp),
    Array.from({ length: 50 }, (_, n) => String(2n ** 62n + BigInt(n))),
  );
  assert.deepEqual(of("/signals/pointer")[0]!.data, { from: "me", data: { at: [1, 2, 3] } });
  const events = of("/events").map(({ data }) => data as CairnEvent);
  assert.deepEqual(
    events,
    (await space.log.read(1, 1000)).filter(({ seq }) => seq > 2 && seq <= head),
  );
  const [pose] = of("/poses/cameras").map(({ data }) => data as { pose: { position: Record<string, number> } });
  const { x, y, z } = pose!.pose.position;
  assert.ok(Math.hypot(x!, y! - 1, z!) < 1e-12, JSON.stringify(pose));
  const [way, ...more] = of("/poses/front");
  assert.deepEqual([more.length, way?.publishNs], [0, startedNs]);
  assert.equal((way!.data as { pose: { position: { z: number } } }).pose.position.z, -2);
  // Each picture begins with its parameter sets where it is a key picture, and is whole.
  const found = of("/video/front").map(({ data }) => Buffer.from(data as string, "base64"));
  for (const [i, unit] of units.entries()) assert.ok(found[i]!.includes(Buffer.from(unit.data)), `picture ${i}`);
  const beforeVideo = of("/events").concat(of("/imu/phone"), of("/signals/pointer"));
  for (const { logNs } of beforeVideo)
    assert.ok(BigInt(logNs) >= BigInt(startedNs) && BigInt(logNs) <= BigInt(endedNs));
});

test("RCD-5 it ends at its limits, and says which", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = await pictures();
  const start = (wish: object) => core.recordings.start(space, { channels: ["video/*"], formats: ["mp4"], ...wish });
  const small = await start({ maxBytes: 12_000 });
  const short = await start({ maxDurationMs: 1 });
  const silent = await start({ idleMs: 1 });
  assert.equal((await ended(space, short.recording)).reason, "duration");
  assert.equal((await ended(space, silent.recording)).reason, "idle");
  const producer = core.video.open({ source: "front", space: space.id });
  // A minute of it: fragments go out once a second of the stream.
  const minute = Array.from({ length: 75 }, () => units).flat();
  for (const packet of packetsOf(minute)) producer.publish(packet);
  const { reason, files } = await ended(space, small.recording);
  assert.equal(reason, "bytes");
  const found = await unitsIn(await fetched(core, folder, files[0]!));
  assert.deepEqual(found.map(coded), minute.slice(0, found.length).map(coded));
  // A fragment is a second: it ends with the one that is too much.
  assert.ok(files[0]!.sizeBytes < 12_000 + 20_000, `${files[0]!.sizeBytes} bytes`);
});

test("RCD-5 what is recorded counts for the space's quota", async (t) => {
  const { core, space } = await opened(t);
  await space.configure({ maxBytes: 20_000 });
  const { recording, maxBytes } = await core.recordings.start(space, { channels: ["video/*"], formats: ["mp4"] });
  assert.equal(maxBytes, 20_000);
  const producer = core.video.open({ source: "front", space: space.id });
  const units = await pictures();
  const long = Array.from({ length: 10 }, () => units).flat();
  for (const packet of packetsOf(long)) producer.publish(packet);
  assert.equal((await ended(space, recording)).reason, "bytes");
  await rejects(core.recordings.start(space, {}), "space.quota");
  await core.recordings.remove(space, recording);
  await core.recordings.remove(space, (await core.recordings.start(space, {})).recording);
});

test("RCD-9 two at once are each whole; many more are refused", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = await pictures();
  const first = await core.recordings.start(space, { channels: ["video/*"] });
  const producer = core.video.open({ source: "front", space: space.id });
  const packets = packetsOf(units);
  for (const packet of packets.slice(0, 8)) producer.publish(packet);
  const second = await core.recordings.start(space, { channels: ["video/*"] });
  for (const packet of packets.slice(8, 16)) producer.publish(packet);
  const one = (await core.recordings.stop(space, first.recording)).ended!;
  for (const packet of packets.slice(16)) producer.publish(packet);
  const two = (await core.recordings.stop(space, second.recording)).ended!;
  const found = async (files: readonly RecordingFile[]) =>
    (await unitsIn(await fetched(core, folder, ofFormat(files, "mp4")[0]!))).map(coded);
  // The last picture before the end is whole when the end comes.
  assert.deepEqual(await found(one.files), units.slice(0, 16).map(coded));
  assert.deepEqual(await found(two.files), units.map(coded), "it began with the group that was on the air");
  for (let n = 0; n < 32; n++) await core.recordings.start(space, { channels: ["events"] });
  await rejects(core.recordings.start(space, {}), "recording.too_many");
});

test("RCD-11 what is removed lets its files go; nothing is left of one that is removed while it runs", async (t) => {
  const { core, space, folder } = await opened(t);
  const { recording } = await core.recordings.start(space, { channels: ["events"] });
  await space.rename("told");
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  const { blob } = files[0]!;
  await core.collect(0);
  assert.ok(await core.blobs.stat(blob), "named, so it stays");
  await core.recordings.remove(space, recording);
  await rejects(core.recordings.remove(space, recording), "recording.missing");
  await core.collect(0);
  assert.equal(await core.blobs.stat(blob), undefined);

  const running = await core.recordings.start(space, {});
  await core.recordings.remove(space, running.recording);
  assert.deepEqual(await readdir(join(folder, "data", "recordings")), []);
  assert.deepEqual(Object.keys(space.log.snapshot().state.recordings ?? {}), []);
  const lost = await core.recordings.start(space, {});
  await core.spaces.delete(space.id);
  while (core.recordings.progress(lost.recording)) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await readdir(join(folder, "data", "recordings")), []);
});

test("RCD-6 what the sender left out is no reason to end: the rest is recorded", async (t) => {
  const { core, space, folder } = await opened(t);
  const units = await pictures();
  const { recording } = await core.recordings.start(space, { channels: ["video/*"], formats: ["mp4"] });
  const producer = core.video.open({ source: "front", space: space.id });
  const packets = packetsOf(units).map((packet, number) => ({ ...packet, number }));
  for (const packet of packets.filter((_, i) => i !== 5)) producer.publish(packet);
  producer.publish({ type: HUB_PACKET.frame, flags: HUB_FLAG.end, timeNs: 0n, data: new Uint8Array(0) });
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  const found = await unitsIn(await fetched(core, folder, files[0]!));
  assert.deepEqual(found.map(coded), units.filter((_, i) => i !== 5).map(coded));
});

test("RCD-2 RCD-3 streams of a real encoder, of another size in the middle and shown in another order, play as they came", async (t) => {
  if (!(await hasFfmpeg())) return t.skip("SKIPPED: no ffmpeg to encode with");
  const { core, space, folder } = await opened(t);
  const run = promisify(execFile);
  const encode = async (name: string, size: string, ...coding: string[]) => {
    const path = join(folder, name);
    const picture = ["-f", "lavfi", "-i", `testsrc2=size=${size}:rate=30`, "-t", "2", "-pix_fmt", "yuv420p"];
    await run("ffmpeg", ["-v", "error", ...picture, "-c:v", "libx264", "-g", "20", ...coding, path]);
    return path;
  };
  const streams = [
    await encode("high.mp4", "160x120", "-profile:v", "high", "-bf", "2"),
    await encode("low.mp4", "98x66", "-profile:v", "baseline"),
  ];
  const { recording } = await core.recordings.start(space, { channels: ["video/front"], formats: ["mp4"] });
  const producer = core.video.open({ source: "front", space: space.id });
  const beganMs = performance.now();
  let beganNs = 0n;
  for (const path of streams) {
    const units = await unitsIn(path);
    for (const { data, timeNs, key } of units) {
      const type = key ? HUB_PACKET.key : HUB_PACKET.frame;
      const arrivedMs = beganMs + Number(beganNs + timeNs) / 1e6;
      producer.publish({ type, flags: 0, data, timeNs: beganNs + timeNs, arrivedMs });
    }
    beganNs += 2_000_000_000n;
  }
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  assert.deepEqual(
    files.map(({ pictures, width, height }) => [pictures, width, height]),
    [
      [60, 160, 120],
      [60, 98, 66],
    ],
  );
  for (const [i, file] of files.entries()) {
    const path = await fetched(core, folder, file);
    assert.deepEqual(await frameSums(path), await frameSums(streams[i]!));
    const [found, sent] = [await unitsIn(path), await unitsIn(streams[i]!)];
    for (const [n, { timeNs }] of found.entries()) {
      assert.ok(Math.abs(Number(timeNs - sent[n]!.timeNs)) <= 2000, `picture ${n} at ${timeNs}`);
    }
  }
});

test("RCD-6 what comes faster than the disk takes it is left out up to a key picture, and counted", async (t) => {
  const { core, space, folder } = await opened(t);
  const [key, ...others] = (await pictures()).slice(0, 8);
  const { recording } = await core.recordings.start(space, { channels: ["video/*"], formats: ["mp4"] });
  const producer = core.video.open({ source: "front", space: space.id });
  // Slices that are large, and that nobody decodes.
  const large = (unit: typeof key & {}) => ({ ...unit, data: Buffer.concat([unit.data, Buffer.alloc(2 ** 20, 0x55)]) });
  let sent = 0;
  const send = (units: readonly NonNullable<typeof key>[]) => {
    for (const packet of packetsOf(units, sent)) producer.publish(packet);
    sent += units.length;
  };
  const group = [key!, ...others].map(large);
  // In one turn of the event loop the disk takes nothing.
  for (let round = 0; round < 6; round++) send(group);
  const { lost, waitingBytes } = core.recordings.progress(recording)!;
  assert.ok(lost >= 8 && lost <= 24, `${lost} of 48 pictures are too many`);
  assert.ok(waitingBytes < 36 * 2 ** 20, `${waitingBytes} bytes wait`);
  const kept = 48 - lost;
  while (core.recordings.progress(recording)!.waitingBytes > 0) await new Promise((resolve) => setImmediate(resolve));
  send(others); // of a group whose key picture is gone
  send([key!, ...others]);
  const { files, lost: told } = (await core.recordings.stop(space, recording)).ended!;
  assert.equal(told, lost + others.length);
  const found = (await unitsIn(await fetched(core, folder, files[0]!))).map(coded);
  const all = Array.from({ length: 6 }, () => group.map(coded)).flat();
  assert.deepEqual(found, [...all.slice(0, found.length - 8), ...[key!, ...others].map(coded)]);
  assert.equal(found.length, kept + 8);
});
