/**
 * A viewer at the end of 10 Mbit/s: what events wait for beside tiles, how soon one that joins late sees something and
 * all of it (against a dump of everything in the same codec), and what comes again after a break.
 *
 *   node benchmarks/shaped-link.mjs [--megabits 10] [--points 10000000] [--only events,join,resume] [--seconds 12]
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { shapedLink } from "./lib/shaped.mjs";

const { values } = parseArgs({
  options: {
    megabits: { type: "string", default: "10" },
    points: { type: "string", default: "10000000" },
    seconds: { type: "string", default: "12" },
    only: { type: "string", default: "events,join,resume" },
  },
});
const link = await shapedLink(Number(values.megabits));
const wanted = new Set(values.only.split(","));
const path = (name) => new URL(`lib/${name}.mjs`, import.meta.url);
const told = (child) =>
  new Promise((resolve, reject) => {
    const ended = () => reject(new Error("a process ended"));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
const ask = (child, message) => {
  const answer = told(child);
  child.send(message);
  return answer;
};

/** World→camera of someone at `from` who looks at `to`; z is up. */
function camera(from, to) {
  const unit = (v) => v.map((x) => x / Math.hypot(...v));
  const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
  const forward = unit(to.map((x, i) => x - from[i]));
  const right = unit(cross(forward, [0, 0, 1]));
  const down = cross(forward, right);
  const rows = [right, down, forward];
  const translation = rows.map((row) => -(row[0] * from[0] + row[1] * from[1] + row[2] * from[2]));
  return { pose: { rotation: quaternion(rows), translation }, fovY: 1.05, widthPx: 1920, heightPx: 1080 };
}

function quaternion([[a, b, c], [d, e, f], [g, h, i]]) {
  const w = Math.sqrt(Math.max(0, 1 + a + e + i)) / 2;
  const x = (Math.sqrt(Math.max(0, 1 + a - e - i)) / 2) * (h - f < 0 ? -1 : 1);
  const y = (Math.sqrt(Math.max(0, 1 - a + e - i)) / 2) * (c - g < 0 ? -1 : 1);
  const z = (Math.sqrt(Math.max(0, 1 - a - e + i)) / 2) * (d - b < 0 ? -1 : 1);
  return [w, x, y, z];
}

const VIEWS = {
  overview: camera([12, -14, 12], [12, 8, 1]),
  inside: camera([6, 5, 1.6], [20, 9, 1.5]),
  close: camera([12, 6, 1.6], [12, 9, 0.5]),
};

const server = link.near(path("shaped-server"));
const started = await ask(server, { start: { points: Number(values.points) }, host: link.host });
const url = `http://${await link.via(started.port)}`;
console.log(`${cpus()[0].model}, ${cpus().length} cores; ${values.megabits} Mbit/s (${link.how})`);
console.log(`${started.points} points in ${started.nodes} nodes, index ${(started.indexBytes / 1024).toFixed(0)} KiB`);
const viewer = () => link.far(path("shaped-client"));
const seconds = (ms) => (ms === undefined ? "never" : `${(ms / 1000).toFixed(2)} s`);

if (wanted.has("events")) {
  const ms = Number(values.seconds) * 1000;
  const flow = async (withEvents, tiles = true) => {
    const child = viewer();
    await ask(child, { flow: { url, ms, tiles } });
    const result = told(child);
    if (withEvents) await ask(server, { events: { ms: ms - 500 }, host: link.host });
    const { megabits, delays } = await result;
    child.kill();
    return { megabits, delays };
  };
  const alone = [];
  const beside = [];
  const events = (await flow(true, false)).delays;
  for (let i = 0; i < 2; i++) {
    alone.push((await flow(false)).megabits);
    beside.push(await flow(true));
  }
  const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
  const delays = beside.flatMap((each) => each.delays).toSorted((a, b) => a - b);
  const eventsAt = (part) => events[Math.min(events.length - 1, Math.floor(events.length * part))].toFixed(0);
  const at = (part) => delays[Math.min(delays.length - 1, Math.floor(delays.length * part))].toFixed(0);
  const [without, withEvents] = [mean(alone), mean(beside.map(({ megabits }) => megabits))];
  console.log(
    `\nevents beside tiles, 20/s: ${delays.length} events, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (alone: p50 ${eventsAt(0.5)}, p99 ${eventsAt(0.99)})`,
  );
  console.log(
    `tiles ${withEvents.toFixed(2)} Mbit/s; without events ${without.toFixed(2)}: ${((100 * withEvents) / without).toFixed(1)} %`,
  );
}

if (wanted.has("join")) {
  console.log(
    "\nlate join, 1920 × 1080        first points   100 k visible   99 % of pixels   99 % of points   points visible   MB",
  );
  const cells = ({ firstMs, manyMs, pixelsMs, allMs, total, bytes }) =>
    [
      seconds(firstMs).padStart(12),
      seconds(manyMs).padStart(15),
      seconds(pixelsMs).padStart(16),
      seconds(allMs).padStart(16),
      String(total).padStart(16),
      (bytes / 1e6).toFixed(1).padStart(6),
    ].join(" ");
  for (const [name, view] of Object.entries(VIEWS)) {
    const child = viewer();
    console.log(`${name.padEnd(28)} ${cells(await ask(child, { join: { url, camera: view } }))}`);
    child.kill();
  }
  const child = viewer();
  const dumped = await ask(child, { dump: { url, cameras: Object.values(VIEWS) } });
  child.kill();
  Object.keys(VIEWS).forEach((name, i) => {
    console.log(`${`dump of all, ${name}`.padEnd(28)} ${cells(dumped[i])}`);
  });
}

if (wanted.has("resume")) {
  const child = viewer();
  const { points } = await ask(child, { resume: { first: true, url } });
  const back = ask(child, { resume: { again: true, url, points } });
  const missed = await ask(server, { grown: { segments: 100, points: 5000 }, host: link.host });
  const { bytes } = await back;
  console.log(
    `\nresume after ${missed.segments} missed segments: ${bytes} bytes came of ${missed.bytes} missing, × ${(bytes / missed.bytes).toFixed(3)}`,
  );
  child.kill();
}
server.kill();
process.exit();
