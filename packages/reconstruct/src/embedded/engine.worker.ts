/** The engine's thread: takes jobs off the port one after another. */
import { parentPort, workerData } from "node:worker_threads";
import type { SparseModel } from "@cairn/formats";
import { CairnError } from "@cairn/protocol";
import { openFrontEnd } from "../features/front-end.ts";
import type { ModelUpdate, Reply, Request, State, WorkerData } from "./contract.ts";
import { EngineCore, type JobOptions } from "./engine-core.ts";

const port = parentPort;
if (!port) throw new Error("engine.worker runs as a worker");

const { seed, threads, cancelled } = workerData as WorkerData;
const core = new EngineCore(await openFrontEnd({ threads }), seed);
/** Images whose features the other side has. */
const told = new Set<string>();

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
      reply({ kind: "added", job, ...added, state: state() });
    } else if (request.kind === "rebuild") {
      const rebuild = await core.rebuild(options, request.frame);
      reply({ kind: "rebuilt", job, rebuild, state: state() });
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

function state(): State {
  const { images, ...rest } = core.model();
  const model: ModelUpdate = { ...rest, images: images.map(withoutKnownFeatures) };
  return { model, focal: core.focal() };
}

function withoutKnownFeatures({ features, ...image }: SparseModel["images"][number]): ModelUpdate["images"][number] {
  if (told.has(image.image)) return image;
  told.add(image.image);
  return { ...image, features };
}

function reply(message: Reply): void {
  port!.postMessage(message, buffersOf(message));
}

/** Arrays made for this message alone: they are moved, not copied. */
function buffersOf(message: Reply): ArrayBuffer[] {
  if (message.kind !== "added" && message.kind !== "rebuilt") return [];
  const { model } = message.state;
  const { points } = message.kind === "added" ? message.step : message.rebuild;
  const arrays: { readonly buffer: ArrayBufferLike }[] = [
    points.positions,
    points.colors,
    model.positions,
    model.colors,
    model.errorsPx,
  ];
  for (const image of model.images) arrays.push(image.points, ...(image.features ? [image.features] : []));
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}
