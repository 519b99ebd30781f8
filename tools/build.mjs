/** Builds what is out of date: kernels (AssemblyScript → WebAssembly), packages (TypeScript), the page (Vite). */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
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

/** @param more what the kernels in `folder` are made of besides what lies there */
function buildKernels(folder, more = []) {
  const kernels = join(root, folder);
  if (!existsSync(kernels)) return;
  for (const file of readdirSync(kernels).filter((name) => name.endsWith(".as.ts"))) {
    const source = join(kernels, file);
    const target = join(kernels, file.replace(/\.as\.ts$/, ".wasm"));
    const parts = join(kernels, file.replace(/\.as\.ts$/, "")); // what a large kernel is made of
    const sources = [source, parts, ...more.map((path) => join(root, path))];
    if (changedMs(target) >= Math.max(...sources.map(changedMs))) continue;
    const flags = ["-O3", "--noAssert", "--runtime", "stub", "--enable", "simd", "--initialMemory", "1"];
    run(bin("asc"), [source, "-o", target, ...flags]);
  }
}

/** A kernel as a module: then nothing has to be fetched, whether in a bundle, a worker or Node. */
function embedKernel(kernel, module) {
  if (changedMs(join(root, module)) >= changedMs(join(root, kernel))) return;
  const base64 = readFileSync(join(root, kernel)).toString("base64");
  writeFileSync(join(root, module), `/** ${kernel} */\nexport const KERNEL_BASE64 =\n  "${base64}";\n`);
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
  run(bin("vite"), ["build", "--logLevel", "warn"], web);
}

buildKernels("packages/reconstruct/wasm");
buildKernels("packages/cloud/wasm", ["packages/cloud/src/segment/layout.ts"]);
embedKernel("packages/cloud/wasm/segment.wasm", "packages/cloud/src/segment/kernel-bytes.ts");
run(bin("tsc"), ["-b"]);
buildPage();
