/**
 * How soon a photo becomes points on somebody else's screen: photos are sent one by one to a real server process, and
 * a second client waits until it holds the bytes of the points.
 *
 *     node benchmarks/photos.mjs [FOLDER OF PHOTOS] [--camera-params fx,fy,cx,cy]
 */
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CairnApi } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { dataset, machine, median, root } from "./support.mjs";

const folder = process.argv[2]?.startsWith("--") ? undefined : process.argv[2];
const photos = folder ?? join(dataset("fountain-P11"), "images");
const camera = process.argv.includes("--camera-params")
  ? process.argv[process.argv.indexOf("--camera-params") + 1]
  : undefined;
const names = (await readdir(photos)).filter((name) => /\.(jpe?g|png)$/i.test(name)).sort();

const dataDir = await mkdtemp(join(tmpdir(), "cairn-bench-"));
const server = spawn(
  process.execPath,
  [join(root, "packages/cli/bin/cairn.mjs"), "serve", "--port", "0", "--data", dataDir],
  {
    stdio: ["ignore", "pipe", "inherit"],
  },
);
const url = await new Promise((resolve) => {
  server.stdout.on("data", (data) => resolve(String(data).match(/http:\/\/\S+/)[0]));
});

const api = new CairnApi({ url });
await api.createSpace({ id: "bench" });
const viewer = connect({ url, space: "bench", creditBytes: 1 << 20 });
await viewer.ready();

/** Points that the viewer holds, bytes and all. */
async function heldPoints(state) {
  const segments = state.generations[state.generation]?.segments ?? [];
  await Promise.all(segments.map((segment) => viewer.blob(segment.blob)));
  return segments.reduce((sum, segment) => sum + segment.points, 0);
}

const rows = [];
let firstSentMs;
for (const [i, name] of names.entries()) {
  const bytes = await readFile(join(photos, name));
  const sentMs = performance.now();
  if (i === 1) firstSentMs = sentMs;
  const query = new URLSearchParams({ name, ...(camera && { camera }) });
  const answer = await api.call("POST", `/v1/spaces/bench/images?${query}`, {
    body: bytes,
    headers: { "content-type": "application/octet-stream" },
  });
  const { image } = await answer.json();
  const acceptedMs = performance.now();
  await viewer.waitFor((state) => state.images[image]?.verdict);
  const points = await heldPoints(viewer.state);
  rows.push({ name, acceptedMs: acceptedMs - sentMs, seenMs: performance.now() - sentMs, points });
}
const first = rows.find((row) => row.points > 0);
console.log(machine());
console.log("photo         accepted ms   on the 2nd client ms   points");
for (const row of rows) {
  console.log(
    `${row.name.padEnd(14)}${row.acceptedMs.toFixed(0).padStart(10)}${row.seenMs.toFixed(0).padStart(23)}${String(row.points).padStart(9)}`,
  );
}
const further = rows.slice(2).map((row) => row.seenMs);
console.log(
  `first points after photo ${rows.indexOf(first) + 1}: ${first?.seenMs.toFixed(0)} ms after it was sent (target 4000 after the 2nd)`,
);
console.log(
  `each further photo: median ${median(further).toFixed(0)} ms, most ${Math.max(...further).toFixed(0)} ms (target median 2500)`,
);

// A late joiner: from nothing to the same state and every point.
const joinMs = performance.now();
const late = connect({ url, space: "bench", creditBytes: 1 << 20 });
await late.ready();
const stateMs = performance.now() - joinMs;
await Promise.all(
  (late.state.generations[late.state.generation]?.segments ?? []).map((segment) => late.blob(segment.blob)),
);
console.log(
  `late joiner: state after ${stateMs.toFixed(0)} ms, all points after ${(performance.now() - joinMs).toFixed(0)} ms (target 2000)`,
);

viewer.close();
late.close();
server.kill("SIGTERM");
await new Promise((resolve) => server.once("exit", resolve));
await rm(dataDir, { recursive: true, force: true });
if (firstSentMs === undefined) process.exitCode = 1;
