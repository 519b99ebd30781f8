/**
 * Builds what is out of date: kernels (AssemblyScript → WebAssembly), packages (TypeScript), TypeBox in one file (Rolldown),
 * the page (Vite).
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import "./node-version.mjs";
import { root } from "./root.mjs";

/** Newest change under a file or folder, milliseconds; 0 where there is nothing. */
function changedMs(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changedMs(join(path, name))));
}

/** @param out where its words go that are no errors */
function run(command, args, { cwd = root, out = 2 } = {}) {
  const result = spawnSync(command, args, { cwd, stdio: ["ignore", out, 2] });
  if (result.status === 0) return;
  // A program that ran has said itself what is wrong.
  if (result.error) {
    console.error(`${command} could not be started: ${result.error.message}`);
    console.error("The build needs all dependencies: npm ci --include=dev");
  } else if (result.signal) console.error(`${command} was ended by ${result.signal}`);
  process.exit(result.status ?? 1);
}

const bin = (name) => join(root, "node_modules/.bin", name);

/** @param more what the kernels in `folder` are made of besides what lies there @param flags besides the usual ones */
function buildKernels(folder, more = [], flags = []) {
  const kernels = join(root, folder);
  if (!existsSync(kernels)) return;
  for (const file of readdirSync(kernels).filter((name) => name.endsWith(".as.ts"))) {
    const source = join(kernels, file);
    const target = join(kernels, file.replace(/\.as\.ts$/, ".wasm"));
    const parts = join(kernels, file.replace(/\.as\.ts$/, "")); // what a large kernel is made of
    const sources = [source, parts, ...more.map((path) => join(root, path))];
    if (changedMs(target) >= Math.max(...sources.map(changedMs))) continue;
    const usual = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--initialMemory", "1"];
    run(bin("asc"), [source, "-o", target, ...usual, ...flags]);
  }
}

/** Kernels as a module: then nothing has to be fetched, whether in a bundle, a worker or Node. */
function embedKernels(folder, names, module) {
  const paths = names.map((name) => join(root, folder, `${name}.wasm`));
  if (changedMs(join(root, module)) >= Math.max(...paths.map(changedMs))) return;
  const constants = names.map((name, i) => {
    const base64 = readFileSync(paths[i]).toString("base64");
    return `export const ${name.toUpperCase()}_BASE64 =\n  "${base64}";\n`;
  });
  writeFileSync(join(root, module), `/** ${folder} */\n${constants.join("\n")}`);
}

/**
 * A module that only hands on a library becomes that library, in one file: Node takes about a millisecond for each of a
 * library's hundreds, in every process and every worker.
 */
function bundle(module) {
  const path = join(root, module);
  if (!readFileSync(path, "utf8").includes(' from "')) return; // is one file already
  const how = ["--format", "esm", "--platform", "neutral", "--log-level", "warn"];
  run(bin("rolldown"), [path, "--file", path, ...how], { out: "ignore" }); // it says its summary at any level
}

function buildPage() {
  const web = join(root, "packages/web");
  const page = join(web, "dist/index.html");
  if (!existsSync(join(web, "vite.config.ts"))) return;
  const sources = [
    "web/src",
    "web/index.html",
    "web/public",
    "web/vite.config.ts",
    "viewer/dist",
    "client/dist",
    "video/dist/packet",
    "cloud/dist",
    "protocol/dist",
  ];
  if (changedMs(page) >= Math.max(...sources.map((path) => changedMs(join(root, "packages", path))))) return;
  run(bin("vite"), ["build", "--logLevel", "warn"], { cwd: web });
}

buildKernels("packages/reconstruct/wasm");
const segment = ["layout.ts", "encode-layout.ts"].map((file) => `packages/cloud/src/segment/${file}`);
// 112: a vector is given from one file to another; none comes in from JavaScript.
buildKernels(
  "packages/cloud/wasm",
  [...segment, "packages/cloud/wasm/segment"],
  ["--importMemory", "--disableWarning", "112"],
);
embedKernels("packages/cloud/wasm", ["inflate", "points"], "packages/cloud/src/segment/kernel-bytes.ts");
embedKernels("packages/cloud/wasm", ["encode"], "packages/cloud/src/segment/encode-kernel-bytes.ts");
run(bin("tsc"), ["-b"]);
bundle("packages/protocol/dist/schema.js");
buildPage();
