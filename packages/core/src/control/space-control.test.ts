/** Devices and who holds them: two operators, a lost holder, a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { controlledSpace, DRONE, TestDevice } from "../test/controlled-space.ts";
import { flight, move, refused } from "../test/flight.ts";

describe("who holds a device", () => {
  test("CTL-2 two operators: one holds it, the other is told who; each lease has a higher number and its own secret", async (t) => {
    const { place, ann } = await flight(t);
    const error = await refused(place.control.take("drone", { holder: "Bob" }), "control.held");
    assert.deepEqual(error.facts, { holder: "Ann", lease: ann.lease });
    await refused(place.control.send("drone", { lease: ann.lease, secret: "guess" }, move(1)), "control.not_holder");
    await place.control.release("drone", ann);
    const bob = await place.control.take("drone", { holder: "Bob" });
    assert.ok(bob.lease > ann.lease);
    assert.notEqual(bob.secret, ann.secret);
    await refused(place.control.send("drone", ann, move(1)), "control.lease_ended");
    await refused(place.control.release("drone", ann), "control.lease_ended");
    assert.equal(place.device().lease?.holder, "Bob");
    const text = JSON.stringify(await place.events());
    assert.ok(!text.includes(ann.secret) && !text.includes(bob.secret), "the log is read by everyone who watches");
  });

  test("CTL-2 of many who reach for it at once exactly one has it", async (t) => {
    const { place, ann } = await flight(t);
    await place.control.release("drone", ann);
    const wishes = Array.from({ length: 20 }, (_, n) => place.control.take("drone", { holder: `P${n}` }));
    const granted = (await Promise.allSettled(wishes)).filter(({ status }) => status === "fulfilled");
    assert.equal(granted.length, 1);
  });

  test("CTL-3 a lost holder: after three heartbeats without a sign the lease ends and the device is told to be safe", async (t) => {
    const { place, drone, ann } = await flight(t);
    for (let n = 0; n < 10; n++) {
      place.clock.pass(2900);
      await place.control.keep("drone", ann);
    }
    place.clock.pass(2900);
    await place.control.send("drone", ann, move(1)); // a new command is a sign
    place.clock.pass(2999);
    assert.deepEqual(drone.words, ["move 1"]);
    place.clock.pass(1);
    assert.deepEqual(drone.words, ["move 1", "safe"]);
    assert.deepEqual(drone.told.at(-1), {
      type: "control.order",
      device: "drone",
      order: 1,
      what: "safe",
      kind: "hover",
      data: {},
    });
    await refused(place.control.send("drone", ann, move(2)), "control.lease_ended");
    await refused(place.control.keep("drone", ann), "control.lease_ended");
    assert.ok((await place.journal()).includes("released expired"));
    assert.equal((await place.control.take("drone", { holder: "Bob" })).holder, "Bob");
  });

  test("CTL-3 a repeated command is no sign of its holder", async (t) => {
    const { place, drone, ann } = await flight(t);
    await place.control.send("drone", ann, move(1));
    for (let n = 0; n < 3; n++) {
      place.clock.pass(900);
      await place.control.send("drone", ann, move(1));
    }
    place.clock.pass(300);
    assert.deepEqual(drone.words, ["move 1", "safe"]);
  });

  test("CTL-3 a server that was held up longer than a lease lasts does as if its timers had run", async (t) => {
    const { place, drone, ann } = await flight(t);
    place.clock.stall(3000);
    await refused(place.control.send("drone", ann, move(1)), "control.lease_ended");
    assert.deepEqual(drone.words, ["safe"]);
  });

  test("CTL-3 CTL-8 to set the server's clock ends no lease and prolongs none; a command that it makes late is late", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    place.clock.jump(3_600_000);
    await place.control.keep("drone", ann);
    await place.control.send("drone", ann, move(1));
    place.clock.jump(-3_600_000);
    place.clock.pass(2999);
    assert.deepEqual(drone.words, ["move 1"]);
    place.clock.pass(1);
    assert.deepEqual(drone.words, ["move 1", "safe"]);

    const bob = await place.control.take("drone", { holder: "Bob" });
    // Four are on their way, the fifth waits; then the clock is set forward, and the device wakes.
    for (let n = 1; n <= 5; n++) await place.control.send("drone", bob, move(n));
    place.clock.jump(5000);
    for (let n = 1; n <= 4; n++) session.answer({ lease: bob.lease, command: n, outcome: "accepted" });
    assert.equal((await place.control.send("drone", bob, move(5))).state.outcome, "late");
    assert.equal(drone.words.includes("move 5"), false);
  });

  test("CTL-4 every end of a lease is an order to be safe, told again until the device has acknowledged it", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    await place.control.release("drone", ann);
    assert.deepEqual(drone.words, ["safe"]);
    session.end();
    const back = new TestDevice();
    const again = await place.control.connect(DRONE, back.link);
    assert.deepEqual(back.words, ["safe"]);
    assert.equal(place.device().owed, back.order);
    again.secured(back.order);
    again.end();
    const third = new TestDevice();
    await place.control.connect(DRONE, third.link);
    assert.deepEqual(third.words, []);
    await place.events();
    assert.equal(place.device().owed, undefined);
  });
});

describe("devices", () => {
  test("CTL-1 what a device says of itself holds together, or it is refused", async (t) => {
    const { control } = await controlledSpace(t);
    const { link } = new TestDevice();
    await refused(control.connect({ ...DRONE, safe: { kind: "sleep" } }, link), "request.invalid");
    await refused(control.connect({ ...DRONE, stop: { kind: "move", data: { x: 7 } } }, link), "request.invalid");
    const kinds = { ...DRONE.kinds, turn: { properties: {}, required: ["by"] } };
    await refused(control.connect({ ...DRONE, kinds }, link), "request.invalid");
  });

  test("CTL-1 CTL-5 names that every object has are names like others, but the one that has no room in it", async (t) => {
    const place = await controlledSpace(t);
    const { control } = place;
    const odd = new TestDevice();
    await refused(control.connect({ ...DRONE, device: "__proto__" }, odd.link), "request.invalid");
    await refused(control.stop("__proto__"), "control.device_missing");
    await refused(control.take("toString", { holder: "Ann" }), "control.device_missing");
    const session = await control.connect({ ...DRONE, device: "constructor" }, odd.link);
    const ann = await control.take("constructor", { holder: "Ann" });
    await refused(control.send("constructor", ann, { command: 1, kind: "valueOf" }), "control.bad_command");
    await control.send("constructor", ann, { ...move(1), kind: "move" });
    session.answer({ lease: ann.lease, command: 1, outcome: "done" });
    await place.events();
    assert.deepEqual(Object.keys(place.space.log.snapshot().state.control!.devices), ["constructor"]);
    assert.equal(place.device("constructor").commands[0]?.outcome, "done");
    await place.restart();
    await place.events();
    assert.equal(place.device("constructor").lease, undefined);
    assert.equal(({} as { lease?: unknown }).lease, undefined, "no other object was touched");
  });

  test("CTL-1 a definition is in the log once, and again when it is another", async (t) => {
    const { place, session } = await flight(t);
    session.end();
    await place.control.connect(DRONE, new TestDevice().link);
    await place.control.connect({ ...DRONE, ttlMs: 500 }, new TestDevice().link);
    const told = (await place.events()).flatMap(({ type, data }) =>
      type === "control.connected" ? ["definition" in data] : [],
    );
    assert.deepEqual(told, [true, false, true]);
    assert.equal(place.device().ttlMs, 500);
    assert.equal(place.device().lease?.holder, "Ann", "a lease outlives the device's line");
  });

  test("CTL-1 so many devices and no more: the one that is away longest makes room, one that is held or stopped does not", async (t) => {
    const place = await controlledSpace(t);
    const connect = async (device: string) =>
      place.control.connect({ ...DRONE, device }, new TestDevice().link).finally(() => place.clock.pass(1000));
    const sessions = [];
    for (let n = 0; n < 64; n++) sessions.push(await connect(`d${n}`));
    await refused(connect("one-more"), "control.too_many_devices");
    for (const n of [0, 1, 2]) sessions[n]!.end();
    await place.control.take("d0", { holder: "Ann", heartbeatMs: 10_000 });
    await place.control.stop("d1");
    await connect("one-more");
    await place.events();
    const { devices } = place.space.log.snapshot().state.control!;
    assert.deepEqual(
      ["d0", "d1", "d2", "one-more"].map((name) => name in devices),
      [true, true, false, true],
    );
    assert.equal(Object.keys(devices).length, 64);
  });
});

test("CTL-15 a server that stops lets go of every device first, and tells them to be safe", async (t) => {
  const { place, drone, ann } = await flight(t);
  await place.control.send("drone", ann, move(1));
  await place.control.close();
  assert.deepEqual(drone.words, ["move 1", "safe"]);
  assert.deepEqual((await place.journal()).slice(-2), ["answered lost", "released stopping"]);
  await refused(place.control.take("drone", { holder: "Bob" }), "server.stopping");
});

test("CTL-16 commands of older clients go on while nobody holds the device and no stop stands, and are in the log", async (t) => {
  const place = await controlledSpace(t);
  const { control } = place;
  const silent = new TestDevice();
  await control.connect({ ...DRONE, silent: true }, silent.link);
  control.relay("drone", "move", { x: 1 }, "hub viewer");
  const ann = await control.take("drone", { holder: "Ann" });
  assert.throws(() => control.relay("drone", "move", { x: 1 }), { code: "control.held" });
  assert.equal((await control.send("drone", ann, move(1))).state.outcome, "delivered");
  await control.release("drone", ann);
  await control.stop("drone");
  assert.throws(() => control.relay("drone", "move", { x: 1 }), { code: "control.stopped" });
  control.relay("nobody", "move", {});
  assert.deepEqual(silent.words, ["move 1", "safe", "stop"]);
  await place.events();
  assert.deepEqual([place.device().owed, place.device().stopped?.secured], [undefined, true]);
  const relayed = (await place.journal()).filter((line) => /relayed|refused/.test(line));
  assert.deepEqual(relayed, ["relayed", "refused control.held", "refused control.stopped", "relayed"]);
});
