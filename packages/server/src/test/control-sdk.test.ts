/** Both ends of steering by the SDK, against a real server. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  type DeviceCommand,
  type DeviceHandlers,
  holdDevice,
  SpaceConnection,
  serveDevice,
  stopDevices,
} from "@cairn/client";
import { CairnError } from "@cairn/protocol";
import { WebSocket } from "ws";
import { DRONE } from "./drone.ts";
import { type TestServer, testServer } from "./test-server.ts";

const QUICK = { firstMs: 2, maxMs: 20 };

/** A connection whose socket a test can cut. */
function connected(t: TestContext, server: TestServer) {
  const sockets: WebSocket[] = [];
  let barred = false;
  class Tracked extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(barred ? "ws://127.0.0.1:9" : url, protocols ?? []);
      sockets.push(this);
    }
  }
  const connection = new SpaceConnection({ url: server.url, space: "place", WebSocket: Tracked, backoff: QUICK });
  t.after(() => connection.close());
  return {
    connection,
    cut: () => sockets.at(-1)!.terminate(),
    /** No way to the server, until it is lifted. */
    bar(on: boolean) {
      barred = on;
      if (on) sockets.at(-1)!.terminate();
    },
  };
}

/** What a device did, in order; a test waits for a line. */
class Deeds implements DeviceHandlers {
  readonly done: string[] = [];
  hold = false;
  /** It was known to the server. */
  times = 0;
  #look: (() => void)[] = [];

  async command({ kind, command, signal }: DeviceCommand): Promise<string> {
    this.#note(`${kind} ${command}`);
    if (this.hold) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      this.#note(`${kind} ${command} broken off`);
    }
    return "as you say";
  }

  secure(what: string, kind: string): void {
    this.#note(`${what}: ${kind}`);
    if (what === "line") throw new Error("a device on its own has nobody to tell");
  }

  connected(): void {
    this.times++;
    this.#tell();
  }

  replaced(): void {
    this.#note("replaced");
  }

  until(line: string): Promise<void> {
    return this.#holds(() => this.done.includes(line));
  }

  /** Resolves when it came for the so manyth time. */
  came(times: number): Promise<void> {
    return this.#holds(() => this.times >= times);
  }

  #holds(found: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (found()) resolve();
      };
      this.#look.push(look);
      look();
    });
  }

  #note(line: string): void {
    this.done.push(line);
    this.#tell();
  }

  #tell(): void {
    for (const look of this.#look) look();
  }
}

async function flight(t: TestContext, lineMs = 600_000) {
  const server = await testServer(t);
  const drone = connected(t, server);
  // Else it begins without a line, and is on its own where that lasts.
  await drone.connection.ready();
  const deeds = new Deeds();
  const device = serveDevice(drone.connection, DRONE, deeds, { lineMs });
  t.after(() => device.close());
  const ann = connected(t, server);
  const there = (open: boolean) => ann.connection.waitFor(({ control }) => control?.devices.drone?.connected === open);
  await there(true);
  return { server, drone, deeds, device, ann, there };
}

describe("steering by the SDK", () => {
  test("CTL-9 CTL-19 taken, steered, acknowledged and let go; the other one is told who holds it", async (t) => {
    const { server, deeds, ann } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    const bob = connected(t, server);
    await bob.connection.ready();
    await assert.rejects(holdDevice(bob.connection, "drone", { holder: "Bob" }), (error) => {
      assert.ok(error instanceof CairnError && error.code === "control.held");
      return error.facts.holder === "Ann";
    });
    const first = await held.send("move", { x: 0.5 });
    assert.equal(await first.reached("settled"), "done");
    assert.equal(first.message, "as you say");
    await assert.rejects(held.send("move", { x: 5 }), { code: "control.bad_command" });
    const second = await held.send("hover");
    assert.equal(await second.reached("settled"), "done");
    await held.release();
    await deeds.until("safe: hover");
    assert.deepEqual(deeds.done, ["move 1", "hover 3", "safe: hover"]);
    assert.equal(held.lost.aborted, true);
    await assert.rejects(held.send("hover"), { code: "control.lease_ended" });
    await ann.connection.waitFor(({ control }) => control!.devices.drone!.owed === undefined);
  });

  test("CTL-3 CTL-19 heartbeats go by themselves; a holder who is cut off for longer loses the device and is told", async (t) => {
    const { deeds, ann, drone } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 500 });
    const lost = new Promise<CairnError>((resolve) => {
      held.lost.addEventListener("abort", () => resolve(held.lost.reason as CairnError), { once: true });
    });
    ann.bar(true);
    await assert.rejects(held.send("move", { x: 0 }), { code: "live.away" });
    await deeds.until("safe: hover");
    assert.equal((await lost).code, "control.lease_ended");
    ann.bar(false);
    await drone.connection.waitFor(({ control }) => control!.devices.drone!.lease === undefined);
    await ann.connection.waitFor(({ control }) => control!.devices.drone!.lease === undefined);
    assert.deepEqual(deeds.done, ["safe: hover"], "what found no line is not sent later");
  });

  test("CTL-19 a holder who closes the connection is told that what was on its way is lost", async (t) => {
    const { deeds, ann } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    deeds.hold = true;
    const going = await held.send("move", { x: 1 });
    await deeds.until("move 1");
    const outcome = going.reached("settled");
    ann.connection.close();
    assert.equal(await outcome, "lost");
    assert.equal(await going.reached("settled"), "lost");
    assert.equal((held.lost.reason as CairnError).code, "control.lease_ended");
  });

  test("CTL-11 CTL-20 a stop breaks off what goes on, from anyone; cleared, commands go again", async (t) => {
    const { server, deeds, ann } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    deeds.hold = true;
    const going = await held.send("move", { x: 1 });
    await deeds.until("move 1");
    const eve = connected(t, server);
    assert.equal((await stopDevices(eve.connection, { by: "Eve" })).stopped, 1);
    assert.equal(await going.reached("settled"), "failed");
    assert.equal(going.message, "stopped");
    assert.deepEqual(deeds.done, ["move 1", "stop: land", "move 1 broken off"]);
    await ann.connection.waitFor(({ control }) => control!.devices.drone!.stopped?.secured === true);
    await assert.rejects(held.send("move", { x: 1 }), { code: "control.stopped" });
    await held.clear();
    deeds.hold = false;
    assert.equal(await (await held.send("hover")).reached("settled"), "done");
  });

  test("CTL-20 a device whose line breaks comes back by itself and does nothing twice", async (t) => {
    const { deeds, ann, drone } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    assert.equal(await (await held.send("move", { x: 1 })).reached("settled"), "done");
    drone.cut();
    await deeds.came(2);
    assert.equal(await (await held.send("move", { x: 0 })).reached("settled"), "done");
    assert.deepEqual(deeds.done, ["move 1", "move 2"]);
  });

  test("CTL-20 a device that is without a line for long makes itself safe, and takes commands again when it is back", async (t) => {
    const { deeds, ann, drone } = await flight(t, 20);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    deeds.hold = true;
    const going = await held.send("move", { x: 1 });
    await deeds.until("move 1");
    drone.bar(true);
    await deeds.until("move 1 broken off");
    assert.deepEqual(deeds.done, ["move 1", "line: hover", "move 1 broken off"]);
    deeds.hold = false;
    drone.bar(false);
    await deeds.came(2);
    assert.equal(await going.reached("settled"), "failed", "said when there was a line again");
    assert.equal(await (await held.send("move", { x: 1 })).reached("settled"), "done");
  });

  test("CTL-19 CTL-20 a newer device of the same name takes over; the older one is told and stays away", async (t) => {
    const { server, deeds, ann } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 10_000 });
    const newer = connected(t, server);
    const others = new Deeds();
    const device = serveDevice(newer.connection, DRONE, others, { lineMs: 600_000 });
    t.after(() => device.close());
    await deeds.until("replaced");
    await others.came(1);
    assert.equal(await (await held.send("move", { x: 1 })).reached("settled"), "done");
    assert.deepEqual([deeds.done, others.done], [["replaced"], ["move 1"]]);
  });

  test("CTL-15 CTL-19 a server that starts anew: the lease is over, and both ends are told", async (t) => {
    const { server, deeds, ann } = await flight(t);
    const held = await holdDevice(ann.connection, "drone", { holder: "Ann", heartbeatMs: 1000 });
    const lost = new Promise<void>((resolve) => {
      held.lost.addEventListener("abort", () => resolve(), { once: true });
    });
    const closing = server.restart();
    await deeds.until("safe: hover");
    await lost;
    await closing;
  });
});
