/**
 * What "on disk" means here: bytes are synced before they are named, and the folder is synced after.
 * Every error of the disk becomes `store.full` or `store.failed`, without a path in it.
 *
 * A wait for the disk costs the process more than what is waited for: it falls asleep and wakes with cold caches. So
 * what nobody need wait for is not waited for. (A write to a file opened with O_DSYNC would save another wait; a plain
 * fsync is what every file system and every watcher of system calls understands.)
 */
import { randomUUID } from "node:crypto";
import fs, { closeSync, openSync } from "node:fs";
import { mkdir, open, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { CairnError } from "@cairn/protocol";

/** Ends the name of a file that is still being written; whoever owns the folder removes leftovers when it opens. */
export const TEMPORARY = ".tmp";

const FULL = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

const openDescriptor = promisify(fs.open);
const writeDescriptor = promisify(fs.write);
const syncDescriptor = promisify(fs.fsync);

export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

/** `store.full` when space is what is missing, else `store.failed`. A CairnError stays what it is. */
export function storeError(error: unknown): CairnError {
  if (error instanceof CairnError) return error;
  const errno = errnoOf(error);
  if (errno !== undefined && FULL.has(errno)) return new CairnError("store.full", { errno }, error);
  return new CairnError("store.failed", errno === undefined ? {} : { errno }, error);
}

/** A file or folder could not be opened, because too many are for instance: nothing on the disk is different. */
export function notOpened(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && error.syscall === "open";
}

/** Makes names created, renamed or removed in the folder durable. */
export async function syncFolder(path: string): Promise<void> {
  // Whoever has just changed a folder finds it in the kernel's memory.
  const folder = openSync(path, "r");
  try {
    await syncDescriptor(folder);
  } finally {
    closeSync(folder);
  }
}

/** Makes a file with these bytes, which are on disk when it resolves; its name is not. */
export async function createFile(path: string, bytes: Uint8Array): Promise<void> {
  const file = await openDescriptor(path, "wx");
  try {
    for (let at = 0; at < bytes.length; ) {
      at += (await writeDescriptor(file, bytes, at, bytes.length - at, at)).bytesWritten;
    }
    await syncDescriptor(file);
  } finally {
    // Nothing is left to be written: there is nothing to wait for.
    closeSync(file);
  }
}

/** Makes the folder and every parent that is missing, durably. */
export async function makeFolder(path: string): Promise<void> {
  const topmost = await mkdir(path, { recursive: true });
  if (topmost === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === topmost) return;
  }
}

/** Whole or not at all, and durable when it resolves. `text` may depend on the file's identity on this disk. */
export async function writeFileDurably(path: string, text: string | ((identity: string) => string)): Promise<void> {
  const temporary = join(dirname(path), `${randomUUID()}${TEMPORARY}`);
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(typeof text === "string" ? text : text(identityOf(await file.stat({ bigint: true }))));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Says whether a file is still the one that was written, or a copy of it: a copy has another inode or birth. */
export async function fileIdentity(path: string): Promise<string> {
  return identityOf(await stat(path, { bigint: true }));
}

function identityOf(stats: { ino: bigint; birthtimeNs: bigint }): string {
  return `${stats.ino}-${stats.birthtimeNs}`;
}

/** Removes a file; one that is gone already is fine. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
