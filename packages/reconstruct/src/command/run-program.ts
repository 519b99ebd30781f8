/** Runs a program to its end, in a group of its own, so that nothing that it started outlives it. */
import { spawn } from "node:child_process";
import { CairnError } from "@cairn/protocol/errors";

/** Of what it says, the end is kept: the last line is what counts, and of errors the last words. */
const KEPT_BYTES = 64 * 1024;

export type ProgramRun = {
  readonly program: string;
  readonly args: readonly string[];
  /** Besides this process's own. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
};

/** @returns the end of its standard output @throws {CairnError} `engine.exit`, `engine.timeout`; the signal's reason */
export function runProgram({ program, args, env, timeoutMs, signal }: ProgramRun): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const said = { out: "", err: "" };
    const keep = (stream: "out" | "err") => (piece: Buffer) => {
      said[stream] = (said[stream] + piece.toString()).slice(-KEPT_BYTES);
    };
    child.stdout.on("data", keep("out"));
    child.stderr.on("data", keep("err"));
    const end = (error: unknown) => {
      kill(child.pid);
      finish(() => reject(error));
    };
    const timer = setTimeout(() => end(new CairnError("engine.timeout", { timeoutMs })), timeoutMs);
    const onAbort = () => end(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    let finished = false;
    const finish = (settle: () => void) => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      settle();
    };
    child.on("error", (cause) => finish(() => reject(new CairnError("engine.unavailable", {}, cause))));
    child.on("close", (code, killed) => {
      kill(child.pid); // what it left behind
      if (code === 0) return finish(() => resolve(said.out));
      const exit = code === null ? String(killed) : code;
      finish(() => reject(new CairnError("engine.exit", { exit }, new Error(said.err))));
    });
  });
}

function kill(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended, and all of its own with it.
  }
}
