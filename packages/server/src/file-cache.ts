/** What can be made again, on disk, so that a restart does not make it again. Losing one costs time, never a result. */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";

const MAX_BYTES = 2 * 2 ** 30;
const DIGEST_BYTES = 32;

export interface FileCache {
  /** `undefined` when it is not there, or not as it was put. */
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
}

/** Best effort: nothing is synced, and an error of the disk is a miss. Above `maxBytes` those used longest ago go. */
export function openFileCache(folder: string, maxBytes = MAX_BYTES): FileCache {
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
        const file = await readFile(path);
        const bytes = file.subarray(DIGEST_BYTES);
        if (!digestOf(bytes).equals(file.subarray(0, DIGEST_BYTES))) {
          await rm(path, { force: true });
          return undefined;
        }
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
        await writeFile(temporary, Buffer.concat([digestOf(bytes), bytes]));
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

function digestOf(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

async function sizeAndUse(path: string): Promise<{ sizeBytes: number; usedMs: number }> {
  const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
  return { sizeBytes: size, usedMs: mtimeMs };
}
