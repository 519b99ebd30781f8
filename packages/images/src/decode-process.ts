/** One decoding process: started when needed, kept warm, replaced when it hangs, dies or grows. */
import { type ChildProcess, fork } from "node:child_process";
import { CairnError } from "@cairn/protocol/errors";
import type { FromChild, JobKind, Results, ToChild } from "./contract.ts";

type DecodeProcessOptions = {
  /** Module to run in the process. */
  entry: URL;
  /** Longest a job may take; then the process is killed and the job refused. */
  deadlineMs: number;
  /** A process that holds more than this after a job is let go; the next job starts a fresh one. */
  maxRssBytes: number;
};

const START_DEADLINE_MS = 30_000;
const HEAP_MIB = 256;

export class DecodeProcess {
  readonly #options: DecodeProcessOptions;
  #child: ChildProcess | undefined;

  constructor(options: DecodeProcessOptions) {
    this.#options = options;
  }

  /** Process id while one is warm. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** One call at a time. @throws {CairnError} of the job; `image.too_slow`, or `image.corrupt` when the process died of it */
  async run(job: ToChild): Promise<Results[JobKind]> {
    const child = this.#child ?? (await this.#start());
    const sent = new Promise<never>((_, reject) => {
      child.send(job, (error) => error && reject(new CairnError("image.corrupt", { cause: "decoder died" }, error)));
    });
    const answer = await Promise.race([
      this.#next(child, this.#options.deadlineMs, new CairnError("image.too_slow")),
      sent,
    ]);
    if (answer.type === "ready") throw new Error("a decoding process said ready twice");
    if (answer.rssBytes > this.#options.maxRssBytes) this.#drop(child);
    if (answer.type === "failed") throw new CairnError(answer.code, answer.facts);
    return answer.result;
  }

  close(): void {
    if (this.#child) this.#drop(this.#child);
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(this.#options.entry, {
      serialization: "advanced",
      execArgv: [`--max-old-space-size=${HEAP_MIB}`],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    this.#child = child;
    child.on("error", () => this.#drop(child));
    child.once("exit", () => this.#drop(child));
    const failed = new CairnError("server.internal", { part: "image decoder" });
    try {
      await this.#next(child, START_DEADLINE_MS, failed);
    } catch (cause) {
      throw new CairnError("server.internal", { part: "image decoder" }, cause);
    }
    // A warm process must not keep a finished program alive; a job's own timer does while one runs.
    child.unref();
    child.channel?.unref();
    return child;
  }

  /** The next message of `child`; kills it when none comes in time. */
  #next(child: ChildProcess, deadlineMs: number, late: CairnError): Promise<FromChild> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#drop(child);
        done();
        reject(late);
      }, deadlineMs);
      const onMessage = (message: FromChild) => {
        done();
        resolve(message);
      };
      const onExit = () => {
        done();
        reject(new CairnError("image.corrupt", { cause: "decoder died" }));
      };
      const done = () => {
        clearTimeout(timer);
        child.off("message", onMessage).off("exit", onExit);
      };
      child.on("message", onMessage).on("exit", onExit);
    });
  }

  #drop(child: ChildProcess): void {
    if (this.#child === child) this.#child = undefined;
    child.kill("SIGKILL");
  }
}
