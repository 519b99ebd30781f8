/** The engine's thread: takes jobs off the port one after another. */
import { setMaxListeners } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { CairnError } from "@cairn/protocol/errors";
import { openFrontEnd } from "../features/front-end.ts";
import { PRESETS } from "../presets.ts";
import type { Reply, Request, WorkerData } from "./contract.ts";
import { openDenseKernels } from "./dense-kernels.ts";
import { DenseStage } from "./dense-stage.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";
import { type CacheAnswer, RemoteCache } from "./remote-cache.ts";
import { Scratch } from "./scratch.ts";
import { Shelf } from "./shelf.ts";
import { SlantedLooks } from "./slanted-looks.ts";

const port = parentPort;
if (!port) throw new Error("engine.worker runs as a worker");

const { seed, preset, threads, cancelled, caches, scratchDir } = workerData as WorkerData;
const remote = new RemoteCache((call) => reply({ kind: "cache", call }));
const cache = caches ? remote : undefined;
const scratch = new Scratch(scratchDir);
/** Luma of photos in memory, to look at them from the side: that of some 28 at the size they are decoded to. */
const GREY_BYTES = 48 * 2 ** 20;
const plan = PRESETS[preset];
const kernels = await openFrontEnd({ threads });
const core = new EngineCore(kernels, seed, {
  slants: new SlantedLooks(kernels, new Shelf(scratch, GREY_BYTES)),
  ...(cache && { cache }),
  ...(plan && {
    dense: new DenseStage({ plan, kernels: openDenseKernels(threads), shelf: new Shelf(scratch), cache, threads }),
  }),
});

const WATCH_MS = 50;

let last: Promise<void> = Promise.resolve();
port.on("message", (request: Request | CacheAnswer) => {
  if (request.kind === "got") remote.take(request);
  else if (request.kind === "foresee") core.foresee(request.photo);
  else last = last.then(() => serve(request));
});
reply({ kind: "ready" });

async function serve(request: Exclude<Request, { kind: "foresee" }>): Promise<void> {
  const { job } = request;
  const isCancelled = () => Atomics.load(cancelled, 0) === job;
  const controller = new AbortController();
  setMaxListeners(0, controller.signal); // each of many depth maps listens
  const options: JobOptions = {
    stop() {
      if (isCancelled()) throw new CairnError("operation.cancelled");
    },
    progress: (stage, done, total) => reply({ kind: "progress", job, stage, done, total }),
    signal: controller.signal,
    ...("points" in request && { points: request.points }),
  };
  // While this thread waits for others it hears nothing either, unless it looks.
  const watch = setInterval(() => isCancelled() && controller.abort(new CairnError("operation.cancelled")), WATCH_MS);
  try {
    if (request.kind === "add") {
      const added = await core.add(request.photo, request.features, options);
      reply({ kind: "added", job, ...added, focal: core.focal() });
    } else if (request.kind === "rebuild") {
      const rebuild = await core.rebuild(options, request);
      reply({ kind: "rebuilt", job, rebuild, focal: core.focal() });
    } else if (request.kind === "model") {
      reply({ kind: "model", job, model: core.model() });
    } else if (request.kind === "report") {
      reply({ kind: "reported", job, report: core.report() });
    } else {
      await core.close();
      scratch.close();
      reply({ kind: "closed", job });
      port!.close();
    }
  } catch (error) {
    const known = error instanceof CairnError ? error : new CairnError("engine.failed", {}, error);
    const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
    reply({ kind: "failed", job, code: known.code, facts: known.facts, cause });
  } finally {
    clearInterval(watch);
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
  const { positions, colors, confidences, source } = points;
  return [positions, colors, ...(confidences ? [confidences] : []), ...(source ? [source.of] : [])];
}
