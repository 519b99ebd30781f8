/** The hub's sockets: who is let in, and what they are told without asking. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventuallyStatus, frameNal, HubUser, keyNal, PPS, packet13, packet21, SPS } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";

const SOCKETS = ["/ws/video", "/ws/video/consume", "/ws/phone", "/ws/viewer"];

describe("sockets of the hub", () => {
  test("HUB-1..HUB-4 HUB-6 GEN-2 all four answer at the root and under the prefix, and say nothing first", async (t) => {
    const server = await testServer(t);
    for (const path of SOCKETS.flatMap((each) => [each, `/hub${each}`])) {
      const user = await HubUser.open(server, path);
      await user.settled();
      assert.deepEqual(user.heard, ["pong"], path);
      user.send({ type: "ping" });
      await user.settled();
      const answers = path.endsWith("consume") ? ["pong", "pong"] : ["pong", '{"type":"pong"}', "pong"];
      assert.deepEqual(user.heard, answers, path);
      await user.leave();
    }
  });

  test("HUB-5 a name that is none is refused with 1008; to a consumer nothing is said", async (t) => {
    const server = await testServer(t);
    for (const path of SOCKETS) {
      for (const name of ["", "a/b", "a b", "x".repeat(65), "é"]) {
        const user = await HubUser.open(server, `${path}?source=${encodeURIComponent(name)}`);
        assert.equal((await user.closed).code, 1008, `${path} ${name}`);
        const said = path.endsWith("consume") ? [] : [{ type: "error", message: "Source name is not allowed" }];
        assert.deepEqual(user.messages, said);
      }
      for (const name of ["a", "A.b_c-9", "x".repeat(64)]) {
        const user = await HubUser.open(server, `${path}?source=${name}`);
        await user.settled();
        await user.leave();
      }
    }
    const user = await HubUser.open(server, "/ws/phone?space=a%2Fb");
    assert.equal((await user.closed).code, 1008);
  });

  test("HUB-10 HUB-93 HUB-97 a closed socket is gone from every list and gauge", async (t) => {
    const server = await testServer(t);
    const users = await Promise.all(SOCKETS.map((path) => HubUser.open(server, path)));
    const gauges = async () => {
      const text = await (await server.send("GET", "/metrics")).text();
      return ["h264_consumers_connected", "phones_connected", "viewers_connected"].map((name) =>
        Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]),
      );
    };
    assert.deepEqual(await gauges(), [1, 1, 1]);
    await eventuallyStatus(server, ({ sources }) => (sources as { live: boolean }[])[0]?.live === true);
    for (const user of users) user.ws.terminate();
    while ((await gauges()).some((count) => count > 0));
    await eventuallyStatus(server, ({ sources }) => (sources as { live: boolean }[])[0]?.live === false);
    const viewer = await HubUser.open(server, "/ws/viewer");
    viewer.send({ type: "camera", action: "on" });
    assert.deepEqual(await viewer.of("error"), [{ type: "error", message: "No device connected" }]);
    await viewer.leave();
  });

  test("HUB-9 a newer producer of the same name takes its place, and the older is closed with 4009", async (t) => {
    const server = await testServer(t);
    const consumer = await HubUser.open(server, "/ws/video/consume");
    for (const path of ["/ws/video?source=cam", "/ws/video"]) {
      const older = await HubUser.open(server, path);
      const newer = await HubUser.open(server, path);
      assert.deepEqual(await older.closed, { code: 4009, reason: "Replaced by a newer producer" });
      newer.send(packet21(3, keyNal(1)));
      await newer.settled();
      await newer.leave();
    }
    assert.equal((await consumer.packets(2)).length, 2);
    await consumer.leave();
  });

  test("HUB-11 HUB-12 HUB-13 HUB-14 HUB-20 HUB-21 HUB-22 two layouts come in, H.264 goes out, and who comes late begins whole", async (t) => {
    const server = await testServer(t);
    const early = await HubUser.open(server, "/ws/video/consume");
    const raw = await HubUser.open(server, "/ws/video/consume?framing=packet");
    const producer = await HubUser.open(server, "/ws/video");
    const sent = [
      packet13(1, SPS),
      packet13(2, PPS),
      packet21(3, keyNal(1), { flags: 1 }),
      packet21(4, frameNal(2), { timestampUs: 2n ** 64n - 1n }),
    ];
    producer.send(...sent);
    assert.deepEqual(await early.packets(4), [SPS, Buffer.concat([SPS, PPS]), keyNal(1), frameNal(2)]);
    assert.deepEqual(await raw.packets(4), sent);
    const late = await HubUser.open(server, "/ws/video/consume");
    const whole = await HubUser.open(server, "/ws/video/consume?gop=1");
    producer.send(packet21(4, frameNal(3)));
    assert.deepEqual(await late.packets(2), [Buffer.concat([SPS, PPS]), frameNal(3)]);
    assert.deepEqual(await whole.packets(4), [Buffer.concat([SPS, PPS]), keyNal(1), frameNal(2), frameNal(3)]);
    for (const user of [early, raw, producer, late, whole]) await user.leave();
  });
});
