/**
 * What a newcomer pays: time and size of the install, size of the page.
 *
 *     node benchmarks/install.mjs
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { machine, root } from "./support.mjs";

const clone = mkdtempSync(join(tmpdir(), "cairn-install-"));
execFileSync("git", ["clone", "-q", root, clone]);
const timed = (command, args) => {
  const startedMs = performance.now();
  const { status } = spawnSync(command, args, { cwd: clone, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) process.exit(1);
  return ((performance.now() - startedMs) / 1000).toFixed(1);
};
console.log(machine());
console.log(`npm ci: ${timed("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"])} s`);
const size = (args) => execFileSync("du", ["-sm", ...args], { cwd: clone, encoding: "utf8" }).split("\t")[0];
console.log(`node_modules: ${size(["node_modules"])} MB`);
console.log(`build: ${timed(process.execPath, ["tools/build.mjs"])} s`);
const assets = join(clone, "packages/web/dist/assets");
let total = 0;
for (const name of readdirSync(assets).sort()) {
  if (!/\.(js|css)$/.test(name)) continue;
  const gzip = gzipSync(readFileSync(join(assets, name)), { level: 9 }).length;
  total += gzip;
  console.log(`page: ${name} ${(gzip / 1000).toFixed(1)} kB gzip`);
}
console.log(`page: ${(total / 1000).toFixed(1)} kB gzip in all`);
rmSync(clone, { recursive: true, force: true });
