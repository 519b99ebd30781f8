/** Questions about clocks at the sockets of devices: the hub's, and that of native video. */
import assert from "node:assert/strict";
import { test } from "node:test";
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
