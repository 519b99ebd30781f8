/** Steering through the doors: the live socket and HTTP, with roles, broken lines and a server that is killed. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { CairnEvent, CommandState, DeviceState, LeaseGrant } from "@cairn/protocol";
import { ask, DRONE, Drone } from "./drone.ts";
import { eventually } from "./eventually.ts";
import { RawClient } from "./live-door.ts";
import { startProcess } from "./start-process.ts";
import { errorOf, type TestServer, testServer } from "./test-server.ts";

type At = { url: string };

const live = ({ url }: At) => `${url.replace("http", "ws")}/v1/spaces/place/live`;

async function post<T>({ url }: At, path: string, body: unknown = {}, token?: string): Promise<T> {
  const response = await fetch(`${url}/v1/spaces/place${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) return { code: (await errorOf(response)).code } as T;
  return (response.status === 204 ? {} : await response.json()) as T;
}

const take = (at: At, holder: string, heartbeatMs = 10_000) =>
  post<LeaseGrant & { code?: string }>(at, "/devices/drone/lease", { holder, heartbeatMs });

const send = (at: At, { lease, secret }: LeaseGrant, command: number, until = "sent") =>
  post<CommandState & { code?: string }>(at, "/devices/drone/commands", {
    lease,
    secret,
    command,
    kind: "move",
    data: { x: 0.5 },
    until,
  });

const logged = (server: TestServer, type: CairnEvent["type"]) => eventually(server.url, (event) => event.type === type);

describe("the doors of control", () => {
  test("CTL-22 /metrics says how many are there, held and stopped, what became of commands, and how long answers took", async (t) => {
    const server = await testServer(t);
    const figures = async () => {
      const text = await (await server.send("GET", "/metrics")).text();
      return (name: string) =>
        Number(new RegExp(`^cairn_control_${name.replace(/[{}]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1]);
    };
    let figure = await figures();
    assert.deepEqual(
      ["devices", "leases", "stops_total", 'commands_total{outcome="done"}', "latency_seconds_count"].map(figure),
      [0, 0, 0, 0, 0],
    );
    const drone = await Drone.come(live(server));
    const ann = await take(server, "Ann");
    await take(server, "Bob");
    for (const command of [1, 2]) {
      const sent = send(server, ann, command, "settled");
      await drone.hears(command);
      drone.says("accepted", ann.lease, command);
      drone.says(command === 1 ? "done" : "failed", ann.lease, command);
      await sent;
    }
    await send(server, { ...ann, secret: "guess" }, 3);
    figure = await figures();
    const found = [
      ["devices", 1],
      ["leases", 1],
      ["stopped_devices", 0],
      ["commands_sent_total", 2],
      ['commands_total{outcome="accepted"}', 2],
      ['commands_total{outcome="done"}', 1],
      ['commands_total{outcome="failed"}', 1],
      ['commands_total{outcome="lost"}', 0],
      ["commands_relayed_total", 0],
      ["refused_total", 2],
      ["stops_total", 0],
      ["latency_seconds_count", 2],
    ] as const;
    assert.deepEqual(
      found.map(([name]) => [name, figure(name)]),
      found,
    );
    assert.ok(figure("latency_seconds_sum") > 0 && figure("latency_seconds_sum") < 60);
    await post(server, "/devices/drone/stop", { by: "Eve" });
    await post(server, "/devices/drone/lease/release", { lease: ann.lease, secret: ann.secret });
    figure = await figures();
    assert.deepEqual(["stops_total", "stopped_devices", "leases"].map(figure), [1, 1, 0]);
  });

  test("CTL-2 CTL-9 CTL-18 by the live socket: taken, steered, acknowledged, let go; the other operator is told who", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const ann = await RawClient.open(live(server), {});
    const bob = await RawClient.open(live(server), {});
    const wish = { type: "control.take", id: "1", device: "drone", holder: "Ann" };
    const { result: lease } = await ask(ann, wish);
    assert.deepEqual(Object.keys(lease!).sort(), ["device", "heartbeatMs", "holder", "lease", "secret"]);
    assert.deepEqual((await ask(ann, wish)).result, lease, "the same message again is the same lease");
    assert.deepEqual(await ask(bob, { ...wish, holder: "Bob" }), {
      code: "control.held",
      facts: { holder: "Ann", lease: lease!.lease! },
    });
    const key = { device: "drone", lease: lease!.lease, secret: lease!.secret };
    const command = { type: "control.command", id: "2", ...key, command: 1, kind: "move", data: { x: 1 } };
    const settled = ask(ann, { ...command, until: "settled" });
    await drone.hears(1);
    drone.says("accepted", Number(key.lease), 1);
    drone.says("done", Number(key.lease), 1);
    assert.equal((await settled).result?.outcome, "done");
    assert.equal((await ask(ann, command)).result?.outcome, "done", "a replay");
    const keep = { type: "control.keep", id: "3", ...key };
    assert.ok(Number((await ask(ann, keep)).result?.remainingMs) > 0);
    assert.equal((await ask(ann, { type: "control.release", id: "4", ...key })).code, undefined);
    assert.deepEqual(await drone.hears(2), ["move 1", "safe"]);
    assert.equal((await ask(ann, { ...keep, id: "5" })).code, "control.lease_ended");
    const [hover] = drone.told.slice(-1);
    assert.ok(hover?.type === "control.order");
    drone.socket.send({ type: "control.secured", device: "drone", order: hover.order });
    await logged(server, "control.secured");
  });

  test("CTL-18 by HTTP: the same, with what there is in a list", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const ann = await take(server, "Ann");
    assert.equal((await take(server, "Bob")).code, "control.held");
    const sent = await send(server, ann, 1);
    assert.equal(sent.outcome, "sent");
    await drone.hears(1);
    drone.says("done", ann.lease, 1);
    assert.equal((await send(server, ann, 1, "settled")).outcome, "done");
    const { secret } = ann;
    const list = async () => {
      const response = await server.send("GET", "/v1/spaces/place/devices");
      return ((await response.json()) as { devices: DeviceState[] }).devices[0]!;
    };
    const listed = await list();
    assert.deepEqual([listed.device, listed.connected, listed.lease?.holder], ["drone", true, "Ann"]);
    assert.ok(!JSON.stringify(listed).includes(secret));
    const { stops } = await post<{ stops: { order: number }[] }>(server, "/devices/drone/stop", { by: "Eve" });
    assert.deepEqual(await drone.hears(2), ["move 1", "stop"]);
    assert.equal((await send(server, ann, 2)).code, "control.stopped");
    assert.equal((await list()).stopped?.by, "Eve");
    await post(server, "/devices/drone/clear", { lease: ann.lease, secret, order: stops[0]!.order });
    assert.equal((await send(server, ann, 2)).outcome, "sent");
    await post(server, "/devices/drone/lease/keep", { lease: ann.lease, secret });
    await post(server, "/devices/drone/lease/release", { lease: ann.lease, secret });
    assert.deepEqual(await drone.hears(4), ["move 1", "stop", "move 2", "safe"]);
    assert.equal((await post<{ stops: unknown[] }>(server, "/stop")).stops.length, 1);
    await drone.hears(5);
  });

  test("CTL-17 GEN-35 who may only watch may stop, and nothing else", async (t) => {
    const tokens = [
      { token: "viewer-viewer-viewer", role: "view" },
      { token: "giver-giver-giver", role: "contribute" },
      { token: "driver-driver-driver", role: "operate" },
    ] as const;
    const server = await testServer(t, { token: "admin-admin-admin", tokens });
    const [view, contribute, operate] = tokens.map(({ token }) => token) as [string, string, string];
    const drone = await Drone.come(live(server), DRONE, ["cairn.bearer", operate]);
    const wish = { holder: "Ann" };
    for (const token of [view, contribute]) {
      assert.equal(
        (await post<{ code: string }>(server, "/devices/drone/lease", wish, token)).code,
        "auth.forbidden",
        token,
      );
      const watcher = await RawClient.open(live(server), {}, { headers: { authorization: `Bearer ${token}` } });
      const message = { type: "control.take", id: "1", device: "drone", ...wish };
      assert.equal((await ask(watcher, message)).code, "auth.forbidden");
      assert.equal((await ask(watcher, { type: "control.connect", id: "2", ...DRONE })).code, "auth.forbidden");
      assert.equal((await ask(watcher, { type: "control.stop", id: "3", by: token })).result?.stopped, 1);
      watcher.ws.close();
    }
    await drone.hears(2);
    await post(server, "/devices/drone/stop", {}, view);
    await post(server, "/stop", {}, view);
    assert.deepEqual(await drone.hears(4), ["stop", "stop", "stop", "stop"]);
    assert.equal((await post<{ code: string }>(server, "/stop", {}, "nobody-nobody-nobody")).code, "auth.required");
    const ann = await post<LeaseGrant>(server, "/devices/drone/lease", wish, operate);
    assert.ok(ann.secret.length >= 43);
    const page = await fetch(`${server.url}/v1/spaces/place/events?limit=5000`, {
      headers: { authorization: `Bearer ${view}` },
    });
    const { events } = (await page.json()) as { events: CairnEvent[] };
    const refusals = events.flatMap(({ type, data }) => (type === "control.refused" ? [data] : []));
    assert.ok(refusals.length >= 4 && refusals.every((each) => "code" in each && each.code === "auth.forbidden"));
  });

  test("CTL-5 CTL-14 what is malformed is refused with a code, and is in the log", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const ann = await take(server, "Ann");
    const socket = await RawClient.open(live(server), {});
    const base = { type: "control.command", id: "1", device: "drone", lease: ann.lease, secret: ann.secret };
    for (const [n, wrong] of [
      { command: 0, kind: "move" },
      { command: 1.5, kind: "move" },
      { command: 1 },
      { command: 1, kind: "move", data: { x: [1] } },
      { command: 1, kind: "move", data: { x: 1 }, secret: 7 },
      { command: 1, kind: "move", data: { x: 1 }, device: "../drone" },
      { command: 1, kind: "move", data: { x: 1 }, ttlMs: -1 },
    ].entries()) {
      const message = { ...base, ...wrong, id: `w${n}` };
      assert.equal((await ask(socket, message)).code, "request.invalid", JSON.stringify(wrong));
    }
    // Whoever is not the device says nothing for it.
    socket.send({ type: "control.answer", device: "drone", lease: ann.lease, command: 1, outcome: "done" });
    assert.equal(
      (await ask(socket, { ...base, id: "x", type: "control.keep", secret: "guess" })).code,
      "control.not_holder",
    );
    for (const path of ["commands", "lease", "lease/keep", "lease/release", "clear"]) {
      const forged = await post<{ code: string }>(server, `/devices/drone/${path}`, { lease: 1, command: "1" });
      assert.equal(forged.code, "request.invalid", path);
    }
    assert.equal((await send(server, ann, 1)).outcome, "sent");
    assert.deepEqual(await drone.hears(1), ["move 1"]);
    const refusals = (await server.events()).flatMap((event) => (event.type === "control.refused" ? [event.data] : []));
    assert.deepEqual(
      refusals.map(({ what, code }) => `${what} ${code}`),
      [
        ...Array.from({ length: 7 }, () => "command request.invalid"),
        "answer control.device_missing",
        "keep control.not_holder",
        ...["command", "take", "keep", "release", "clear"].map((what) => `${what} request.invalid`),
      ],
    );
  });

  test("CTL-3 CTL-4 a holder whose line is cut is lost: the device is made safe, and the next one takes it", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const ann = await RawClient.open(live(server), {});
    const wish = { type: "control.take", id: "1", device: "drone", holder: "Ann", heartbeatMs: 200 };
    const { result } = await ask(ann, wish);
    ann.ws.terminate();
    assert.deepEqual(await drone.hears(1), ["safe"]);
    const released = await logged(server, "control.released");
    assert.ok(released.type === "control.released" && released.data.reason === "expired");
    assert.equal((await take(server, "Bob")).lease, Number(result!.lease) + 1);
  });

  test("CTL-8 the line of a device is cut: it is away at once, and nothing is kept for it", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const ann = await take(server, "Ann");
    drone.socket.ws.terminate();
    await logged(server, "control.disconnected");
    assert.equal((await send(server, ann, 1)).code, "control.device_away");
    const back = await Drone.come(live(server));
    assert.equal((await send(server, ann, 1)).outcome, "sent");
    assert.deepEqual(await back.hears(1), ["move 1"]);
  });

  test("CTL-11 CTL-18 a stop is heard from a socket that floods the door", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    const noisy = await RawClient.open(live(server), {});
    for (let n = 0; n < 3000; n++) noisy.send({ type: "ping" });
    assert.equal((await ask(noisy, { type: "control.stop", id: "now" })).result?.stopped, 1);
    assert.deepEqual(await drone.hears(1), ["stop"]);
    assert.ok(noisy.of("error").some(({ error }) => error.code === "request.rate_limited"));
  });

  test("CTL-1 CTL-18 the same device on a second socket replaces the first, on the same socket itself; one that leaves is away", async (t) => {
    const server = await testServer(t);
    const first = await Drone.come(live(server));
    await ask(first.socket, { type: "control.connect", id: "again", ...DRONE });
    const second = await Drone.come(live(server));
    assert.deepEqual(await first.hears(1), ["replaced"]);
    const ann = await take(server, "Ann");
    await send(server, ann, 1);
    assert.deepEqual(await second.hears(1), ["move 1"]);
    second.socket.send({ type: "control.leave", device: "drone" });
    await logged(server, "control.disconnected");
    assert.equal((await send(server, ann, 2)).code, "control.device_away");
  });

  test("CTL-15 a server that stops tells devices to be safe before it closes their sockets", async (t) => {
    const server = await testServer(t);
    const drone = await Drone.come(live(server));
    await take(server, "Ann");
    const heard = drone.hears(1);
    await server.restart();
    assert.deepEqual(await heard, ["safe"]);
    const events = await server.events();
    assert.ok(
      events.some(({ type, data }) => type === "control.released" && "reason" in data && data.reason === "stopping"),
    );
  });
});

test("CTL-7 CTL-15 kill -9 between a command and its answer: nothing is sent twice, and what became of it is said", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-control-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  let server = await startProcess(dataDir);
  t.after(() => server.child.kill("SIGKILL"));
  await fetch(`${server.url}/v1/spaces`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id: "place" }),
  });
  const drone = await Drone.come(live(server));
  const ann = await take(server, "Ann");
  for (const n of [1, 2]) assert.equal((await send(server, ann, n)).outcome, "sent");
  await drone.hears(2);
  drone.says("done", ann.lease, 1);
  assert.equal((await send(server, ann, 1, "settled")).outcome, "done");
  await eventually(server.url, ({ type }) => type === "control.answered");
  const ended = once(server.child, "exit");
  server.child.kill("SIGKILL");
  await ended;
  server = await startProcess(dataDir);
  const back = await Drone.come(live(server));
  assert.deepEqual(await back.hears(1), ["safe"], "its lease ended with the server");
  assert.equal((await send(server, ann, 1)).outcome, "done");
  assert.equal((await send(server, ann, 2)).outcome, "lost");
  assert.equal((await send(server, ann, 3)).code, "control.lease_ended");
  const bob = await take(server, "Bob");
  assert.equal((await send(server, bob, 1)).outcome, "sent");
  assert.deepEqual(await back.hears(2), ["safe", "move 1"]);
});
