/**
 * Files that devices sent whole: a folder with each under its own name, that shows a name when its bytes are all there and
 * synced, and keeps the old one until then. What a file hashes to is remembered beside it and worked out again when not.
 */
import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { CairnError } from "@cairn/protocol";
import { errnoOf, makeFolder, storeError, syncFolder, TEMPORARY, writeFileDurably } from "../disk/disk.ts";

export type StoredFile = {
  readonly fileName: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
};

type Known = { readonly bytes: number; readonly modifiedMs: number; readonly sha256: string };

const MAX_NAME_BYTES = 255;

/** A name that is only a name (HUB-69). @throws {CairnError} `file.name_invalid` */
export function checkFileName(name: string): string {
  const bad =
    name === "" ||
    name === "." ||
    name === ".." ||
    ["/", "\\", "\0"].some((character) => name.includes(character)) ||
    /\p{Cs}/u.test(name) || // half of a surrogate pair: no text, and no name of a disk's
    Buffer.byteLength(name) > MAX_NAME_BYTES;
  if (bad) throw new CairnError("file.name_invalid");
  return name;
}

export class StoredFiles {
  readonly #files: string;
  readonly #facts: string;
  readonly #scratch: string;

  private constructor(dir: string) {
    this.#files = join(dir, "stored");
    this.#facts = join(dir, "facts");
    this.#scratch = join(dir, "scratch");
  }

  static async open(dir: string): Promise<StoredFiles> {
    const files = new StoredFiles(dir);
    await rm(files.#scratch, { recursive: true, force: true });
    for (const folder of [files.#files, files.#facts, files.#scratch]) await makeFolder(folder);
    return files;
  }

  /** @throws {CairnError} `file.name_invalid`, `store.full`, `store.failed` */
  async store(fileName: string, contents: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<StoredFile> {
    const target = join(this.#files, checkFileName(fileName));
    const temporary = join(this.#scratch, `${randomUUID()}${TEMPORARY}`);
    const hash = createHash("sha256");
    try {
      const file = await open(temporary, "wx");
      try {
        for await (const bytes of contents) {
          signal?.throwIfAborted();
          hash.update(bytes);
          await file.writeFile(bytes); // `write` alone may stop half-way without an error
        }
        await file.sync();
      } finally {
        await file.close();
      }
      const sha256 = hash.digest("hex");
      const { size, mtimeMs } = await stat(temporary);
      await rename(temporary, target);
      await syncFolder(this.#files);
      await this.#remember(fileName, { bytes: size, modifiedMs: mtimeMs, sha256 });
      return { fileName, bytes: size, sha256, createdMs: mtimeMs };
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      if (signal?.aborted) throw error;
      throw storeError(error);
    }
  }

  /** Oldest first. */
  async list(): Promise<StoredFile[]> {
    const names = await readdir(this.#files);
    const found = await Promise.all(names.map((name) => this.find(name).catch(() => undefined)));
    return found.filter((file) => file !== undefined).sort((a, b) => a.createdMs - b.createdMs);
  }

  /** @throws {CairnError} `file.name_invalid`, `file.missing` */
  async find(fileName: string): Promise<StoredFile> {
    const path = join(this.#files, checkFileName(fileName));
    try {
      const { size, mtimeMs } = await stat(path);
      const known = await this.#recall(fileName);
      const fits = known?.bytes === size && known.modifiedMs === mtimeMs;
      const sha256 = fits ? known.sha256 : (await hashed(path)).digest("hex");
      // Only a shortcut: a disk that takes nothing can still be read.
      if (!fits) await this.#remember(fileName, { bytes: size, modifiedMs: mtimeMs, sha256 }).catch(() => undefined);
      return { fileName, bytes: size, sha256, createdMs: mtimeMs };
    } catch (error) {
      if (errnoOf(error) === "ENOENT") throw new CairnError("file.missing", { fileName });
      throw storeError(error);
    }
  }

  /** From `start` to `end`, both within. */
  read(fileName: string, range: { start: number; end: number }): ReadStream {
    return createReadStream(join(this.#files, checkFileName(fileName)), range);
  }

  /** Under a name of fixed length: a file's own may be as long as a disk allows. */
  #factsPath(fileName: string): string {
    return join(this.#facts, `${createHash("sha256").update(fileName).digest("hex")}.json`);
  }

  async #remember(fileName: string, known: Known): Promise<void> {
    await writeFileDurably(this.#factsPath(fileName), JSON.stringify(known));
  }

  async #recall(fileName: string): Promise<Known | undefined> {
    try {
      return JSON.parse(await readFile(this.#factsPath(fileName), "utf8")) as Known;
    } catch {
      return undefined; // never written, or not whole: it is only a shortcut
    }
  }
}

async function hashed(path: string): Promise<Hash> {
  const hash = createHash("sha256");
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  return hash;
}
