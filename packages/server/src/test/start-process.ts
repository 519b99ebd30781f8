/** For tests that kill a server: one in a process of its own, and when it can serve. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ProcessOptions } from "./server-process.ts";

const entry = fileURLToPath(new URL("./server-process.js", import.meta.url));

export async function startProcess(
  dataDir: string,
  { environment = {}, ...options }: ProcessOptions & { environment?: Readonly<Record<string, string>> } = {},
): Promise<{ child: ChildProcess; url: string }> {
  const words = [entry, dataDir, JSON.stringify(options)];
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, words, { env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout! })) return { child, url: line };
  throw new Error("the server ended before it could serve");
}
