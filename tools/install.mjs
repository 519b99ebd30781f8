/** Installs the locked dependencies when they are not there, not all there, or older than the lock. */
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.mjs";

const stamp = join(root, "node_modules/.package-lock.json");
// npm leaves the same stamp when it was told to leave out what builds; the compiler says whether it did.
const compiler = join(root, "node_modules/.bin/tsc");
const fresh =
  existsSync(compiler) &&
  existsSync(stamp) &&
  statSync(stamp).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
if (!fresh) {
  console.error("Installing dependencies (once) …");
  // Said aloud, because NODE_ENV=production or npm's own settings leave them out.
  const npm = spawnSync("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (npm.error) console.error(`npm could not be started: ${npm.error.message}`);
  else if (npm.status !== 0)
    console.error("npm ci failed. Check the network or registry, then run the same command again.");
  if (npm.status !== 0) process.exit(npm.status ?? 1);
}
