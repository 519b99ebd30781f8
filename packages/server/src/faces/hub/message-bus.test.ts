/** The hub beside a real broker, with another service on it. */
import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Bus, EXCHANGES, type Exchange, exchangeNames, type Incoming } from "@cairn/bus";
import { brokerProgram, TestBroker } from "@cairn/bus/test/broker";
import { frameNal, HubUser, keyNal, PPS, packet13, packet21, SPS } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";

let broker: TestBroker | undefined;

before(async () => {
  if (brokerProgram()) broker = await TestBroker.start();
});

after(() => broker?.close());

async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const from = performance.now(); !(await condition()); await delay(20)) {
    assert.ok(performance.now() - from < 120_000, what);
  }
}

/** A server on the broker, and a service that hears every exchange. Undefined: skipped. */
async function joined(t: TestContext) {
  if (!broker) {
    t.skip("SKIPPED: rabbitmq-server is not installed (apt-get install rabbitmq-server)");
    return undefined;
  }
  const service = new Bus({ url: broker.url, names: exchangeNames({}), node: "service", onTrouble: () => {} });
  t.after(() => service.close());
  const heard = new Map<Exchange, Incoming[]>(EXCHANGES.map((exchange) => [exchange, []]));
  for (const exchange of EXCHANGES)
    await service.consume(exchange, (message) => void heard.get(exchange)?.push(message));
  const server = await testServer(t, { rabbitmqUrl: broker.url });
  const health = async () =>
    ((await (await fetch(`${server.url}/hub/health`)).json()) as { rabbitmq: string }).rabbitmq;
  await eventually("both are on the broker", async () => service.connected && (await health()) === "connected");
  const from = (exchange: Exchange) => heard.get(exchange) ?? [];
  return { broker, service, server, health, from };
}

/** Says of itself that it is 32 × 24, and nothing more. */
const JPEG = Buffer.from("ffd8ffc0000b080018002001011100ffd9", "hex");

test("HUB-77 HUB-80 HUB-53 HUB-32 what devices send is on the exchanges, with the headers of old consumers", async (t) => {
  const all = await joined(t);
  if (!all) return;
  const { server, from, service } = all;
  const phone = await HubUser.open(server, "/ws/phone?source=p");
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(1_700_000_000_123_456_789n);
  phone.send(Buffer.concat([stamp, JPEG]));
  phone.send(
    '{"type":"imu_data","timestamp":1750000000952559124,"accelerometer":{"x":1,"y":2,"z":3},"gyroscope":{"x":0,"y":0,"z":0.5}}',
  );
  phone.send('{"type":"analysis_mode","data":"yolo"}');
  phone.send(packet13(1, SPS), packet13(2, PPS), packet21(3, keyNal(1), { flags: 1 }), packet21(4, frameNal(2)));
  const quantity = (exchange: Exchange) => from(exchange).length;
  await eventually(
    "all has come",
    () => quantity("video_stream_exchange") === 4 && quantity("video_frames_exchange") === 1,
  );
  await eventually("facts too", () => quantity("imu_data_exchange") === 1 && quantity("analysis_mode_exchange") === 1);

  const [frame] = from("video_frames_exchange");
  assert.deepEqual(frame?.body, JPEG);
  const { cairn_node, server_received, ntp_time, ntp_offset, ...facts } = frame?.headers ?? {};
  assert.deepEqual(facts, { timestamp_ns: "1700000000123456789", width: "32", height: "24", source: "p" });
  assert.match(`${server_received} ${ntp_time} ${ntp_offset}`, /^\d{19} \d{19} 0$/);
  assert.equal(typeof cairn_node, "string");

  const stream = from("video_stream_exchange");
  assert.deepEqual(
    stream.map(({ body }) => body),
    [SPS, Buffer.concat([SPS, PPS]), keyNal(1), frameNal(2)],
  );
  assert.deepEqual(
    stream.map(({ headers }) => headers.packet_type),
    [1, 2, 3, 4],
  );
  assert.equal(new Set(stream.map(({ headers }) => headers.websocket_id)).size, 1);
  const head = stream[2];
  assert.equal(head?.contentType, "video/h264");
  assert.deepEqual([head?.headers.stream_type, head?.headers.chunk_size], ["h264", String(keyNal(1).length)]);

  const [imu] = from("imu_data_exchange");
  assert.match(imu?.body.toString() ?? "", /"timestamp":1750000000952559124,/);
  assert.equal(JSON.parse(imu?.body.toString() ?? "").source, "p");
  assert.deepEqual(JSON.parse(from("analysis_mode_exchange")[0]?.body.toString() ?? ""), {
    type: "analysis_mode",
    data: "yolo",
  });

  assert.equal((await fetch(`${server.url}/api/restart`, { method: "POST" })).status, 200);
  await eventually("restart", () => from("restart_exchange").length === 1);
  assert.equal(from("restart_exchange")[0]?.body.toString(), '{"type":"restart"}');
  assert.equal(service.stats.rejected, 0);
  await phone.leave();
});

test("HUB-37 HUB-38 HUB-39 HUB-40 HUB-41 HUB-83 HUB-92 what services make of it reaches viewers; nonsense is counted", async (t) => {
  const all = await joined(t);
  if (!all) return;
  const { server, service } = all;
  const viewer = await HubUser.open(server, "/ws/viewer");
  const json = { contentType: "application/json" };
  const pose = [
    [1, 0, 0, 2.5],
    [0, 1, 0, 0],
    [0, 0, 1, 0],
    [0, 0, 0, 1],
  ];
  service.publish("trajectory_data_exchange", "not JSON", json);
  service.publish("trajectory_data_exchange", '{"pose":[1]}', json);
  service.publish("ply_fanout_exchange", '{"ply_data_b64":"AAAA"}', json);
  service.publish(
    "trajectory_data_exchange",
    `{"timestamp_ns":1750000000952559124,"pose":${JSON.stringify(pose)},"quality":0.5}`,
    json,
  );
  await viewer.of("trajectory_update");
  const text = viewer.texts.find((each) => each.includes("trajectory_update")) ?? "";
  assert.match(text, /"timestamp_ns":1750000000952559124,"source":"default"\}$/);
  const told = JSON.parse(text) as { pose: Record<string, unknown> };
  assert.deepEqual([told.pose.pose, told.pose.pose_matrix, told.pose.quality], [pose, pose, 0.5]);

  const imu =
    '{"type":"imu_data","timestamp":1750000000952559125,"accelerometer":{"x":1,"y":2,"z":3},"gyroscope":{"x":0,"y":0,"z":0}}';
  service.publish("imu_data_exchange", imu, { ...json, headers: { source: "drone" } });
  await viewer.of("imu_data");
  assert.ok(viewer.texts.includes(`{"type":"imu_data","imu_data":${imu},"source":"drone"}`));

  const headers = {
    timestamp_ns: "17",
    frame_number: 4,
    width: 32,
    height: 24,
    class_summary: '{"car":1}',
    source: "drone",
  };
  service.publish("processed_frames_exchange", JPEG, { contentType: "image/jpeg", headers, sheddable: true });
  const [frame] = await viewer.of("processed_frame");
  assert.deepEqual(frame, { type: "processed_frame", frame_data: JPEG.toString("base64"), ...headers });
  const timed = { timestamp_ns: 1750000000952559124n, source: "drone" };
  service.publish("processed_frames_exchange", JPEG, { contentType: "image/jpeg", headers: timed, sheddable: true });
  await viewer.of("processed_frame", 2);
  const frameText = viewer.texts.findLast((each) => each.includes("processed_frame")) ?? "";
  assert.match(frameText, /"timestamp_ns":1750000000952559124,"source":"drone"\}$/);

  const ply = Buffer.from("ply\nformat ascii 1.0\nend_header\n");
  const cloud = { ply_filename: "room 1.ply", ply_data_b64: ply.toString("base64") };
  service.publish("ply_fanout_exchange", JSON.stringify(cloud), json);
  const [update] = await viewer.of("ply_update");
  const { timestamp_ns: _, ...known } = update ?? { timestamp_ns: 0 };
  assert.deepEqual(known, {
    type: "ply_update",
    ply_url: "/api/ply/room%201.ply",
    size_bytes: ply.length,
    source: "default",
    ...cloud,
  });
  assert.deepEqual(Buffer.from(await (await fetch(`${server.url}/api/ply/room%201.ply`)).arrayBuffer()), ply);

  service.publish("restart_exchange", '{"type":"restart"}', json);
  await viewer.of("restart");
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  assert.match(metrics, /^amqp_messages_rejected_total 3$/m);
  // What viewers were told did not come back as the hub's own.
  assert.equal(viewer.messages.filter(({ type }) => type === "restart").length, 1);
  await viewer.leave();
});

test("HUB-78 without the broker sockets go on as before, and health says it is away", async (t) => {
  const all = await joined(t);
  if (!all) return;
  const { broker, server, health, from } = all;
  await broker.kill();
  await eventually("it is noticed", async () => (await health()) === "disconnected");
  const consumer = await HubUser.open(server, "/ws/video/consume");
  const producer = await HubUser.open(server, "/ws/video");
  producer.send(packet21(3, keyNal(9), { flags: 1 }));
  assert.deepEqual(await consumer.packets(1), [keyNal(9)]);
  await producer.settled();
  await broker.start();
  await eventually("it came back", async () => (await health()) === "connected");
  await eventually("what waited is there, or was sent before others heard", () => {
    producer.send(packet21(4, frameNal(3)));
    return from("video_stream_exchange").length > 0;
  });
  const off = await testServer(t);
  assert.equal(((await (await fetch(`${off.url}/hub/health`)).json()) as { rabbitmq: string }).rabbitmq, "off");
  for (const user of [consumer, producer]) await user.leave();
});

test("HUB-82 a restart is published when it is asked for, and at a start only with --announce-restart", async (t) => {
  const all = await joined(t);
  if (!all) return;
  const { broker, server, service, from } = all;
  const restarts = () => from("restart_exchange").map(({ body }) => body.toString());
  const json = { contentType: "application/json" };
  /** What each server has published before it has also been heard: confirmed in its order. */
  const markers = () => from("analysis_mode_exchange").length;
  const marked = async (at: { url: string }) => {
    const before = markers();
    const phone = await HubUser.open(at, "/ws/phone");
    phone.send({ type: "analysis_mode", data: "none" });
    await eventually("the server is heard on the bus", () => markers() > before);
    await phone.leave();
  };
  await marked(server);
  await server.restart();
  await marked(server);
  assert.deepEqual(restarts(), [], "neither at the first start nor at the second");
  assert.equal((await fetch(`${server.url}/api/restart`, { method: "POST" })).status, 200);
  await eventually("it was asked for", () => restarts().length === 1);

  const loud = await testServer(t, { rabbitmqUrl: broker.url, announceRestart: true });
  await eventually("it was announced", () => restarts().length === 2);
  assert.deepEqual(restarts(), ['{"type":"restart"}', '{"type":"restart"}']);
  // Others are told as well: their viewers begin anew.
  const viewer = await HubUser.open(server, "/ws/viewer");
  service.publish("restart_exchange", '{"type":"restart"}', json);
  assert.deepEqual(await viewer.of("restart"), [{ type: "restart" }]);
  await loud.close();
  await viewer.leave();
});
