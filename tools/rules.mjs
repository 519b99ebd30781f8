/** Every numbered rule of docs/spec has a test named after it, and every such name in a test is a rule. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

const rules = new Set();
for (const file of readdirSync(join(root, "docs/spec")).filter((name) => name.endsWith(".md"))) {
  for (const [, id] of readFileSync(join(root, "docs/spec", file), "utf8").matchAll(
    /^(?:\| |\*\*|- \*\*)([A-Z]+-\d+)\b/gm,
  )) {
    rules.add(id);
  }
}

const prefixes = new Set([...rules].map((id) => id.split("-")[0]));
const tested = new Set();
const scan = (folder) => {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== "node_modules" && !entry.name.startsWith("dist")) scan(path);
    } else if (/\.(test|contract)\.tsx?$/.test(entry.name)) {
      for (const [id] of readFileSync(path, "utf8").matchAll(/\b[A-Z]+-\d+\b/g)) tested.add(id);
    }
  }
};
scan(join(root, "packages"));

const untested = [...rules].filter((id) => !tested.has(id));
// GEN rules belong to the contract that all doors share; a spec may repeat one, none repeats all.
const unknown = [...tested].filter((id) => !id.startsWith("GEN-") && prefixes.has(id.split("-")[0]) && !rules.has(id));
for (const id of untested) console.error(`${id}: no test is named after it`);
for (const id of unknown) console.error(`${id}: a test names it, docs/spec does not`);
console.log(`${rules.size} rules, ${untested.length} without a test, ${unknown.length} unknown`);
process.exit(untested.length + unknown.length ? 1 : 0);
