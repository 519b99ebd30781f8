/** The worker of layers, which says after each job how many trees it holds. */
import "../cloud/layer.worker.ts";
import { BroadcastChannel, parentPort } from "node:worker_threads";

const trees = new Set<number>();
const told = new BroadcastChannel("trees");
told.unref();

parentPort?.on("message", ({ name, input }: { name?: string; input?: { tree?: number } }) => {
  if (name === "plant") trees.add(input!.tree!);
  if (name === "fell") trees.delete(input!.tree!);
  told.postMessage(trees.size);
});
