/**
 * Programs of others that tests run: those that are missing are installed where that is allowed, together and before any
 * test begins, since two that install at once are in each other's way. Without one its tests say SKIPPED or what to do.
 *
 *   node tools/programs.mjs [--sudo]     all of them, with `sudo -n` where we are not root
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { findChromium } from "./chromium.mjs";
import { root } from "./root.mjs";

/** For all of it: who waits for tests is not kept longer by a network that hangs. */
const INSTALL_MS = 5 * 60_000;

const runs = (command, ...args) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
/** Debian's own Python: another one that may come first in PATH does not see Debian's packages. */
const imports = (module) => runs("/usr/bin/python3", "-c", `import ${module}`);

/** `of`: the packages of ours whose tests run it. */
const PROGRAMS = [
  { debian: ["chromium"], isThere: () => findChromium() !== undefined, of: ["web"] },
  { debian: ["rabbitmq-server"], isThere: () => existsSync("/usr/lib/rabbitmq/lib"), of: ["bus", "server"] },
  { debian: ["ffmpeg"], isThere: () => runs("ffmpeg", "-version"), of: ["cli", "core", "server", "video", "web"] },
  { debian: ["openssl"], isThere: () => runs("openssl", "version"), of: ["cli"] },
  { debian: ["colmap"], isThere: () => runs("colmap", "help"), of: ["formats"] },
  { debian: ["python3-websockets"], isThere: () => imports("websockets"), of: ["server"] },
  { debian: ["python3-aiohttp"], isThere: () => imports("aiohttp"), of: ["server"] },
  {
    debian: ["fuse3", "libfuse2", "python3-fusepy"],
    isThere: () => imports("fusepy") && runs("fusermount3", "-V"),
    of: ["core"],
  },
];

/** @param packages of ours, whose tests are to run @param sudo may be used where we are not root, if it asks nothing */
export function installPrograms(packages, { sudo = false } = {}) {
  const missing = () => PROGRAMS.filter(({ of, isThere }) => of.some((name) => packages.has(name)) && !isThere());
  const wanted = missing();
  if (wanted.length === 0) return;
  const endMs = performance.now() + INSTALL_MS;
  /** Whether a command that installs did; not begun when the time is over. */
  const installs = (command, ...args) => {
    const timeout = Math.ceil(endMs - performance.now());
    return timeout > 0 && spawnSync(command, args, { stdio: ["ignore", 2, 2], timeout }).status === 0;
  };
  const isRoot = process.getuid?.() === 0;
  if (runs("apt-get", "--version") && (isRoot || (sudo && runs("sudo", "-n", "true")))) {
    installFromDebian(
      wanted.map(({ debian }) => debian),
      (...args) => installs(...(isRoot ? [] : ["sudo", "-n"]), ...args),
    );
  }
  const ofPlaywright = join(root, "node_modules/playwright-core/cli.js");
  if (packages.has("web") && !findChromium() && existsSync(ofPlaywright)) {
    console.error("Installing Chromium (once) …");
    installs(process.execPath, ofPlaywright, "install", "chromium");
  }
  const still = missing().flatMap(({ debian }) => debian);
  if (still.length > 0) console.error(`Not installed: ${still.join(", ")}. Tests that need them say so.`);
}

/** All at once; where that fails after the lists were fetched anew, each alone, so that one that is unknown keeps no other away. */
function installFromDebian(groups, asRoot) {
  const apt = (...args) => asRoot("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", ...args);
  // Another one that installs is waited for.
  const install = (names) =>
    apt("install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0", ...names);
  console.error(`Installing ${groups.flat().join(", ")} (once) …`);
  if (install(groups.flat())) return;
  apt("update");
  if (install(groups.flat())) return;
  for (const names of groups) install(names);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const all = new Set(PROGRAMS.flatMap(({ of }) => of));
  installPrograms(all, { sudo: process.argv.includes("--sudo") });
}
