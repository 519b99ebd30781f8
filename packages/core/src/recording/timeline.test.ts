/** The server's time of what a sender dates. Rules: docs/spec/recordings.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Timeline } from "./timeline.ts";

const MS = 1_000_000n;
const SECOND = 1000n * MS;
const START = 1_800_000_000n * SECOND;

test("RCD-2 distances are the sender's, exactly, however packets are delayed on their way", () => {
  const delays = fc.array(fc.nat({ max: 20_000 }), { minLength: 2, maxLength: 200 });
  fc.assert(
    fc.property(delays, fc.bigInt(0n, 2n ** 63n), (delaysMs, firstNs) => {
      const timeline = new Timeline();
      let arrivedNs = 0n;
      // The first may itself be late, by what is no sign of another clock.
      const lateMs = delaysMs.map((ms, i) => (i === 0 ? Math.min(ms, 900) : ms));
      const times = lateMs.map((ms, i) => {
        const sentNs = BigInt(i) * 33n * MS;
        const onTheWay = START + sentNs + BigInt(ms) * MS;
        if (onTheWay > arrivedNs) arrivedNs = onTheWay; // nothing overtakes on a socket
        return timeline.at(firstNs + sentNs, arrivedNs);
      });
      for (const [i, time] of times.entries()) assert.equal(time - times[0]!, BigInt(i) * 33n * MS);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test("RCD-2 a sender's clock that is set, either way, is told by when packets come; time never goes back by it", () => {
  for (const jump of [-3600n * SECOND, -40n * SECOND, 2n * SECOND, 3600n * SECOND, 2n ** 60n]) {
    const timeline = new Timeline();
    const at = (i: number, jumped: bigint) =>
      timeline.at(7200n * SECOND + BigInt(i) * 40n * MS + jumped, START + BigInt(i) * 40n * MS);
    const times = Array.from({ length: 200 }, (_, i) => at(i, i < 100 ? 0n : jump));
    for (const [i, time] of times.entries()) {
      assert.equal(time, START + BigInt(i) * 40n * MS, `jump by ${jump}, picture ${i}`);
    }
  }
});
