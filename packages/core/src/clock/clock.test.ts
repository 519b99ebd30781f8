import assert from "node:assert/strict";
import { test } from "node:test";
import { answerClock } from "@cairn/protocol";
import { startTimeServer } from "../test/time-server.ts";
import { DeviceClocks } from "./device-clocks.ts";
import { ServerClock } from "./server-clock.ts";
import type { SystemTime } from "./wall-clock.ts";

const MS = 1_000_000n;
const HOUR_NS = 3_600_000n * MS;

/** A system whose clocks go only when they are told to. */
function system(startMs = 1_750_000_000_000): SystemTime & { pass(ns: bigint): void; set(byMs: number): void } {
  let [wallNs, steadyNs] = [BigInt(startMs) * MS, 5n];
  return {
    wallMs: () => Number(wallNs / MS),
    steadyNs: () => steadyNs,
    pass(ns) {
      wallNs += ns;
      steadyNs += ns;
    },
    set(byMs) {
      wallNs += BigInt(byMs) * MS;
    },
  };
}

/** Within what the question could find out, and what milliseconds hide. */
function assertOffset(clock: ServerClock, offsetMs: number): void {
  const { offsetNs, uncertaintyNs = 0n } = clock.status();
  const errorNs = offsetNs - BigInt(offsetMs) * MS;
  const size = errorNs < 0n ? -errorNs : errorNs;
  assert.ok(size <= uncertaintyNs + 4n * MS, `${offsetNs} ± ${uncertaintyNs}`);
}

test("HUB-98 a time server that is 250 ms off is followed", async (t) => {
  const server = await startTimeServer(250);
  t.after(() => server.close());
  const clock = new ServerClock({ servers: [server.name] });
  t.after(() => clock.close());
  await clock.sync();
  const status = clock.status();
  assert.equal(status.synced, true);
  assert.equal(status.server, server.name);
  assert.ok(status.lastSyncNs! <= clock.nowNs());
  assertOffset(clock, 250);
});

/** A busy machine may take longer than a question may: then it is asked again. */
async function synced(clock: ServerClock): Promise<void> {
  for (let k = 0; k < 50 && !clock.status().synced; k++) await clock.sync();
  assert.ok(clock.status().synced);
}

/** An answer with other bytes at some place. */
const spoilt =
  (...changes: readonly [at: number, (byte: number) => number][]) =>
  (answer: Buffer) => {
    for (const [at, change] of changes) answer[at] = change(answer[at]!);
    return answer;
  };

for (const [what, spoil] of Object.entries({
  "a wrong originate time": spoilt([24, (byte) => byte ^ 1]),
  "kiss of death": spoilt([1, () => 0], [12, () => 0x52]),
  "stratum 16": spoilt([1, () => 16]),
  "no time of its own": spoilt([0, (byte) => byte | (3 << 6)]),
  "mode of a client": spoilt([0, () => (4 << 3) | 3]),
  "no transmit time": (answer: Buffer) => answer.fill(0, 40, 48),
  "a short packet": (answer: Buffer) => answer.subarray(0, 47),
  "an answer from before the question came": spoilt([42, (byte) => byte - 1]),
  "no answer": () => undefined,
})) {
  test(`HUB-98 ${what}: the next server is asked`, async (t) => {
    const bad = await startTimeServer(90_000, spoil);
    const good = await startTimeServer(-250);
    t.after(() => bad.close());
    t.after(() => good.close());
    const clock = new ServerClock({ servers: [bad.name, good.name], timeoutMs: 700 });
    t.after(() => clock.close());
    await synced(clock);
    assert.ok(bad.asked() > 0);
    assert.equal(clock.status().server, good.name);
    assertOffset(clock, -250);
  });
}

test("HUB-98 an answer that someone else forged does not keep the true one out", async (t) => {
  const server = await startTimeServer(250, (answer) => {
    const forged = Buffer.from(answer);
    forged.fill(7, 24, 32);
    forged.writeUInt32BE(1, 40);
    return [forged, answer];
  });
  t.after(() => server.close());
  const clock = new ServerClock({ servers: [server.name], timeoutMs: 20_000 });
  t.after(() => clock.close());
  await clock.sync();
  assert.equal(clock.status().synced, true);
  assertOffset(clock, 250);
});

test("HUB-99 when all fail the last offset stays, it is said once, and a server that is back counts", async (t) => {
  let dead = false;
  const server = await startTimeServer(250, (answer) => (dead ? undefined : answer));
  t.after(() => server.close());
  const gone = await startTimeServer(250);
  gone.close();
  const told: string[] = [];
  const clock = new ServerClock({
    servers: [gone.name, server.name],
    timeoutMs: 500,
    onUnanswered: (why) => told.push(why.join(" ")),
  });
  t.after(() => clock.close());
  await synced(clock);
  dead = true;
  await clock.sync();
  await clock.sync();
  assert.equal(clock.status().synced, false);
  assertOffset(clock, 250);
  assert.equal(told.filter((text) => text.includes(server.name)).length, told.length, "the last that was tried");
  const before = told.length;
  await clock.sync();
  assert.equal(told.length, before);
  dead = false;
  await synced(clock);
});

test("HUB-99 nobody waits for a time server: before one answers the system's clock is told, and closing does not hang", async (t) => {
  const server = await startTimeServer(250, () => undefined);
  t.after(() => server.close());
  const clock = new ServerClock({ servers: [server.name], timeoutMs: 600_000 });
  const asking = clock.sync();
  assert.deepEqual(clock.status(), { offsetNs: 0n, synced: false });
  const apart = Number(clock.nowNs() / MS) - Date.now();
  assert.ok(Math.abs(apart) < 1000, `${apart}`);
  await clock.close();
  await asking;
});

test("HUB-99 without servers none is asked, and the offset is 0", async () => {
  const clock = new ServerClock();
  await clock.sync();
  assert.deepEqual(clock.status(), { offsetNs: 0n, synced: false });
  await clock.close();
});

test("HUB-100 times are in ns, and later each time, however the system's clock is set", async () => {
  const clocks = system();
  const clock = new ServerClock({ system: clocks });
  let last = clock.nowNs();
  const wallNs = () => BigInt(clocks.wallMs()) * MS;
  assert.ok(last - wallNs() >= 0n && last - wallNs() < MS);
  const later = () => {
    const now = clock.nowNs();
    assert.ok(now > last, `${now} after ${last}`);
    last = now;
    return now;
  };
  later(); // no time passes
  clocks.pass(1n);
  later();
  clocks.set(3_600_000);
  clocks.pass(1000n);
  assert.ok(later() - wallNs() < MS, "forward it follows at once");
  // Back by an hour: it goes on at half the pace until the clock has caught up, and is never more than that ahead.
  clocks.set(-3_600_000);
  const setBack = last;
  for (let k = 0; k < 100; k++) {
    clocks.pass(HOUR_NS / 60n);
    const passed = (BigInt(k + 1) * HOUR_NS) / 60n;
    assert.ok(later() - setBack <= passed);
  }
  assert.ok(later() - wallNs() >= HOUR_NS / 6n - MS, "an hour and forty minutes are not enough for that");
  for (let k = 0; k < 30; k++) {
    clocks.pass(HOUR_NS / 60n);
    later();
  }
  assert.ok(later() - wallNs() < 2n * MS, "two hours are");
  await clock.close();
});

test("MOT-14 a device is asked over its socket, and what it dates is told in the server's time", async (t) => {
  const awake = setInterval(() => {}, 1000); // the questions alone keep no process alive
  t.after(() => clearInterval(awake));
  const clock = new ServerClock();
  t.after(() => clock.close());
  const devices = new DeviceClocks(clock);
  t.after(() => devices.close());
  const device = () => process.hrtime.bigint() + 12_345_678_901n;
  assert.equal(devices.timeOf("phone", device()), undefined);
  assert.equal(devices.estimate("phone"), undefined);
  let enough = () => {};
  const eight = new Promise<void>((resolve) => {
    enough = resolve;
  });
  let heard = 0;
  const link = devices.open("phone", (question) => {
    const answer = answerClock(question, device(), device);
    setImmediate(() => {
      assert.ok(link.hear(answer));
      assert.ok(!link.hear(answer), "an answer counts once");
      if (++heard === 8) enough();
    });
  });
  await eight;
  const before = clock.nowNs();
  const at = device();
  const after = clock.nowNs();
  const told = devices.timeOf("phone", at)!;
  const slackNs = told.uncertaintyNs + 2n * MS; // the server's own clock is read in milliseconds
  assert.ok(told.timeNs >= before - slackNs && told.timeNs <= after + slackNs);
  assert.equal(devices.estimate("phone")!.exchanges, 8);
  link.close();
  assert.ok(devices.timeOf("phone", at), "known after it has gone");
  assert.deepEqual(devices.sources(), ["phone"]);
});
