/** The engine's thread: takes jobs off the port one after another. */
import { parentPort, workerData } from "node:worker_threads";
import { CairnError } from "@cairn/protocol";
import { openFrontEnd } from "../features/front-end.ts";
import type { Reply, Request, WorkerData } from "./contract.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";

const port = parentPort;
if (!port) throw new Error("engine.worker runs as a worker");

const { seed, threads, cancelled } = workerData as WorkerData;
const core = new EngineCore(await openFrontEnd({ threads }), seed);

let last: Promise<void> = Promise.resolve();
port.on("message", (request: Request) => {
  last = last.then(() => serve(request));
});
reply({ kind: "ready" });

async function serve(request: Request): Promise<void> {
  const { job } = request;
  const options: JobOptions = {
    stop() {
      if (Atomics.load(cancelled, 0) === job) throw new CairnError("operation.cancelled");
    },
    progress: (stage, done, total) => reply({ kind: "progress", job, stage, done, total }),
  };
  try {
    if (request.kind === "add") {
      const added = await core.add(request.photo, request.features, options);
      reply({ kind: "added", job, ...added, focal: core.focal() });
    } else if (request.kind === "rebuild") {
      const rebuild = await core.rebuild(options, request.frame);
      reply({ kind: "rebuilt", job, rebuild, focal: core.focal() });
    } else if (request.kind === "model") {
      reply({ kind: "model", job, model: core.model() });
    } else if (request.kind === "report") {
      reply({ kind: "reported", job, report: core.report() });
    } else {
      await core.close();
      reply({ kind: "closed", job });
      port!.close();
    }
  } catch (error) {
    const known = error instanceof CairnError ? error : new CairnError("engine.failed", {}, error);
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    reply({ kind: "failed", job, code: known.code, facts: known.facts, cause });
  }
}

function reply(message: Reply): void {
  port!.postMessage(message, buffersOf(message));
}

/** Arrays made for this message alone: they are moved, not copied. */
function buffersOf(message: Reply): ArrayBuffer[] {
  return arraysOf(message).map(({ buffer }) => buffer as ArrayBuffer);
}

function arraysOf(message: Reply): { readonly buffer: ArrayBufferLike }[] {
  if (message.kind === "model") {
    const { positions, colors, errorsPx, images } = message.model;
    return [positions, colors, errorsPx, ...images.flatMap(({ features, points }) => [features, points])];
  }
  if (message.kind !== "added" && message.kind !== "rebuilt") return [];
  const { points } = message.kind === "added" ? message.step : message.rebuild;
  return [points.positions, points.colors];
}
