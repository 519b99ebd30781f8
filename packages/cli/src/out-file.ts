/** Files that appear whole or not at all. */
import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Writes the pieces beside `path` and puts the result in its place at the end. */
export async function writeWhole(
  path: string,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${randomUUID().slice(0, 8)}.part`;
  const file = await open(partial, "wx");
  try {
    for await (const piece of pieces) await file.writeFile(piece);
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
}

export function writeText(path: string, text: string): Promise<void> {
  return writeWhole(path, [new TextEncoder().encode(text)]);
}
