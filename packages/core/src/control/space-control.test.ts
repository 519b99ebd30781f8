/** Two operators, a lost holder, replays, forgeries, late commands and stops, by a clock that the test moves. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { CairnError, type ErrorCode, type LeaseGrant } from "@cairn/protocol";
import { type ControlledSpace, controlledSpace, DRONE, TestDevice } from "../test/controlled-space.ts";
import { WAITING } from "./command-line.ts";
import type { DeviceSession } from "./space-control.ts";

type Flight = { place: ControlledSpace; drone: TestDevice; session: DeviceSession; ann: LeaseGrant };

/** A drone that is connected, and Ann who holds it. */
async function flight(t: TestContext): Promise<Flight> {
  const place = await controlledSpace(t);
  const drone = new TestDevice();
  const session = await place.control.connect(DRONE, drone.link);
  const ann = await place.control.take("drone", { holder: "Ann" });
  return { place, drone, session, ann };
}

const move = (command: number, x = 0.5) => ({ command, kind: "move", data: { x } });

async function refused(work: Promise<unknown>, code: ErrorCode): Promise<CairnError> {
  const error = await work.then(
    () => assert.fail(`${code} was expected`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof CairnError, String(error));
  assert.equal(error.code, code);
  return error;
}

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

describe("commands", () => {
  test("CTL-6 a command is in the log before it goes out; what the disk refuses goes nowhere and may be tried again", async (t) => {
    const { place, drone, ann } = await flight(t);
    place.hold();
    const sent = place.control.send("drone", ann, move(1));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(drone.words, []);
    place.letGo();
    assert.equal((await sent).state.outcome, "sent");
    assert.deepEqual(drone.words, ["move 1"]);
    place.failing = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    await refused(place.control.send("drone", ann, move(2)), "store.full");
    assert.deepEqual(drone.words, ["move 1"]);
    place.failing = undefined;
    await place.control.send("drone", ann, move(2));
    assert.deepEqual(drone.words, ["move 1", "move 2"]);
  });

  test("CTL-7 a replay gets what became of the first one and goes nowhere; numbers rise", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    const both = await Promise.all([
      place.control.send("drone", ann, move(5)),
      place.control.send("drone", ann, move(5)),
    ]);
    assert.deepEqual(both[0].state, both[1].state);
    session.answer({ lease: ann.lease, command: 5, outcome: "done", message: "there" });
    const again = await place.control.send("drone", ann, move(5));
    assert.equal(again.state.outcome, "done");
    assert.equal(again.state.message, "there");
    const other = await refused(place.control.send("drone", ann, move(5, 0.9)), "request.invalid");
    assert.equal(other.facts.field, "/command");
    await refused(place.control.send("drone", ann, move(4)), "control.replayed");
    assert.deepEqual(drone.words, ["move 5"]);
  });

  test("CTL-7 CTL-15 a replay after a restart: the outcome is known from the log, and nothing is sent twice", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    await place.control.send("drone", ann, move(1));
    session.answer({ lease: ann.lease, command: 1, outcome: "done" });
    await place.control.send("drone", ann, move(2));
    await place.events();
    await place.restart();
    const back = new TestDevice();
    await place.control.connect(DRONE, back.link);
    assert.deepEqual(back.words, ["safe"], "its lease ended with the server");
    assert.equal((await place.control.send("drone", ann, move(1))).state.outcome, "done");
    const unknown = await place.control.send("drone", ann, move(2));
    assert.equal(unknown.state.outcome, "lost", "nobody knows whether it was carried out");
    await unknown.reached("settled");
    await refused(place.control.send("drone", ann, move(2, 0.9)), "control.lease_ended");
    await refused(place.control.send("drone", ann, move(3)), "control.lease_ended");
    const bob = await place.control.take("drone", { holder: "Bob" });
    assert.ok(bob.lease > ann.lease);
    assert.deepEqual(back.words, ["safe"]);
    assert.deepEqual(drone.words, ["move 1", "move 2"]);
    const journal = await place.journal();
    assert.ok(journal.includes("released restarted") && journal.includes("answered lost"), journal.join());
    assert.deepEqual(place.errors, []);
  });

  test("CTL-8 the device is asleep: what waits behind what it does not accept is late and never goes out", async (t) => {
    const { place, drone, ann } = await flight(t);
    const sent = [];
    for (let n = 1; n <= 6; n++) sent.push(await place.control.send("drone", ann, move(n)));
    assert.deepEqual(drone.words, ["move 1", "move 2", "move 3", "move 4"]);
    place.clock.pass(999);
    assert.deepEqual(
      sent.map(({ state }) => state.outcome),
      Array.from({ length: 6 }, () => "sent"),
    );
    place.clock.pass(1);
    await Promise.all(sent.map((each) => each.reached("settled")));
    assert.deepEqual(
      sent.map(({ state }) => state.outcome),
      ["timed_out", "timed_out", "timed_out", "timed_out", "late", "late"],
    );
    assert.equal(drone.words.length, 4);
    const [first] = drone.told;
    assert.ok(first?.type === "control.command");
    assert.equal(BigInt(first.expiresNs), place.clock.nowNs());
    assert.equal(first.remainingMs, 1000);
  });

  test("CTL-8 a disk that takes longer than a command may live makes it late", async (t) => {
    const { place, drone, ann } = await flight(t);
    place.hold();
    const sent = place.control.send("drone", ann, { ...move(1), ttlMs: 100 });
    place.clock.pass(101);
    place.letGo();
    assert.equal((await sent).state.outcome, "late");
    assert.deepEqual(drone.words, []);
  });

  test("CTL-8 nothing is kept for a device that is away", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    for (let n = 1; n <= 5; n++) await place.control.send("drone", ann, move(n));
    session.end();
    await refused(place.control.send("drone", ann, move(6)), "control.device_away");
    const back = new TestDevice();
    const again = await place.control.connect(DRONE, back.link);
    assert.deepEqual(back.words, []);
    // What it had got before its line broke, it may still answer.
    again.answer({ lease: ann.lease, command: 1, outcome: "done" });
    await place.events();
    assert.deepEqual(
      place.device().commands.map(({ outcome }) => outcome),
      ["done", "sent", "sent", "sent", "dropped"],
    );
    assert.equal(drone.words.length, 4);
  });

  test("CTL-9 the device acknowledges each: accepted, then done or failed; silence is timed out; the first end counts", async (t) => {
    const { place, session, ann } = await flight(t);
    const [done, failed, silent, endless] = [
      await place.control.send("drone", ann, move(1)),
      await place.control.send("drone", ann, move(2)),
      await place.control.send("drone", ann, move(3)),
      await place.control.send("drone", ann, move(4)),
    ];
    for (const command of [1, 2, 4]) session.answer({ lease: ann.lease, command, outcome: "accepted" });
    await done!.reached("accepted");
    session.answer({ lease: ann.lease, command: 1, outcome: "done" });
    session.answer({ lease: ann.lease, command: 1, outcome: "failed" });
    session.answer({ lease: ann.lease, command: 2, outcome: "failed", message: "too windy" });
    session.answer({ lease: 99, command: 2, outcome: "done" });
    place.clock.pass(1000);
    await silent!.reached("settled");
    assert.deepEqual([silent!.state.outcome, endless!.state.outcome], ["timed_out", "accepted"]);
    session.answer({ lease: ann.lease, command: 3, outcome: "done" });
    place.clock.pass(4000);
    await endless!.reached("settled");
    await place.events();
    assert.deepEqual(
      place.device().commands.map(({ outcome, message }) => message ?? outcome),
      ["done", "too windy", "timed_out", "timed_out"],
    );
    assert.equal(failed!.state.outcome, "failed");
    assert.equal((await place.journal()).filter((line) => line.startsWith("answered")).length, 7);
  });

  test("CTL-10 commands go out in order, as many at a time as the device takes; more than fit are refused", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    for (let n = 1; n <= 4 + WAITING; n++) await place.control.send("drone", ann, move(n));
    await refused(place.control.send("drone", ann, move(100)), "control.too_many_commands");
    assert.equal(drone.words.length, 4);
    for (let n = 1; n <= 4 + WAITING; n++) session.answer({ lease: ann.lease, command: n, outcome: "accepted" });
    assert.deepEqual(
      drone.words,
      Array.from({ length: 4 + WAITING }, (_, n) => `move ${n + 1}`),
    );
  });

  test("CTL-10 a flood of commands is bounded by rate", async (t) => {
    const { place, session, ann } = await flight(t);
    let taken = 0;
    for (let n = 1; n <= 200; n++) {
      const sent = await place.control.send("drone", ann, move(n)).catch((error: unknown) => error);
      if (sent instanceof CairnError) assert.equal(sent.code, "control.too_many_commands");
      else {
        taken++;
        session.answer({ lease: ann.lease, command: n, outcome: "done" });
      }
    }
    assert.equal(taken, 100);
  });
});

describe("forgeries", () => {
  test("CTL-5 CTL-14 a forged command is refused with a code, goes nowhere, and is in the log", async (t) => {
    const { place, drone, ann } = await flight(t);
    const { control } = place;
    const key = { lease: ann.lease, secret: ann.secret };
    await refused(control.send("drone", { ...key, secret: `${ann.secret}x` }, move(1)), "control.not_holder");
    await refused(control.send("drone", { ...key, lease: ann.lease + 1 }, move(1)), "control.not_holder");
    await refused(control.send("plane", key, move(1)), "control.device_missing");
    await refused(control.send("drone", key, { command: 1, kind: "explode" }), "control.bad_command");
    await refused(control.send("drone", key, { command: 1, kind: "toString" }), "control.bad_command");
    for (const [data, problem] of [
      [{}, "x is missing"],
      [{ x: 2 }, "x is not within -1 and 1"],
      [{ x: Number.NaN }, "x is not a finite number"],
      [{ x: "1" }, "x is not a finite number"],
      [{ x: 0, how: "sideways" }, "how is none of slow, fast"],
      [{ x: 0, z: 1 }, "z is not a member of it"],
    ] as const) {
      const error = await refused(
        control.send("drone", key, { command: 1, kind: "move", data }),
        "control.bad_command",
      );
      assert.equal(error.facts.problem, problem);
    }
    assert.deepEqual(drone.words, []);
    const refusals = (await place.events()).filter(({ type }) => type === "control.refused");
    assert.equal(refusals.length, 11);
    assert.deepEqual(refusals[0]?.data, {
      what: "command",
      lease: ann.lease,
      command: 1,
      device: "drone",
      code: "control.not_holder",
    });
    await control.send("drone", key, move(1));
    assert.deepEqual(drone.words, ["move 1"], "what was refused used up no number");
  });

  test("CTL-14 a flood of forgeries is a few lines in the log that say how many there were", async (t) => {
    const { place, ann } = await flight(t);
    const forged = { lease: ann.lease, secret: "guess" };
    for (let n = 1; n <= 1000; n++) await refused(place.control.send("drone", forged, move(n)), "control.not_holder");
    place.clock.pass(60_000);
    const refusals = (await place.events()).flatMap((event) => (event.type === "control.refused" ? [event.data] : []));
    assert.ok(refusals.length <= 25, `${refusals.length} lines`);
    assert.equal(
      refusals.reduce((sum, { more = 0 }) => sum + 1 + more, 0),
      1000,
    );
  });

  test("CTL-1 CTL-14 the connection that was replaced says nothing for the device any more", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    await place.control.send("drone", ann, move(1));
    const newer = new TestDevice();
    await place.control.connect(DRONE, newer.link);
    assert.equal(drone.gone, 1);
    const answer = { lease: ann.lease, command: 1, outcome: "done" } as const;
    assert.throws(() => session.answer(answer), { code: "control.replaced" });
    assert.throws(() => session.secured(1), { code: "control.replaced" });
    session.end();
    await place.control.send("drone", ann, move(2));
    assert.deepEqual(newer.words, ["move 2"]);
    assert.equal(place.device().connected, true);
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

describe("stop", () => {
  test("CTL-11 anyone stops a device during a queue: it hears that first, and nothing of what waited", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    const sent = [];
    for (let n = 1; n <= 8; n++) sent.push(await place.control.send("drone", ann, move(n)));
    place.hold();
    const coming = place.control.send("drone", ann, move(9));
    const stopping = place.control.stop("drone", "a passer-by");
    assert.deepEqual(drone.words, ["move 1", "move 2", "move 3", "move 4", "stop"], "before the disk has it");
    place.letGo();
    assert.deepEqual(await stopping, [{ device: "drone", order: drone.order }]);
    assert.equal((await coming).state.outcome, "dropped");
    for (let n = 1; n <= 4; n++) session.answer({ lease: ann.lease, command: n, outcome: "done" });
    assert.equal(drone.words.length, 5);
    const error = await refused(place.control.send("drone", ann, move(10)), "control.stopped");
    assert.deepEqual(error.facts, { order: drone.order, by: "a passer-by" });
    await place.events();
    assert.deepEqual(
      sent.map(({ state }) => state.outcome),
      ["done", "done", "done", "done", "dropped", "dropped", "dropped", "dropped"],
    );
    assert.deepEqual(place.device().lease?.holder, "Ann", "the lease stays whose it is");
  });

  test("CTL-12 only who holds the device clears a stop, and only the one they mean", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    await refused(place.control.clear("drone", ann, 1), "control.not_stopped");
    const [first] = await place.control.stop("drone", "Bob");
    const [second] = await place.control.stop("drone", "Eve");
    assert.ok(second!.order > first!.order);
    await refused(place.control.clear("drone", { ...ann, secret: "guess" }, second!.order), "control.not_holder");
    const error = await refused(place.control.clear("drone", ann, first!.order), "control.stopped");
    assert.equal(error.facts.order, second!.order);
    session.secured(second!.order);
    await place.control.clear("drone", ann, second!.order);
    await place.control.send("drone", ann, move(1));
    assert.deepEqual(drone.words, ["stop", "stop", "move 1"]);
    assert.equal(place.device().stopped, undefined);
  });

  test("CTL-11 CTL-12 a stop while the holder clears the one before stands", async (t) => {
    const { place, ann } = await flight(t);
    const [first] = await place.control.stop("drone");
    place.hold();
    const clearing = place.control.clear("drone", ann, first!.order);
    const stopping = place.control.stop("drone", "Eve");
    place.letGo();
    await refused(clearing, "control.stopped");
    await stopping;
    await refused(place.control.send("drone", ann, move(1)), "control.stopped");
    await place.events();
    assert.equal(place.device().stopped?.by, "Eve");
  });

  test("CTL-4 CTL-11 a stop stands over the end of a lease, over a device's coming back and over a restart", async (t) => {
    const { place, drone, session, ann } = await flight(t);
    session.end();
    await place.control.stop();
    await place.control.release("drone", ann);
    assert.deepEqual(drone.words, []);
    await place.restart();
    const back = new TestDevice();
    const again = await place.control.connect(DRONE, back.link);
    assert.deepEqual(back.words, ["stop"]);
    again.secured(back.order);
    const bob = await place.control.take("drone", { holder: "Bob" });
    await refused(place.control.send("drone", bob, move(1)), "control.stopped");
    await place.control.clear("drone", bob, back.order);
    await place.control.send("drone", bob, move(1));
    assert.deepEqual(back.words, ["stop", "move 1"]);
  });

  test("CTL-13 a full disk keeps no stop and no order to be safe from a device", async (t) => {
    const { place, drone, ann } = await flight(t);
    place.failing = Object.assign(new Error("no space left"), { code: "ENOSPC" });
    place.clock.pass(3000);
    await place.control.stop("drone");
    assert.deepEqual(drone.words, ["safe", "stop"]);
    place.failing = undefined;
    await refused(place.control.send("drone", ann, move(1)), "control.lease_ended");
    assert.equal((await refused(place.control.take("plane", { holder: "Bob" }), "control.device_missing")).status, 404);
    await place.events();
    assert.ok(place.errors.length > 0, "whoever runs the server is told");
  });

  test("CTL-13 a flood of stops is one that stands and a few lines in the log", async (t) => {
    const { place, drone } = await flight(t);
    for (let n = 0; n < 500; n++) await place.control.stop("drone");
    const stops = (await place.journal()).filter((line) => line === "stopped");
    assert.ok(stops.length <= 12, `${stops.length} lines`);
    assert.equal(drone.words.length, stops.length);
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
