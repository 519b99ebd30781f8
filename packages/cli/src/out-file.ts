/** Files that appear whole or not at all. */
import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Writes the pieces beside `path` and puts the result in its place at the end. */
export async function writeWhole(path: string, pieces: Pieces): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = await writePartial(path, pieces);
  try {
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** All of the files, by name, or none: each takes its name only when the last one is written. */
export async function writeFolder(folder: string, files: Record<string, string | Pieces>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const partials: { partial: string; path: string }[] = [];
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      const pieces = typeof content === "string" ? [new TextEncoder().encode(content)] : content;
      partials.push({ partial: await writePartial(path, pieces), path });
    }
    for (const { partial, path } of partials) await rename(partial, path);
  } catch (error) {
    for (const { partial } of partials) await rm(partial, { force: true });
    throw error;
  }
}

/** Answers the temporary name; leaves nothing behind when it fails. */
async function writePartial(path: string, pieces: Pieces): Promise<string> {
  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  const file = await open(partial, "wx");
  try {
    for await (const piece of pieces) await file.writeFile(piece);
    await file.close();
    return partial;
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
}
