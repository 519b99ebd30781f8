/** What devices, viewers and the server say to each other in text. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HubUser, keyNal, packet21 } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";
import { memberText, withSource } from "./relay-text.ts";

describe("text through the hub", () => {
  test("HUB-30 HUB-33 HUB-34 HUB-36 HUB-42 GEN-39 what a device tells reaches viewers with its source, digits unchanged", async (t) => {
    const server = await testServer(t);
    const all = await HubUser.open(server, "/ws/viewer");
    const one = await HubUser.open(server, "/ws/viewer?source=p");
    const phone = await HubUser.open(server, "/ws/phone?source=p");
    const camera = await HubUser.open(server, "/ws/video?source=cam");
    const status = '{ "type":"status_message", "timestamp": 1750000000952559124, "message":"a \\"b\\" {" }';
    phone.send(status);
    for (const type of ["error_message", "log", "battery_status", "location_data"]) phone.send({ type, x: 1 });
    camera.send({ type: "h264_stream_status", status: "on" });
    camera.send('{"type":"video_config","source":"camera","deep":{"source":"x"}}');
    const [first] = await all.of("status_message");
    assert.deepEqual(first, {
      type: "status_message",
      timestamp: Number(1750000000952559124n),
      message: 'a "b" {',
      source: "p",
    });
    const raw = await all.until(({ texts }) => texts.find((text) => text.includes("status_message")));
    assert.equal(
      raw,
      '{ "type":"status_message", "timestamp": 1750000000952559124, "message":"a \\"b\\" {","source":"p"}',
    );
    assert.deepEqual(await all.of("video_config"), [
      { type: "video_config", own_source: "camera", deep: { source: "x" }, source: "cam" },
    ]);
    await one.of("location_data");
    assert.deepEqual(
      one.messages.map(({ type }) => type),
      ["status_message", "error_message", "log", "battery_status", "location_data"],
    );
    phone.send({ type: "x".repeat(100) }, { type: 5 }, "[]", "{");
    const errors = (await phone.of("error", 4)).map(({ message }) => message);
    assert.deepEqual(errors, [
      `Unknown message type: ${"x".repeat(64)}`,
      "Unknown message type: null",
      "Invalid message: expected a JSON object",
      "Invalid message: expected a JSON object",
    ]);
    await all.settled();
    assert.equal(all.messages.length, 7, "nothing unknown is relayed");
    for (const user of [all, one, phone, camera]) await user.leave();
  });

  test("HUB-44 HUB-45 HUB-47 a command goes on as the same text, in order, to the devices it is for", async (t) => {
    const server = await testServer(t);
    const phone = await HubUser.open(server, "/ws/phone?source=a");
    const camera = await HubUser.open(server, "/ws/video?source=a");
    const other = await HubUser.open(server, "/ws/phone?source=b");
    const viewer = await HubUser.open(server, "/ws/viewer");
    const bound = await HubUser.open(server, "/ws/viewer?source=b");
    const commands = [
      '{"type":"movement","x":-1,"y":0.5,"timestamp":"1750000000952559124"}',
      '{ "type" : "rotation", "yaw":1,"z":-0.25 }',
      '{"type":"camera","action":"toggle"}',
      '{"type":"flight_mode","action":"takeoff","timestamp":{"odd":1}}',
      '{"type":"joystick","anything":[1750000000952559124]}',
      '{"type":"dance"}',
    ];
    const addressed = '{"type":"camera","action":"on","source":"b"}';
    viewer.send(...commands, addressed);
    bound.send('{"type":"camera","action":"off"}', '{"type":"camera","action":"off","source":"a"}');
    assert.deepEqual(await bound.of("error"), [{ type: "error", message: "No device connected" }]);
    await viewer.settled();
    for (const device of [phone, camera, other]) await device.settled();
    assert.deepEqual(phone.texts.slice(0, -1), commands);
    assert.deepEqual(camera.texts.slice(0, -1), commands);
    const others = other.texts.slice(0, -1);
    assert.deepEqual(
      others.filter((text) => !text.includes('"off"')),
      [...commands, addressed],
    );
    assert.equal(others.length, 8);
    viewer.send({ type: "analysis_mode", data: "yolo" }, { type: "machineLearning", data: "none" });
    await viewer.settled();
    await phone.settled();
    assert.deepEqual([viewer.messages, phone.messages.length], [[], 6], "published, not sent to devices");
    viewer.send({ type: "analysis_mode", data: "yolo", source: "y".repeat(70_000) });
    assert.deepEqual(await viewer.of("error"), [
      { type: "error", message: "Invalid analysis_mode command: source is not a name" },
    ]);
    for (const user of [phone, camera, other, viewer, bound]) await user.leave();
  });

  test("HUB-46 HUB-48 HUB-49 a command that is wrong goes nowhere; one for nobody is not kept", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    viewer.send({ type: "movement", x: 0 });
    assert.deepEqual(await viewer.of("error"), [{ type: "error", message: "No device connected" }]);
    const phone = await HubUser.open(server, "/ws/phone");
    const wrong: [string, RegExp][] = [
      ['{"type":"movement","x":1.01}', /^Invalid movement command: x is not within/],
      ['{"type":"movement","y":1e999}', /^Invalid movement command: y is not a finite number/],
      ['{"type":"rotation","yaw":"1"}', /^Invalid rotation command: yaw/],
      ['{"type":"rotation","z":null}', /^Invalid rotation command: z/],
      ['{"type":"camera","action":1}', /^Invalid camera command: action is not text/],
      ['{"type":"flightmode","action":{}}', /^Invalid flightmode command: action/],
      ['{"type":"movement","source":7}', /^Invalid movement command: source/],
      ['{"x":1}', /^Invalid null command: /],
      ['{"type":"movement","x":NaN}', /^Invalid message/],
      ['"movement"', /^Invalid message/],
    ];
    viewer.send(...wrong.map(([text]) => text), Buffer.of(1));
    const errors = (await viewer.of("error", 2 + wrong.length)).slice(1).map(({ message }) => String(message));
    for (const [i, [text, pattern]] of wrong.entries()) assert.match(errors[i]!, pattern, text);
    assert.equal(errors.at(-1), "Binary messages are not accepted here");
    viewer.send({ type: "movement", x: 1, y: -1 });
    assert.deepEqual(await phone.of("movement"), [{ type: "movement", x: 1, y: -1 }]);
    assert.equal(phone.heard.length, 1, "neither what was wrong nor what came before it");
    for (const user of [viewer, phone]) await user.leave();
  });

  test("HUB-39 HUB-84 HUB-87 HUB-89 HUB-90 HUB-91 restart reaches viewers; the small routes answer", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const get = async (path: string, method = "GET") => {
      const response = await server.send(method, path);
      return [response.status, (await response.json()) as Record<string, unknown>] as const;
    };
    assert.deepEqual(await get("/api/test"), [200, { status: "ok", message: "Server is running" }]);
    const [, about] = await get("/hub/api/");
    assert.equal(typeof about.message, "string");
    const [status, restarted] = await get("/api/restart", "POST");
    assert.deepEqual([status, restarted.status, typeof restarted.message], [200, "success", "string"]);
    assert.deepEqual(await viewer.of("restart"), [{ type: "restart" }]);
    const [, health] = await get("/hub/health");
    const { service, rabbitmq, timestamp } = health;
    assert.deepEqual([health.status, service, rabbitmq], ["healthy", "hub", "off"]);
    assert.ok(Math.abs(Number(timestamp) - Date.now() / 1000) < 60);
    const [, { status: decoder, ...facts }] = await get("/h264/test");
    const names = ["av_version", "codec_name", "codec_long_name", "thread_type"];
    for (const name of decoder === "ok" ? names : ["error", "suggestion"])
      assert.equal(typeof facts[name], "string", name);
    assert.equal(decoder, "ok", "the embedded decoder is always there");
    assert.equal(facts.codec_name, "h264");
    const [, time] = await get("/api/time");
    assert.match(String(time.timestamp_ns), /^\d{19}$/);
    assert.deepEqual([typeof time.ntp_offset, typeof time.synced], ["number", "boolean"]);
    await viewer.leave();
  });

  test("HUB-10 GEN-22 a viewer that does not read loses the oldest news and holds nobody up", async (t) => {
    const server = await testServer(t);
    const slow = await HubUser.open(server, "/ws/viewer", { perMessageDeflate: false });
    const fast = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone");
    slow.ws.pause();
    for (let i = 0; i < 60; i++) {
      phone.send({ type: "log", i, pad: "x".repeat(500_000) });
      await fast.of("log", i + 1);
    }
    slow.ws.resume();
    phone.send({ type: "log", i: 60 });
    const heard = await slow.until(({ messages }) => (messages.at(-1)?.i === 60 ? messages : undefined));
    const numbers = heard.map(({ i }) => Number(i));
    assert.ok(numbers.length < 61, "all of it fitted");
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
    for (const user of [slow, fast, phone]) await user.leave();
  });

  test("GEN-34 HUB-9 with a token that is wrong nobody comes in, and no producer is displaced", async (t) => {
    const server = await testServer(t, { token: "right" });
    const producer = await HubUser.open(server, "/ws/video?token=right");
    const stranger = await HubUser.open(server, "/ws/video?token=wrong");
    assert.deepEqual(await stranger.closed, { code: 4001, reason: "Not authenticated" });
    producer.send(packet21(3, keyNal(1)));
    await producer.settled();
    assert.equal((await fetch(`${server.url}/video/status`)).status, 401);
    await producer.leave();
  });
});

test("HUB-33 GEN-39 source is put into any object, and nothing else of its text changes", () => {
  const member = fc.oneof(fc.constant("source"), fc.string());
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant("}"), fc.constant(',"source":1'));
  fc.assert(
    fc.property(fc.dictionary(member, value, { maxKeys: 5 }), fc.constantFrom("", " ", "\n"), (object, space) => {
      const text = space + JSON.stringify(object, null, space.length) + space;
      const parsed = JSON.parse(text) as Record<string, unknown>;
      const { source, ...others } = parsed;
      const expected = { ...others, ...("source" in parsed && { own_source: source }), source: "cam" };
      assert.deepEqual(JSON.parse(withSource(text, "cam")), expected);
      for (const name of Object.keys(parsed)) {
        assert.deepEqual(JSON.parse(memberText(text, name) ?? "null"), parsed[name]);
      }
    }),
    { seed: 20261121, numRuns: 300 },
  );
  assert.equal(withSource("{}", "a"), '{"source":"a"}');
  assert.equal(memberText('{"a":1,"timestamp": 1750000000952559124}', "timestamp"), "1750000000952559124");
});
