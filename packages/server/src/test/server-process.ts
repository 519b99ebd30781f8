/** A server in a process of its own, for tests that kill it: says its address on standard output. */
import type { Preset } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { startServer } from "../compose.ts";
import type { ServerOptions } from "../server-options.ts";

/** What a test says of it, as JSON; `reconstruct`: with the engine, at this preset. */
export type ProcessOptions = Pick<ServerOptions, "socketRate" | "meshFolders" | "port"> & {
  readonly reconstruct?: Preset;
  readonly rebuildEvery?: number;
};

const [dataDir, words = "{}"] = process.argv.slice(2);
if (!dataDir) throw new RangeError("expected a data directory");
const { reconstruct: preset, rebuildEvery = 10, ...options } = JSON.parse(words) as ProcessOptions;
const server = await startServer({
  port: 0,
  dataDir,
  logLevel: "silent",
  openEngine: preset ? (options) => openEmbeddedEngine({ ...options, threads: 2 }) : null,
  ...(preset && { spaceSettings: { preset, rebuildEvery } }),
  ...options,
});
process.once("SIGTERM", () => server.close().then(() => process.exit(0)));
process.stdout.write(`${server.url}\n`);
