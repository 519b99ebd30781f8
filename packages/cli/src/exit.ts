/** How a command ends: its exit code, and one line about what went wrong and what to do. */
import { CairnError } from "@cairn/protocol";

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** Everything arrived, but some photos are not in the model. */
  someNotUsed: 3,
  /** Every photo is in the model, but the model must not be relied on. */
  doubtful: 4,
  interrupted: 130,
} as const;

/** A failure whose text is already for the person at the terminal. */
export class Problem extends Error {
  readonly exitCode: number;

  constructor(text: string, exitCode: number = EXIT.failed, cause?: unknown) {
    super(text, cause === undefined ? {} : { cause });
    this.exitCode = exitCode;
  }
}

/** Prints the one line and answers the exit code. With `DEBUG` set the whole error follows. */
export function report(error: unknown): number {
  const { text, code } = explain(error);
  process.stderr.write(`cairn: ${text}\n`);
  if (process.env.DEBUG) console.error(error);
  return code;
}

function explain(error: unknown): { text: string; code: number } {
  if (error instanceof Problem) return { text: error.message, code: error.exitCode };
  if (error instanceof Error && error.name === "AbortError") return { text: "stopped", code: EXIT.interrupted };
  if (error instanceof CairnError && error.code === "operation.cancelled")
    return { text: "stopped", code: EXIT.interrupted };
  if (error instanceof CairnError) return { text: error.message, code: EXIT.failed };
  if (error instanceof TypeError && error.message === "fetch failed") {
    return { text: "the server no longer answers; see that it runs, then try again", code: EXIT.failed };
  }
  const { code, path, dest, message } = error as NodeJS.ErrnoException & { dest?: string };
  if (code === "ENOENT") return { text: `${path}: no such file or folder`, code: EXIT.failed };
  if (code === "EACCES" && path) return { text: `${path}: permission denied`, code: EXIT.failed };
  if (code === "EISDIR" && dest) return { text: `${dest} is a folder; name a file`, code: EXIT.failed };
  if (code === "EEXIST" || code === "ENOTDIR") return { text: `${path} is a file; name a folder`, code: EXIT.failed };
  if (code === "EISDIR") return { text: `${path ?? "input"} is a folder; name its photos`, code: EXIT.failed };
  if (code === "ENOSPC") return { text: "the disk is full; free some space and try again", code: EXIT.failed };
  return { text: String(message ?? error).split("\n")[0]!, code: EXIT.failed };
}

/** Aborts on the first Ctrl-C or SIGTERM; a second one ends the process at once. Call `release` when done. */
export function interruption(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    controller.abort(new DOMException("stopped", "AbortError"));
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return {
    signal: controller.signal,
    release: () => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
    },
  };
}
