/**
 * How soon a photo becomes dense points on somebody else's screen, and what a rebuild costs: photos are sent one by one
 * to a real server, as users run it, and a second client waits until it holds the bytes of that photo's points. Then
 * everything is rebuilt, and a rebuild with the preset `fine` is cancelled while it seeks depth.
 *
 *     node benchmarks/live-dense.mjs [FOLDER OF PHOTOS] [--preset balanced] [--photos N] [--camera-params fx,fy,cx,cy]
 *
 * Without a folder: fountain-P11 with its calibration.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CairnApi } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { dataset, machine, median, root } from "./support.mjs";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    preset: { type: "string", default: "balanced" },
    photos: { type: "string", default: "1000" },
    "camera-params": { type: "string" },
  },
});
const folder = positionals[0] ?? join(dataset("fountain-P11"), "images");
const camera = options["camera-params"] ?? (positionals[0] ? undefined : "1437.229,1440.117,792.29,524.80");
const names = (await readdir(folder))
  .filter((name) => /\.(jpe?g|png)$/i.test(name))
  .sort()
  .slice(0, Number(options.photos));

const dataDir = await mkdtemp(join(tmpdir(), "cairn-bench-"));
const server = spawn(
  process.execPath,
  [join(root, "packages/cli/bin/cairn.mjs"), "serve", "--port", "0", "--data", dataDir, "--preset", options.preset],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const url = await new Promise((resolve) => {
  server.stdout.on("data", (data) => resolve(String(data).match(/http:\/\/\S+/)[0]));
});

try {
  const api = new CairnApi({ url });
  // No rebuild while photos are timed; it is timed after them.
  await api.createSpace({ id: "bench", settings: { rebuildEvery: 1000, rebuildWhenIdle: false } });
  const viewer = connect({ url, space: "bench" });
  await viewer.ready();
  /** When the viewer held all the points that came with a photo, and how many these are. */
  const held = new Map();
  viewer.on("event", ({ type, data }) => {
    if (type !== "segments.added" || data.image === undefined) return;
    viewer.blob(data.blob).then(() => {
      const { points } = held.get(data.image) ?? { points: 0 };
      held.set(data.image, { points: points + data.points, atMs: performance.now() });
    });
  });

  console.log(`${machine()}, load ${loadavg()[0].toFixed(1)}, preset ${options.preset}`);
  console.log("photo         accepted ms   verdict ms   points on the 2nd client ms   points");
  const waits = [];
  /** Of the second to the fifth photo: the first photo alone has no depth. */
  const early = [];
  for (const [i, name] of names.entries()) {
    const bytes = await readFile(join(folder, name));
    const sentMs = performance.now();
    const query = new URLSearchParams({ name, ...(camera && { camera }) });
    const answer = await api.call("POST", `/v1/spaces/bench/images?${query}`, {
      body: bytes,
      headers: { "content-type": "application/octet-stream" },
    });
    const { image } = await answer.json();
    const acceptedMs = performance.now() - sentMs;
    let judgedMs = 0;
    await viewer.waitFor((state) => {
      if (!state.images[image]?.verdict) return false;
      judgedMs ||= performance.now() - sentMs;
      return Object.values(state.operations).every(({ endedNs }) => endedNs !== undefined);
    });
    // Its points are in the same append as its verdict: what is not on its way by now does not come.
    const { layers } = viewer.state;
    const comes = Object.values(layers).some(({ packs }) => packs.some((pack) => pack.image === image));
    while (comes && !held.has(image)) await new Promise((next) => setImmediate(next));
    const { points = 0, atMs } = held.get(image) ?? {};
    const seenMs = atMs === undefined ? undefined : atMs - sentMs;
    if (seenMs !== undefined && i >= 2) waits.push(seenMs);
    if (seenMs !== undefined && i >= 1 && i < 5) early.push(seenMs);
    console.log(
      `${name.padEnd(14)}${acceptedMs.toFixed(0).padStart(10)}${judgedMs.toFixed(0).padStart(13)}${(seenMs?.toFixed(0) ?? "–").padStart(30)}${String(points).padStart(9)}`,
    );
  }
  console.log(`upload to points, photos 2 to 5: median ${median(early).toFixed(0)} ms (target 2500)`);
  waits.sort((a, b) => a - b);
  const p95 = waits[Math.min(waits.length - 1, Math.floor(0.95 * waits.length))];
  console.log(
    `upload to points, from the third photo on: median ${median(waits).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms (target median 2500)`,
  );

  const ended = (operation) =>
    viewer
      .waitFor((state) => state.operations[operation]?.endedNs !== undefined)
      .then(() => viewer.state.operations[operation]);
  for (const what of ["rebuild of everything", "again, nothing new"]) {
    const startedMs = performance.now();
    const { operation } = await api.startOperation("bench", "rebuild");
    const { status, result } = await ended(operation);
    const wallMs = performance.now() - startedMs;
    console.log(
      `${what}: ${status}, ${(wallMs / 1000).toFixed(1)} s, ${result?.cameras} cameras, ${result?.points} points`,
    );
  }

  await api.configureSpace("bench", { preset: "fine" });
  const { operation } = await api.startOperation("bench", "rebuild");
  await viewer.waitFor((state) => state.operations[operation]?.progress?.stage === "depth");
  const cancelMs = performance.now();
  await api.cancelOperation("bench", operation);
  const { status } = await ended(operation);
  console.log(
    `cancel while seeking depth: ${status} after ${(performance.now() - cancelMs).toFixed(0)} ms (target 2000)`,
  );
  viewer.close();
} finally {
  server.kill("SIGTERM");
  await once(server, "exit");
  await rm(dataDir, { recursive: true, force: true });
}
