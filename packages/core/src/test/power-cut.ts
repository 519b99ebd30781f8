/**
 * Cuts the power of a lossy file system (`test/lossy-fs.py`) under the writer. `kill -9` alone cannot see a missing
 * fsync: the kernel still has the bytes. A control that skips the fsync must lose some, else the test proves nothing.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compare, type Found, runAndKill } from "./kill.ts";

const FILE_SYSTEM = fileURLToPath(new URL("../../test/lossy-fs.py", import.meta.url));

/** Debian's own: its packages are not seen by another Python that may come first in PATH. */
const PYTHON = "/usr/bin/python3";

/** Why there can be no lossy file system here; `undefined` when there can. */
export function missingForPowerCuts(): string | undefined {
  const works =
    spawnSync(PYTHON, ["-c", "import fusepy"]).status === 0 && spawnSync("fusermount3", ["-V"]).status === 0;
  if (!works) return "python3-fusepy, fuse3 and libfuse2 are not installed";
  if (spawnSync("test", ["-w", "/dev/fuse"]).status !== 0) return "/dev/fuse cannot be opened";
  return undefined;
}

type LossyDisk = {
  readonly path: string;
  /** What programs see from now on is what was synced, and some of what was not. */
  cutPower(): Promise<void>;
};

/** @param work what is done on a lossy file system, which is gone afterwards */
export async function onLossyDisk<T>(work: (disk: LossyDisk) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "cairn-power-"));
  const mounted = join(folder, "disk");
  await mkdir(mounted);
  const disk = spawn(PYTHON, [FILE_SYSTEM, folder, mounted], { stdio: ["ignore", "inherit", "inherit"] });
  let cuts = 0;
  try {
    const { dev } = await stat(folder);
    while ((await stat(mounted)).dev === dev) {
      assert.equal(disk.exitCode, null, "the lossy file system did not start");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return await work({
      path: mounted,
      async cutPower() {
        cuts++;
        disk.kill("SIGUSR1");
        // The signal is taken between two requests: asking for something lets it in.
        while ((await stat(mounted)) && !(await hasCut(folder, cuts)))
          await new Promise((resolve) => setTimeout(resolve, 5));
      },
    });
  } finally {
    try {
      execFileSync("fusermount3", ["-u", "-z", mounted]);
    } catch {
      disk.kill("SIGKILL");
    }
    if (disk.exitCode === null && disk.signalCode === null) await once(disk, "exit");
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * @param cuts how often the writer is started, and the power cut while it writes
 * @param args for the writer: `no-sync` is the control
 */
export function cutPower(cuts: number, ...args: string[]): Promise<Found> {
  return onLossyDisk(async (disk) => {
    const dataDir = join(disk.path, "data");
    const lines: string[] = [];
    let found: Found | undefined;
    for (let cut = 1; cut <= cuts; cut++) {
      lines.push(...(await runAndKill(dataDir, 2 + ((cut * 29) % 90), ...args)));
      await disk.cutPower();
      found = await compare(dataDir, lines);
      // What is damaged is found before it is missed: the writer could not go on from here.
      if (found.lost.length > 0 || found.problems.length > 0) break;
    }
    assert.ok(found);
    return found;
  });
}

async function hasCut(folder: string, cut: number): Promise<boolean> {
  const text = await readFile(join(folder, "cuts"), "utf8").catch(() => "");
  return text.includes(`${cut}\n`);
}
