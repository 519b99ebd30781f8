/**
 * How well another clock is known over a link whose jitter is on one way: the estimator of `@cairn/motion` beside the
 * usual way (the exchange of the shortest round trip among the last 60, halved), on the same made-up exchanges.
 *
 *   node benchmarks/clock.mjs [--links 1000]
 */
import { parseArgs } from "node:util";
import { seededRandom } from "@cairn/geometry";
import { ClockEstimator } from "@cairn/motion";
import { machine } from "./support.mjs";

const { values } = parseArgs({ options: { links: { type: "string", default: "1000" } } });
const links = Number(values.links);
const MS = 1e6;
const FIRST = 8;
const EXCHANGES = 60;

console.log(
  `${machine()}; ${links} links each, 0.3 ms and jitter, clocks within 50 ppm, asked every 50 ms 8 times, then every second\n`,
);
console.log(
  "jitter there/back | error p50, p99, worst | told beyond the bound | median bound | shortest round trip: p50, p99, worst",
);
for (const [there, back] of [
  [20, 0],
  [0, 20],
  [20, 20],
]) {
  const [ours, usual, bounds] = [[], [], []];
  let beyond = 0;
  for (let seed = 1; seed <= links; seed++) {
    const random = seededRandom(seed);
    const driftPpm = 100 * random() - 50;
    const offsetNs = BigInt(Math.round((random() - 0.5) * 1e15));
    const offsetAt = (ns) => offsetNs + BigInt(Math.round((Number(ns) * driftPpm) / 1e6));
    const clock = new ClockEstimator();
    const window = [];
    let askedNs = 0n;
    for (let k = 0; k < EXCHANGES; k++) {
      const heardAt = askedNs + BigInt(Math.round((0.3 + there * random()) * MS));
      const answeredAt = heardAt + 100_000n;
      const receivedNs = answeredAt + BigInt(Math.round((0.3 + back * random()) * MS));
      const [heardNs, answeredNs] = [heardAt - offsetAt(heardAt), answeredAt - offsetAt(answeredAt)];
      clock.add({ askedNs, heardNs, answeredNs, receivedNs });
      window.push({ trip: receivedNs - askedNs, offsetNs: (askedNs - heardNs + receivedNs - answeredNs) / 2n });
      askedNs = receivedNs + BigInt((k < FIRST ? 50 : 1000) * MS);
      if (k < FIRST) continue;
      const truth = offsetAt(receivedNs);
      const told = clock.estimate(receivedNs);
      const error = Math.abs(Number(told.offsetNs - truth)) / MS;
      const bound = Number(told.uncertaintyNs) / MS;
      ours.push(error);
      bounds.push(bound);
      if (error > bound) beyond++;
      const best = window.reduce((least, each) => (each.trip < least.trip ? each : least));
      usual.push(Math.abs(Number(best.offsetNs - truth)) / MS);
    }
  }
  const at = (sorted, part) => `${sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))].toFixed(2)}`;
  const three = (list) => {
    const sorted = list.sort((a, b) => a - b);
    return `${at(sorted, 0.5)}, ${at(sorted, 0.99)}, ${at(sorted, 1)} ms`;
  };
  console.log(
    `${there}/${back} ms | ${three(ours)} | ${beyond} of ${ours.length} | ${at(
      bounds.sort((a, b) => a - b),
      0.5,
    )} ms | ${three(usual)}`,
  );
}
