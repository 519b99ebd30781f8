/** The worker's side: answers jobs, one call of `serve` to a worker file. */
import { parentPort, type Transferable } from "node:worker_threads";
import { type FromWorker, type JobMap, type Report, type ToWorker, toWire } from "./contract.ts";

type Handler = (input: never, report: Report) => unknown;

/** Runs jobs as they come. A job that throws fails alone; the worker goes on. */
export function serve<Jobs extends JobMap<Jobs>>(jobs: Jobs): void {
  const port = parentPort;
  if (!port) throw new Error("serve() runs in a worker thread only");
  const running = new Map<number, AbortController>();
  const send = (message: FromWorker, move: Transferable[] = []): void => port.postMessage(message, move);

  const run = async (id: number, name: PropertyKey, input: unknown): Promise<void> => {
    const controller = new AbortController();
    running.set(id, controller);
    const moved: Transferable[] = [];
    const report: Report = {
      progress: (done, total) => send({ type: "progress", id, done, total }),
      signal: controller.signal,
      move: (...items) => void moved.push(...items),
    };
    try {
      // The pool's `run` has checked name and input against the same interface.
      const handler = jobs[name as keyof Jobs] as Handler;
      const result = await handler(input as never, report);
      send({ type: "done", id, result }, moved);
    } catch (error) {
      send({ type: "failed", id, error: toWire(error) });
    } finally {
      running.delete(id);
    }
  };

  port.on("message", (message: ToWorker) => {
    if (message.type === "cancel") running.get(message.id)?.abort();
    else void run(message.id, message.name, message.input);
  });
}
