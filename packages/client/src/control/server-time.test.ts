import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerTime } from "./server-time.ts";

const ns = (ms: number) => `${ms}000000`;

/** A device whose clocks a test moves. */
function device() {
  const clock = { wall: 5_000, steady: 70 };
  const time = new ServerTime({ wallMs: () => clock.wall, steadyMs: () => clock.steady });
  return {
    clock,
    time,
    passes(ms: number) {
      clock.wall += ms;
      clock.steady += ms;
    },
  };
}

test("CTL-20 a device knows when a command is too old: by the message that came fastest, however long others took", () => {
  const { time, passes } = device();
  time.heard(ns(1_000_000), 0);
  passes(100);
  assert.equal(time.passed(ns(1_000_101)), false);
  assert.equal(time.passed(ns(1_000_100)), true);
  passes(900);
  // Sent when it had 500 ms left, read 900 ms later.
  time.heard(ns(1_000_600), 500);
  assert.equal(time.passed(ns(1_000_600)), true);
  // One that came 5 ms faster than the first.
  time.heard(ns(1_002_005), 1000);
  assert.equal(time.passed(ns(1_001_005)), true);
  assert.equal(time.passed(ns(1_001_006)), false);
});

test("CTL-20 a device that slept takes nothing that was sent before; one whose clock was set asks anew", () => {
  const { clock, time, passes } = device();
  time.heard(ns(1_000_000), 0);
  clock.wall += 3_600_000; // it slept: the steady clock stood still
  time.heard(ns(1_001_000), 1000);
  assert.equal(time.passed(ns(1_001_000)), "in doubt");
  time.reset();
  time.heard(ns(4_600_000), 0);
  passes(10);
  assert.equal(time.passed(ns(4_600_500)), false);
  clock.wall -= 50_000; // set back: the steady clock still says when
  passes(490);
  assert.equal(time.passed(ns(4_600_500)), true);
});
