import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClockEstimator } from "./estimator.ts";
import { ClockAsker, type Exchange } from "./exchange.ts";

const MS = 1_000_000;
type Random = () => number;

/** The same numbers for the same seed. */
function random(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A device's clock: `ours = theirs + offset`, drifting, rounded down to its step. */
class Device {
  readonly #offsetNs: bigint;
  readonly #driftPpm: number;
  readonly #stepNs: bigint;

  constructor(offsetNs: bigint, driftPpm: number, stepNs = 1n) {
    this.#offsetNs = offsetNs;
    this.#driftPpm = driftPpm;
    this.#stepNs = stepNs;
  }

  offsetAt(ourNs: bigint): bigint {
    return this.#offsetNs + BigInt(Math.round((Number(ourNs) * this.#driftPpm) / 1e6));
  }

  at(ourNs: bigint): bigint {
    const exact = ourNs - this.offsetAt(ourNs);
    return exact - (exact % this.#stepNs);
  }
}

function exchange(device: Device, atNs: bigint, thereNs: number, thinkNs: number, backNs: number): Exchange {
  const heard = atNs + BigInt(Math.round(thereNs));
  const answered = heard + BigInt(Math.round(thinkNs));
  return {
    askedNs: atNs,
    heardNs: device.at(heard),
    answeredNs: device.at(answered),
    receivedNs: answered + BigInt(Math.round(backNs)),
  };
}

const gap = (a: bigint, b: bigint) => (a > b ? a - b : b - a);

test("MOT-10 the bound holds whatever the link, the clock's pace and its resolution are, now and for times of the device", () => {
  const link = fc.record({
    seed: fc.nat(),
    offsetNs: fc.bigInt({ min: -(2n ** 61n), max: -(2n ** 40n) }),
    driftPpm: fc.double({ min: -150, max: 150, noNaN: true }),
    stepNs: fc.constantFrom(1n, 1000n, 100_000n, 1_000_000n),
    leastMs: fc.double({ min: 0, max: 40, noNaN: true }),
    thereMs: fc.double({ min: 0, max: 100, noNaN: true }),
    backMs: fc.double({ min: 0, max: 100, noNaN: true }),
    startNs: fc.bigInt({ min: 0n, max: 10n ** 15n }),
  });
  fc.assert(
    fc.property(link, ({ seed, offsetNs, driftPpm, stepNs, leastMs, thereMs, backMs, startNs }) => {
      const next = random(seed);
      const device = new Device(offsetNs, driftPpm, stepNs);
      const clock = new ClockEstimator();
      let atNs = startNs;
      for (let k = 0; k < 130; k++) {
        const [there, back] = [leastMs + thereMs * next() ** 2, leastMs + backMs * next()];
        const made = exchange(device, atNs, there * MS, next() * MS, back * MS);
        assert.ok(clock.add(made), "a steady clock is never taken for one that was set");
        const nowNs = made.receivedNs + BigInt(Math.floor(next() * 2000 * MS));
        const { offsetNs: told, uncertaintyNs } = clock.estimate(nowNs)!;
        assert.ok(gap(told, device.offsetAt(nowNs)) <= uncertaintyNs + 2n, `${k}: ${told} ${device.offsetAt(nowNs)}`);
        const then = clock.timeOf(device.at(nowNs))!;
        assert.ok(gap(then.timeNs, nowNs) <= then.uncertaintyNs + stepNs + 200n, `${k}`);
        atNs = made.receivedNs + BigInt(Math.floor((k < 8 ? 50 : 1000) * MS));
      }
    }),
    { seed: 1, numRuns: 60 },
  );
});

test("MOT-10 a link of a local network with 20 ms of jitter on one way: within 5 ms, with a bound that says so", () => {
  for (const [there, back] of [
    [20, 0],
    [0, 20],
    [20, 20],
  ] as const) {
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed);
      const device = new Device(-123_456_789_012_345n, 40);
      const clock = new ClockEstimator();
      let atNs = 0n;
      for (let k = 0; k < 40; k++) {
        const made = exchange(device, atNs, (0.3 + there * next()) * MS, 0.1 * MS, (0.3 + back * next()) * MS);
        clock.add(made);
        atNs += BigInt(1000 * MS);
      }
      const { offsetNs, uncertaintyNs, driftPpm, driftUncertaintyPpm } = clock.estimate(atNs)!;
      const error = gap(offsetNs, device.offsetAt(atNs));
      assert.ok(
        error <= uncertaintyNs && error < 5 * MS && uncertaintyNs < 10 * MS,
        `${there}:${back} ${seed} ${error}`,
      );
      assert.ok(Math.abs(driftPpm - 40) <= driftUncertaintyPpm && driftUncertaintyPpm <= 200);
    }
  }
});

test("MOT-11 drift is found, and the estimate follows it where nobody asks for a while", () => {
  const next = random(7);
  const device = new Device(0n, -80);
  const clock = new ClockEstimator();
  for (let k = 0; k < 60; k++) {
    clock.add(exchange(device, BigInt(k * 1000 * MS), (0.2 + next()) * MS, 0, (0.2 + next()) * MS));
  }
  const later = BigInt(180_000 * MS);
  const { offsetNs, uncertaintyNs, driftPpm, driftUncertaintyPpm, exchanges } = clock.estimate(later)!;
  assert.ok(Math.abs(driftPpm + 80) < 10 && driftUncertaintyPpm < 20, `${driftPpm} ± ${driftUncertaintyPpm}`);
  assert.ok(gap(offsetNs, device.offsetAt(later)) <= uncertaintyNs && uncertaintyNs < 4 * MS);
  assert.equal(exchanges, 60);
});

test("MOT-12 a clock that was set is noticed, and known anew from that exchange on", () => {
  const clock = new ClockEstimator();
  const [before, after] = [new Device(5_000_000_000n, 10), new Device(2_000_000_000n, 10)];
  for (let k = 0; k < 20; k++) assert.ok(clock.add(exchange(before, BigInt(k * 1000 * MS), MS, 0, MS)));
  const made = exchange(after, BigInt(20_000 * MS), MS, 0, MS);
  assert.equal(clock.add(made), false);
  assert.equal(clock.restarts, 1);
  const { offsetNs, uncertaintyNs, exchanges } = clock.estimate(made.receivedNs)!;
  assert.ok(gap(offsetNs, after.offsetAt(made.receivedNs)) <= uncertaintyNs && uncertaintyNs <= 1.1 * MS);
  assert.equal(exchanges, 1);
});

test("MOT-13 an answer counts once, only to a question that was asked, and only when it makes sense", () => {
  let now = 1000n;
  const asker = new ClockAsker(() => now++);
  const question = asker.ask();
  assert.deepEqual(question, { type: "clock", asked: "1000" });
  const answer = { ...question, heard: "77", answered: "78" };
  for (const bad of [
    { ...answer, asked: "999" },
    { ...answer, heard: 77 },
    { ...answer, heard: "-1" },
    { ...answer, answered: "NaN" },
    { ...answer, type: "time" },
    question,
  ]) {
    assert.equal(asker.hear(bad), undefined);
  }
  assert.equal(asker.hear({ ...answer, heard: "79" }), undefined, "answered before it was heard");
  const again = asker.ask();
  const exchanged = asker.hear({ ...answer, ...again })!;
  assert.deepEqual([exchanged.heardNs, exchanged.answeredNs], [77n, 78n]);
  assert.equal(asker.hear({ ...answer, ...again }), undefined, "twice");
  // Nobody answers: what is remembered is bounded, the newest stay.
  const many = Array.from({ length: 1000 }, () => asker.ask());
  assert.equal(asker.hear({ ...answer, ...many[0]! }), undefined);
  assert.ok(asker.hear({ ...answer, ...many.at(-1)! }));
});
