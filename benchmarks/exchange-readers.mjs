/**
 * By hand: programs of others open our PLY, float near the origin and double at UTM magnitude. CloudCompare and Open3D
 * from Debian (`apt-get install --no-install-recommends cloudcompare python3-open3d`), which know no LAS; the tests hold
 * LAS against `copc` and `laz-perf`, and COLMAP's models against COLMAP.
 *
 *     node benchmarks/exchange-readers.mjs
 */
import { execFileSync, spawnSync } from "node:child_process";
import { createWriteStream, existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EXPORT_FORMATS } from "../packages/core/dist/export/formats.js";
import { openCore } from "../packages/core/dist/index.js";

const COUNT = 20_000;
const PYTHON = "/usr/bin/python3";

const folder = await mkdtemp(join(tmpdir(), "cairn-readers-"));
try {
  const core = await openCore({ dataDir: join(folder, "data") });
  for (const [name, at] of [
    ["near", [0, 0, 0]],
    ["utm", [600_000, 6_000_000, 100]],
  ]) {
    const space = await core.spaces.create({ id: name });
    const writer = core.layers.start(space, { kind: "import", name, spacing: 1 / 256 });
    const positions = Float64Array.from({ length: 3 * COUNT }, (_, i) => {
      const p = Math.floor(i / 3);
      return at[i % 3] + [(p % 200) / 50, Math.floor(p / 200) / 50, (p % 7) / 100][i % 3];
    });
    await space.log.append(
      await writer.insert([{ positions, colors: new Uint8Array(3 * COUNT).fill(200), photos: 0 }]),
    );
    const path = join(folder, `${name}.ply`);
    const pieces = EXPORT_FORMATS.ply.write({ space, blobs: core.blobs, tables: core.layers.tables });
    await pipeline(Readable.from(pieces), createWriteStream(path));
    report(`CloudCompare  ${name}.ply`, byCloudCompare(path), at);
    report(`Open3D        ${name}.ply`, byOpen3d(path), at);
  }
  await core.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** `{count, min}`, or why not. */
function byCloudCompare(file) {
  if (spawnSync("which", ["CloudCompare"]).status !== 0) return "SKIPPED: CloudCompare is not installed";
  const args = ["-SILENT", "-AUTO_SAVE", "OFF", "-O", "-GLOBAL_SHIFT", "AUTO", file];
  const save = ["-C_EXPORT_FMT", "ASC", "-PREC", "4", "-NO_TIMESTAMP", "-SAVE_CLOUDS"];
  const env = { ...process.env, QT_QPA_PLATFORM: "offscreen", HOME: folder };
  const { stdout } = spawnSync("CloudCompare", [...args, ...save], { env, encoding: "utf8", timeout: 60_000 });
  const name = readdirSync(folder).find((each) => each.endsWith(".asc"));
  if (!name) return `not opened: ${stdout.split("\n").slice(-4).join(" ").slice(0, 200)}`;
  const path = join(folder, name);
  const rows = readFileSync(path, "utf8").trim().split("\n");
  execFileSync("rm", [path]);
  const places = rows.map((row) => row.split(/\s+/).slice(0, 3).map(Number));
  return { count: places.length, min: [0, 1, 2].map((axis) => Math.min(...places.map((place) => place[axis]))) };
}

function byOpen3d(file) {
  if (!existsSync(PYTHON) || spawnSync(PYTHON, ["-c", "import open3d"]).status !== 0) {
    return "SKIPPED: Open3D is not installed";
  }
  const program =
    "import open3d, json, sys, numpy\nc = open3d.io.read_point_cloud(sys.argv[1])\np = numpy.asarray(c.points)\n" +
    "print(json.dumps({'count': len(p), 'min': p.min(axis=0).tolist(), 'colors': len(c.colors)}))";
  return JSON.parse(execFileSync(PYTHON, ["-c", program, file], { encoding: "utf8" }).trim().split("\n").at(-1));
}

function report(what, found, at) {
  if (typeof found === "string") return console.log(`${what.padEnd(28)} ${found}`);
  const off = Math.max(...found.min.map((low, axis) => Math.abs(low - at[axis])));
  const right = found.count === COUNT && off < 0.001;
  console.log(
    `${what.padEnd(28)} ${found.count} points, corner off by ${(off * 1000).toFixed(3)} mm: ${right ? "ok" : "WRONG"}`,
  );
  if (!right) process.exitCode = 1;
}
