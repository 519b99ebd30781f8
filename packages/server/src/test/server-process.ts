/** A server in a process of its own, for tests that kill it: says its address on standard output. */
import { openEmbeddedEngine } from "@cairn/reconstruct";
import { startServer } from "../compose.ts";

const [dataDir, reconstruct] = process.argv.slice(2);
if (!dataDir) throw new RangeError("expected a data directory");
const { url } = await startServer({
  port: 0,
  dataDir,
  logLevel: "silent",
  openEngine: reconstruct ? (options) => openEmbeddedEngine({ ...options, preset: "sparse", threads: 2 }) : null,
});
process.stdout.write(`${url}\n`);
