/** Files out of a drop or a paste, folders included. */

const MAX_FILES = 2000;

/** Reads what was dropped. Must be called within the event: afterwards the browser has forgotten the items. */
export async function filesOf(transfer: DataTransfer): Promise<File[]> {
  const entries = [...transfer.items].map((item) => (item.kind === "file" ? item.webkitGetAsEntry() : null));
  const files = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return files.slice(0, MAX_FILES);
  const found: File[] = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

async function walk(entry: FileSystemEntry, found: File[]): Promise<void> {
  if (found.length >= MAX_FILES || entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    if (looksLikePhoto(file) || isCloud(file.name)) found.push(file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
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
