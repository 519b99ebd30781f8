/** Streams build models: real decoders, real photos, an engine whose poses can be read off. Rules: docs/spec/keyframes.md. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openImageDecoder } from "@cairn/images";
import { type ErrorBody, type PathPose, poseBetween, type SpaceState } from "@cairn/protocol";
import { type AccessUnit, AccessUnitAssembler, type DecoderChoice, HUB_FLAG, HUB_PACKET } from "@cairn/video";
import type { Signal } from "../channel/channels.ts";
import { pathEvents } from "../path/path-events.ts";
import type { Space } from "../space/spaces.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { reconstructed } from "../test/reconstructed.ts";
import { SceneEngine, shifted, stay } from "../test/scene-engine.ts";
import type { Producer } from "../video/video-sources.ts";
import { type KeyframesOptions, startKeyframes } from "./keyframes.ts";
import type { PoseSignal } from "./stream-poses.ts";

const FIXTURES = fileURLToPath(new URL("../../../video/fixtures/", import.meta.url));
/** 90 × 74 pixels, baseline, 24 pictures of 2 slices, a key picture every 8. */
const SMALL = readFileSync(join(FIXTURES, "baseline-90x74.h264"));
const UNITS: readonly AccessUnit[] = (() => {
  const assembler = new AccessUnitAssembler();
  return [...assembler.push(SMALL, 0n), ...assembler.flush()];
})();
/** No installed program: what every machine has. */
const EMBEDDED: DecoderChoice = { backend: "tinyh264" };
const MS = 1_000_000n;

async function world(t: TestContext, options: Partial<KeyframesOptions> = {}) {
  const made = await reconstructed(
    t,
    await temporaryFolder(t),
    () => new SceneEngine({ motionOf: (n) => (n === 0 ? stay : shifted(2, [n, 0, 0])) }),
  );
  const images = openImageDecoder();
  afterwards(t, () => images.close());
  const errors: unknown[] = [];
  const problems: { source: string; code: string | undefined }[] = [];
  const keyframes = startKeyframes({
    core: made.core,
    images,
    reconstructs: true,
    decoder: EMBEDDED,
    onProblem: (source, problem: ErrorBody | undefined) => void problems.push({ source, code: problem?.code }),
    onError: (_context, error) => void errors.push(error),
    ...options,
  });
  afterwards(t, () => keyframes.close());
  afterwards(t, () => assert.deepEqual([...errors, ...made.errors], []));
  return { ...made, keyframes, problems };
}

/** The small stream so often, 4 pictures a second by its own clock: every keyframe is due by its interval. */
function play(producer: Producer, times = 1, fromMs = 0): void {
  for (let i = 0; i < times * UNITS.length; i++) {
    const { data, key } = UNITS[i % UNITS.length]!;
    const [type, flags] = key ? [HUB_PACKET.key, HUB_FLAG.key] : [HUB_PACKET.frame, 0];
    producer.publish({ type, flags, data, timeNs: BigInt(fromMs + i * 250) * MS });
  }
}

/** The state once it fits. */
async function until(space: Space, fits: (state: SpaceState) => boolean): Promise<SpaceState> {
  const stop = new AbortController();
  for await (const _ of space.log.follow(0, { signal: stop.signal })) {
    const { state } = space.log.snapshot();
    if (fits(state)) return state;
  }
  throw new Error("the log ended");
}

const photos = (state: SpaceState) => Object.values(state.images);
const registered = (state: SpaceState) => photos(state).filter(({ verdict }) => verdict?.verdict === "registered");

test("KEY-1 KEY-9 KEY-10 a stream becomes photos with times, their poses a path, and pictures between get poses too", async (t) => {
  const { core, keyframes, reconstructor } = await world(t);
  const space = await core.spaces.create({ id: "place", settings: { rebuildWhenIdle: false, rebuildEvery: 1000 } });
  const signals: Signal[] = [];
  space.channels.subscribe(["pose/cam"], (signal) => void signals.push(signal));
  const producer = core.video.open({ source: "cam", space: "place" });
  play(producer, 3);
  producer.end();
  await statsOf(() => keyframes.totals().keyframes > 0 && keyframes.totals().streams === 0);
  const state = await until(space, (each) => {
    const [path] = Object.values(each.paths ?? {});
    if (photos(each).some(({ verdict }) => !verdict)) return false;
    return registered(each).length >= 3 && path?.poses.length === registered(each).length;
  });
  const [first] = photos(state);
  assert.match(first!.sequence!, /^stream:cam:\d+$/);
  for (const { source, contributor, sequence, width, height, key } of photos(state)) {
    assert.deepEqual([source, contributor, sequence, width, height], ["video", "cam", first!.sequence, 90, 74]);
    assert.ok(key!.startsWith(`${sequence}:`));
  }
  const times = photos(state).map(({ capturedNs }) => BigInt(capturedNs!));
  // Times of pictures: what the sender's clock says, carried to the server's. How far that is the first few tell, for
  // they come faster than they were taken; how much faster depends on the machine.
  const [, ...others] = times;
  assert.ok(others.length >= 2, `${times.length} photos`);
  for (const timeNs of others) assert.equal((timeNs - others[0]!) % (250n * MS), 0n);
  const { path, generation, poses } = state.paths![first!.sequence!]!;
  assert.deepEqual([path, generation], [first!.sequence, state.generation]);
  assert.deepEqual(
    poses.map(({ image, timeNs }) => [image, timeNs]),
    registered(state).map(({ image, capturedNs }) => [image, capturedNs]),
  );
  while (!signals.some(({ data }) => (data as PoseSignal).poses.at(-1)!.image === poses.at(-1)!.image))
    await new Promise((next) => setTimeout(next, 10));
  const heard = signals.map(({ data }) => data as PoseSignal);
  const all = heard.flatMap((signal) => signal.poses);
  assert.ok(heard.every((signal) => signal.path === path && signal.generation === generation));
  assert.deepEqual(
    all.flatMap(({ image }) => image ?? []),
    poses.map(({ image }) => image),
  );
  const between = all.filter(({ image }) => !image);
  assert.ok(between.length >= 3, `${between.length} pictures between`);
  for (const [i, { timeNs }] of all.entries()) assert.ok(i === 0 || BigInt(timeNs) > BigInt(all[i - 1]!.timeNs));
  // The model is refined, and lies elsewhere: the path is there again, whole, in the new frame.
  await reconstructor.rebuild("place");
  const refined = await until(space, (each) => each.paths?.[path]?.generation === generation + 1);
  assert.equal(refined.paths![path]!.poses.length, poses.length);
  assert.notDeepEqual(refined.paths![path]!.poses[1]!.pose, poses[1]!.pose);
  assert.deepEqual(pathEvents(refined), [], "nothing is logged twice");
});

test("KEY-2 what waited until its space was open was taken when it came, and so is what comes then", async (t) => {
  const { core, keyframes } = await world(t);
  const space = await core.spaces.create({ id: "place", settings: { rebuildWhenIdle: false } });
  const producer = core.video.open({ source: "cam", space: "place" });
  // 4 pictures a second. The sender's clock began at 0 with the first, 6 s ago, and nothing takes time on its way.
  const nowNs = core.clock.nowNs();
  const beganMs = performance.now() - 6000;
  const send = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const { data, key } = UNITS[i % UNITS.length]!;
      const [type, flags] = key ? [HUB_PACKET.key, HUB_FLAG.key] : [HUB_PACKET.frame, 0];
      producer.publish({ type, flags, data, timeNs: BigInt(i * 250) * MS, arrivedMs: beganMs + i * 250 });
    }
  };
  send(0, 12);
  assert.equal(keyframes.of("cam")?.sequence, "", "its space is being opened");
  await statsOf(() => keyframes.of("cam")!.pictures > 0);
  send(12, 24);
  producer.end();
  await statsOf(() => keyframes.totals().keyframes > 0 && keyframes.totals().streams === 0);
  const times = photos(space.log.snapshot().state).map(({ capturedNs }) => BigInt(capturedNs!) - nowNs + 6000n * MS);
  assert.ok(times.length >= 2, `${times.length} photos`);
  assert.ok(times[0]! < 1000n * MS, `the first ${times[0]} ns after the stream began`);
  for (const timeNs of times) {
    const picture = Math.round(Number(timeNs) / 250e6);
    assert.ok(picture < 24 && Math.abs(Number(timeNs) - picture * 250e6) < 100e6, `${timeNs} ns`);
  }
});

test("KEY-5 a stream that ends and comes back is another sequence; a space that goes ends its stream", async (t) => {
  const { core, keyframes } = await world(t);
  const space = await core.spaces.create({ id: "place" });
  for (const round of [1, 2]) {
    const producer = core.video.open({ source: "cam", space: "place" });
    play(producer, 1);
    producer.end();
    await until(space, (state) => new Set(photos(state).map(({ sequence }) => sequence)).size === round);
  }
  const producer = core.video.open({ source: "cam", space: "place" });
  play(producer, 1);
  await until(space, (state) => new Set(photos(state).map(({ sequence }) => sequence)).size === 3);
  await core.spaces.delete("place");
  play(producer, 1, 10_000);
  await statsOf(() => keyframes.of("cam")?.problem?.code === "space.missing");
  const again = await core.spaces.create({ id: "place" });
  // Asked for again with what comes.
  let at = 20_000;
  while (photos(again.log.snapshot().state).length === 0) {
    play(producer, 1, at);
    at += 6000;
    await new Promise((next) => setTimeout(next, 200));
  }
  assert.equal(keyframes.of("cam")?.problem, undefined);
});

test("KEY-5 a space that does not exist yet is waited for, and told", async (t) => {
  const { core, keyframes, problems } = await world(t);
  const producer = core.video.open({ source: "cam", space: "later" });
  play(producer, 1);
  await statsOf(() => keyframes.of("cam")?.problem?.code === "space.missing");
  assert.deepEqual(problems, [{ source: "cam", code: "space.missing" }]);
  const space = await core.spaces.create({ id: "later" });
  let at = 10_000;
  while (photos(space.log.snapshot().state).length === 0) {
    play(producer, 1, at);
    at += 6000;
    await new Promise((next) => setTimeout(next, 200));
  }
  assert.deepEqual(problems.at(-1), { source: "cam", code: undefined });
});

test("KEY-6 a stream that nothing here decodes is told with advice, to the space's channel as well; another stream is decoded", async (t) => {
  const { core, keyframes, problems } = await world(t);
  const space = await core.spaces.create({ id: "place" });
  const told: Signal[] = [];
  space.channels.subscribe(["keyframes/cam"], (signal) => void told.push(signal));
  const producer = core.video.open({ source: "cam", space: "place" });
  const sets = Buffer.from("00000001674d001eda0280f6c05a8300835200000001 68ce3c80".replace(" ", ""), "hex");
  const picture = Buffer.concat([Buffer.from("000000016588 80".replace(" ", ""), "hex"), Buffer.alloc(40, 7)]);
  for (let i = 0; i < 3; i++) {
    const data = Buffer.concat([sets, picture]);
    producer.publish({ type: HUB_PACKET.key, flags: HUB_FLAG.key, data, timeNs: BigInt(i) * 1000n * MS });
  }
  await statsOf(() => keyframes.of("cam")?.problem?.code === "video.no_decoder");
  assert.match(keyframes.of("cam")!.problem!.detail, /ffmpeg/);
  assert.deepEqual(
    problems.filter(({ code }) => code),
    [{ source: "cam", code: "video.no_decoder" }],
  );
  assert.equal((told.at(-1)!.data as { problem: ErrorBody }).problem.code, "video.no_decoder");
  play(producer, 1, 5000);
  await until(space, (state) => photos(state).length > 0);
  await statsOf(() => keyframes.of("cam")?.problem === undefined);
});

test("KEY-7 KEY-8 a source that wants none gets none, and of more streams than may be one waits", async (t) => {
  const { core, keyframes, problems } = await world(t, { maxStreams: 1 });
  const space = await core.spaces.create({ id: "place" });
  const off = core.video.open({ source: "off", space: "place", keyframes: false });
  play(off, 1);
  const nowhere = core.video.open({ source: "nowhere" });
  play(nowhere, 1);
  assert.equal(keyframes.of("off"), undefined);
  assert.equal(keyframes.of("nowhere"), undefined);
  const one = core.video.open({ source: "one", space: "place" });
  play(one, 1);
  await until(space, (state) => photos(state).length > 0);
  const two = core.video.open({ source: "two", space: "place" });
  play(two, 1);
  await statsOf(() => keyframes.of("two")?.problem?.code === "video.too_many");
  one.end();
  let at = 10_000;
  while (!photos(space.log.snapshot().state).some(({ contributor }) => contributor === "two")) {
    play(two, 1, at);
    at += 6000;
    await new Promise((next) => setTimeout(next, 200));
  }
  two.end();
  assert.ok(problems.some(({ source, code }) => source === "two" && code === "video.too_many"));
  await statsOf(() => keyframes.totals().streams === 0);
  const { keyframes: count, pictures } = keyframes.totals();
  assert.ok(count >= 2 && pictures >= 2 * UNITS.length, `${count} of ${pictures}`);
  assert.deepEqual(
    photos(space.log.snapshot().state).filter(({ contributor }) => contributor === "off"),
    [],
  );
});

test("KEY-11 a space that wants no photos of video gets none, and from when it wants them, also in mid-stream", async (t) => {
  const { core, keyframes, problems } = await world(t);
  const space = await core.spaces.create({ id: "place", settings: { keyframes: false } });
  const producer = core.video.open({ source: "cam", space: "place" });
  const sequences = () => [...new Set(photos(space.log.snapshot().state).map(({ sequence }) => sequence))];
  let at = 0;
  const playOn = () => {
    play(producer, 1, at);
    at += 6000;
  };
  const playUntil = async (fits: () => boolean) => {
    while (!fits()) {
      playOn();
      await new Promise((next) => setTimeout(next, 200));
    }
  };
  playOn();
  assert.notEqual(keyframes.of("cam"), undefined, "it is looked at whether the space wants them");
  await statsOf(() => keyframes.of("cam") === undefined);
  assert.equal(keyframes.totals().streams, 0);

  await space.configure({ keyframes: true });
  await playUntil(() => sequences().length === 1);
  await space.configure({ keyframes: false });
  playOn();
  // What was chosen goes in, and the stream is over.
  await statsOf(() => keyframes.totals().streams === 0);
  const kept = photos(space.log.snapshot().state).length;
  playOn();
  await space.configure({ keyframes: true });
  await playUntil(() => sequences().length === 2);
  const [first] = sequences();
  assert.equal(photos(space.log.snapshot().state).filter(({ sequence }) => sequence === first).length, kept);
  assert.deepEqual(
    problems.filter(({ code }) => code),
    [],
  );
});

test("KEY-9 poses between two keyframes: straight from centre to centre, evenly turned", () => {
  const half = Math.SQRT1_2;
  const from: PathPose["pose"] = { rotation: [1, 0, 0, 0], translation: [0, 0, 0] };
  // A quarter turn about y, centre at (2, 0, 4): t = -R c.
  const to: PathPose["pose"] = { rotation: [half, 0, half, 0], translation: [-4, 0, 2] };
  assert.deepEqual(poseBetween(from, to, 0).rotation, from.rotation);
  const middle = poseBetween(from, to, 0.5);
  const eighth = Math.PI / 8;
  const [w, x, y, z] = middle.rotation;
  for (const [is, should] of [
    [w, Math.cos(eighth)],
    [x, 0],
    [y, Math.sin(eighth)],
    [z, 0],
  ] as const)
    assert.ok(Math.abs(is - should) < 1e-12, `${middle.rotation}`);
  // Its centre is (1, 0, 2): t = -R c with R a turn of 45° about y.
  const [a, b, c] = middle.translation;
  const root = Math.SQRT1_2;
  for (const [is, should] of [
    [a, -(root * 1 + root * 2)],
    [b, 0],
    [c, -(-root * 1 + root * 2)],
  ] as const)
    assert.ok(Math.abs(is - should) < 1e-12, `${middle.translation}`);
  // The same rotation with the other sign is no way round.
  const other = poseBetween(from, { ...to, rotation: [-half, 0, -half, 0] }, 0.5);
  for (let i = 0; i < 4; i++) assert.ok(Math.abs(other.rotation[i]! - middle.rotation[i]!) < 1e-12);
});

/** Figures are read, not told: looked at until they say so. */
async function statsOf(fits: () => boolean): Promise<void> {
  while (!fits()) await new Promise((next) => setTimeout(next, 10));
}
