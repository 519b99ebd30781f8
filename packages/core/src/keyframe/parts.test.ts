/** The parts of what turns streams into photos, one by one. Rules: docs/spec/keyframes.md. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import type { VideoKeyframe } from "@cairn/video";
import fc from "fast-check";
import { StreamClock } from "../clock/stream-clock.ts";
import { openCore } from "../core.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { Intake } from "./intake.ts";
import { MAX_WAIT_MS, PacketQueue, type QueuedPacket } from "./packet-queue.ts";

describe("the queue before the decoder", () => {
  const packet = (kind: QueuedPacket["kind"], arrivedMs: number, size = 10, time = arrivedMs): QueuedPacket => ({
    kind,
    arrivedMs,
    message: { data: new Uint8Array(size), timeNs: BigInt(time) },
  });

  test("KEY-3 what is late is left out up to a key picture, which says so; parameter sets stay", () => {
    const queue = new PacketQueue();
    queue.add(packet("key", 0));
    for (let ms = 40; ms <= MAX_WAIT_MS; ms += 40) queue.add(packet("frame", ms));
    queue.add(packet("parameters", MAX_WAIT_MS));
    const before = queue.length;
    assert.equal(queue.leftOut, 0);
    // Nothing in it that one could go on with: everything goes, and what comes, up to a key picture.
    queue.add(packet("frame", MAX_WAIT_MS + 40));
    assert.equal(queue.length, 1);
    assert.equal(queue.leftOut, before);
    queue.add(packet("frame", MAX_WAIT_MS + 80));
    queue.add(packet("key", MAX_WAIT_MS + 120, 10, 7));
    queue.add(packet("key", MAX_WAIT_MS + 121, 10, 7)); // its second slice
    queue.add(packet("frame", MAX_WAIT_MS + 160));
    assert.equal(queue.leftOut, before + 1);
    const taken = queue.take(100);
    assert.deepEqual(
      taken.map(({ kind, message }) => [kind, message.begins === true]),
      [
        ["parameters", false],
        ["key", true],
        ["key", false],
        ["frame", false],
      ],
    );
  });

  test("KEY-3 with a newer key picture in the queue, that is gone on with, all of its slices", () => {
    const queue = new PacketQueue();
    queue.add(packet("key", 0));
    queue.add(packet("key", 3000, 10, 1));
    queue.add(packet("key", 3001, 10, 1));
    queue.add(packet("frame", 3040));
    queue.add(packet("frame", MAX_WAIT_MS + 1));
    assert.equal(queue.leftOut, 1);
    assert.deepEqual(
      queue.take(100).map(({ kind, message }) => [kind, message.begins === true]),
      [
        ["key", true],
        ["key", false],
        ["frame", false],
        ["frame", false],
      ],
    );
  });

  test("KEY-3 whatever comes, it holds no more than 8 MiB and 4 seconds, and what follows a gap begins with a key picture", () => {
    const kinds = fc.constantFrom<QueuedPacket["kind"]>("key", "frame", "frame", "frame", "parameters");
    const step = fc.record({ kind: kinds, gapMs: fc.nat(900), size: fc.nat(3 * 2 ** 20), take: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new PacketQueue();
        let nowMs = 0;
        let pictures = 0;
        let taken = 0;
        let next = 1;
        for (const { kind, gapMs, size, take } of steps) {
          nowMs += gapMs;
          if (kind !== "parameters") pictures++;
          queue.add({ kind, arrivedMs: nowMs, message: { data: new Uint8Array(size), timeNs: BigInt(pictures) } });
          assert.ok(queue.waitedMs(nowMs) <= MAX_WAIT_MS);
          for (const { kind: what, message } of queue.take(take)) {
            if (what === "parameters") continue;
            const number = Number(message.timeNs);
            assert.ok(number === next || (number > next && message.begins && what === "key"), `${number}, not ${next}`);
            next = number + 1;
            taken++;
          }
        }
        const rest = queue.take(1000);
        assert.ok(rest.reduce((sum, { message }) => sum + message.data.length, 0) <= 8 * 2 ** 20);
        const left = rest.filter(({ kind }) => kind !== "parameters").length;
        assert.equal(taken + left + queue.leftOut, pictures);
      }),
      { seed: 7, numRuns: 60 },
    );
  });
});

describe("the time of a stream", () => {
  const S = 1_000_000_000n;
  const MS = 1_000_000n;
  const unknown = { timeOf: () => undefined };

  test("KEY-2 without a clock that answers, the packet that was fastest tells how the two clocks differ", () => {
    const clock = new StreamClock("cam", unknown);
    // The sender's clock began at 0 when the server's was at 100 s; packets take 20 to 80 ms.
    const delays = [80n, 50n, 20n, 75n, 33n];
    const times = delays.map((delay, i) =>
      clock.timeOf(BigInt(i) * 33n * MS, 100n * S + BigInt(i) * 33n * MS + delay * MS),
    );
    assert.deepEqual(
      times.map((timeNs) => timeNs - 100n * S),
      [80n, 83n, 86n, 119n, 152n].map((ms) => ms * MS),
    );
  });

  test("KEY-2 a device that answers is believed, unless its pictures have another clock; nothing is taken after it came", () => {
    const told = (timeNs: bigint) => ({ timeNs, uncertaintyNs: 1n });
    const near = new StreamClock("cam", { timeOf: (_source, deviceNs) => told(deviceNs + 50n * S) });
    assert.equal(near.timeOf(10n * S, 60n * S + 5n * MS), 60n * S);
    assert.equal(near.timeOf(11n * S, 61n * S - 5n * MS), 61n * S - 5n * MS);
    const far = new StreamClock("cam", { timeOf: (_source, deviceNs) => told(deviceNs + 5000n * S) });
    assert.equal(far.timeOf(10n * S, 60n * S), 60n * S);
  });

  test("KEY-2 a file that is sent faster than it was filmed keeps its pace; clocks that jump or stand are survived", () => {
    const fast = new StreamClock("cam", unknown);
    const first = fast.timeOf(0n, 100n * S);
    for (let i = 1n; i < 900n; i++) {
      const timeNs = fast.timeOf(i * 33n * MS, 100n * S + i * MS);
      assert.ok(timeNs - first >= i * 33n * MS - 500n * MS && timeNs - first <= i * 33n * MS, `${timeNs}`);
    }
    const jumping = new StreamClock("cam", unknown);
    jumping.timeOf(0n, 100n * S);
    assert.equal(jumping.timeOf(2n ** 62n, 101n * S), 101n * S);
    assert.equal(jumping.timeOf(5n, 102n * S), 102n * S);
    const standing = new StreamClock("cam", unknown);
    standing.timeOf(0n, 100n * S);
    assert.equal(standing.timeOf(0n, 101n * S), 101n * S);
    assert.equal(standing.timeOf(0n, 103n * S), 103n * S);
  });
});

describe("keyframes on their way into a space", () => {
  const keyframe = (index: number): VideoKeyframe => ({
    jpeg: new Uint8Array(4),
    index,
    width: 4,
    height: 3,
    timeNs: BigInt(index),
    due: 1,
    sharpness: 1,
    overlap: 0.6,
    shift: 0.1,
  });

  test("KEY-4 while the engine is behind more is demanded, and of too many those go that lie closest to others", async (t) => {
    const core = await openCore({ dataDir: await temporaryFolder(t) });
    afterwards(t, () => core.close());
    const space = await core.spaces.create({ id: "place" });
    const given: { index: number; image: string }[] = [];
    let nowMs = 0;
    const intake = new Intake({
      space,
      reconstructs: true,
      nowMs: () => nowMs,
      async ingest({ index }) {
        const { digest, sizeBytes } = await core.blobs.put(Buffer.from(String(index)));
        const image = randomUUID();
        const facts = { mediaType: "image/jpeg", width: 4, height: 3, orientation: 1, source: "video" };
        await space.log.append([
          { type: "image.added", data: { image, blob: digest, name: "x", sizeBytes, ...facts } },
        ]);
        given.push({ index, image });
      },
      onRefused: (error) => assert.fail(String(error)),
    });
    assert.equal(intake.demand, 1);
    for (let i = 0; i < 60; i++) {
      intake.add(keyframe(i));
      await intake.settled();
    }
    assert.deepEqual(
      given.map(({ index }) => index),
      [0, 1, 2],
      "no more than the engine has in hand",
    );
    assert.equal(intake.demand, 3);
    assert.ok(intake.dropped > 0 && intake.waiting <= 27, `${intake.waiting} wait`);
    // The engine goes on, one photo after the other.
    for (let i = 0; i < given.length; i++) {
      nowMs += 700;
      await space.log.append([{ type: "image.judged", data: { image: given[i]!.image, verdict: "registered" } }]);
      intake.pump();
      await intake.settled();
    }
    assert.equal(given.length + intake.dropped, 60);
    assert.equal(intake.demand, 1);
    const gaps = given.slice(1).map(({ index }, i) => index - given[i]!.index);
    assert.equal(given.length, 27);
    assert.equal(given.at(-1)!.index, 59);
    assert.ok(Math.max(...gaps) <= 4, `${given.map(({ index }) => index)}`);
    // Now it is known that each takes 700 ms: one that waits is no reason, three are.
    intake.add(keyframe(60));
    await intake.settled();
    assert.equal(intake.demand, 1);
    intake.add(keyframe(61));
    intake.add(keyframe(62));
    await intake.settled();
    assert.ok(Math.abs(intake.demand - 2.1) < 0.05, `${intake.demand}`);
    await space.configure({ reconstruct: false });
    for (let i = 63; i < 70; i++) intake.add(keyframe(i));
    await intake.settled();
    assert.equal(intake.waiting, 0, "where photos only lie, nothing waits");
  });

  test("KEY-4 what the space refuses is let go and said; at the end what waits goes in", async (t) => {
    const core = await openCore({ dataDir: await temporaryFolder(t) });
    afterwards(t, () => core.close());
    const space = await core.spaces.create({ id: "place" });
    const refused: unknown[] = [];
    const taken: number[] = [];
    const intake = new Intake({
      space,
      reconstructs: true,
      async ingest({ index }) {
        if (index === 1) throw new Error("no room");
        taken.push(index);
      },
      onRefused: (error) => void refused.push(error),
    });
    for (let i = 0; i < 3; i++) intake.add(keyframe(i));
    await intake.end();
    assert.deepEqual([taken, refused.map(String), intake.dropped], [[0, 2], ["Error: no room"], 1]);
  });

  test("KEY-4 one that comes at the very moment in which the last was given is given, too", async (t) => {
    const core = await openCore({ dataDir: await temporaryFolder(t) });
    afterwards(t, () => core.close());
    const space = await core.spaces.create({ id: "place" });
    for (let steps = 0; steps < 20; steps++) {
      const taken: number[] = [];
      const intake = new Intake({
        space,
        reconstructs: false,
        ingest: async ({ index }) => void taken.push(index),
        onRefused: (error) => assert.fail(String(error)),
      });
      intake.add(keyframe(0));
      for (let step = 0; step < steps; step++) await undefined;
      intake.add(keyframe(1));
      await intake.end();
      assert.deepEqual(taken, [0, 1], `${steps} steps later`);
    }
  });
});
