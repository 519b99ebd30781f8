/** One module of the page for a test without a browser: the page itself is only ever built as a whole. */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** Beside this file, from where packages are found. */
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** @param path below `src`; its types are below `dist-types`, and what it takes from packages is the test's own */
export async function pageModule<Module>(path: string): Promise<Module> {
  const input = fileURLToPath(new URL(`../src/${path}`, import.meta.url));
  const folder = await mkdtemp(join(HERE, "module-"));
  try {
    const file = join(folder, "module.js");
    const bundle = await rolldown({ input, external: /^@cairn\//, platform: "node", logLevel: "silent" });
    await bundle.write({ file, format: "esm" });
    await bundle.close();
    return (await import(file)) as Module;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
