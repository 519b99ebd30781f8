/** When a file that some program writes is complete. Rule MSH-4. */
import { open } from "node:fs/promises";
import { isBinaryStl, isWholeTextStl, type MeshFormat } from "@cairn/formats/design";

/** Two looks at the same file are this far apart. */
export const AGAIN_MS = 300;
/** Unchanged for so long it is complete, whatever is in it. */
export const LONG_MS = 2000;

const END_BYTES = 512;

export type Look = {
  readonly path: string;
  readonly format: MeshFormat;
  readonly sizeBytes: number;
  /** How long it has had this size and time. */
  readonly quietMs: number;
  /** It was renamed, or its attributes were set, after the last write. */
  readonly touchedSince: boolean;
};

/** Whether a young file is complete, as far as can be told. */
export async function isComplete({ path, format, sizeBytes, quietMs, touchedSince }: Look): Promise<boolean> {
  if (quietMs >= LONG_MS) return true;
  if (quietMs < AGAIN_MS && !touchedSince) return false;
  return looksWhole(path, format, sizeBytes);
}

/** Whether the file's form says that nothing is missing. */
async function looksWhole(path: string, format: MeshFormat, sizeBytes: number): Promise<boolean> {
  if (format !== "stl" && format !== "glb") return false;
  const file = await open(path, "r").catch(() => undefined);
  if (!file) return false;
  try {
    const head = Buffer.alloc(Math.min(END_BYTES, sizeBytes));
    await file.read(head, 0, head.length, 0);
    // A GLB says its length itself.
    if (format === "glb")
      return head.length >= 12 && head.toString("latin1", 0, 4) === "glTF" && head.readUInt32LE(8) === sizeBytes;
    if (isBinaryStl(head, sizeBytes)) return true;
    const tail = Buffer.alloc(head.length);
    await file.read(tail, 0, tail.length, sizeBytes - tail.length);
    return isWholeTextStl(head, tail);
  } catch {
    return false;
  } finally {
    await file.close();
  }
}
