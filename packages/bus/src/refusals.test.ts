/** A real broker that ends channels and refuses messages while its line holds. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "amqplib";
import { Bus } from "./bus.ts";
import { exchangeNames } from "./exchanges.ts";
import { brokerAddress, keepLine } from "./line.ts";
import { brokerProgram, TestBroker } from "./test/broker.ts";

/** Whoever does not acknowledge for a second loses the channel. */
const SETTINGS = "-rabbit consumer_timeout 1000 -rabbit channel_tick_interval 200";
let broker: TestBroker | undefined;

before(async () => {
  if (brokerProgram()) broker = await TestBroker.start(SETTINGS);
});

after(() => broker?.close());

function theBroker(t: TestContext): TestBroker | undefined {
  if (!broker) t.skip("SKIPPED: rabbitmq-server is not installed (apt-get install rabbitmq-server)");
  return broker;
}

function open(t: TestContext, url: string, node: string, troubles: string[] = []): Bus {
  const bus = new Bus({ url, names: exchangeNames({}), node, onTrouble: (message) => troubles.push(message) });
  t.after(() => bus.close());
  return bus;
}

async function eventually(what: string, condition: () => boolean): Promise<void> {
  for (const from = performance.now(); !condition(); await delay(20)) {
    assert.ok(performance.now() - from < 120_000, what);
  }
}

const json = { contentType: "application/json" };

test("HUB-79 HUB-83 a queue whose channel the broker closed, because a message took too long, is heard again", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const troubles: string[] = [];
  const bus = open(t, broker.url, "slow", troubles);
  const sender = open(t, broker.url, "sender");
  const heard: string[] = [];
  await bus.consume("imu_data_exchange", async ({ body }) => {
    heard.push(body.toString());
    if (heard.length === 1) await new Promise(() => {});
  });
  await eventually("connected", () => bus.connected && sender.connected);
  sender.publish("imu_data_exchange", "stuck", json);
  await eventually("the channel is closed", () => troubles.some((each) => /timed? ?out/i.test(each)));
  // Of a queue of one's own what came meanwhile is gone: the next one is heard.
  for (
    const from = performance.now();
    heard.at(-1) !== "again" && performance.now() - from < 60_000;
    await delay(200)
  ) {
    sender.publish("imu_data_exchange", "again", json);
  }
  assert.equal(heard.at(-1), "again");
});

test("HUB-78 HUB-80 what a full queue makes the broker refuse is dropped and said once; others get each message once", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const model = await connect(broker.url);
  const channel = await model.createChannel();
  await channel.assertExchange("trajectory_data_exchange", "fanout", { durable: true });
  for (const [queue, limits] of [
    ["full", { "x-max-length": 1, "x-overflow": "reject-publish" }],
    ["roomy", {}],
  ] as const) {
    await channel.assertQueue(queue, { exclusive: true, arguments: limits });
    await channel.bindQueue(queue, "trajectory_data_exchange", "");
  }
  const troubles: string[] = [];
  const bus = open(t, broker.url, "producer", troubles);
  await eventually("connected", () => bus.connected);
  for (let i = 0; i < 20; i++) bus.publish("trajectory_data_exchange", String(i), json);
  await bus.settled(AbortSignal.timeout(60_000));
  const { published, dropped, waiting } = bus.stats;
  assert.equal(waiting, 0);
  assert.ok(dropped > 0);
  assert.equal((published.trajectory_data_exchange ?? 0) + dropped, 20);
  assert.equal((await channel.checkQueue("roomy")).messageCount, 20);
  assert.equal(troubles.filter((each) => each.includes("trajectory_data_exchange")).length, 1);
  await model.close();
});

test("HUB-78 a line that is gone is let go", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const stop = new AbortController();
  let times = 0;
  const heldAfter: number[] = [];
  const kept = keepLine(
    brokerAddress(broker.url),
    {
      async up(model) {
        if (++times === 3) stop.abort();
        else setImmediate(() => model.close().catch(() => {}));
      },
      down: () => void heldAfter.push(getEventListeners(stop.signal, "abort").length),
      trouble: () => {},
    },
    stop.signal,
  );
  await kept;
  assert.deepEqual(heldAfter, [0, 0, 0]);
});
