/**
 * `npm test [-- NAME …]`: installs, builds, checks style and arrows, then runs every test with node's own runner.
 * NAME keeps only the tests whose path contains it: `npm test -- core/log`.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { installPrograms } from "./programs.mjs";
import { root } from "./root.mjs";

await import("./install.mjs");
await import("./build.mjs");

function run(title, command, args) {
  console.log(`\n── ${title}`);
  const result = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  return result.status === 0;
}

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return testFiles(path);
    return entry.name.endsWith(".test.js") ? [path] : [];
  });
}

/** Of these packages up to five files of a folder share a process: loading what they all use costs more than most of them. */
const SHARED = ["core", "server"].map((name) => join("packages", name, "dist"));
const MOST = 5;

/** @param files sorted @returns what the runner is to start */
function inProcesses(files) {
  const shares = [];
  for (const path of files) {
    const last = shares.at(-1);
    const isShared = SHARED.some((dist) => path.startsWith(dist));
    if (isShared && last && last.length < MOST && dirname(last[0]) === dirname(path)) last.push(path);
    else shares.push([path]);
  }
  return shares.map((share) => {
    if (share.length === 1) return share[0];
    const path = share[0].replace(/\.test\.js$/, ".and-more.js");
    writeFileSync(join(root, path), share.map((each) => `import "./${basename(each)}";\n`).join(""));
    return path;
  });
}

const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "packages"))
  .flatMap((name) => ["dist", "dist-test"].map((dist) => join(root, "packages", name, dist)))
  .flatMap((dist) => {
    try {
      return testFiles(dist);
    } catch {
      return []; // not every package has both
    }
  })
  .map((path) => relative(root, path))
  .filter((path) => wanted.length === 0 || wanted.some((part) => path.includes(part)))
  .sort();

const checks =
  wanted.length > 0 ||
  (run("format and lint", join(root, "node_modules/.bin/biome"), ["check", "."]) &&
    run("arrows between packages", process.execPath, ["tools/arrows.mjs"]) &&
    run("rules of docs/spec have tests", process.execPath, ["tools/rules.mjs"]) &&
    run("docs/errors.md is up to date", process.execPath, ["tools/error-docs.mjs", "--check"]));
if (!checks) process.exit(1);

installPrograms(new Set(files.map((path) => path.split(sep)[1])));

const ok = run(`${files.length} test files`, process.execPath, [
  "--enable-source-maps",
  `--import=${pathToFileURL(join(root, "tools/end-failed.mjs"))}`, // a failed test's open ends keep nobody waiting
  "--test",
  `--test-concurrency=${availableParallelism() + 1}`, // one more than cores: files wait a quarter of their time, for pages and programs
  "--test-timeout=1200000", // ends what hangs; a slow machine that is busy takes minutes for a real reconstruction
  `--test-reporter=${process.env.CI ? "./tools/tap.mjs" : "spec"}`,
  ...inProcesses(files),
]);
process.exit(ok ? 0 : 1);
