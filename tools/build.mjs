/** Builds what is out of date: kernels (AssemblyScript → WebAssembly), packages (TypeScript), the page (Vite). */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

/** Newest change under a file or folder, milliseconds; 0 where there is nothing. */
function changedMs(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changedMs(join(path, name))));
}

function run(command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const bin = (name) => join(root, "node_modules/.bin", name);

function buildKernels() {
  const kernels = join(root, "packages/reconstruct/wasm");
  if (!existsSync(kernels)) return;
  for (const file of readdirSync(kernels).filter((name) => name.endsWith(".as.ts"))) {
    const source = join(kernels, file);
    const target = join(kernels, file.replace(/\.as\.ts$/, ".wasm"));
    const parts = join(kernels, file.replace(/\.as\.ts$/, "")); // what a large kernel is made of
    if (changedMs(target) >= Math.max(changedMs(source), changedMs(parts))) continue;
    const flags = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--initialMemory", "1"];
    run(bin("asc"), [source, "-o", target, ...flags]);
  }
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
    "cloud/dist",
    "protocol/dist",
  ];
  if (changedMs(page) >= Math.max(...sources.map((path) => changedMs(join(root, "packages", path))))) return;
  run(bin("vite"), ["build", "--logLevel", "warn"], web);
}

buildKernels();
run(bin("tsc"), ["-b"]);
buildPage();
