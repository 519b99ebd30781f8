/** Questions about clocks at the sockets of devices: the hub's, and that of native video. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { serveDevice } from "@cairn/client";
import { connect, openApi } from "@cairn/client/node";
import { HubUser } from "../test/hub-user.ts";
import { testServer } from "../test/test-server.ts";

const SOCKETS = [
  (source: string) => `/ws/phone?source=${source}`,
  (source: string) => `/ws/video?source=${source}`,
  (source: string) => `/v1/video/${source}?role=produce`,
];

test("MOT-13 MOT-14 HUB-6 a device that says so is asked for its clock; others are not, and what they ask is answered", async (t) => {
  const server = await testServer(t);
  for (const path of SOCKETS) {
    const asked = await HubUser.open(server, `${path("asked")}&clock=1`);
    const quiet = await HubUser.open(server, path("quiet"));
    const questions = await asked.of("clock", 8);
    for (const { asked: atNs, heard } of questions) {
      assert.match(String(atNs), /^\d+$/);
      assert.equal(heard, undefined);
      asked.send({ type: "clock", asked: atNs, heard: "5", answered: "6" });
    }
    quiet.send({ type: "clock", asked: "1750000000952559124" });
    const [answer] = await quiet.of("clock");
    assert.equal(answer!.asked, "1750000000952559124");
    assert.ok(BigInt(String(answer!.heard)) <= BigInt(String(answer!.answered)));
    for (const user of [asked, quiet]) {
      await user.settledJson();
      assert.deepEqual(
        user.messages.filter(({ type }) => type === "error"),
        [],
      );
    }
    assert.equal(quiet.messages.filter(({ type }) => type === "clock").length, 1);
    for (const user of [asked, quiet]) await user.leave();
  }
});

test("MOT-13 MOT-14 what the SDK sends with a clock answers, and the device is listed with how that stands", async (t) => {
  const server = await testServer(t);
  const api = openApi(server);
  await api.createSpace({ id: "yard" });
  const connection = connect({ url: server.url, space: "yard" });
  const served = serveDevice(
    connection,
    {
      device: "cam",
      kinds: { halt: { properties: {} } },
      safe: { kind: "halt" },
      stop: { kind: "halt" },
      ttlMs: 60_000,
    },
    { command: ({ kind }) => kind, secure() {} },
  );
  const lateByNs = 5_000_000_000n;
  const nowNs = () => process.hrtime.bigint();
  const producer = api.video.produce("cam", { space: "yard", nowNs: () => nowNs() - lateByNs });
  t.after(() => {
    for (const each of [served, connection, producer]) each.close();
  });
  await new Promise<void>((resolve) => producer.on("keyWanted", resolve));
  // A source that has shown something is one of the space.
  producer.send({ data: Uint8Array.of(0, 0, 0, 1, 9, 16), key: true, timeNs: nowNs() - lateByNs });
  const clock = async () => (await api.devices("yard")).find(({ device }) => device === "cam")?.clock;
  let told = await clock();
  while (!told) {
    await setTimeout(20);
    told = await clock();
  }
  const truthNs = BigInt(Date.now()) * 1_000_000n - (nowNs() - lateByNs);
  const offNs = BigInt(told.offsetNs) - truthNs;
  assert.ok(offNs < lateByNs / 4n && offNs > -lateByNs / 4n, `${offNs} ns from the truth`);
});
