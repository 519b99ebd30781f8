/** Samples of motion sensors over the hub's sockets, and what time the server says it is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readAxes } from "@cairn/motion";
import { HubUser } from "../../test/hub-user.ts";
import { testServer } from "../../test/test-server.ts";

const SENSORS = '"accelerometer":{"x":1,"y":2.5,"z":-9.81},"gyroscope":{"x":0,"y":-0.25,"z":0.5}';
const imu = (timestamp: bigint | string) => `{"type":"imu_data","timestamp":${timestamp},${SENSORS}}`;
const START = 1_750_000_000_952_559_124n;

/** Timestamps as they stand in what a viewer was told, in order. */
const timesOf = ({ texts }: HubUser) =>
  texts.flatMap((text) => {
    const digits = /^\{"type":"imu_data","imu_data":\{"type":"imu_data","timestamp":(\d+),/.exec(text)?.[1];
    return digits === undefined ? [] : [BigInt(digits)];
  });
const samples = (user: HubUser, count: number) =>
  user.until((each) => (timesOf(each).length >= count ? timesOf(each) : undefined));

async function figures(server: {
  send(method: string, path: string): Promise<Response>;
}): Promise<(name: string) => number> {
  const text = await (await server.send("GET", "/metrics")).text();
  return (name) => Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
}

describe("motion sensors on the hub", () => {
  test("HUB-30 HUB-38 HUB-50 HUB-53 HUB-54 a sample reaches viewers with every digit, flat or nested, with its source", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone?source=drone");
    await viewer.settled();
    phone.send(
      imu(START),
      `{"type":"imu_data","timestamp":"${START + 1n}","imu_data":{${SENSORS}},"extra":[1]}`,
      `{"imu_data":{"more":1,${SENSORS}}, "timestamp" : ${START + 2n}, "type":"imu_data"}`,
    );
    assert.deepEqual(await samples(viewer, 3), [START, START + 1n, START + 2n]);
    const said = (timestamp: bigint) =>
      `{"type":"imu_data","imu_data":{"type":"imu_data","timestamp":${timestamp},${SENSORS},"source":"drone"},"source":"drone"}`;
    assert.deepEqual(
      viewer.texts.filter((text) => text.includes("imu_data")),
      [said(START), said(START + 1n), said(START + 2n)],
    );
    await Promise.all([viewer.leave(), phone.leave()]);
  });

  test("HUB-7 HUB-51 HUB-52 any order and duplicates leave sorted, once, each source for itself", async (t) => {
    const server = await testServer(t);
    const all = await HubUser.open(server, "/ws/viewer");
    const one = await HubUser.open(server, "/ws/viewer?source=b");
    await Promise.all([all.settled(), one.settled()]);
    const [a, b] = [await HubUser.open(server, "/ws/phone?source=a"), await HubUser.open(server, "/ws/video?source=b")];
    // What one socket sends before its close leaves in one flush or several; each ascends.
    for (const offset of [5n, 3n, 4n, 3n, 1n, 2n, 5n]) a.send(imu(START + offset));
    b.send(imu(START + 9n), imu(START + 1n));
    await Promise.all([samples(all, 7), samples(one, 2)]);
    assert.deepEqual(timesOf(one).sort(), [START + 1n, START + 9n]);
    assert.equal(new Set(timesOf(all)).size, 6, "five of a, one more of b");
    const figure = await figures(server);
    assert.equal(figure("imu_samples_total"), 7);
    assert.equal(figure("imu_duplicates_total"), 2);
    await Promise.all([all, one, a, b].map((user) => user.leave()));
  });

  test("HUB-55 HUB-97 a bad sample is refused with its cause and alone is lost", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone");
    await viewer.settled();
    phone.send(
      imu("1.5"),
      imu("-1"),
      imu(2n ** 63n),
      '{"type":"imu_data","timestamp":1}',
      '{"type":"imu_data","timestamp":1,"accelerometer":{"x":1e999,"y":0,"z":0},"gyroscope":{"x":0,"y":0,"z":0}}',
      imu(2n ** 63n - 1n),
      imu(0n),
    );
    const errors = (await phone.of("error", 5)).map(({ message }) => message);
    assert.deepEqual(errors, [
      "Invalid IMU data: timestamp is not a whole number",
      "Invalid IMU data: timestamp is not a whole number",
      "Invalid IMU data: timestamp is over 2^63 - 1",
      "Invalid IMU data: accelerometer is missing",
      "Invalid IMU data: accelerometer.x is not a finite number",
    ]);
    assert.deepEqual((await samples(viewer, 2)).sort(), [0n, 2n ** 63n - 1n]);
    phone.send('{"type":"imu_data","timestamp":NaN}');
    assert.equal((await phone.of("error", 6))[5]!.message, "Invalid message: expected a JSON object");
    await Promise.all([viewer.leave(), phone.leave()]);
  });

  test("HUB-57 axes are turned for both sensors", async (t) => {
    const server = await testServer(t, { imuAxes: readAxes("x,-z,y") });
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone");
    await viewer.settled();
    phone.send(imu(START));
    const [told] = await viewer.of("imu_data");
    const { accelerometer, gyroscope } = told!.imu_data as Record<string, unknown>;
    assert.deepEqual(accelerometer, { x: 1, y: 9.81, z: 2.5 });
    assert.deepEqual(gyroscope, { x: 0, y: -0.5, z: -0.25 });
    await Promise.all([viewer.leave(), phone.leave()]);
  });

  test("HUB-58 HUB-59 four thousand samples as fast as a socket takes them: none is lost, and the close brings the last", async (t) => {
    const server = await testServer(t);
    const viewer = await HubUser.open(server, "/ws/viewer");
    const phone = await HubUser.open(server, "/ws/phone?source=fast");
    await viewer.settled();
    const count = 4000;
    for (let k = 0; k < count; k++) phone.send(imu(START + BigInt(k) * 1_000_000n));
    await phone.leave();
    const times = await samples(viewer, count);
    assert.deepEqual(
      times,
      Array.from({ length: count }, (_, k) => START + BigInt(k) * 1_000_000n),
    );
    const figure = await figures(server);
    assert.deepEqual(["imu_samples_total", "imu_duplicates_total", "imu_late_total", "imu_dropped_total"].map(figure), [
      count,
      0,
      0,
      0,
    ]);
    await viewer.leave();
  });

  test("HUB-91 HUB-100 the time is told in ns, from one clock, and how the server knows", async (t) => {
    const server = await testServer(t);
    let last = 0n;
    for (const path of ["/api/time", "/hub/api/time", "/api/time"]) {
      const response = await server.send("GET", path);
      assert.equal(response.status, 200);
      const { timestamp_ns, ...rest } = (await response.json()) as Record<string, unknown>;
      assert.deepEqual(rest, { ntp_offset: 0, synced: false, server: null, last_sync: null });
      assert.match(String(timestamp_ns), /^\d{19}$/);
      const now = BigInt(String(timestamp_ns));
      assert.ok(
        now > last && Math.abs(Number(now / 1_000_000n) - Date.now()) < 60_000,
        "its clock is not set meanwhile",
      );
      last = now;
    }
    assert.equal((await figures(server))("ntp_offset_seconds"), 0);
  });
});
