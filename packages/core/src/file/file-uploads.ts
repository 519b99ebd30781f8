/**
 * Files that come in chunks, in any order and over several connections, and are there at once when they are whole. What was
 * acknowledged is on disk and survives a restart; what nobody goes on with is deleted after ten minutes.
 */
import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { CairnError } from "@cairn/protocol";
import { makeFolder, storeError } from "../disk/disk.ts";
import { ChunkFile } from "./chunk-file.ts";
import { checkFileName, type StoredFile, StoredFiles } from "./stored-files.ts";
import { joinHalves } from "./text-halves.ts";

export type UploadStart = {
  readonly fileName: string;
  /** Whoever sends it; the same may go on with it later. */
  readonly source: string;
  readonly totalChunks?: number | undefined;
  readonly totalBytes?: number | undefined;
  /** Chunks are counted from here; left out: from 0 or 1, whichever comes. */
  readonly firstChunk?: number | undefined;
  /** Its chunks are those of `bytesOfPiece`. */
  readonly text?: boolean | undefined;
};

export type UploadProgress = {
  readonly upload: string;
  readonly fileName: string;
  readonly chunks: number;
  readonly bytes: number;
  /** 0 to 1; null while no total is known. */
  readonly progress: number | null;
};

export type FileUploadLimits = {
  readonly fileBytes: number;
  /** All open uploads together. */
  readonly uploads: number;
  /** Nobody goes on with it for so long: deleted. */
  readonly idleMs: number;
};

const LIMITS: FileUploadLimits = { fileBytes: 2 ** 30, uploads: 1000, idleMs: 600_000 };
const MAX_MISSING = 100;
const EXTENSION = ".chunks";

type Open = {
  readonly chunks: ChunkFile;
  readonly path: string;
  /** One step after the other: chunks of one upload may come over several connections. */
  last: Promise<unknown>;
  idle: NodeJS.Timeout;
};

export class FileUploads {
  readonly stored: StoredFiles;
  readonly #dir: string;
  readonly #limits: FileUploadLimits;
  readonly #open = new Map<string, Open>();
  #closed = false;

  private constructor(dir: string, stored: StoredFiles, limits: FileUploadLimits) {
    this.#dir = dir;
    this.stored = stored;
    this.#limits = limits;
  }

  static async open(dir: string, limits: Partial<FileUploadLimits> = {}): Promise<FileUploads> {
    const partial = join(dir, "partial");
    await makeFolder(partial);
    const uploads = new FileUploads(partial, await StoredFiles.open(dir), { ...LIMITS, ...limits });
    for (const name of await readdir(partial)) {
      const path = join(partial, name);
      const chunks = name.endsWith(EXTENSION)
        ? await ChunkFile.reopen(path).catch(() => "unreadable" as const)
        : undefined;
      if (chunks === "unreadable") continue; // the disk does not give it now: it stays for another start
      if (chunks) uploads.#keep(chunks, path);
      else await rm(path, { force: true });
    }
    return uploads;
  }

  /** @throws {CairnError} `file.name_invalid`, `file.too_large`, `upload.too_many`, `store.*` */
  async start({ fileName, source, totalChunks, totalBytes, firstChunk, text }: UploadStart): Promise<UploadProgress> {
    checkFileName(fileName);
    if ((totalBytes ?? 0) > this.#limits.fileBytes) {
      throw new CairnError("file.too_large", { mostBytes: this.#limits.fileBytes });
    }
    if (this.#open.size >= this.#limits.uploads) throw new CairnError("upload.too_many", { open: this.#open.size });
    const upload = randomUUID();
    const path = join(this.#dir, `${upload}${EXTENSION}`);
    const facts = {
      upload,
      fileName,
      source,
      ...(totalChunks === undefined ? {} : { totalChunks }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(firstChunk === undefined ? {} : { firstChunk }),
      ...(text === undefined ? {} : { text }),
    };
    const chunks = await ChunkFile.create(path, facts).catch((error: unknown) => {
      throw storeError(error);
    });
    this.#keep(chunks, path);
    return progressOf(chunks);
  }

  /** The upload of this file that `source` has begun, if it is still open; the newest. */
  find(source: string, fileName: string): string | undefined {
    let found: string | undefined;
    for (const [upload, { chunks }] of this.#open) {
      if (chunks.facts.source === source && chunks.facts.fileName === fileName) found = upload;
    }
    return found;
  }

  /** How many uploads this source has open. */
  openOf(source: string): number {
    return [...this.#open.values()].filter(({ chunks }) => chunks.facts.source === source).length;
  }

  /** @throws {CairnError} `file.upload_missing` */
  progress(upload: string): UploadProgress {
    return progressOf(this.#known(upload).chunks);
  }

  /**
   * On disk when it resolves. `index` left out: it follows those that came.
   * @throws {CairnError} `file.upload_missing`, `file.too_large`, `request.invalid`, `store.*`
   */
  add(upload: string, index: number | undefined, bytes: Uint8Array): Promise<UploadProgress> {
    if (index !== undefined && (!Number.isSafeInteger(index) || index < 0)) {
      throw new CairnError("request.invalid", { field: "chunkIndex", problem: "is not a whole number from 0" });
    }
    return this.#inTurn(upload, async ({ chunks }) => {
      await chunks.add(index ?? chunks.next, bytes, this.#limits.fileBytes).catch((error: unknown) => {
        throw storeError(error);
      });
      return progressOf(chunks);
    });
  }

  /**
   * The name shows the whole file when this resolves. With chunks missing the upload stays open.
   * @throws {CairnError} `file.upload_missing`, `file.chunks_missing` with `missing` as text, `store.*`
   */
  complete(upload: string): Promise<StoredFile> {
    return this.#inTurn(upload, async (open) => {
      const missing = open.chunks.missing(MAX_MISSING + 1);
      if (missing.length > 0) {
        const shown = missing.slice(0, MAX_MISSING).join(", ");
        throw new CairnError("file.chunks_missing", { missing: missing.length > MAX_MISSING ? `${shown}, …` : shown });
      }
      const { fileName, text } = open.chunks.facts;
      const contents = open.chunks.contents();
      const file = await this.stored.store(fileName, text ? joinHalves(contents) : contents);
      await this.#forget(upload, open);
      return file;
    });
  }

  /** @throws {CairnError} `file.upload_missing` */
  abort(upload: string): Promise<void> {
    return this.#inTurn(upload, (open) => this.#forget(upload, open));
  }

  /** Open uploads stay on disk and go on after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const open of this.#open.values()) {
      clearTimeout(open.idle);
      await open.last;
      await open.chunks.close();
    }
    this.#open.clear();
  }

  #known(upload: string): Open {
    const open = this.#closed ? undefined : this.#open.get(upload);
    if (!open) throw new CairnError("file.upload_missing");
    return open;
  }

  #inTurn<T>(upload: string, step: (open: Open) => Promise<T>): Promise<T> {
    const open = this.#known(upload);
    open.idle.refresh();
    const result = open.last.then(() => {
      this.#known(upload); // it may have ended meanwhile
      return step(open);
    });
    open.last = result.catch(() => undefined);
    return result;
  }

  #keep(chunks: ChunkFile, path: string): void {
    const { upload } = chunks.facts;
    const idle = setTimeout(() => void this.abort(upload).catch(() => undefined), this.#limits.idleMs).unref();
    this.#open.set(upload, { chunks, path, last: Promise.resolve(), idle });
  }

  async #forget(upload: string, { chunks, path, idle }: Open): Promise<void> {
    clearTimeout(idle);
    this.#open.delete(upload);
    await chunks.close();
    await rm(path, { force: true });
  }
}

function progressOf(chunks: ChunkFile): UploadProgress {
  const { upload, fileName, totalBytes, totalChunks } = chunks.facts;
  let progress: number | null = null;
  if (totalBytes) progress = chunks.bytes / totalBytes;
  else if (totalChunks) progress = chunks.count / totalChunks;
  return {
    upload,
    fileName,
    chunks: chunks.count,
    bytes: chunks.bytes,
    progress: progress === null ? null : Math.min(1, progress),
  };
}
