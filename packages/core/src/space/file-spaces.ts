/** The spaces of one data directory: made, opened, expired and deleted here and nowhere else. Rules: docs/spec/log.md. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import { basename } from "node:path";
import {
  CairnError,
  check,
  checkSpaceId,
  DEFAULT_SETTINGS,
  Labels,
  nsToMs,
  type SpaceId,
  SpaceSettings,
  type SpaceSummary,
  shownLayers,
  type TimeNs,
} from "@cairn/protocol";
import { createChannels } from "../channel/channels.ts";
import { makeFolder, storeError } from "../disk/disk.ts";
import type { FileSpaceLog, SpaceLogOptions } from "../log/file-space-log.ts";
import { openSpaceLog } from "../log/open-space-log.ts";
import { SpaceOperations } from "../operation/space-operations.ts";
import { deleteSpaceFolder, findSpaces, logFolder, makeSpaceFolder, spaceFolder } from "./space-folder.ts";
import type { NewSpace, Space, Spaces } from "./spaces.ts";

type SpacesOptions = {
  log?: SpaceLogOptions;
  /** Told what went wrong where nobody asked: expiry, a listener, a bug in an operation. */
  onError: (context: string, error: unknown) => void;
  /** Told when a space is gone: blobs may be nobody's now. */
  onDeleted?: () => void;
  /** What a new space has when its maker does not say. */
  settings?: Partial<SpaceSettings>;
};

/** Timers of Node hold 31 bits of milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class FileSpaces implements Spaces {
  readonly #root: string;
  readonly #options: SpacesOptions;
  readonly #spaces = new Map<SpaceId, Promise<FileSpace>>();
  /** Those of `#spaces` that are open, for what must not wait. */
  readonly #open = new Map<SpaceId, FileSpace>();
  /** Those whose files the disk does not give, by id or folder: they are there, and cannot be served. */
  readonly #unopened = new Map<SpaceId, CairnError>();
  /** Spaces whose files are going: closing waits for them. */
  readonly #ending = new Set<Promise<void>>();
  readonly #listeners: ((space: Space) => void)[] = [];
  #closed = false;

  /** Use `openFileSpaces`. */
  constructor(root: string, options: SpacesOptions) {
    this.#root = root;
    this.#options = options;
  }

  async create(wanted: NewSpace): Promise<Space> {
    this.#refuseIfClosed();
    const id = checkId(wanted.id ?? randomUUID());
    const settings = check(SpaceSettings, { ...DEFAULT_SETTINGS, ...this.#options.settings, ...wanted.settings });
    if (this.#spaces.has(id) || this.#problemOf(id)) throw new CairnError("space.exists", { id });
    const expires = wanted.expiresNs === undefined ? {} : { expiresNs: wanted.expiresNs };
    const labels = wanted.labels && { labels: check(Labels, wanted.labels) };
    return this.#keep(id, async () => {
      try {
        await makeSpaceFolder(this.#root, id);
      } catch (error) {
        throw storeError(error);
      }
      const log = await this.#openLog(id);
      try {
        await log.append([
          { type: "space.created", data: { title: wanted.title ?? "", settings, ...expires, ...labels } },
        ]);
      } catch (error) {
        await log.close();
        throw error;
      }
      return this.#opened(id, log);
    });
  }

  async open(id: SpaceId): Promise<Space> {
    this.#refuseIfClosed();
    const space = this.#spaces.get(checkId(id));
    const problem = this.#problemOf(id);
    if (problem) throw problem;
    if (!space) throw new CairnError("space.missing", { id });
    return space;
  }

  async list(): Promise<SpaceSummary[]> {
    this.#refuseIfClosed();
    const summaries = [...this.#open.values()].map((space) => space.summary());
    return summaries.sort((a, b) => (BigInt(a.createdNs) < BigInt(b.createdNs) ? -1 : 1));
  }

  async delete(id: SpaceId): Promise<void> {
    this.#refuseIfClosed();
    const space = await this.open(id);
    if (this.#open.get(id) !== space) throw new CairnError("space.missing", { id });
    await this.#end(this.#open.get(id), "deleted");
  }

  onOpen(listener: (space: Space) => void): void {
    this.#listeners.push(listener);
    for (const space of this.#open.values()) this.#tell(listener, space);
  }

  /** Opens every space there is: each has an expiry to keep, and a reader of its log that goes on where it was. */
  async openAll(): Promise<void> {
    const { ids, damaged } = await findSpaces(this.#root);
    // One space that cannot be read costs nobody else anything.
    const unopened = (name: string, error: CairnError) => {
      this.#unopened.set(name, error);
      this.#options.onError(`space ${name}`, error);
    };
    for (const [folder, error] of damaged) unopened(folder, error);
    const next = async () => {
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
        const name = id;
        await this.#openExisting(name).catch((reason: unknown) => unopened(name, storeError(reason)));
      }
    };
    await Promise.all(Array.from({ length: 4 }, next));
  }

  #problemOf(id: SpaceId): CairnError | undefined {
    return this.#unopened.get(id) ?? this.#unopened.get(basename(spaceFolder(this.#root, id)));
  }

  get unopened(): ReadonlyMap<SpaceId, CairnError> {
    return this.#unopened;
  }

  /** Every open space. */
  get all(): FileSpace[] {
    return [...this.#open.values()];
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#spaces.values());
    await Promise.all([...this.#open.values()].map((space) => space.close("server.stopping")));
    await Promise.allSettled(this.#ending);
    this.#open.clear();
  }

  async #openExisting(id: SpaceId): Promise<void> {
    const log = await this.#openLog(id);
    const { state, seq } = log.snapshot();
    if ((seq === 0 && !log.corrupt) || state.closed) {
      // Cut off while it was being made, or while it was being deleted.
      await log.close();
      await deleteSpaceFolder(this.#root, id);
      return;
    }
    await this.#keep(id, () => this.#opened(id, log));
  }

  async #openLog(id: SpaceId): Promise<FileSpaceLog> {
    return openSpaceLog(logFolder(spaceFolder(this.#root, id)), this.#options.log);
  }

  async #opened(id: SpaceId, log: FileSpaceLog): Promise<FileSpace> {
    const onError = (error: unknown) => this.#options.onError(`space ${id}`, error);
    const operations = new SpaceOperations(log, onError);
    // A log that takes nothing new, because it is damaged or the disk is full, can still be read.
    await operations.recover().catch(onError);
    const space = new FileSpace(id, log, operations, onError, () => this.#end(space, "expired"));
    return space;
  }

  /** Registers what `make` will make, at once, so that nobody else makes it too. */
  #keep(id: SpaceId, make: () => Promise<FileSpace>): Promise<FileSpace> {
    const made = make();
    this.#spaces.set(id, made);
    return made.then(
      (space) => {
        this.#open.set(id, space);
        for (const listener of this.#listeners) this.#tell(listener, space);
        space.armExpiry();
        return space;
      },
      (error: unknown) => {
        this.#spaces.delete(id);
        throw error;
      },
    );
  }

  /** Every end of a space: its followers are told, then its files go. A full disk does not keep it alive. */
  async #end(space: FileSpace | undefined, reason: "deleted" | "expired"): Promise<void> {
    if (!space || this.#open.get(space.id) !== space) return;
    this.#open.delete(space.id);
    const ended = this.#endNow(space, reason);
    this.#ending.add(ended);
    await ended.finally(() => this.#ending.delete(ended));
    this.#options.onDeleted?.();
  }

  async #endNow(space: FileSpace, reason: "deleted" | "expired"): Promise<void> {
    try {
      await space.close("space.closed", reason);
      await deleteSpaceFolder(this.#root, space.id);
    } catch (error) {
      throw storeError(error);
    } finally {
      this.#spaces.delete(space.id);
    }
  }

  #tell(listener: (space: Space) => void, space: FileSpace): void {
    try {
      listener(space);
    } catch (error) {
      this.#options.onError(`space ${space.id}`, error);
    }
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new CairnError("server.stopping");
  }
}

export async function openFileSpaces(root: string, options: SpacesOptions): Promise<FileSpaces> {
  await makeFolder(root);
  const spaces = new FileSpaces(root, options);
  await spaces.openAll();
  return spaces;
}

export class FileSpace implements Space {
  readonly id: SpaceId;
  readonly log: FileSpaceLog;
  readonly operations: SpaceOperations;
  readonly channels;
  readonly #controller = new AbortController();
  readonly #onError: (error: unknown) => void;
  readonly #expire: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    id: SpaceId,
    log: FileSpaceLog,
    operations: SpaceOperations,
    onError: (error: unknown) => void,
    expire: () => Promise<void>,
  ) {
    this.id = id;
    this.log = log;
    this.operations = operations;
    this.channels = createChannels(onError);
    this.#onError = onError;
    this.#expire = expire;
    setMaxListeners(0, this.signal); // one for each socket is no leak
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  summary(): SpaceSummary {
    const { state, seq, epoch } = this.log.snapshot();
    const designs = Object.values(state.designs ?? {}).filter(({ removedNs }) => removedNs === undefined).length;
    const devices = Object.keys(state.control?.devices ?? {}).length;
    return {
      id: this.id,
      title: state.title,
      createdNs: state.createdNs,
      ...(state.expiresNs === undefined ? {} : { expiresNs: state.expiresNs }),
      ...(state.labels && { labels: state.labels }),
      images: Object.keys(state.images).length,
      ...(designs > 0 && { designs }),
      ...(devices > 0 && { devices }),
      generation: state.generation,
      points: shownLayers(state).reduce((sum, layer) => sum + layer.points, 0),
      head: seq,
      epoch,
    };
  }

  async label(labels: Labels): Promise<void> {
    await this.log.append([{ type: "space.labelled", data: { labels: check(Labels, labels) } }]);
  }

  async rename(title: string): Promise<void> {
    await this.log.append([{ type: "space.renamed", data: { title } }]);
  }

  async configure(settings: Partial<SpaceSettings>): Promise<void> {
    await this.log.append([{ type: "space.configured", data: { settings } }]);
  }

  async expireAt(expiresNs: TimeNs | undefined): Promise<void> {
    await this.log.append([{ type: "space.expiring", data: expiresNs === undefined ? {} : { expiresNs } }]);
    this.armExpiry();
  }

  armExpiry(): void {
    clearTimeout(this.#timer);
    const { expiresNs } = this.log.snapshot().state;
    if (expiresNs === undefined || this.signal.aborted) return;
    const leftMs = nsToMs(expiresNs) - Date.now();
    const wake = () => {
      if (leftMs > MAX_TIMER_MS) this.armExpiry();
      else this.#expire().catch(this.#onError);
    };
    this.#timer = setTimeout(wake, Math.min(Math.max(leftMs, 0), MAX_TIMER_MS)).unref();
  }

  /** Stops what runs in it, says `space.closed` when it ends for good, and lets go of its log. */
  async close(as: "server.stopping" | "space.closed", reason?: "deleted" | "expired"): Promise<void> {
    clearTimeout(this.#timer);
    const error = new CairnError(as);
    this.#controller.abort(error);
    await this.operations.close(error);
    if (reason) await this.log.append([{ type: "space.closed", data: { reason } }]).catch(this.#onError);
    await this.log.close(as);
  }
}

/** @throws {CairnError} `space.id_invalid` */
function checkId(id: SpaceId): SpaceId {
  // Half of a surrogate pair has no UTF-8 form: two ids would share a folder.
  if (/\p{Surrogate}/u.test(id)) throw new CairnError("space.id_invalid", {});
  return checkSpaceId(id);
}
