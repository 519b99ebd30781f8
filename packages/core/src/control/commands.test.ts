/** Commands on their way to a device: in the log first, once, in time and in order; and those that are forged. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { DRONE, TestDevice } from "../test/controlled-space.ts";
import { flight, move, refused } from "../test/flight.ts";
import { WAITING } from "./command-line.ts";

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
