/**
 * One folder of designs, watched: by the operating system's events, and looked through every second, because network
 * folders send none. Says which files are complete and which are gone. Rules MSH-2 to MSH-4 and MSH-9.
 */
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstat, readdir, realpath, stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import type { MeshFormat } from "@cairn/formats/design";
import { type FSWatcher, watch } from "chokidar";
import { AGAIN_MS, isComplete, LONG_MS } from "./complete.ts";

export type FolderOptions = {
  /** The collection. */
  readonly name: string;
  readonly dir: string;
  /** Looked through with its subfolders. */
  readonly deep?: boolean;
  /** What counts as a design, by its ending. */
  readonly formats: readonly MeshFormat[];
};

/** A file that is complete, as it was when that was seen. */
export type Sighting = {
  readonly collection: string;
  readonly design: string;
  readonly format: MeshFormat;
  readonly path: string;
  readonly sizeBytes: number;
  readonly fileNs: bigint;
  readonly inode: bigint;
};

type Listener = {
  complete(sighting: Sighting): void;
  gone(collection: string, design: string): void;
  /** Whether a design of this name is such a file. */
  knows(collection: string, design: string, file: Pick<Sighting, "fileNs" | "sizeBytes">): boolean;
  /** Something is wrong that nobody need act upon. */
  trouble(error: unknown, about: string): void;
};

type Entry = Omit<Sighting, "collection"> & {
  /** When it was first seen like this, on the clock of `performance.now`. */
  readonly seenMs: number;
  /** Its time when it was first seen like this was longer ago than it takes to write a file. */
  readonly old: boolean;
  dealt: boolean;
};

const LOOK_EVERY_MS = 1000;
/** A file that nobody wrote into for so long after it appeared was moved there as it is. */
const SETTLE_MS = 10;
const LOOKS_AT_ONCE = 32;
const MAX_DEPTH = 8;

export class WatchedFolder {
  readonly options: FolderOptions;
  readonly #listener: Listener;
  readonly #entries = new Map<string, Entry>();
  /** Names that appeared and were not written into since. */
  readonly #appeared = new Map<string, symbol>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #watcher: FSWatcher | undefined;
  #root: string | undefined;
  #looking: Promise<void> | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #missing = false;
  #closed = false;

  constructor(options: FolderOptions, listener: Listener) {
    this.options = options;
    this.#listener = listener;
  }

  /** For `/health`: without the path (GEN-19). */
  get problem(): string | undefined {
    return this.#missing ? `the folder of the meshes \`${this.options.name}\` cannot be read` : undefined;
  }

  /** The same for the same folder. */
  get key(): string {
    return createHash("sha256").update(`${this.options.name}\0${this.options.dir}`).digest("hex").slice(0, 12);
  }

  /** The designs that have a file now, complete or not; `undefined` while the folder cannot be read. */
  get designs(): ReadonlySet<string> | undefined {
    return this.#missing ? undefined : new Set([...this.#entries.values()].map(({ design }) => design));
  }

  /** Where a design's file lies. */
  pathOf(design: string): string | undefined {
    for (const entry of this.#entries.values()) if (entry.design === design) return entry.path;
    return undefined;
  }

  /**
   * Looks through the folder until every file in it is told as complete, or is being written; then watches. What was
   * there is told before this resolves.
   */
  async start(): Promise<void> {
    await this.#look();
    const begunMs = performance.now();
    while (this.#growing(begunMs)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await this.#look();
    }
    const next = () => {
      this.#lookTimer = setTimeout(
        () => void this.#look().finally(() => this.#closed || next()),
        LOOK_EVERY_MS,
      ).unref();
    };
    next();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#lookTimer);
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#watcher?.close();
    await this.#looking;
  }

  /** The file was not as it was told, or could not be taken: it is looked at as if it were new. */
  again(path: string): void {
    for (const [name, entry] of this.#entries) {
      if (entry.path === path) this.#entries.set(name, { ...entry, seenMs: performance.now(), dealt: false });
    }
  }

  #growing(begunMs: number): boolean {
    const nowMs = performance.now();
    if (nowMs - begunMs > LONG_MS + 200) return false;
    // One that changed since the start is being written, and is told when it is done.
    return [...this.#entries.values()].some(
      ({ dealt, sizeBytes, seenMs }) => !dealt && sizeBytes > 0 && seenMs <= begunMs,
    );
  }

  /** Never two at once. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookThrough()
      .catch((error: unknown) => this.#listener.trouble(error, this.options.name))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async #lookThrough(): Promise<void> {
    let names: string[];
    try {
      this.#root = await realpath(this.options.dir);
      names = await this.#list("", 0);
    } catch (error) {
      if (!this.#missing) this.#listener.trouble(error, `folder of the meshes ${this.options.name}`);
      this.#missing = true;
      await this.#watcher?.close();
      this.#watcher = undefined;
      return;
    }
    this.#missing = false;
    this.#watcher ??= this.#watch();
    const there = new Set(names);
    for (const name of this.#entries.keys()) if (!there.has(name)) names.push(name);
    for (let at = 0; at < names.length && !this.#closed; at += LOOKS_AT_ONCE) {
      await Promise.all(names.slice(at, at + LOOKS_AT_ONCE).map((name) => this.#lookAt(name)));
    }
  }

  async #list(under: string, depth: number): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await readdir(join(this.options.dir, under), { withFileTypes: true })) {
      const name = under === "" ? entry.name : `${under}/${entry.name}`;
      if (entry.name.startsWith(".")) continue;
      if (this.options.deep && entry.isDirectory() && depth < MAX_DEPTH) {
        found.push(...(await this.#list(name, depth + 1).catch(() => [])));
      } else if (this.#formatOf(name)) found.push(name);
    }
    return found.sort();
  }

  #watch(): FSWatcher {
    const { dir, deep } = this.options;
    const watcher = watch(dir, {
      ignoreInitial: true,
      depth: deep ? MAX_DEPTH : 0,
      followSymlinks: false,
      // The folder tells of its files: watching each would cost a handle, and tell everything twice.
      ignored: (path, stats) => path !== dir && (!deep || stats?.isFile() === true),
    });
    watcher.on("raw", (event: string, file: string | null, details: unknown) => {
      const { watchedPath } = details as { watchedPath?: string };
      if (!file || watchedPath === undefined) return;
      const under =
        watchedPath === dir
          ? ""
          : watchedPath
              .slice(dir.length + 1)
              .split(sep)
              .join("/");
      this.#hear(event, under === "" ? file : `${under}/${file}`);
    });
    // Without events there is still the look each second.
    watcher.on("error", (error: unknown) => this.#listener.trouble(error, `events of the meshes ${this.options.name}`));
    return watcher;
  }

  #hear(event: string, name: string): void {
    if (this.#closed || !this.#formatOf(name)) return;
    if (event !== "rename") {
      this.#appeared.delete(name);
      void this.#lookAt(name);
      return;
    }
    const mark = Symbol();
    this.#appeared.set(name, mark);
    void this.#lookAt(name).then(() => {
      const before = this.#entries.get(name);
      if ((!before || before.dealt) && this.#appeared.get(name) === mark) this.#appeared.delete(name);
      if (!before || before.dealt || before.sizeBytes === 0) return;
      // Whoever wrote what was seen just now has caused an event that is on its way; a file moved here has not.
      this.#later(SETTLE_MS, () => {
        const moved = this.#appeared.get(name) === mark;
        if (moved) this.#appeared.delete(name);
        if (moved) void this.#lookAt(name, before);
      });
    });
  }

  /** @param movedAs the file as it was when it had been moved there */
  async #lookAt(name: string, movedAs?: Entry): Promise<void> {
    const seen = await this.#stat(name);
    if (this.#closed) return;
    const before = this.#entries.get(name);
    if (!seen) {
      if (!before || (await isMissing(this.options.dir))) return;
      if (this.#entries.get(name) !== before) return;
      this.#entries.delete(name);
      this.#listener.gone(this.options.name, before.design);
      return;
    }
    const sizeBytes = Number(seen.size);
    const same =
      before && before.inode === seen.ino && before.sizeBytes === sizeBytes && before.fileNs === seen.mtimeNs;
    const entry: Entry = same ? before : this.#enter(name, seen);
    if (entry.dealt || sizeBytes === 0) return;
    const quietMs = performance.now() - entry.seenMs;
    const whole = entry.old || (movedAs !== undefined && movedAs === entry);
    const touchedSince = seen.ctimeNs > seen.mtimeNs;
    if (whole || (await isComplete({ ...entry, quietMs, touchedSince }))) {
      if (this.#entries.get(name) !== entry || entry.dealt || this.#closed) return;
      entry.dealt = true;
      const { dealt: _, seenMs: _seen, old: _old, ...sighting } = entry;
      this.#listener.complete({ ...sighting, collection: this.options.name });
      return;
    }
    if (!same) for (const delayMs of [AGAIN_MS, LONG_MS]) this.#later(delayMs + 5, () => void this.#lookAt(name));
  }

  #enter(name: string, { ino, size, mtimeNs }: BigIntStats): Entry {
    const format = this.#formatOf(name)!;
    const file = { fileNs: mtimeNs, sizeBytes: Number(size) };
    const entry: Entry = {
      design: this.#entries.get(name)?.design ?? this.#nameOf(name, format, file),
      format,
      path: join(this.options.dir, name),
      sizeBytes: Number(size),
      fileNs: mtimeNs,
      inode: ino,
      seenMs: performance.now(),
      old: Date.now() - Number(mtimeNs / 1_000_000n) > LONG_MS,
      dealt: false,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  /**
   * Files of other kinds keep their ending: `part.stl` and `part.obj` are two designs. So does one whose name another has,
   * as `part.STL` or one in another folder below; after a restart each has the name again that it had.
   */
  #nameOf(name: string, format: MeshFormat, file: Pick<Sighting, "fileNs" | "sizeBytes">): string {
    const last = name.slice(name.lastIndexOf("/") + 1);
    if (format !== "stl") return last;
    const stem = last.slice(0, -4);
    const isTaken = [...this.#entries.values()].some(({ design }) => design === stem);
    return isTaken || this.#listener.knows(this.options.name, name, file) ? name : stem;
  }

  /** `undefined` when there is no such file, or a link leads out of the folder. */
  async #stat(name: string): Promise<BigIntStats | undefined> {
    const path = join(this.options.dir, name);
    try {
      const own = await lstat(path, { bigint: true });
      if (own.isFile()) return own;
      if (!own.isSymbolicLink() || !this.#root) return undefined;
      if (!(await realpath(path)).startsWith(this.#root + sep)) return undefined;
      const target = await stat(path, { bigint: true });
      return target.isFile() ? target : undefined;
    } catch {
      return undefined;
    }
  }

  #formatOf(name: string): MeshFormat | undefined {
    const file = name.slice(name.lastIndexOf("/") + 1);
    if (file.startsWith(".") || (!this.options.deep && name !== file)) return undefined;
    const ending = extname(file).slice(1).toLowerCase();
    return this.options.formats.find((format) => format === ending);
  }

  #later(delayMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) work();
    }, delayMs).unref();
    this.#timers.add(timer);
  }
}

async function isMissing(dir: string): Promise<boolean> {
  return readdir(dir).then(
    () => false,
    () => true,
  );
}
