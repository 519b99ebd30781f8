/** A server in a process of its own, for tests that kill it: says its address on standard output. */
import { check, Preset } from "@cairn/protocol";
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { startServer } from "../compose.ts";

const [dataDir, preset, rebuildEvery] = process.argv.slice(2);
if (!dataDir) throw new RangeError("expected a data directory");
const server = await startServer({
  port: 0,
  dataDir,
  logLevel: "silent",
  openEngine: preset ? (options) => openEmbeddedEngine({ ...options, threads: 2 }) : null,
  ...(preset && { spaceSettings: { preset: check(Preset, preset), rebuildEvery: Number(rebuildEvery) } }),
});
process.once("SIGTERM", () => server.close().then(() => process.exit(0)));
process.stdout.write(`${server.url}\n`);
