/** Where a space's files are: a folder named by the SHA-256 of its id, because ids are free text and never a path. */
import { createHash, randomUUID } from "node:crypto";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkSpaceId, type SpaceId } from "@cairn/protocol";
import { errnoOf, makeFolder, syncFolder, writeFileDurably } from "../disk/disk.ts";

const ABOUT = "space.json";
/** Ends the name of a folder that is being deleted; it is not a space any more. */
const DELETED = ".deleted";

export function spaceFolder(root: string, id: SpaceId): string {
  return join(root, createHash("sha256").update(id, "utf8").digest("hex"));
}

export function logFolder(folder: string): string {
  return join(folder, "log");
}

export async function makeSpaceFolder(root: string, id: SpaceId): Promise<string> {
  const folder = spaceFolder(root, id);
  await makeFolder(folder);
  await writeFileDurably(join(folder, ABOUT), `${JSON.stringify({ id })}\n`);
  return folder;
}

/** The ids of all spaces here. Removes what is left of those that were being deleted. */
export async function findSpaces(root: string): Promise<SpaceId[]> {
  const ids: SpaceId[] = [];
  for (const name of await readdir(root)) {
    if (name.endsWith(DELETED)) await rm(join(root, name), { recursive: true, force: true });
    else if (/^[0-9a-f]{64}$/.test(name)) {
      const id = await readId(join(root, name));
      if (id !== undefined && spaceFolder(root, id) === join(root, name)) ids.push(id);
    }
  }
  return ids;
}

/** Deleted for good when it resolves, also after a power cut; the files themselves go next. */
export async function deleteSpaceFolder(root: string, id: SpaceId): Promise<void> {
  const gone = join(root, `${randomUUID()}${DELETED}`);
  await rename(spaceFolder(root, id), gone);
  await syncFolder(root);
  // What cannot be removed now is removed at the next start.
  await rm(gone, { recursive: true, force: true }).catch(() => undefined);
}

/** `undefined` when it was being made as the power went: there is nothing in it then. */
async function readId(folder: string): Promise<SpaceId | undefined> {
  try {
    const { id }: { id: string } = JSON.parse(await readFile(join(folder, ABOUT), "utf8"));
    return checkSpaceId(id);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
