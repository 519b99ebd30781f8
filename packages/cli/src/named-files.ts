/**
 * What the arguments that name photos and videos mean: files, folders with all there is in them, and `-` for standard input,
 * which is one photo, or names of files and folders, one a line.
 */
import { open, readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { MAX_IMAGE_BYTES, recognise } from "@cairn/images";
import { isVideoHead } from "@cairn/video";
import { EXIT, Problem } from "./exit.ts";

export type PhotoFile = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly read: () => Promise<Uint8Array<ArrayBuffer>>;
};

/** A video among them. */
export type Clip = { readonly path: string; readonly name: string };

type NamedFiles = { readonly photos: PhotoFile[]; readonly clips: Clip[] };

/** Every photo and video that is named, each looked at to be there before any work begins. */
export async function findFiles(names: readonly string[]): Promise<NamedFiles> {
  const found: NamedFiles = { photos: [], clips: [] };
  for (const name of names) {
    if (name === "-") await addStandardInput(found);
    else await add(found, name);
  }
  if (found.photos.length + found.clips.length === 0) {
    throw new Problem("no photos named; give files, as in photos/*.jpg, or a folder of them", EXIT.usage);
  }
  return found;
}

/** For what takes photos only: a video among them is said before any work begins. */
export async function findPhotos(names: readonly string[]): Promise<PhotoFile[]> {
  const { photos, clips } = await findFiles(names);
  if (clips[0]) throw new Problem(`${clips[0].path} is a video; only photos can be taken here`, EXIT.usage);
  return photos;
}

async function add(found: NamedFiles, path: string): Promise<void> {
  const facts = await stat(path);
  if (facts.isDirectory()) return addFolder(found, path);
  if (facts.isFile() && (await kindOf(path)) === "video") found.clips.push({ path, name: basename(path) });
  else found.photos.push(photoAt(path, facts.size));
}

const photoAt = (path: string, sizeBytes: number): PhotoFile => ({
  name: basename(path),
  sizeBytes,
  read: async () => new Uint8Array(await readFile(path)),
});

/** As a person counts: `IMG_9` is before `IMG_10`. */
const { compare } = new Intl.Collator("en", { numeric: true });

/** Photos and videos in a folder and those below it, by name; the rest, and what is hidden, is left where it is. */
async function addFolder(found: NamedFiles, folder: string): Promise<void> {
  const before = found.photos.length + found.clips.length;
  const entries = await readdir(folder, { recursive: true });
  for (const entry of entries.sort(compare)) {
    if (entry.split(/[/\\]/).some((part) => part.startsWith("."))) continue;
    const path = join(folder, entry);
    // A link that leads nowhere is no photo.
    const facts = await stat(path).catch(() => undefined);
    const kind = facts?.isFile() ? await kindOf(path) : undefined;
    if (!facts || kind === undefined) continue;
    if (kind === "video") found.clips.push({ path, name: basename(path) });
    else found.photos.push(photoAt(path, facts.size));
  }
  if (found.photos.length + found.clips.length === before) {
    throw new Problem(`${folder} has no photo or video in it`, EXIT.failed);
  }
}

async function kindOf(path: string): Promise<"photo" | "video" | undefined> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(4096);
    const { bytesRead } = await file.read(head, 0, head.length);
    return kindOfHead(head.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

function kindOfHead(head: Uint8Array): "photo" | "video" | undefined {
  if (recognise(head)) return "photo";
  return isVideoHead(head) ? "video" : undefined;
}

async function addStandardInput(found: NamedFiles): Promise<void> {
  if (process.stdin.isTTY)
    throw new Problem("`-` reads a photo or file names from standard input; pipe some in", EXIT.usage);
  const bytes = await readStandardInput();
  const kind = kindOfHead(bytes);
  if (kind === "video") throw videoInput();
  if (kind === "photo") {
    found.photos.push({ name: "stdin", sizeBytes: bytes.length, read: async () => bytes });
    return;
  }
  const text = new TextDecoder().decode(bytes);
  if (text.includes("\0")) throw new Problem("standard input is neither a photo nor a list of file names");
  for (const line of text.split(/\r?\n/).filter(Boolean)) await add(found, line);
}

/** Of a video there may be more than memory has: it is told as soon as its beginning is there. */
const videoInput = () => new Problem("a video cannot come by standard input; name its file", EXIT.usage);

async function readStandardInput(): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  // Not by file descriptor: where standard input is a socket, reading one that is still empty fails with EAGAIN.
  for await (const piece of process.stdin) {
    pieces.push(piece as Buffer);
    sizeBytes += (piece as Buffer).length;
    if (sizeBytes > MAX_IMAGE_BYTES) {
      throw kindOfHead(pieces[0]!) === "video"
        ? videoInput()
        : new Problem("standard input is larger than a photo may be (64 MiB)");
    }
  }
  return new Uint8Array(Buffer.concat(pieces));
}
