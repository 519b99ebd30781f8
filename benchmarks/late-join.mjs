/**
 * How long a newcomer takes to hold the same state as the server and every segment of the model, and what it costs to
 * tell many sockets the same news.
 *
 *   node benchmarks/late-join.mjs [--photos 500] [--segments 200] [--points 5000] [--joins 20] [--json]
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { connect } from "@cairn/client/node";
import { openCore } from "@cairn/core";
import { encodeSegment } from "@cairn/formats";
import { canonicalState } from "@cairn/protocol";
import { startServer } from "@cairn/server";

const { values } = parseArgs({
  options: {
    photos: { type: "string", default: "500" },
    segments: { type: "string", default: "200" },
    points: { type: "string", default: "5000" },
    joins: { type: "string", default: "20" },
    json: { type: "boolean", default: false },
  },
});
const [photos, segments, points, joins] = ["photos", "segments", "points", "joins"].map((name) => Number(values[name]));

const dataDir = mkdtempSync(join(tmpdir(), "cairn-bench-"));
await fill();
const server = await startServer({ port: 0, dataDir, openEngine: null, logLevel: "error" });
const runs = [];
for (let i = 0; i < joins; i++) runs.push(await join1(i % 2 === 0));
await server.close();
rmSync(dataDir, { recursive: true, force: true });

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const report = {};
for (const pushed of [true, false]) {
  const of = runs.filter((run) => run.pushed === pushed);
  report[pushed ? "pushed" : "fetched"] = {
    stateMs: median(of.map(({ stateMs }) => stateMs)),
    wholeMs: median(of.map(({ wholeMs }) => wholeMs)),
    slowestMs: Math.max(...of.map(({ wholeMs }) => wholeMs)),
    equal: of.every(({ equal }) => equal),
    mib: of[0].bytes / 2 ** 20,
  };
}
if (values.json) console.log(JSON.stringify({ photos, segments, points, ...report }));
else {
  console.log(`${photos} photos, ${segments} segments of ${points} points, ${joins} joins`);
  console.log("blobs    state ms (median)  with all segments ms (median / slowest)  MiB   state equal");
  for (const [name, { stateMs, wholeMs, slowestMs, mib, equal }] of Object.entries(report)) {
    const cells = [stateMs.toFixed(0), `${wholeMs.toFixed(0)} / ${slowestMs.toFixed(0)}`, mib.toFixed(1), equal];
    console.log([name.padEnd(8), ...cells].join("\t"));
  }
}

/** A space as a long session leaves it. */
async function fill() {
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "bench" });
  await space.log.append([{ type: "generation.started", data: { generation: 1 } }]);
  const intrinsics = { model: "PINHOLE", width: 1600, height: 1200, params: [1200, 1200, 800, 600] };
  const pose = { rotation: [1, 0, 0, 0], translation: [0.5, 1.25, -3.75] };
  for (let i = 0; i < photos; i++) {
    const image = randomUUID();
    const blob = createHash("sha256").update(image).digest("hex");
    const facts = { mediaType: "image/jpeg", sizeBytes: 1, width: 1600, height: 1200, orientation: 1, source: "http" };
    await space.log.append([
      { type: "image.added", data: { image, blob, name: `${i}.jpg`, ...facts } },
      { type: "image.judged", data: { image, verdict: "registered", reprojectionPx: 0.5, matches: 800 } },
      { type: "camera.posed", data: { generation: 1, image, pose, intrinsics, reprojectionPx: 0.5 } },
    ]);
  }
  const positions = new Float32Array(points * 3);
  const colors = new Uint8Array(points * 3);
  for (let i = 0; i < segments; i++) {
    for (let k = 0; k < positions.length; k++) positions[k] = Math.random() * 10;
    const { digest, sizeBytes } = await core.blobs.put(encodeSegment(positions, colors));
    const box = { min: [0, 0, 0], max: [10, 10, 10] };
    await space.log.append([
      { type: "segment.added", data: { generation: 1, segment: i, points, blob: digest, sizeBytes, ...box } },
    ]);
  }
  const cameras = photos;
  await space.log.append([
    { type: "generation.published", data: { generation: 1, cameras, points: points * segments, refined: 0 } },
  ]);
  await core.close();
}

/** One newcomer: until its state is the server's, then until it holds every segment. */
async function join1(pushed) {
  const startMs = performance.now();
  const connection = connect({ url: server.url, space: "bench", ...(pushed ? {} : { creditBytes: 0 }) });
  await connection.ready();
  const stateMs = performance.now() - startMs;
  const { generations, generation } = connection.state;
  let bytes = 0;
  let next = 0;
  const list = generations[generation].segments;
  const worker = async () => {
    while (next < list.length) {
      const { length } = await connection.blob(list[next++].blob);
      bytes += length;
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  const wholeMs = performance.now() - startMs;
  const mine = canonicalState(connection.state);
  const equal = mine === canonicalState((await connection.api.snapshot("bench")).state);
  connection.close();
  return { pushed, stateMs, wholeMs, bytes, equal };
}
