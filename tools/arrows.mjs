/**
 * Holds the packages' imports against their package.json: an import needs a declared dependency, a dependency an import,
 * and every dependency inside the workspace points downward. npm links all workspaces at the root, so nothing else
 * would notice.
 */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { root } from "./root.mjs";

/** Lower may not import higher; equals may not import each other. ARCHITECTURE.md draws the same table. */
const LEVEL = {
  protocol: 0,
  geometry: 0,
  sample: 0,
  worker: 1,
  cloud: 1,
  formats: 1,
  images: 1,
  mesh: 1,
  motion: 1,
  bus: 1,
  client: 1,
  reconstruct: 2,
  viewer: 2,
  video: 2,
  core: 3,
  web: 3,
  server: 4,
  cli: 5,
};

/** `import … from`, `export … from`, `import "…"` at the start of a statement, and `import("…")`. */
const IMPORT =
  /(^|\n)\s*(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"'\n]+)["']|^\s*import\s*["']([^"'\n]+)["']|\bimport\(\s*["']([^"'\n]+)["']/gm;

const problems = [];
const files = (folder) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : /\.tsx?$/.test(entry.name) ? [path] : [];
  });

for (const name of readdirSync(join(root, "packages"))) {
  const folder = join(root, "packages", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  if (!(name in LEVEL)) problems.push(`packages/${name}: has no level in tools/arrows.mjs`);
  const own = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
  const forTests = new Set([...own, ...Object.keys(manifest.devDependencies ?? {}), "fast-check", "playwright-core"]);

  for (const dependency of own) {
    const target = dependency.match(/^@cairn\/(.+)$/)?.[1];
    if (target && LEVEL[target] >= LEVEL[name]) problems.push(`packages/${name}: depends upward on ${dependency}`);
  }
  const unused = new Set(own);
  for (const file of files(join(folder, "src"))) {
    const where = relative(root, file);
    const isTest = /\.test\.tsx?$|\/test\//.test(file);
    const allowed = isTest || name === "web" ? forTests : own;
    for (const [, , ...found] of readFileSync(file, "utf8").matchAll(IMPORT)) {
      const specifier = found.find(Boolean);
      if (specifier.startsWith("node:") || specifier.includes("${")) continue; // the latter: a program in a string
      if (builtinModules.includes(specifier)) problems.push(`${where}: write node:${specifier}`);
      else if (specifier.startsWith(".")) {
        const target = resolve(dirname(file), specifier);
        if (!target.startsWith(folder)) problems.push(`${where}: reaches out of its package by ${specifier}`);
        if (!isTest && target.includes("/test/")) problems.push(`${where}: imports ${specifier}, which is for tests`);
      } else {
        const parts = specifier.split("/");
        const dependency = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
        if (!isTest) unused.delete(dependency);
        if (!allowed.has(dependency))
          problems.push(`${where}: imports ${dependency}, which its package.json does not name`);
      }
    }
  }
  for (const dependency of unused) problems.push(`packages/${name}: names ${dependency}, which no source imports`);
}

for (const problem of problems) console.error(problem);
console.log(problems.length ? `${problems.length} arrows point the wrong way` : "every arrow points downward");
process.exit(problems.length ? 1 : 0);
