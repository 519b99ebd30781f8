/** The bus before a real broker: everything comes through, also when the broker dies in between. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ChannelModel, type ConsumeMessage, connect } from "amqplib";
import { Bus, type BusOptions, type Incoming } from "./bus.ts";
import { exchangeNames } from "./exchanges.ts";
import { brokerProgram, TestBroker } from "./test/broker.ts";

let broker: TestBroker | undefined;
const troubles: string[] = [];

before(async () => {
  if (brokerProgram()) broker = await TestBroker.start();
});

after(() => broker?.close());

/** The broker, or undefined with the test marked as skipped. */
function theBroker(t: TestContext): TestBroker | undefined {
  if (!broker) t.skip("SKIPPED: rabbitmq-server is not installed (apt-get install rabbitmq-server)");
  return broker;
}

function open(t: TestContext, url: string, node: string, more?: Partial<BusOptions>): Bus {
  const names = exchangeNames({});
  const bus = new Bus({ url, names, node, onTrouble: (message) => troubles.push(message), ...more });
  t.after(() => bus.close());
  return bus;
}

/** A client of the broker's own library, which a failing test leaves no more open than one that passes. */
async function client(t: TestContext, url: string): Promise<ChannelModel> {
  const model = await connect(url);
  model.on("error", ({ message }: Error) => troubles.push(`a client: ${message}`)); // as when its broker is killed
  t.after(() => model.close().catch(() => {})); // it is closed, or its broker is gone
  return model;
}

type Found = () => string | Promise<string>;

async function eventually(what: string, condition: () => boolean, found: Found = () => "not"): Promise<void> {
  for (const from = performance.now(); !condition(); await delay(20)) {
    if (performance.now() - from < 120_000) continue;
    assert.fail(`${what}: ${await found()}; troubles: ${troubles.slice(-3).join(" | ")}`);
  }
}

const json = { contentType: "application/json" };

test("HUB-80 a message that cannot be written is counted as dropped, and those after it go out", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const bus = open(t, broker.url, "long");
  const other = open(t, broker.url, "hears");
  const heard: string[] = [];
  await other.consume("analysis_mode_exchange", ({ body }) => void heard.push(body.toString()));
  await eventually("both are connected", () => bus.connected && other.connected);
  // More than may be on their way unconfirmed.
  const source = "y".repeat(70_000);
  for (let n = 0; n < 1100; n++) bus.publish("analysis_mode_exchange", "long", { ...json, headers: { source } });
  bus.publish("analysis_mode_exchange", "short", json);
  await bus.settled(AbortSignal.timeout(60_000));
  await eventually("what comes after is heard", () => heard.length > 0);
  assert.deepEqual(heard, ["short"]);
  const { waiting, dropped, published } = bus.stats;
  assert.deepEqual(
    { waiting, dropped, published },
    { waiting: 0, dropped: 1100, published: { analysis_mode_exchange: 1 } },
  );
});

test("HUB-77 HUB-79 what one instance publishes another hears, byte for byte, and itself does not", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const one = open(t, broker.url, "one");
  const other = open(t, broker.url, "other");
  const heard: Incoming[] = [];
  const own: Incoming[] = [];
  await other.consume("imu_data_exchange", (message) => void heard.push(message));
  await one.consume("imu_data_exchange", (message) => void own.push(message));
  await eventually("both are connected", () => one.connected && other.connected);
  // More digits than a double has.
  const text = '{"type":"imu_data","timestamp":1750000000952559124}';
  one.publish("imu_data_exchange", text, { ...json, headers: { source: "phone", packet_type: 3 } });
  other.publish("imu_data_exchange", "from the other", json);
  await eventually("both have heard", () => heard.length === 1 && own.length === 1);
  assert.equal(heard[0]?.body.toString(), text);
  assert.equal(heard[0]?.contentType, "application/json");
  assert.deepEqual({ ...heard[0]?.headers }, { source: "phone", packet_type: 3, cairn_node: "one" });
  assert.equal(own[0]?.body.toString(), "from the other");
  await one.settled(AbortSignal.timeout(60_000));
  assert.deepEqual(one.stats.published, { imu_data_exchange: 1 });

  // A client that knows nothing of us: the exchange is fanout and durable, with queues that are its own.
  const model = await client(t, broker.url);
  const channel = await model.createChannel();
  await channel.assertExchange("imu_data_exchange", "fanout", { durable: true });
  channel.publish("imu_data_exchange", "", Buffer.from("foreign"), {});
  await eventually("the foreign one is heard", () => heard.length === 2 && own.length === 2);
});

test("GEN-39 HUB-40 headers that are 64-bit integers keep their digits, from others and to others", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const one = open(t, broker.url, "one");
  const other = open(t, broker.url, "other");
  const heard: Incoming[] = [];
  await other.consume("processed_frames_exchange", (message) => void heard.push(message));
  await eventually("both are connected", () => one.connected && other.connected);
  const channel = await (await client(t, broker.url)).createChannel();
  const [ns, least] = [1750000000952559124n, -(2n ** 63n)];
  const long = (value: bigint) => ({ "!": "int64", value });
  const around = { text: "x", part: 0.5, none: null, is: true, list: [1, "a"], table: { a: long(5n) } };
  const theirs = {
    ...around,
    timestamp_ns: long(ns),
    least: long(least),
    small: long(5n),
    frame_number: 3_000_000_000,
  };
  channel.publish("processed_frames_exchange", "", Buffer.from("a"), {
    contentType: "image/jpeg",
    contentEncoding: "none",
    headers: theirs,
  });
  // More than one read of the socket.
  channel.publish("processed_frames_exchange", "", Buffer.alloc(300_000), {
    headers: { ...theirs, s: "y".repeat(60_000) },
  });
  await eventually("theirs are heard", () => heard.length === 2);
  const exact = { timestamp_ns: ns, least, small: 5, frame_number: 3_000_000_000 };
  for (const { headers } of heard) {
    const { timestamp_ns, least, small, frame_number, text, list } = headers;
    assert.deepEqual({ timestamp_ns, least, small, frame_number }, exact);
    assert.deepEqual([text, list], ["x", [1, "a"]]);
  }
  one.publish("processed_frames_exchange", "own", { contentType: "image/jpeg", headers: { timestamp_ns: ns } });
  await eventually("ours is heard", () => heard.length === 3);
  assert.equal(heard[2]?.headers.timestamp_ns, ns);
});

test("HUB-83 a message that cannot be read is acknowledged, counted and gone; those behind it come", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const bus = open(t, broker.url, "reader");
  const sender = open(t, broker.url, "sender");
  const heard: number[] = [];
  await bus.consume("ply_fanout_exchange", ({ body }) => void heard.push(JSON.parse(body.toString()).n));
  await eventually("connected", () => bus.connected && sender.connected);
  for (const text of ['{"n":1}', "{", '{"n":2}']) sender.publish("ply_fanout_exchange", text, json);
  await eventually("heard", () => heard.length === 2);
  assert.deepEqual(heard, [1, 2]);
  assert.equal(bus.stats.rejected, 1);
});

test("HUB-77 an exchange that exists in another form is left alone and said; the others work", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  const model = await client(t, broker.url);
  const channel = await model.createChannel();
  await channel.assertExchange("theirs", "topic", { durable: false });
  const names = exchangeNames({ RESTART_EXCHANGE: "theirs" });
  const said: string[] = [];
  const bus = open(t, broker.url, "careful", { names, onTrouble: (message) => said.push(message) });
  const heard: string[] = [];
  await open(t, broker.url, "listener").consume("imu_data_exchange", ({ body }) => void heard.push(body.toString()));
  await bus.consume("restart_exchange", () => {});
  await eventually("connected", () => bus.connected);
  bus.publish("restart_exchange", "{}", json);
  await eventually("the rest works", () => {
    bus.publish("imu_data_exchange", "still", json);
    return heard.length > 0;
  });
  assert.ok(said.some((message) => message.includes("theirs")));
  await bus.settled(AbortSignal.timeout(60_000));
  assert.equal(bus.stats.dropped, 1);
  assert.ok(bus.connected);
});

test("HUB-78 HUB-80 the broker is killed in mid-stream: nothing published is lost, pictures alone are shed", async (t) => {
  const broker = theBroker(t);
  if (!broker) return;
  // A consumer that does not want to miss anything has a durable queue; it is read when all is over.
  const consumer = await client(t, broker.url);
  const setup = await consumer.createChannel();
  await setup.assertExchange("trajectory_data_exchange", "fanout", { durable: true });
  await setup.assertQueue("trajectory", { durable: true });
  await setup.bindQueue("trajectory", "trajectory_data_exchange", "");
  const bus = open(t, broker.url, "producer");
  const listener = open(t, broker.url, "listener");
  let last = -1;
  await listener.consume("trajectory_data_exchange", ({ body }) => {
    last = Number(body);
  });
  await eventually("connected", () => bus.connected && listener.connected);
  let sent = 0;
  const send = (count: number) => {
    for (const end = sent + count; sent < end; sent++) {
      bus.publish("trajectory_data_exchange", String(sent), json);
    }
  };
  send(3000);
  await eventually("in mid-stream", () => (bus.stats.published.trajectory_data_exchange ?? 0) > 2500);
  // On its way when the end comes, and with what was not confirmed before it no more than may wait.
  send(400);
  await delay(0);
  const killed = broker.kill();
  await eventually("noticed", () => !bus.connected && !listener.connected);
  await killed;
  const wereConfirmed = bus.stats.published.trajectory_data_exchange ?? 0;
  assert.equal(bus.stats.dropped, 0, "what was not confirmed waits");
  const room = 1000 - bus.stats.waiting;
  send(Math.min(room, 100));
  // Far more than may wait, all of them pictures: they go, facts stay.
  const took = performance.now();
  for (let i = 0; i < 5000; i++) {
    bus.publish("video_stream_exchange", Buffer.alloc(100), { contentType: "video/h264", sheddable: true });
  }
  assert.ok(performance.now() - took < 5000, "publishing does not wait");
  assert.equal(bus.stats.waiting, 1000);
  assert.equal(bus.stats.dropped, 5000 - Math.max(0, room - 100), "only pictures");

  await broker.start();
  await eventually("both are back by themselves", () => bus.connected && listener.connected);
  await bus.settled(AbortSignal.timeout(60_000));
  assert.equal(bus.stats.waiting, 0);
  send(1);
  await eventually("it flows to those that were connected before", () => last === sent - 1);

  const reader = await client(t, broker.url);
  const channel = await reader.createChannel();
  const found = new Set<number>();
  let cancelled = "";
  const take = (message: ConsumeMessage | null) => {
    if (message) found.add(Number(message.content));
    else cancelled = ", then the broker took the queue away";
  };
  await channel.consume("trajectory", take, { noAck: true });
  const came = async () => {
    // On a line of its own: that of the reader may be what broke.
    const other = await (await client(t, broker.url)).createChannel();
    const { messageCount } = await other.checkQueue("trajectory");
    const told = `${wereConfirmed} were confirmed before the end, ${messageCount} lie in the queue`;
    return `${found.size} of ${sent} came, up to ${Math.max(...found)}${cancelled}; ${told}: ${broker.complaints()}`;
  };
  await eventually("the last is there", () => found.has(sent - 1), came);
  for (let id = 0; id < wereConfirmed; id++) assert.ok(found.has(id), `${id} was confirmed`);
  assert.equal(found.size, sent);
});

test("HUB-78 without a broker nothing waits: publishing, closing and the start go on", async () => {
  const said: string[] = [];
  const bus = new Bus({
    url: "amqp://127.0.0.1:1",
    names: exchangeNames({}),
    node: "alone",
    onTrouble: (message) => said.push(message),
  });
  for (let i = 0; i < 3000; i++) bus.publish("imu_data_exchange", "{}", json);
  assert.equal(bus.stats.waiting, 1000);
  assert.equal(bus.stats.dropped, 2000);
  await eventually("it is said", () => said.length > 0);
  assert.match(said[0] ?? "", /127\.0\.0\.1:1/);
  await bus.close();
  assert.equal(said.length, 1, "once, not at every attempt");
});
