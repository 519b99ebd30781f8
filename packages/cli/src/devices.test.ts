/** `cairn devices` and `cairn stop` against a real server and a device on its live socket, whose video says how its clock stands. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CairnApi, holdDevice, type ListedDevice, type SpaceConnection, serveDevice } from "@cairn/client";
import { connect } from "@cairn/client/node";
import type { DeviceDefinition } from "@cairn/protocol";
import { type RunningServer, startServer } from "@cairn/server";
import { WebSocket } from "ws";
import { workplace } from "./test/workplace.ts";

const { folder, cairn } = workplace();
const DRONE: DeviceDefinition = {
  device: "drone",
  kinds: { hover: { properties: {} } },
  safe: { kind: "hover" },
  ttlMs: 60_000,
};
/** The device's clock is so far behind. */
const BEHIND_NS = 5_000_000_000n;

describe("devices", () => {
  let server: RunningServer;
  let connection: SpaceConnection;
  let stopped: Promise<void>;
  let close: () => void;

  before(async () => {
    server = await startServer({ port: 0, dataDir: join(folder, "data"), logLevel: "error", openEngine: null });
    for (const id of ["yard", "bare"]) await new CairnApi({ url: server.url }).createSpace({ id });
    connection = connect({ url: server.url, space: "yard" });
    stopped = new Promise((resolve) => {
      const device = serveDevice(connection, DRONE, {
        command: () => {},
        secure: (what) => {
          if (what === "stop") resolve();
        },
      });
      close = () => device.close();
    });
    await connection.waitFor(({ control }) => control?.devices.drone?.connected === true);
  });
  after(async () => {
    close();
    connection.close();
    await server.close();
  });

  test("CTL-23 cairn devices lists who is there, who holds it and how its clock stands; of a space, or of all", async () => {
    const held = await holdDevice(connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    const camera = new WebSocket(`${server.url.replace("http", "ws")}/v1/video/drone?role=produce&space=yard&clock=1`);
    camera.on("message", (data: Buffer) => {
      const heard = String(BigInt(Date.now()) * 1_000_000n - BEHIND_NS);
      const message = JSON.parse(String(data)) as { type: string; asked: string };
      if (message.type === "clock") camera.send(JSON.stringify({ ...message, heard, answered: heard }));
    });
    await once(camera, "open");
    const list = async (...words: string[]) => {
      const { code, out, err } = await cairn(["devices", ...words, "--server", server.url, "--json"]);
      assert.deepEqual([code, err], [0, ""]);
      return (JSON.parse(String(out)) as { spaces: { space: string; devices: ListedDevice[] }[] }).spaces;
    };
    let [found] = await list();
    while (!found!.devices[0]!.clock) [found] = await list();
    assert.equal(found!.space, "yard");
    const { device, connected, lease, clock } = found!.devices[0]!;
    assert.deepEqual([device, connected, lease?.holder], ["drone", true, "Ann"]);
    const offBy = BigInt(clock!.offsetNs) - BEHIND_NS;
    // Dated in whole milliseconds.
    const within = BigInt(clock!.uncertaintyNs) + 2_000_000n;
    assert.ok(offBy <= within && -offBy <= within, `${clock!.offsetNs} ± ${clock!.uncertaintyNs}`);
    assert.deepEqual(await list("bare"), []);

    const { out } = await cairn(["devices", "yard", "--server", server.url]);
    assert.match(String(out), /^yard\n {2}drone {2}there since \d{4}-.*; held by Ann; clock \+\d+\.\d ms, within \d/);
    assert.equal(String((await cairn(["devices", "bare", "--server", server.url])).out), "no devices in bare\n");
    await held.release();
    camera.close();
  });

  test("CTL-23 cairn stop stops a device, or all, says so, and fails where there is none", async () => {
    const run = (...words: string[]) => cairn(["stop", ...words, "--server", server.url]);
    const one = await run("yard", "drone", "--by", "Eve");
    assert.deepEqual([one.code, String(one.out)], [0, "drone  stopped (stop 2)\n"]);
    await stopped;
    await connection.waitFor(({ control }) => control?.devices.drone?.stopped?.secured === true);
    assert.match(String((await cairn(["devices", "yard", "--server", server.url])).out), /; free; stopped by Eve[;\n]/);
    const all = await run("yard", "--json");
    assert.equal((JSON.parse(String(all.out)) as { stops: { device: string }[] }).stops[0]!.device, "drone");
    const none = await run("bare");
    assert.deepEqual([none.code, none.err], [1, "cairn: nothing was stopped: bare has no devices\n"]);
    assert.equal((await run("yard", "lamp")).code, 1);
  });
});
