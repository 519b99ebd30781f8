/** An emergency stop, by anyone, whatever else goes on. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DRONE, TestDevice } from "../test/controlled-space.ts";
import { flight, move, refused } from "../test/flight.ts";

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
