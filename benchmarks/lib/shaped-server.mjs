/** The server's end of `shaped-link.mjs`: a hall of many points as one layer, events on demand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodePack, encodeSegment, Octree, planGrid } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { openCore } from "@cairn/core";
import { startServer } from "@cairn/server";
import { HALL, hallPhoto } from "./point-sources.mjs";

const dataDir = mkdtempSync(join(tmpdir(), "cairn-bench-"));
process.on("exit", () => rmSync(dataDir, { recursive: true, force: true }));
const PACK = 500_000;
const SPACE = "bench";

const grid = planGrid([0, 0, 0], [HALL.width, HALL.depth, HALL.height], 0.002);
const tree = new Octree(grid);
let pack = 0;
let made = 0;
let server;

async function grow(core, space, count) {
  const { root, segments, kept, min, max } = tree.insert(hallPhoto(made++, count));
  const encoded = segments.map((each) => encodeSegment(each));
  const { bytes, headBytes } = encodePack(root, encoded, hashOf);
  const { digest: blob, sizeBytes } = await core.blobs.put(bytes);
  const data = {
    layer: 1,
    pack: pack++,
    blob,
    sizeBytes,
    headBytes,
    points: kept,
    segments: segments.length,
    merged: 0,
    min,
    max,
  };
  await space.log.append([{ type: "segments.added", data }]);
  return { sizeBytes, segments: segments.length };
}

async function fill(points) {
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: SPACE });
  await space.log.append([
    { type: "generation.started", data: { generation: 1 } },
    { type: "layer.started", data: { layer: 1, kind: "model", name: "hall", generation: 1, ...grid } },
    { type: "generation.published", data: { generation: 1, cameras: 2, points: 1, refined: 0 } },
  ]);
  while (tree.kept < points) await grow(core, space, PACK);
  await core.layers.compact(space, 1);
  const { index, points: kept } = space.log.snapshot().state.layers[1];
  await core.close();
  return { points: kept, nodes: index.nodes, indexBytes: index.sizeBytes };
}

let missed;
process.on("message", async ({ start, events, grown, host }) => {
  if (start) {
    const filled = await fill(start.points);
    server = await startServer({ host, port: 0, dataDir, openEngine: null, logLevel: "error" });
    process.send({ port: server.port, ...filled });
  }
  if (events) {
    // Each says when it was: renaming is a small event that anyone may cause.
    for (const end = Date.now() + events.ms; Date.now() < end; ) {
      const sentMs = Number(process.hrtime.bigint()) / 1e6;
      const url = `${server.url.replace("0.0.0.0", "127.0.0.1")}/v1/spaces/${SPACE}`;
      void fetch(url, {
        method: "PATCH",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ title: `${sentMs}` }),
      });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.send({ done: true });
  }
  if (grown) {
    // What was missed is made while nobody serves: the server comes back on the same data.
    const { port } = server;
    await server.close();
    const core = await openCore({ dataDir });
    const space = await core.spaces.open(SPACE);
    missed = { bytes: 0, segments: 0 };
    while (missed.segments < grown.segments) {
      const { sizeBytes, segments } = await grow(core, space, grown.points);
      missed.bytes += sizeBytes;
      missed.segments += segments;
    }
    await core.close();
    server = await startServer({ host, port, dataDir, openEngine: null, logLevel: "error" });
    process.send(missed);
  }
});
