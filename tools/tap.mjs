/**
 * Node's TAP reporter, with the failures said again just before its summary: whoever sees only the end of a long log still
 * reads which test failed, where and why.
 */
import { relative } from "node:path";
import { tap } from "node:test/reporters";
import { root } from "./root.mjs";

const MOST = 20; // failures named
const LONGEST = 600; // characters of each reason

export default async function* report(source) {
  yield* tap(named(source));
}

async function* named(source) {
  const failures = [];
  for await (const event of source) {
    if (event.type === "test:fail" && counts(event.data)) failures.push(event.data);
    if (event.type === "test:diagnostic" && /^tests \d+$/.test(event.data.message)) {
      for (const failure of failures.slice(0, MOST)) yield note(said(failure));
      if (failures.length > MOST) yield note(`failed: ${failures.length - MOST} more`);
    }
    yield event;
  }
}

/** A suite or a file fails with what is in it: naming the innermost is enough. What is still to do may fail. */
function counts({ details, todo }) {
  return details.error?.failureType !== "subtestsFailed" && todo === undefined;
}

function said({ name, file, details }) {
  const { error } = details;
  const cause = error?.cause ?? error;
  const lines = String(cause?.stack ?? cause).split("\n");
  const reason = lines
    .filter((line) => !line.includes("(node:internal"))
    .join(" ")
    .replaceAll(/\s+/g, " ");
  const place = file ? ` (${relative(root, file)})` : "";
  return `failed: ${name}${place}: ${reason.slice(0, LONGEST)}`;
}

function note(message) {
  return { type: "test:diagnostic", data: { nesting: 0, message } };
}
