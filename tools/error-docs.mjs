/** Writes docs/errors.md from the table of errors; with `--check` it only says whether the file is up to date. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ERRORS } from "../packages/protocol/dist/index.js";
import { root } from "./root.mjs";

const path = join(root, "docs/errors.md");
const rows = Object.entries(ERRORS).map(
  ([code, { status, retry, text }]) => `| \`${code}\` | ${status} | ${retry ? "yes" : "no"} | ${text} |`,
);
const page = `# Errors

Every refusal is JSON \`{code, detail, retry, facts}\`, on HTTP and on the live socket. \`code\` is for programs and stays
what it is; \`detail\` is the text below and the \`facts\` of the case; \`retry\` says whether the same request can succeed
later. Made from \`packages/protocol/src/errors.ts\` by \`node tools/error-docs.mjs\`.

| code | HTTP status | retry | what to do |
| --- | --- | --- | --- |
${rows.join("\n")}
`;

if (!process.argv.includes("--check")) writeFileSync(path, page);
else {
  let found = "";
  try {
    found = readFileSync(path, "utf8");
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  if (found !== page) {
    console.error("docs/errors.md is out of date; run `node tools/error-docs.mjs`");
    process.exit(1);
  }
  console.log(`${rows.length} errors`);
}
