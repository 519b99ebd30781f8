/** What happens when a line to the broker breaks at a bad moment, as only a broker that is made for it can show. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Bus } from "./bus.ts";
import { exchangeNames } from "./exchanges.ts";
import { FakeBroker } from "./test/fake-broker.ts";

async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (const from = performance.now(); !condition(); await delay(10)) {
    assert.ok(performance.now() - from < 60_000, what);
  }
}

test("HUB-78 HUB-80 what was sent and not confirmed when the line breaks waits and is sent again, in its order", async (t) => {
  const broker = await FakeBroker.start();
  broker.confirms = false;
  const bus = new Bus({ url: broker.url, names: exchangeNames({}), node: "one", onTrouble: () => {} });
  t.after(() => bus.close().finally(() => broker.close()));
  await eventually("it is connected", () => bus.connected);
  const facts = Array.from({ length: 100 }, (_, n) => `fact ${n}`);
  for (const fact of facts) bus.publish("imu_data_exchange", fact, { contentType: "text/plain" });
  await eventually("all are sent", () => broker.bodies.length === facts.length);
  broker.breakLines();
  await eventually("it is noticed", () => !bus.connected);
  assert.deepEqual([bus.stats.dropped, bus.stats.waiting], [0, facts.length]);
  broker.confirms = true;
  broker.bodies.length = 0;
  await eventually("it is back", () => bus.connected);
  await bus.settled(AbortSignal.timeout(60_000));
  assert.deepEqual(broker.bodies, facts);
  assert.deepEqual(bus.stats, {
    connected: true,
    waiting: 0,
    published: { imu_data_exchange: facts.length },
    dropped: 0,
    rejected: 0,
  });
});

/** Opens a bus, and closes it when it hears something. */
const PROGRAM = `
  const { Bus, exchangeNames } = await import(process.argv[1]);
  const bus = new Bus({ url: process.argv[2], names: exchangeNames({}), node: "child", onTrouble: console.error });
  process.stdin.once("data", () => bus.close());
`;

for (const [when, muteAfter] of [
  ["while it came up", "20.10"],
  ["when it was up", "85.10"],
] as const) {
  test(`HUB-78 a process that closes its bus ends, though the broker fell mute ${when}`, async (t) => {
    const broker = await FakeBroker.start();
    t.after(() => broker.close());
    broker.muteAfter = muteAfter;
    const words = ["--input-type=module", "-e", PROGRAM, import.meta.resolve("./index.js"), broker.url];
    const child = spawn(process.execPath, words, { stdio: ["pipe", "ignore", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    child.stderr.on("data", (bytes: Buffer) => {
      said += bytes;
    });
    const ended = once(child, "exit");
    await eventually("it is connected", () => broker.mute);
    await delay(200);
    child.stdin.end("close");
    assert.deepEqual(await Promise.race([ended, delay(60_000, "it stays", { ref: false })]), [0, null]);
    assert.equal(said, "");
  });
}
