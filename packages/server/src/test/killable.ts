/** For tests that kill a server while faces are at work: one that starts again over its folder, and what its log says was done. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { CairnEvent } from "@cairn/protocol";
import type { ProcessOptions } from "./server-process.ts";
import { startProcess } from "./start-process.ts";

export type Killable = { url: string; killed(): Promise<void> };

/** Starts a server over the same folder, as often as it is called. */
export async function killableHouse(
  t: TestContext,
  options: ProcessOptions = { reconstruct: "sparse", rebuildEvery: 3 },
): Promise<() => Promise<Killable>> {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-face-kill-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  return async () => {
    const { child, url } = await startProcess(dataDir, options);
    t.after(() => child.kill("SIGKILL"));
    const killed = async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
    return { url, killed };
  };
}

/** JSON of a request that succeeds. */
export async function answer(url: string, init?: RequestInit): Promise<Record<string, unknown>> {
  const response = await fetch(url, init);
  assert.equal(response.status, 200);
  return (await response.json()) as Record<string, unknown>;
}

/** Photos in the order in which the engine was done with them: one that it was given twice is there twice. */
export async function processed(url: string, space: string): Promise<string[]> {
  const { events } = (await answer(`${url}/v1/spaces/${space}/events?limit=5000`)) as { events: CairnEvent[] };
  const imageAt = new Map<number, string>();
  const causes = new Map<string, number>();
  const done: string[] = [];
  for (const event of events) {
    if (event.type === "image.added") imageAt.set(event.seq, event.data.image);
    if (event.type === "operation.started" && event.data.kind === "reconstruct") {
      causes.set(event.data.operation, event.cause ?? 0);
    }
    if (event.type !== "operation.completed") continue;
    const image = imageAt.get(causes.get(event.data.operation) ?? 0);
    if (image !== undefined) done.push(image);
  }
  return done;
}
