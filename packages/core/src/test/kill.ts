/** Runs the writer, kills it, and compares what it had acknowledged with what is there. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CairnError } from "@cairn/protocol";
import { openCore } from "../core.ts";

const WRITER = fileURLToPath(new URL("./writer.js", import.meta.url));

/** Kills the writer with SIGKILL once it has printed `lines` lines. @returns what it had acknowledged, in order */
export async function runAndKill(dataDir: string, lines: number, ...args: string[]): Promise<string[]> {
  const writer = spawn(process.execPath, [WRITER, dataDir, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let problems = "";
  writer.stderr.setEncoding("utf8").on("data", (text: string) => {
    problems += text;
  });
  writer.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    if (out.split("\n").length > lines) writer.kill("SIGKILL");
  });
  const [code, signal] = await once(writer, "close");
  assert.equal(signal, "SIGKILL", `the writer ended by itself (${code}): ${problems}`);
  // A line that was cut off was not heard by anyone.
  return out.slice(0, out.lastIndexOf("\n")).split("\n");
}

export type Found = {
  lost: string[];
  doubled: string[];
  halfBatches: number;
  acknowledged: number;
  /** What the core itself noticed. */
  problems: string[];
};

/** @param lines all that was ever acknowledged in `dataDir` */
export async function compare(dataDir: string, lines: readonly string[]): Promise<Found> {
  const core = await openCore({ dataDir });
  try {
    const seen = new Map<string, number>();
    const list = await core.spaces.list();
    const log = list.length > 0 ? (await core.spaces.open("place")).log : undefined;
    const damage: string[] = [];
    for (let after = 0; log && after < log.head; ) {
      const events = await log.read(after, 1000).catch((error: unknown) => {
        // What the log itself finds damaged is lost as well, and it says so.
        if (!(error instanceof CairnError && error.code === "log.corrupt")) throw error;
        damage.push(error.message);
        return [];
      });
      if (events.length === 0) break;
      for (const event of events) {
        assert.equal(event.seq, after + 1);
        after = event.seq;
        if (event.type === "space.renamed") seen.set(event.data.title, (seen.get(event.data.title) ?? 0) + 1);
      }
    }
    const lost: string[] = [];
    const acknowledged = lines.filter((line) => line !== "ready");
    for (const line of acknowledged) {
      const [kind, name = "", text] = line.split(" ");
      if (kind === "event" && !seen.has(name)) lost.push(line);
      if (kind !== "blob") continue;
      const bytes = await core.blobs.get(name).catch(() => undefined);
      if (!bytes || Buffer.from(bytes).toString() !== text) lost.push(line);
    }
    const titles = [...seen.keys()];
    const halves = titles.filter(
      (title) => !seen.has(title.endsWith(".a") ? `${title.slice(0, -1)}b` : `${title.slice(0, -1)}a`),
    );
    const doubled = titles.filter((title) => seen.get(title) !== 1);
    return {
      lost,
      doubled,
      halfBatches: halves.length,
      acknowledged: acknowledged.length,
      problems: [...core.problems(), ...damage],
    };
  } finally {
    await core.close();
  }
}
