import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { runProgram } from "./run-program.ts";

const node = (script: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
  runProgram({
    program: process.execPath,
    args: ["-e", script],
    env: { SAID: "so" },
    timeoutMs: options.timeoutMs ?? 20_000,
    signal: options.signal ?? new AbortController().signal,
  });

const code = (wanted: string) => (error: unknown) => error instanceof CairnError && error.code === wanted;

/** Starts a child of its own, says its number, and waits for ever. */
const PARENT = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  process.stderr.write(String(child.pid));
  setInterval(() => {}, 1000);`;

describe("running a program", () => {
  test("HER-48 what it says comes back; an exit other than 0 and a program that is not there are errors", async () => {
    assert.equal(await node("console.log('first'); console.log(process.env.SAID)"), "first\nso\n");
    await assert.rejects(node("console.error('last words'); process.exit(3)"), code("engine.exit"));
    const nothing = { program: "/no/such/program", args: [], env: {}, timeoutMs: 1000 };
    await assert.rejects(runProgram({ ...nothing, signal: new AbortController().signal }), code("engine.unavailable"));
  });

  test("HER-48 one that hangs is ended with all that it started, and so is one that is cancelled", async () => {
    await assert.rejects(node(PARENT, { timeoutMs: 300 }), code("engine.timeout"));
    const stop = new AbortController();
    const running = node(PARENT, { signal: stop.signal });
    setTimeout(() => stop.abort(new CairnError("operation.cancelled")), 300);
    await assert.rejects(running, code("operation.cancelled"));
  });
});
