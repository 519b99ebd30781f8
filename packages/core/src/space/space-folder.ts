/** Where a space's files are: a folder named by the SHA-256 of its id, because ids are free text and never a path. */
import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CairnError, checkSpaceId, type SpaceId } from "@cairn/protocol";
import { errnoOf, makeFolder, storeError, syncFolder, writeFileDurably } from "../disk/disk.ts";

const ABOUT = "space.json";
const LOG = "log";
/** Ends the name of a folder that is being deleted; it is not a space any more. */
const DELETED = ".deleted";

export function spaceFolder(root: string, id: SpaceId): string {
  return join(root, createHash("sha256").update(id, "utf8").digest("hex"));
}

export function logFolder(folder: string): string {
  return join(folder, LOG);
}

export async function makeSpaceFolder(root: string, id: SpaceId): Promise<string> {
  const folder = spaceFolder(root, id);
  await makeFolder(folder);
  await writeFileDurably(join(folder, ABOUT), `${JSON.stringify({ id })}\n`);
  return folder;
}

/**
 * The ids of all spaces here, and why others cannot be told, by the names of their folders. Removes what is left of
 * those that were being deleted.
 */
export async function findSpaces(root: string): Promise<{ ids: SpaceId[]; damaged: Map<string, CairnError> }> {
  const ids: SpaceId[] = [];
  const damaged = new Map<string, CairnError>();
  for (const name of await readdir(root)) {
    const folder = join(root, name);
    if (name.endsWith(DELETED)) await rm(folder, { recursive: true, force: true });
    else if (/^[0-9a-f]{64}$/.test(name)) {
      const id = await readId(folder).catch((error: unknown) => void damaged.set(name, storeError(error)));
      if (id !== undefined && spaceFolder(root, id) === folder) ids.push(id);
    }
  }
  return { ids, damaged };
}

/** Deleted for good when it resolves, also after a power cut; the files themselves go next. */
export async function deleteSpaceFolder(root: string, id: SpaceId): Promise<void> {
  const gone = join(root, `${randomUUID()}${DELETED}`);
  await rename(spaceFolder(root, id), gone);
  await syncFolder(root);
  // What cannot be removed now is removed at the next start.
  await rm(gone, { recursive: true, force: true }).catch(() => undefined);
}

/** `undefined` when it was being made as the power went: there is no log in it then. */
async function readId(folder: string): Promise<SpaceId | undefined> {
  try {
    const { id }: { id: string } = JSON.parse(await readFile(join(folder, ABOUT), "utf8"));
    return checkSpaceId(id);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" && !(await readdir(folder)).includes(LOG)) return undefined;
    throw error;
  }
}
