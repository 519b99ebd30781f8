/** Devices of the hub in the core's control: held, stopped and noted down, with the contract's wire unchanged. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CairnEvent, LeaseGrant } from "@cairn/protocol";
import { eventually } from "../../test/eventually.ts";
import { HubUser } from "../../test/hub-user.ts";
import { type TestServer, testServer } from "../../test/test-server.ts";

async function post<T>(server: TestServer, path: string, body: object = {}): Promise<T> {
  const response = await server.send("POST", `/v1/spaces/place${path}`, JSON.stringify(body));
  assert.ok(response.ok, `${path}: ${response.status}`);
  return (response.status === 204 ? {} : await response.json()) as T;
}

const is =
  (type: CairnEvent["type"], device: string) =>
  ({ type: other, data }: CairnEvent): boolean =>
    other === type && "device" in data && data.device === device;

/** What a phone was told, without the times. */
const told = ({ messages }: HubUser) => messages.map(({ timestamp: _, ...rest }) => rest);

test("CTL-16 HUB-44 HUB-49 a phone of the hub is a device of its space: held there, viewers are told so; let go, they steer again", async (t) => {
  const server = await testServer(t);
  const phone = await HubUser.open(server, "/ws/phone?source=p&space=place");
  const camera = await HubUser.open(server, "/ws/video?source=p&space=place");
  const free = await HubUser.open(server, "/ws/phone?source=q");
  await eventually(server.url, is("control.connected", "p"));
  const viewer = await HubUser.open(server, "/ws/viewer");
  const command = '{"type":"movement",  "x":0.25,"timestamp":"1750000000952559124"}';
  viewer.send(command);
  await viewer.settled();
  await Promise.all([phone, camera, free].map((user) => user.settled()));
  for (const user of [phone, camera, free]) assert.equal(user.texts[0], command, "verbatim");

  const ann = await post<LeaseGrant>(server, "/devices/p/lease", { holder: "Ann", heartbeatMs: 10_000 });
  viewer.send(command);
  assert.deepEqual(await viewer.of("error"), [{ type: "error", message: "Device p is held by Ann" }]);
  const wish = { lease: ann.lease, secret: ann.secret, command: 1, kind: "rotation", data: { yaw: 0.5 } };
  assert.equal((await post<{ outcome: string }>(server, "/devices/p/commands", wish)).outcome, "delivered");
  await post(server, "/devices/p/lease/release", { lease: ann.lease, secret: ann.secret });
  viewer.send(command);
  await viewer.settled();
  for (const user of [phone, camera]) {
    await user.settled();
    assert.deepEqual(told(user).slice(1), [
      { type: "rotation", yaw: 0.5 },
      { type: "movement", x: 0, y: 0 },
      { type: "rotation", yaw: 0, z: 0 },
      { type: "movement", x: 0.25 },
    ]);
    for (const message of user.messages) assert.match(String(message.timestamp), /^\d{19}$/);
  }
  await free.settled();
  assert.equal(free.texts.filter((text) => text === command).length, 3, "who is in no space is held by nobody");

  await post(server, "/devices/p/stop", { by: "Eve" });
  viewer.send(command, { type: "joystick", source: "p", sticks: [0, 1] });
  assert.deepEqual((await viewer.of("error", 3)).slice(1), [
    { type: "error", message: "Device p is stopped" },
    { type: "error", message: "Device p is stopped" },
  ]);
  await phone.settled();
  assert.deepEqual(told(phone).slice(5), [
    { type: "movement", x: 0, y: 0 },
    { type: "rotation", yaw: 0, z: 0 },
  ]);
  const relayed = (await server.events()).flatMap((event) => (event.type === "control.relayed" ? [event.data] : []));
  assert.deepEqual(relayed[0], {
    device: "p",
    kind: "movement",
    data: { x: 0.25, timestamp: "1750000000952559124" },
    by: "viewer of the hub",
  });
  assert.equal(relayed.length, 2);

  // The device is there while any of its sockets is.
  await phone.leave();
  await camera.leave();
  await eventually(server.url, is("control.disconnected", "p"));
  for (const user of [free, viewer]) await user.leave();
});

test("CTL-4 CTL-11 CTL-16 a stop stands for a phone that comes back", async (t) => {
  const server = await testServer(t);
  const phone = await HubUser.open(server, "/ws/phone?source=p&space=place");
  await eventually(server.url, is("control.connected", "p"));
  await phone.leave();
  await eventually(server.url, is("control.disconnected", "p"));
  await post(server, "/stop");
  const back = await HubUser.open(server, "/ws/phone?source=p&space=place");
  assert.equal((await back.of("rotation"))[0]!.yaw, 0);
  await back.leave();
});
