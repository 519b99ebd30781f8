/** Features of photos on disk, so that a restart does not compute them again. Losing one costs time, never a result. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FeatureCache } from "@cairn/reconstruct";

const MAX_BYTES = 2 * 2 ** 30;

/** Best effort: nothing is synced, and an error of the disk is a miss. Above `maxBytes` those used longest ago go. */
export function openFeatureCache(folder: string, maxBytes = MAX_BYTES): FeatureCache {
  const pathOf = (key: string) => join(folder, createHash("sha256").update(key).digest("hex"));
  let writtenBytes = 0;

  async function tidy(): Promise<void> {
    const files = await Promise.all(
      (await readdir(folder)).map(async (name) => ({
        path: join(folder, name),
        ...(await sizeAndUse(join(folder, name))),
      })),
    );
    let heldBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    for (const { path, sizeBytes } of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (heldBytes <= maxBytes) return;
      await rm(path, { force: true });
      heldBytes -= sizeBytes;
    }
  }

  return {
    async get(key) {
      try {
        const path = pathOf(key);
        const bytes = await readFile(path);
        const now = new Date();
        await utimes(path, now, now);
        return bytes;
      } catch {
        return undefined;
      }
    },
    async put(key, bytes) {
      const temporary = join(folder, `${randomUUID()}.tmp`);
      try {
        await mkdir(folder, { recursive: true });
        await writeFile(temporary, bytes);
        await rename(temporary, pathOf(key));
        writtenBytes += bytes.length;
        if (writtenBytes > maxBytes / 16) {
          writtenBytes = 0;
          await tidy();
        }
      } catch {
        await rm(temporary, { force: true });
      }
    },
  };
}

async function sizeAndUse(path: string): Promise<{ sizeBytes: number; usedMs: number }> {
  const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
  return { sizeBytes: size, usedMs: mtimeMs };
}
