/**
 * The viewer: CPU of a frame of 100,000 points in headless Chromium, cost of planning a frame over thousands of nodes,
 * and memory over an hour of live growth, simulated fast.
 *
 *   node benchmarks/viewer.mjs            WebGL on the CPU
 *   node benchmarks/viewer.mjs --gpu      2 million points through the machine's own driver, frames a second
 */
import { readdirSync, readFileSync } from "node:fs";
import { LayerTable, nodeKey, Octree, planGrid } from "@cairn/cloud";
import { ground, TestLayer, TestSpace } from "@cairn/viewer/test";
import { hallPhoto } from "./lib/point-sources.mjs";
import { machine, median } from "./support.mjs";

const { openHarness } = await import("../packages/web/dist-test/viewer/open.js");
const { planNodes } = await import("../packages/viewer/dist/plan.js");
const { NodeTextures } = await import("../packages/viewer/dist/node-textures.js");

const gpu = process.argv.includes("--gpu");
console.log(machine());

/** CPU seconds of this process's descendants: the browser's processes. */
function browserCpu() {
  const all = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      all.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // It ended while we looked.
    }
  }
  const below = (pid) => {
    for (let at = all.get(pid); at; at = all.get(at.parent)) if (at.parent === process.pid) return true;
    return false;
  };
  let ticks = 0;
  for (const [pid, each] of all) if (below(pid)) ticks += each.ticks;
  return ticks / 100;
}

/** A walk through the hall, y down as in a photo. */
function hall(photos, points) {
  return Array.from({ length: photos }, (_, i) => {
    const photo = hallPhoto(i * 3, points);
    const { positions } = photo;
    for (let k = 0; k < positions.length; k += 3) {
      [positions[k + 1], positions[k + 2]] = [-positions[k + 2], positions[k + 1]];
    }
    return { ...photo, photos: i + 1 };
  });
}

const apply = (page, space, drafts) =>
  page.evaluate((events) => window.harness.source.apply(events), space.events(...drafts));

/** Turns the view at every frame, and says how long frames took. */
const turn = (page, frames) =>
  page.evaluate(async (count) => {
    const canvas = document.querySelector("canvas");
    const times = [];
    for (let i = 0; i < count; i++) {
      canvas.dispatchEvent(new KeyboardEvent("keydown", { key: i % 40 < 20 ? "ArrowRight" : "ArrowLeft" }));
      times.push(await new Promise((shown) => requestAnimationFrame(shown)));
    }
    // Read back: what was only queued is not drawn yet.
    const gl = canvas.getContext("webgl2");
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    return times.slice(1).map((time, i) => time - times[i]);
  }, frames);

async function frames(points, width, height, flags) {
  const harness = await openHarness(flags);
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [0, -8, -2], [24, 2, 18], { spacing: gpu ? 0.01 : 0.02 });
  const drafts = [layer.started(), ...hall(gpu ? 60 : 12, gpu ? 100_000 : 60_000).map((photo) => layer.insert(photo))];
  const page = await harness.visit(space, { query: `points=${points}`, width, height, motion: true });
  await apply(page, space, drafts);
  await page.mouse.move(width / 2, height / 2);
  for (let i = 0; i < (gpu ? 6 : 3); i++) await page.mouse.wheel(0, -240); // into the hall: the budget is what bounds
  await page.waitForFunction(
    () => {
      const { loaded, wanted } = window.harness.viewer.stats;
      return wanted > 0 && loaded === wanted;
    },
    undefined,
    { timeout: 240_000 },
  );
  await turn(page, 20);
  await page.waitForTimeout(1500);
  const cpu = browserCpu();
  const times = await turn(page, 80);
  const spent = browserCpu() - cpu;
  const { points: shown } = await page.evaluate(() => window.harness.viewer.stats);
  const renderer = await page.evaluate(() => {
    const gl = document.querySelector("canvas").getContext("webgl2");
    return gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info")?.UNMASKED_RENDERER_WEBGL ?? gl.RENDERER);
  });
  console.log(
    `${renderer}, ${width} × ${height}: ${shown} points a frame, ${((spent / 80) * 1000).toFixed(0)} ms CPU a frame ` +
      `(all of the browser), ${median(times).toFixed(1)} ms between frames (median)`,
  );
  await harness.close();
}

function planning() {
  const grid = planGrid([0, -8, -2], [24, 2, 18], 0.003);
  const tree = new Octree(grid);
  const table = new LayerTable(grid);
  for (const photo of hall(90, 150_000)) {
    const { root, segments } = tree.insert(photo);
    const parts = segments.map(({ node, count }) => {
      return { node, part: { blob: "b", start: 0, end: 1, points: count, hash: nodeKey(node) } };
    });
    table.applyPack({ root, parts });
  }
  const axes = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];
  // So far away that all of it is in sight, and so fine a picture that every node counts.
  const view = { position: [12, -2, -60], axes, tanX: 1.2, tanY: 0.8, focalPx: 1e5 };
  const textures = new NodeTextures();
  const resident = ({ id, ordinal, points }) => {
    const size = { points, parts: 1, torn: false, bits: 12, spacing: 0.01, runs: [] };
    return { layer: 1, id, slot: ordinal + 1, ...size, seen: 0, batch: 1, bornMs: 0, live: false };
  };
  const residents = new Map(table.list.map((node) => [node.key, resident(node)]));
  const times = [];
  let planned = { nodes: [], points: 0 };
  for (let i = 0; i < 60; i++) {
    view.position = [12 + i * 0.01, -2, -60];
    const before = process.cpuUsage();
    planned = planNodes([{ layer: 1, table, view }], 1e9);
    const nodes = planned.nodes.map(({ node }) => ({ grid, node, density: 1, resident: residents.get(node.key) }));
    textures.fill(nodes, table.list.length + 1, 0);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  const points = (table.points / 1e6).toFixed(1);
  console.log(
    `planning: ${planned.nodes.length} of ${table.list.length} nodes (${points} M points): ` +
      `${median(times.slice(10)).toFixed(1)} ms CPU with their textures`,
  );
}

async function hour() {
  const harness = await openHarness();
  const space = new TestSpace();
  const layer = new TestLayer(space, 1, [-5, -1, -5], [5, 1, 5], { spacing: 0.08 });
  const page = await harness.visit(space, { width: 240, height: 180 });
  await apply(page, space, [layer.started(), layer.insert(ground(12_000, 9))]);
  const session = await page.context().newCDPSession(page);
  const line = [];
  for (let pack = 0; pack <= 2000; pack += 100) {
    if (pack > 0) {
      const drafts = [];
      for (let k = pack - 100; k < pack; k++) {
        const draft = layer.insert(ground(300, 1000 + k));
        if (draft.data.points > 0) drafts.push(draft);
      }
      drafts.push(await layer.compact());
      for (let k = 0; k < drafts.length; k += 20) await apply(page, space, drafts.slice(k, k + 20));
    }
    await page.waitForFunction(() => {
      const { loaded, wanted } = window.harness.viewer.stats;
      return wanted > 0 && loaded === wanted;
    });
    await page.evaluate(() => {
      window.harness.source.asked.length = 0;
      window.harness.source.views.length = 0;
    });
    if (pack % 400 !== 0) continue;
    await session.send("HeapProfiler.collectGarbage");
    await session.send("HeapProfiler.collectGarbage");
    line.push(`${pack}: ${((await session.send("Runtime.getHeapUsage")).usedSize / 2 ** 20).toFixed(1)}`);
  }
  const { total } = await page.evaluate(() => window.harness.viewer.stats);
  console.log(`growth to ${total} points, JavaScript heap in MiB after so many packs: ${line.join(", ")}`);
  await harness.close();
}

if (gpu) {
  const flags = ["--headless=new", "--no-sandbox", "--use-angle=gl-egl", "--ignore-gpu-blocklist", "--enable-gpu"];
  await frames(2_000_000, 1280, 800, flags);
} else {
  planning();
  await frames(100_000, 1000, 700);
  await hour();
}
