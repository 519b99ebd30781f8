/**
 * The embedded blob store: a folder, `ab/cdef…` for each digest. A blob is whole and durable or not there at all.
 * Rules: docs/spec/blobs.md.
 */
import { createHash, randomUUID } from "node:crypto";
import { type BigIntStats, createReadStream } from "node:fs";
import { link, mkdir, open, readdir, readFile, rename, rm, stat, unlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream";
import { CairnError, check, Digest } from "@cairn/protocol";
import { createFile, errnoOf, makeFolder, removeFile, storeError, syncFolder, TEMPORARY } from "../disk/disk.ts";
import type { BlobStore, StoredBlob } from "./blob-store.ts";
import { checkedStream } from "./checked-stream.ts";
import { RecentBytes } from "./recent-bytes.ts";
import { VerifiedFiles } from "./verified-files.ts";

/** Ends the name of a blob whose bytes no longer match its digest: kept for whoever looks into it, never served. */
const QUARANTINED = ".corrupt";
/** What was just put is read at once by those who hear of it: so much of it, of blobs no longer than this, is kept. */
const RECENT_BYTES = 4 * 2 ** 20;
const RECENT_BLOB_BYTES = 512 * 1024;

/** Of a file that is hashed without being held in memory. */
const PIECES = { highWaterMark: 2 ** 18 };

const PREFIX = /^[0-9a-f]{2}$/;

export type BlobStoreOptions = {
  /** Told when the disk refuses (the error) and when it takes writes again (`undefined`). */
  onTrouble?: (trouble: CairnError | undefined) => void;
};

/** Opens the store in `folder` and removes what was being written when the process ended. */
export async function openFileBlobStore(folder: string, options: BlobStoreOptions = {}): Promise<FileBlobStore> {
  try {
    await makeFolder(folder);
    const names = await readdir(folder);
    for (const name of names) if (name.endsWith(TEMPORARY)) await removeFile(join(folder, name));
    // A killed process may have made folders whose names are in the kernel's memory only.
    await syncFolder(folder);
    return new FileBlobStore(
      folder,
      names.filter((name) => PREFIX.test(name)),
      options,
    );
  } catch (error) {
    throw storeError(error);
  }
}

export class FileBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #onTrouble: (trouble: CairnError | undefined) => void;
  /** Last task of each digest that is being stored, checked or removed: one at a time each. */
  readonly #turns = new Map<Digest, Promise<void>>();
  /** Folders in the store's, each for one beginning of digests, that are there, or being made, durably. */
  readonly #prefixes: Map<string, Promise<void>>;
  readonly #recent = new RecentBytes(RECENT_BYTES, RECENT_BLOB_BYTES);

  readonly #verified = new VerifiedFiles();
  readonly #verifying = new Map<Digest, Promise<void>>();

  /** Use `openFileBlobStore`. @param prefixes folders that are there durably */
  constructor(folder: string, prefixes: readonly string[], options: BlobStoreOptions) {
    this.#folder = folder;
    this.#prefixes = new Map(prefixes.map((prefix) => [prefix, Promise.resolve()]));
    this.#onTrouble = options.onTrouble ?? (() => undefined);
  }

  async put(
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    options: { signal?: AbortSignal } = {},
  ): Promise<StoredBlob> {
    const { signal } = options;
    signal?.throwIfAborted();
    const blob =
      bytes instanceof Uint8Array ? await this.#putBytes(bytes, signal) : await this.#putStream(bytes, signal);
    this.#onTrouble(undefined);
    return blob;
  }

  async adopt(path: string, options: { signal?: AbortSignal } = {}): Promise<StoredBlob> {
    const { signal } = options;
    try {
      const blob = await hashFile(path, signal);
      let linked = true;
      await this.#turn(blob.digest, async () => {
        if (await this.#renew(blob)) return;
        const temporary = join(this.#folder, `${randomUUID()}${TEMPORARY}`);
        linked = await link(path, temporary).then(
          () => true,
          () => false, // another disk, or one without links
        );
        if (!linked) return;
        const now = new Date();
        await utimes(temporary, now, now);
        await this.#name(temporary, blob.digest);
      });
      return linked ? blob : await this.put(createReadStream(path), options);
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#trouble(error);
    }
  }

  async get(digest: Digest): Promise<Uint8Array> {
    const path = this.#path(digest);
    const bytes = await readFile(path).catch((error: unknown) => missing(error, digest));
    if (sha256(bytes) === digest) return bytes;
    return this.#setAside(digest);
  }

  async verify(digest: Digest): Promise<void> {
    const path = this.#path(digest);
    const stats = await stat(path, { bigint: true }).catch((error: unknown) => missing(error, digest));
    if (this.#verified.has(digest, stats)) return;
    // Many who ask at once wait for one reading of it.
    const mine = this.#verifying.get(digest) ?? this.#hold(digest, path, stats);
    this.#verifying.set(digest, mine);
    try {
      await mine;
    } finally {
      if (this.#verifying.get(digest) === mine) this.#verifying.delete(digest);
    }
  }

  async stream(digest: Digest, range?: { start: number; end: number }): Promise<NodeJS.ReadableStream> {
    const file = await open(this.#path(digest), "r").catch((error: unknown) => missing(error, digest));
    if (range && range.end <= range.start) {
      await file.close();
      throw new RangeError(`range: ${range.start}…${range.end}`);
    }
    if (range) return createReadStream("", { fd: file, start: range.start, end: range.end - 1 });
    const checked = checkedStream(digest, () => this.#setAside(digest));
    // Whoever reads hears of errors by the stream that is theirs.
    return pipeline(createReadStream("", { fd: file, ...PIECES }), checked, () => undefined);
  }

  async range(digest: Digest, start: number, end: number, into?: Uint8Array): Promise<Uint8Array> {
    const file = await open(this.#path(digest), "r").catch((error: unknown) => missing(error, digest));
    try {
      const bytes = into?.subarray(0, end - start) ?? new Uint8Array(end - start);
      if (bytes.length < end - start) throw new RangeError(`${end - start} bytes into ${bytes.length}`);
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new CairnError("blob.corrupt", { digest });
        at += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  }

  recent(digest: Digest, start: number, end: number): Uint8Array | undefined {
    return this.#recent.range(digest, start, end);
  }

  async stat(digest: Digest): Promise<StoredBlob | undefined> {
    const stats = await statOf(this.#path(digest));
    return stats && { digest, sizeBytes: stats.size };
  }

  async collect(named: (digest: Digest) => boolean, graceMs: number): Promise<{ removed: number; freedBytes: number }> {
    let removed = 0;
    let freedBytes = 0;
    for (const prefix of await readdir(this.#folder)) {
      if (!PREFIX.test(prefix)) continue;
      for (const rest of await readdir(join(this.#folder, prefix))) {
        const digest = prefix + rest;
        if (!/^[0-9a-f]{64}$/.test(digest) || named(digest)) continue;
        await this.#turn(digest, async () => {
          // In its turn no put of it is under way, and a put that has ended has made it young.
          const stats = await statOf(this.#path(digest));
          if (!stats || Date.now() - stats.mtimeMs < graceMs) return;
          this.#recent.forget(digest);
          await unlink(this.#path(digest));
          removed++;
          freedBytes += stats.size;
        });
      }
    }
    return { removed, freedBytes };
  }

  async #hold(digest: Digest, path: string, stats: BigIntStats): Promise<void> {
    const found = await digestOfFile(path).catch((error: unknown) => missing(error, digest));
    if (found !== digest) await this.#setAside(digest);
    this.#verified.add(digest, stats);
  }

  /** @throws {CairnError} `blob.corrupt`, always */
  async #setAside(digest: Digest): Promise<never> {
    const path = this.#path(digest);
    await this.#turn(digest, async () => {
      // Somebody may have put it again, whole, since it was read.
      const again = await digestOfFile(path).catch(() => undefined);
      if (again && again !== digest) await rename(path, path + QUARANTINED).catch(() => undefined);
    });
    throw new CairnError("blob.corrupt", { digest });
  }

  async #putBytes(bytes: Uint8Array, signal: AbortSignal | undefined): Promise<StoredBlob> {
    const digest = sha256(bytes);
    const blob = { digest, sizeBytes: bytes.length };
    await this.#turn(digest, async () => {
      if (await this.#renew(blob)) return;
      const temporary = await this.#writeTemporary(async (path) => {
        await createFile(path, bytes).catch((error: unknown) => {
          throw this.#trouble(error);
        });
        signal?.throwIfAborted();
      });
      await this.#name(temporary, digest);
    });
    this.#recent.keep(digest, bytes);
    return blob;
  }

  async #putStream(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<StoredBlob> {
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const temporary = await this.#writeTemporary((path) =>
      this.#writeStream(path, chunks, signal, (chunk) => {
        hash.update(chunk);
        sizeBytes += chunk.length;
      }),
    );
    const blob = { digest: hash.digest("hex"), sizeBytes };
    await this.#turn(blob.digest, async () => {
      if (await this.#renew(blob)) await removeFile(temporary);
      else await this.#name(temporary, blob.digest);
    });
    return blob;
  }

  /** Whether the blob is there already, whole; then it counts as put now, so that no collection takes it soon. */
  async #renew(blob: StoredBlob): Promise<boolean> {
    const path = this.#path(blob.digest);
    const stats = await statOf(path);
    if (stats?.size !== blob.sizeBytes) return false;
    // What was altered, or can no longer be read, gives way to the right bytes. Few puts find a file, so few pay for this.
    if ((await digestOfFile(path).catch(() => undefined)) !== blob.digest) return false;
    try {
      const now = new Date();
      await utimes(path, now, now);
      // The process that named it may have been killed before the name was durable.
      await syncFolder(dirname(path));
    } catch (error) {
      throw this.#trouble(error);
    }
    return true;
  }

  /** @returns the path of what `write` has made durable; nothing is left of it when that fails */
  async #writeTemporary(write: (path: string) => Promise<void>): Promise<string> {
    const path = join(this.#folder, `${randomUUID()}${TEMPORARY}`);
    try {
      await write(path);
    } catch (error) {
      await rm(path, { force: true }).catch(() => undefined);
      throw error; // The disk's errors were told apart by `write`; what is left is the sender's own.
    }
    return path;
  }

  async #writeStream(
    path: string,
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal | undefined,
    onChunk: (chunk: Uint8Array) => void,
  ): Promise<void> {
    const file = await open(path, "wx").catch((error: unknown) => {
      throw this.#trouble(error);
    });
    try {
      for await (const chunk of chunks) {
        signal?.throwIfAborted();
        onChunk(chunk);
        // Not `file.write(chunk)` alone, which may stop half-way without an error.
        await file.writeFile(chunk).catch((error: unknown) => {
          throw this.#trouble(error);
        });
      }
      signal?.throwIfAborted();
      await file.sync().catch((error: unknown) => {
        throw this.#trouble(error);
      });
    } finally {
      await file.close();
    }
  }

  async #name(temporary: string, digest: Digest): Promise<void> {
    const path = this.#path(digest);
    const prefix = digest.slice(0, 2);
    try {
      await this.#makePrefix(prefix);
      await rename(temporary, path);
      await syncFolder(dirname(path));
    } catch (error) {
      this.#prefixes.delete(prefix);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw this.#trouble(error);
    }
  }

  /** Those who come while a folder is being made wait until it is there durably, and not just there. */
  #makePrefix(prefix: string): Promise<void> {
    const known = this.#prefixes.get(prefix);
    if (known) return known;
    const made = mkdir(join(this.#folder, prefix), { recursive: true }).then(() => syncFolder(this.#folder));
    this.#prefixes.set(prefix, made);
    return made;
  }

  #trouble(error: unknown): CairnError {
    const trouble = storeError(error);
    this.#onTrouble(trouble);
    return trouble;
  }

  #path(digest: Digest): string {
    check(Digest, digest); // Digests come from clients too; only hex digits ever reach a path.
    return join(this.#folder, digest.slice(0, 2), digest.slice(2));
  }

  async #turn(digest: Digest, task: () => Promise<void>): Promise<void> {
    const mine = (this.#turns.get(digest) ?? Promise.resolve()).then(task);
    const settled = mine.catch(() => undefined);
    this.#turns.set(digest, settled);
    try {
      await mine;
    } finally {
      if (this.#turns.get(digest) === settled) this.#turns.delete(digest);
    }
  }
}

/** Synced first: what is named is durable. */
async function hashFile(path: string, signal: AbortSignal | undefined): Promise<StoredBlob> {
  const file = await open(path, "r+");
  try {
    await file.sync();
    let sizeBytes = 0;
    const digest = await digestOfStream(file.createReadStream({ start: 0, autoClose: false, ...PIECES }), (piece) => {
      signal?.throwIfAborted();
      sizeBytes += piece.length;
    });
    return { digest, sizeBytes };
  } finally {
    await file.close();
  }
}

function digestOfFile(path: string): Promise<Digest> {
  return digestOfStream(createReadStream(path, PIECES));
}

async function digestOfStream(pieces: AsyncIterable<Buffer>, onPiece?: (piece: Buffer) => void): Promise<Digest> {
  const hash = createHash("sha256");
  for await (const piece of pieces) {
    onPiece?.(piece);
    hash.update(piece);
  }
  return hash.digest("hex");
}

function sha256(bytes: Uint8Array): Digest {
  return createHash("sha256").update(bytes).digest("hex");
}

async function statOf(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw storeError(error);
  }
}

function missing(error: unknown, digest: Digest): never {
  if (errnoOf(error) === "ENOENT") throw new CairnError("blob.missing", { digest });
  throw storeError(error);
}
