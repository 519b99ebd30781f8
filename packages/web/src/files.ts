/** Files out of a drop or a paste, folders included. */
import { count } from "./words.ts";

const MAX_FILES = 2000;

export type Found = {
  files: File[];
  /** There are more than are taken at once. */
  more: boolean;
  /** Files and folders that the browser may not read. */
  unreadable: number;
};

/** Reads what was dropped. Must be called within the event: afterwards the browser has forgotten the items. */
export async function filesOf(transfer: DataTransfer): Promise<Found> {
  const entries = [...transfer.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null));
  const files = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) {
    return { files: files.slice(0, MAX_FILES), more: files.length > MAX_FILES, unreadable: 0 };
  }
  const found: Found = { files: [], more: false, unreadable: 0 };
  for (const entry of entries) if (entry) await walk(entry, found);
  found.files.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  return found;
}

/** What of a drop is not added, and why; `undefined`: all of it is. */
export function leftOutInWords({ files, more, unreadable }: Found): string | undefined {
  const parts = [
    more && `Only the first ${count(MAX_FILES, "file")} are taken at once: drop the others again.`,
    unreadable > 0 && `${count(unreadable, "file or folder", "files or folders")} could not be read.`,
  ].filter(Boolean);
  if (parts.length === 0 && files.length === 0) return "There is no photo and no point cloud in it.";
  return parts.join(" ") || undefined;
}

/** What cannot be read loses only itself. */
async function walk(entry: FileSystemEntry, found: Found): Promise<void> {
  if (found.more || entry.name.startsWith(".")) return;
  try {
    if (entry.isFile) await take(entry as FileSystemFileEntry, found);
    else await walkFolder(entry as FileSystemDirectoryEntry, found);
  } catch {
    found.unreadable++;
  }
}

async function take(entry: FileSystemFileEntry, found: Found): Promise<void> {
  const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
  if (!looksLikePhoto(file) && !isCloud(file.name)) return;
  if (found.files.length < MAX_FILES) found.files.push(file);
  else found.more = true;
}

async function walkFolder(entry: FileSystemDirectoryEntry, found: Found): Promise<void> {
  const reader = entry.createReader();
  while (!found.more) {
    // Hands out a hundred at a time, and an empty list at the end.
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    for (const each of batch) await walk(each, found);
  }
}

/** Used for folders only, which hold other things too; what is dropped itself goes to the server, which looks inside. */
function looksLikePhoto({ name, type }: File): boolean {
  return type.startsWith("image/") || /\.(jpe?g|png|webp|heic|heif)$/i.test(name);
}

export const ACCEPT = "image/*,.heic,.heif,.ply,.las,.laz,.glb";

/** By its name: what it is, the server sees. */
export function isCloud(name: string): boolean {
  return /\.(ply|las|laz|glb)$/i.test(name);
}
