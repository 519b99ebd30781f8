/**
 * The collections of designs as one space: what the folders tell becomes events, in the order of the files' times, and
 * what the log says is known by name and revision. Rules MSH-6 to MSH-9.
 */
import { open } from "node:fs/promises";
import type { Designs, Space, Spaces } from "@cairn/core";
import {
  CairnError,
  type CairnEvent,
  type DesignState,
  designKey,
  type EventOf,
  type Seq,
  type SpaceState,
  writableNs,
} from "@cairn/protocol";
import type { FastifyBaseLogger } from "fastify";
import { type FolderOptions, type Sighting, WatchedFolder } from "./folder.ts";

/** The label of the space that holds the designs; the space's id where nobody else has taken it. */
const LABEL = "meshes";
const SPACE_ID = "mesh-designs";
/** Label: which folders have been looked at before. */
const FOLDERS = "mesh_folders";

/** Files become known in a burst; those of one are announced in the order of their times. */
const GATHER_MS = 10;
/** What the disk did not take is tried again after so long. */
const AGAIN_MS = 1000;
const BATCH_FILES = 32;
const BATCH_BYTES = 64 * 2 ** 20;
/** Larger files are not taken: all of one is in memory while it is measured. */
const MAX_FILE_BYTES = 2 ** 30;

type Publish = { readonly kind: "publish"; readonly sighting: Sighting; readonly present: boolean };
type Task = Publish | { readonly kind: "remove"; readonly collection: string; readonly design: string };

export type DesignEvent = EventOf<"design.published"> | EventOf<"design.removed">;

type LibraryOptions = {
  readonly spaces: Spaces;
  readonly designs: Designs;
  readonly folders: readonly FolderOptions[];
  readonly log: FastifyBaseLogger;
  /** The folders were named by somebody: that they were looked at is noted also while they are empty. */
  readonly named: boolean;
};

export class Library {
  readonly #options: LibraryOptions;
  readonly folders: readonly WatchedFolder[];
  readonly #tasks: Task[] = [];
  readonly #stopping = new AbortController();
  #space: Space | undefined;
  #made: Promise<Space> | undefined;
  readonly #waitingForSpace = new Set<() => void>();
  #gathering: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;
  /** Folders that are looked at for the first time ever. */
  readonly #new = new Set<string>();
  /** Seqs of the events of each design, by revision. */
  readonly #revisions = new Map<string, Seq[]>();
  /** Designs that the log refuses, by key. */
  readonly #refused = new Map<string, Sighting>();
  #lastSeq = 0;
  #position = 0;

  constructor(options: LibraryOptions) {
    this.#options = options;
    this.folders = options.folders.map(
      (folder) =>
        new WatchedFolder(folder, {
          complete: (sighting) => this.#found(sighting),
          gone: (collection, design) => this.#add({ kind: "remove", collection, design }),
          knows: (collection, design, { fileNs, sizeBytes }) => {
            const known = this.find(collection, design);
            return known?.fileNs === writableNs(fileNs) && known.sizeBytes === sizeBytes;
          },
          trouble: (error, about) => options.log.warn({ err: error, about }, "meshes"),
        }),
    );
  }

  /** Resolves when what is in the folders is in the log. */
  async start(): Promise<void> {
    const known = (await this.#options.spaces.list()).find(({ labels }) => labels?.[LABEL] === true);
    if (known) await this.#open(await this.#options.spaces.open(known.id));
    const looked = String(this.#state?.labels?.[FOLDERS] ?? "").split(",");
    for (const { key, options } of this.folders) if (!looked.includes(key)) this.#new.add(options.name);
    await Promise.all(this.folders.map((folder) => folder.start()));
    for (const folder of this.folders) {
      const there = folder.designs;
      if (!there) continue;
      for (const { collection, design, removedNs } of Object.values(this.#state?.designs ?? {})) {
        if (collection === folder.options.name && removedNs === undefined && !there.has(design)) {
          this.#add({ kind: "remove", collection, design });
        }
      }
    }
    await this.#settle();
    this.#new.clear();
    await this.#noteFolders();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#gathering);
    await Promise.all(this.folders.map((folder) => folder.close()));
    await this.#publishing;
  }

  /** For `/health`: without a path (GEN-19). */
  get problems(): string[] {
    const [first] = this.#refused.values();
    const folders = this.folders.flatMap(({ problem }) => problem ?? []);
    if (!first) return folders;
    const others = this.#refused.size > 1 ? ` and ${this.#refused.size - 1} more` : "";
    const name = `\`${first.design.slice(0, 64)}\` of \`${first.collection}\``;
    return [...folders, `the mesh ${name}${others} cannot be announced`];
  }

  /** Number of the last event about a design, 0 before the first. */
  get lastSeq(): Seq {
    return this.#lastSeq;
  }

  /** Up to where the log has been read. */
  get position(): Seq {
    return this.#position;
  }

  /** The newest revision, unless it was removed. */
  find(collection: string, design: string): DesignState | undefined {
    const found = this.#state?.designs?.[designKey(collection, design)];
    return found?.removedNs === undefined ? found : undefined;
  }

  /** Collections in the order in which a name is looked up. */
  get collections(): string[] {
    const first = ["current", "archive", "demo"];
    const names = this.folders.map(({ options }) => options.name);
    return [...first, ...names.filter((name) => !first.includes(name))];
  }

  /** Where a name is found, of all collections. */
  resolve(design: string): DesignState | undefined {
    for (const collection of this.collections) {
      const found = this.find(collection, design);
      if (found) return found;
    }
    return undefined;
  }

  /** One revision; also of a design that is gone. */
  async revision(design: string, revision: number, collections: readonly string[]): Promise<DesignState | undefined> {
    for (const collection of collections) {
      const seq = this.#revisions.get(designKey(collection, design))?.[revision - 1];
      const [event] = seq === undefined || !this.#space ? [] : await this.#space.log.read(seq - 1, 1);
      if (event?.type === "design.published") return { ...event.data, seq: event.seq };
    }
    return undefined;
  }

  revisionsOf({ collection, design }: DesignState): number {
    return this.#revisions.get(designKey(collection, design))?.length ?? 0;
  }

  /** Every design that is there, in these collections. */
  all(collections: ReadonlySet<string>): DesignState[] {
    return Object.values(this.#state?.designs ?? {}).filter(
      ({ collection, removedNs }) => removedNs === undefined && collections.has(collection),
    );
  }

  /** Events about designs after `after`, for ever. Ends with `signal`. */
  async *follow(after: Seq, signal: AbortSignal): AsyncGenerator<DesignEvent[]> {
    for (let from = after; ; from = 0) {
      const space = this.#space ?? (await this.#spaceMade(signal));
      if (!space) return;
      const { log } = space;
      const first = Math.max(from, log.first - 1);
      for await (const events of log.follow(first, { signal, limit: 200 })) yield events.filter(isAboutDesign);
      // The log has ended with its space: the next one is told from its beginning.
      await ended(AbortSignal.any([signal, space.signal]));
      if (signal.aborted) return;
    }
  }

  /** Events about designs after `after`, up to `until`. */
  async *replay(after: Seq, until: Seq): AsyncGenerator<DesignEvent> {
    if (!this.#space) return;
    const { log } = this.#space;
    for (let at = Math.max(after, log.first - 1); at < until; ) {
      const events = await log.read(at, 200);
      for (const event of events) if (event.seq <= until && isAboutDesign(event)) yield event;
      const last = events.at(-1);
      if (!last) return;
      at = last.seq;
    }
  }

  get #state(): SpaceState | undefined {
    return this.#space?.log.snapshot().state;
  }

  /** The space is made when there is something to hold: a server that nobody gives designs has no empty one. */
  #theSpace(): Promise<Space> {
    if (this.#space) return Promise.resolve(this.#space);
    this.#made ??= this.#make().catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    return this.#made;
  }

  async #make(): Promise<Space> {
    const wanted = { title: "Designs", labels: { [LABEL]: true } };
    const { spaces } = this.#options;
    const space = await spaces.create({ ...wanted, id: SPACE_ID }).catch((error: unknown) => {
      if (error instanceof CairnError && error.code === "space.exists") return spaces.create(wanted);
      throw error;
    });
    await this.#open(space);
    return space;
  }

  #spaceMade(signal: AbortSignal): Promise<Space | undefined> {
    return new Promise((resolve) => {
      const tell = () => {
        this.#waitingForSpace.delete(tell);
        signal.removeEventListener("abort", tell);
        resolve(signal.aborted ? undefined : this.#space);
      };
      this.#waitingForSpace.add(tell);
      signal.addEventListener("abort", tell, { once: true });
      if (signal.aborted) tell();
    });
  }

  /** Reads the log up to where it is, and goes on reading it. */
  async #open(space: Space): Promise<void> {
    const { head } = space.log;
    await new Promise<void>((resolve, reject) => {
      if (head === 0) resolve();
      this.#readOn(space, head, resolve).catch((error: unknown) => {
        reject(error instanceof Error ? error : new Error(String(error)));
        if (!space.signal.aborted) this.#options.log.error({ err: error }, "the log of the meshes");
      });
    });
    this.#space = space;
    for (const tell of [...this.#waitingForSpace]) tell();
    space.signal.addEventListener("abort", () => this.#lost(space), { once: true });
  }

  /** Somebody deleted the space: designs to come begin in a new one. */
  #lost(space: Space): void {
    if (this.#space !== space) return;
    this.#space = undefined;
    this.#made = undefined;
    this.#revisions.clear();
    this.#lastSeq = 0;
    this.#position = 0;
  }

  async #readOn(space: Space, head: Seq, caughtUp: () => void): Promise<void> {
    const signal = AbortSignal.any([space.signal, this.#stopping.signal]);
    for await (const events of space.log.follow(space.log.first - 1, { signal })) {
      for (const event of events) {
        if (isAboutDesign(event)) this.#lastSeq = event.seq;
        if (event.type === "design.published") {
          const { collection, design, revision } = event.data;
          const key = designKey(collection, design);
          const seqs = this.#revisions.get(key) ?? [];
          seqs[revision - 1] = event.seq;
          this.#revisions.set(key, seqs);
        }
        this.#position = event.seq;
        if (event.seq === head) caughtUp();
      }
    }
  }

  async #noteFolders(): Promise<void> {
    if (this.#options.named) await this.#theSpace();
    if (!this.#space) return;
    const looked = this.folders.filter((folder) => !folder.problem).map(({ key }) => key);
    const noted = looked.slice(0, 70).join(",");
    if (this.#state?.labels?.[FOLDERS] !== noted) await this.#space.label({ [FOLDERS]: noted });
  }

  #found(sighting: Sighting): void {
    const known = this.find(sighting.collection, sighting.design);
    // As it was when it was announced: not read again at every start.
    if (
      known &&
      known.fileNs === writableNs(sighting.fileNs) &&
      known.sizeBytes === sighting.sizeBytes &&
      !this.#running
    ) {
      return;
    }
    this.#add({ kind: "publish", sighting, present: this.#new.has(sighting.collection) });
  }

  #running = false;

  #add(task: Task): void {
    if (task.kind === "remove") this.#refused.delete(designKey(task.collection, task.design));
    this.#tasks.push(task);
    if (this.#running) this.#publishIn(GATHER_MS);
  }

  #publishIn(delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.#publishing ??= this.#publish().finally(() => {
        this.#publishing = undefined;
      });
    }, delayMs);
  }

  /** What has been told so far is in the log; from now on what is told is published by itself. */
  async #settle(): Promise<void> {
    this.#publishing = this.#publish();
    await this.#publishing;
    this.#publishing = undefined;
    this.#running = true;
  }

  async #publish(): Promise<void> {
    while (this.#tasks.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#nextBatch();
      try {
        const [first] = batch;
        if (first?.kind === "remove") {
          const removed = batch.filter((task) => task.kind === "remove");
          if (this.#space) await this.#options.designs.remove(this.#space, removed);
        } else await this.#publishAll(batch.filter((task) => task.kind === "publish"));
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#options.log.error({ err: error }, "meshes could not be announced; they are tried again");
        this.#tasks.unshift(...batch.filter(({ kind }) => kind === "remove"));
        for (const task of batch) if (task.kind === "publish") this.#again(task.sighting);
        this.#publishIn(AGAIN_MS);
        return;
      }
    }
  }

  /** Removals, or files in the order of their times: never across each other. */
  #nextBatch(): Task[] {
    const [first] = this.#tasks;
    const end = this.#tasks.findIndex(({ kind }) => kind !== first?.kind);
    const run = this.#tasks.splice(0, end < 0 ? this.#tasks.length : end);
    if (first?.kind === "remove") return run;
    const files = run.filter((task) => task.kind === "publish").sort(byTime);
    let bytes = 0;
    let count = 0;
    for (const { sighting } of files) {
      if (count > 0 && (count === BATCH_FILES || bytes + sighting.sizeBytes > BATCH_BYTES)) break;
      bytes += sighting.sizeBytes;
      count++;
    }
    this.#tasks.unshift(...files.slice(count));
    return files.slice(0, count);
  }

  /** A file that the log refuses is set aside until it changes: trying again would hold up all others (MSH-9). */
  async #publishAll(tasks: readonly Publish[]): Promise<void> {
    try {
      await this.#publishTogether(tasks);
      for (const { sighting } of tasks) this.#refused.delete(designKey(sighting.collection, sighting.design));
    } catch (error) {
      if (!(error instanceof CairnError && error.code === "request.invalid")) throw error;
      const [{ sighting }] = tasks as [Publish];
      if (tasks.length > 1) for (const task of tasks) await this.#publishAll([task]);
      else {
        this.#refused.set(designKey(sighting.collection, sighting.design), sighting);
        this.#options.log.error({ err: error, design: sighting.design }, "a mesh cannot be announced");
      }
    }
  }

  async #publishTogether(tasks: readonly Publish[]): Promise<void> {
    const read = await Promise.all(
      tasks.map(async ({ sighting, present }) => {
        const bytes = await this.#read(sighting);
        const { collection, design, format, fileNs } = sighting;
        return bytes && { collection, design, format, fileNs: writableNs(fileNs), bytes, present };
      }),
    );
    const designs = read.filter((each) => each !== undefined);
    if (designs.length === 0) return;
    await this.#options.designs.publish(await this.#theSpace(), designs);
  }

  /** The file as it was seen; one that has changed since is looked at again, one that is gone is told by the folder. */
  async #read(sighting: Sighting): Promise<Buffer | undefined> {
    const { path, sizeBytes, fileNs } = sighting;
    if (sizeBytes > MAX_FILE_BYTES || sighting.design.length > 255) {
      this.#options.log.warn({ design: sighting.design, sizeBytes }, "a mesh that is too large is not announced");
      return undefined;
    }
    try {
      const file = await open(path, "r");
      try {
        const bytes = await file.readFile();
        const now = await file.stat({ bigint: true });
        if (bytes.length === sizeBytes && now.mtimeNs === fileNs) return bytes;
      } finally {
        await file.close();
      }
      this.#again(sighting);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
        this.#options.log.warn({ err: error, design: sighting.design }, "a mesh could not be read");
        this.#again(sighting);
      }
    }
    return undefined;
  }

  #again({ collection, path }: Sighting): void {
    this.folders.find(({ options }) => options.name === collection)?.again(path);
  }
}

function isAboutDesign(event: CairnEvent): event is DesignEvent {
  return event.type === "design.published" || event.type === "design.removed";
}

function byTime(a: { sighting: Sighting }, b: { sighting: Sighting }): number {
  if (a.sighting.fileNs !== b.sighting.fileNs) return a.sighting.fileNs < b.sighting.fileNs ? -1 : 1;
  return a.sighting.design < b.sighting.design ? -1 : 1;
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
