#!/usr/bin/env node
import { existsSync } from "node:fs";

const main = new URL("../dist/main.js", import.meta.url);
if (!existsSync(main)) {
  console.error("cairn: not built yet; run `npm start` (or `npm run build`) in the repository first");
  process.exit(1);
}
const { run } = await import(main.href);
await run(process.argv);
