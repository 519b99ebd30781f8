/** The viewer's end of `shaped-link.mjs`: an SDK connection that looks, and notes what comes when. */

import { connect } from "@cairn/client/node";
import {
  cornerOf,
  decodeLayerIndex,
  decodePackHead,
  decodeSegment,
  LayerTable,
  layerView,
  nodesToShow,
} from "@cairn/cloud";

const now = () => Number(process.hrtime.bigint()) / 1e6;
const keyOf = ({ blob, start }) => `${blob.slice(0, 16)}/${start}`;
let connection;
let arrivals = [];
let delays = [];

function open(url, options = {}) {
  const startMs = now();
  connection = connect({ url, space: "bench", cacheBytes: 256 * 2 ** 20, ...options });
  arrivals = [];
  delays = [];
  connection.on("range", (blob, start, bytes) =>
    arrivals.push({ atMs: now() - startMs, key: `${blob}/${start}`, bytes: bytes.length }),
  );
  connection.on("event", ({ type, data }) => {
    if (type === "space.renamed") delays.push(now() - Number(data.title));
  });
}

/** From what is here: nothing is asked for but what was pushed. */
async function tableNow() {
  const { origin, seed, finest, index, packs } = connection.state.layers[1];
  const table = new LayerTable({ origin, seed, finest });
  if (index) table.applyIndex(await decodeLayerIndex(await connection.blob(index.index)), index.packs);
  for (const { blob, headBytes } of packs)
    table.applyPack(decodePackHead(await connection.range(blob, 0, headBytes), blob));
  return table;
}

/**
 * When 99 % of the pixels had a point that ever have one, and 100,000 points were in the picture; a point is a pixel, and
 * hides none behind it.
 * @param list what came when @param bytesOf of a part that came
 */
async function pixelsMs(table, camera, list, bytesOf) {
  const { position, axes, focalPx } = layerView(camera);
  const { widthPx, heightPx } = camera;
  const seen = new Float32Array(widthPx * heightPx).fill(Number.POSITIVE_INFINITY);
  let total = 0;
  let manyMs;
  const parts = new Map();
  for (const { node } of nodesToShow(table, layerView(camera)))
    for (const part of node.parts) parts.set(keyOf(part), { part, node });
  for (const { atMs, key } of list) {
    const known = parts.get(key);
    if (!known) continue;
    const { bits, count, coords } = decodeSegment(await bytesOf(known.part));
    const corner = cornerOf(known.node.id, table.grid.origin);
    const step = known.node.edge / 2 ** bits;
    for (let i = 0; i < count; i++) {
      const x = corner[0] + (coords[3 * i] + 0.5) * step - position[0];
      const y = corner[1] + (coords[3 * i + 1] + 0.5) * step - position[1];
      const z = corner[2] + (coords[3 * i + 2] + 0.5) * step - position[2];
      const along = (axis) => x * axis[0] + y * axis[1] + z * axis[2];
      const depth = along(axes[2]);
      if (depth <= 0.01) continue;
      const column = Math.floor(widthPx / 2 + (along(axes[0]) / depth) * focalPx);
      const row = Math.floor(heightPx / 2 + (along(axes[1]) / depth) * focalPx);
      if (column < 0 || row < 0 || column >= widthPx || row >= heightPx) continue;
      if (++total === 100_000) manyMs = atMs;
      const pixel = row * widthPx + column;
      if (atMs < seen[pixel]) seen[pixel] = atMs;
    }
  }
  const times = seen.filter(Number.isFinite).sort();
  return { total, manyMs, pixels: times.length, pixelsMs: times[Math.floor(times.length * 0.99)] };
}

/** When so many of the points that the view shows were here. */
function milestones(table, camera, list) {
  const shown = new Map();
  let total = 0;
  let bytes = 0;
  for (const { node } of nodesToShow(table, camera && layerView(camera))) {
    for (const part of node.parts) {
      shown.set(keyOf(part), part.points);
      total += part.points;
      bytes += part.end - part.start;
    }
  }
  const at = { total, bytes, firstMs: undefined, manyMs: undefined, allMs: undefined };
  let points = 0;
  for (const { atMs, key } of list) {
    const more = shown.get(key) ?? 0;
    shown.delete(key);
    if (more === 0) continue;
    points += more;
    at.firstMs ??= atMs;
    if (points >= Math.min(100_000, total)) at.manyMs ??= atMs;
    if (points >= 0.99 * total) at.allMs ??= atMs;
  }
  return { ...at, points };
}

const still = async (idleMs, mostMs) => {
  for (const end = now() + mostMs; now() < end; ) {
    const had = arrivals.length;
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    if (arrivals.length === had && had > 0) return;
  }
};

process.on("message", async ({ flow, join, dump, resume }) => {
  if (flow) {
    // Everything, for a while; figures of what came after the first second.
    open(flow.url);
    if (flow.tiles) connection.view({});
    await connection.ready();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    process.send({ flowing: true });
    const [from, had] = [now(), arrivals.length];
    delays = [];
    await new Promise((resolve) => setTimeout(resolve, flow.ms));
    const bytes = arrivals.slice(had).reduce((sum, each) => sum + each.bytes, 0);
    const tookMs = now() - from;
    connection.close();
    process.send({ megabits: (bytes * 8) / 1000 / tookMs, delays: delays.toSorted((a, b) => a - b) });
  }
  if (join) {
    open(join.url);
    connection.view({ camera: join.camera });
    await connection.ready();
    await still(1000, 60_000);
    const table = await tableNow();
    const bytesOf = ({ blob, start, end }) => connection.range(blob, start, end);
    const pixels = await pixelsMs(table, join.camera, arrivals, bytesOf);
    process.send({ ...milestones(table, join.camera, arrivals), ...pixels });
    connection.close();
  }
  if (dump) {
    // All there is, in the order in which it is stored, over one request after the other.
    const startMs = now();
    open(dump.url, { creditBytes: 0 });
    await connection.ready();
    const table = await tableNow();
    const places = new Map();
    for (const node of table.list) {
      for (const part of node.parts) {
        const list = places.get(part.blob) ?? [];
        list.push(part);
        places.set(part.blob, list);
      }
    }
    const list = [];
    const blobs = new Map();
    for (const [blob, parts] of places) {
      const chunks = [];
      const response = await fetch(connection.api.blobUrl(blob));
      parts.sort((a, b) => a.end - b.end);
      let at = 0;
      let next = 0;
      for await (const chunk of response.body) {
        at += chunk.length;
        chunks.push(chunk);
        while (parts[next] && parts[next].end <= at) list.push({ atMs: now() - startMs, key: keyOf(parts[next++]) });
      }
      blobs.set(blob, Buffer.concat(chunks));
    }
    const found = [];
    const bytesOf = ({ blob, start, end }) => blobs.get(blob).subarray(start, end);
    for (const camera of dump.cameras) {
      found.push({ ...milestones(table, camera, list), ...(await pixelsMs(table, camera, list, bytesOf)) });
    }
    process.send(found);
    connection.close();
  }
  if (resume?.first) {
    open(resume.url);
    connection.view({});
    await connection.ready();
    await still(2000, 120_000);
    const table = await tableNow();
    connection.held = () => [{ layer: 1, nodes: table.list.map(({ id, points }) => ({ ...id, points })) }];
    arrivals = [];
    process.send({ points: table.points });
  }
  if (resume?.again) {
    await connection.waitFor(({ layers }) => layers[1].points > resume.points);
    await still(1500, 60_000);
    const bytes = arrivals.reduce((sum, each) => sum + each.bytes, 0);
    const table = await tableNow();
    process.send({ bytes, points: table.points });
    connection.close();
  }
});
