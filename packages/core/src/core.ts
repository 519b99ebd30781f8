/** The nouns wired together: one data directory, one process that owns it. */
import { randomUUID } from "node:crypto";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { CairnError, Digest, SpaceSettings } from "@cairn/protocol";
import type { BlobStore } from "./blob/blob-store.ts";
import { openFileBlobStore } from "./blob/file-blob-store.ts";
import { type ClockOptions, ServerClock } from "./clock/server-clock.ts";
import { Layers } from "./cloud/layers.ts";
import { controlClock } from "./control/control-clock.ts";
import { Controls } from "./control/controls.ts";
import { makeFolder, storeError, TEMPORARY } from "./disk/disk.ts";
import { lockFolder } from "./disk/lock.ts";
import { FileUploads } from "./file/file-uploads.ts";
import type { IngestListener } from "./ingest/ingest-image.ts";
import type { SpaceLogOptions } from "./log/file-space-log.ts";
import { MotionLog } from "./motion/motion-log.ts";
import { type MotionOptions, MotionSources } from "./motion/motion-sources.ts";
import { type Paths, startPaths } from "./path/paths.ts";
import { Recordings } from "./recording/recordings.ts";
import { type FileSpaces, openFileSpaces } from "./space/file-spaces.ts";
import { addNamedBlobs } from "./space/named-blobs.ts";
import type { Spaces } from "./space/spaces.ts";
import { VideoSources } from "./video/video-sources.ts";

export interface Core {
  readonly spaces: Spaces;
  readonly blobs: BlobStore;
  readonly layers: Layers;
  /** The server's time, and its devices'. */
  readonly clock: ServerClock;
  readonly motion: MotionSources;
  /** What motion sensors felt, kept with the spaces. */
  readonly motionLog: MotionLog;
  /** Live video: who sends it and who takes it. */
  readonly video: VideoSources;
  /** Who steers which device. */
  readonly control: Controls;
  /** Files that devices send in chunks. */
  readonly files: FileUploads;
  /** What comes live, written down. */
  readonly recordings: Recordings;
  /** Called for each photo that is on disk, in the asynchronous context of who brought it. */
  onIngested(listener: IngestListener): void;
  ingested: IngestListener;
  /** Empty when it can serve and write; else what is wrong, for `/health`. */
  problems(): string[];
  /** Removes the blobs that no event of any space names and that are older than `graceMs`. Done now and then anyway. */
  collect(graceMs?: number): Promise<{ removed: number; freedBytes: number }>;
  /** Lets running writes finish, closes everything and frees the lock. */
  close(): Promise<void>;
}

export type CoreOptions = {
  dataDir: string;
  /** Told what went wrong where nobody asked. */
  onError?: (context: string, error: unknown) => void;
  /** A video stream has been under 3 Mbit/s for 25 s. */
  onThinVideo?: (source: string, mbps: number) => void;
  log?: SpaceLogOptions;
  /** What a new space has when its maker does not say. */
  settings?: Partial<SpaceSettings>;
  /** Left out: no time server is asked. */
  clock?: Pick<ClockOptions, "servers" | "onUnanswered">;
  motion?: Pick<MotionOptions, "axes">;
};

/** A blob is put before the event that names it; longer than this nobody takes between the two. */
const GRACE_MS = 3_600_000;
const COLLECT_EVERY_MS = 3_600_000;
/** While the disk refuses, it is tried this often whether it takes writes again. */
const PROBE_MS = 1000;

/** @throws {CairnError} `store.locked` with the `pid` of the process that owns `dataDir`; `store.full`, `store.failed` */
export async function openCore(options: CoreOptions): Promise<Core> {
  const { dataDir, onError = () => undefined } = options;
  let free: (() => Promise<void>) | undefined;
  let closeClock: (() => Promise<void>) | undefined;
  try {
    await makeFolder(dataDir);
    free = await lockFolder(dataDir);
    await removeLeftovers(dataDir);
    const clock = new ServerClock(options.clock);
    closeClock = () => clock.close();
    const motion = new MotionSources({ ...options.motion, onError });
    const disk = new DiskHealth(dataDir);
    const onTrouble = (trouble: CairnError | undefined) => disk.heard(trouble);
    const blobs = await openFileBlobStore(join(dataDir, "blobs"), { onTrouble });
    const layers = new Layers(blobs, onError);
    const collecting = new Repeated(onError);
    const spaces = await openFileSpaces(join(dataDir, "spaces"), {
      onError,
      log: { now: () => clock.nowNs(), ...options.log, onTrouble },
      onDeleted: () => collecting.soon(),
      ...(options.settings ? { settings: options.settings } : {}),
    });
    const collect = async (graceMs = GRACE_MS) => {
      const named = new Set<Digest>();
      // Nobody knows what a space names that could not be opened.
      for (const error of spaces.unopened.values()) throw error;
      for (const space of spaces.all) await addNamedBlobs(space.log, named);
      return blobs.collect((digest) => named.has(digest), graceMs);
    };
    collecting.start(collect);
    spaces.onOpen((space) => layers.attach(space));
    const video = new VideoSources({
      onError: (error) => onError("video", error),
      ...(options.onThinVideo && { onThin: options.onThinVideo }),
    });
    const control = new Controls(controlClock(clock), onError);
    control.attach(spaces);
    const files = await FileUploads.open(join(dataDir, "files"));
    const motionLog = new MotionLog({ spaces, blobs, clock, motion, onError });
    const recordings = await Recordings.open(
      { spaces, blobs, clock, motion, video, onError },
      join(dataDir, "recordings"),
    );
    const paths = startPaths(spaces, onError);
    const live = { clock, motion, motionLog, video, control, files, recordings, paths };
    return new EmbeddedCore({ spaces, blobs, layers, ...live, disk, collecting, collect, free });
  } catch (error) {
    await closeClock?.();
    await free?.().catch(() => undefined);
    throw storeError(error);
  }
}

/** Temporary files that a killed process left; a young one may be that of a process that is looking at the lock now. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith(TEMPORARY)) continue;
    const made = await stat(join(folder, name)).catch(() => undefined);
    if (made && Date.now() - made.mtimeMs > 60_000) await rm(join(folder, name), { force: true });
  }
}

type Parts = Pick<
  Core,
  "blobs" | "layers" | "clock" | "motion" | "motionLog" | "video" | "control" | "files" | "recordings" | "collect"
> & {
  readonly spaces: FileSpaces;
  readonly paths: Paths;
  readonly disk: DiskHealth;
  readonly collecting: Repeated;
  readonly free: () => Promise<void>;
};

class EmbeddedCore implements Core {
  readonly spaces: FileSpaces;
  readonly blobs: BlobStore;
  readonly layers: Layers;
  readonly clock: ServerClock;
  readonly motion: MotionSources;
  readonly motionLog: MotionLog;
  readonly video: VideoSources;
  readonly control: Controls;
  readonly files: FileUploads;
  readonly recordings: Recordings;
  readonly collect: Core["collect"];
  readonly #paths: Paths;
  readonly #disk: DiskHealth;
  readonly #collecting: Repeated;
  readonly #free: () => Promise<void>;
  readonly #ingestListeners: IngestListener[] = [];
  #closing: Promise<void> | undefined;

  constructor(parts: Parts) {
    const { spaces, blobs, layers, clock, motion, motionLog, video, control, files, recordings } = parts;
    const { paths, disk, collecting, collect, free } = parts;
    this.spaces = spaces;
    this.blobs = blobs;
    this.layers = layers;
    this.clock = clock;
    this.motion = motion;
    this.motionLog = motionLog;
    this.video = video;
    this.control = control;
    this.files = files;
    this.recordings = recordings;
    this.collect = collect;
    this.#paths = paths;
    this.#disk = disk;
    this.#collecting = collecting;
    this.#free = free;
  }

  onIngested(listener: IngestListener): void {
    this.#ingestListeners.push(listener);
  }

  ingested: IngestListener = (space, receipt) => {
    for (const listener of this.#ingestListeners) listener(space, receipt);
  };

  problems(): string[] {
    const refusing = this.spaces.all.filter((space) => space.log.refusing);
    return [
      ...this.#disk.problems(),
      ...refusing.map((space) => `space ${space.id}: ${space.log.refusing?.message}`),
      ...[...this.spaces.unopened].map(([id, error]) => `space ${id}: ${error.message}`),
    ];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.control.close();
    await this.recordings.close();
    this.video.close();
    await this.#collecting.stop();
    this.motion.close();
    await this.motionLog.close();
    await this.#paths.close();
    await this.files.close();
    await this.clock.close();
    await this.spaces.close();
    await this.layers.close();
    this.#disk.close();
    await this.#free();
  }
}

/** Whether the disk takes writes: from what the log and the blobs hear, and, once it refused, from trying. */
class DiskHealth {
  readonly #folder: string;
  #trouble: CairnError | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  heard(trouble: CairnError | undefined): void {
    if (!trouble) return; // One part that goes on says nothing of the others; the probe does.
    this.#trouble = trouble;
    this.#timer ??= setTimeout(() => this.#probe(), PROBE_MS).unref();
  }

  problems(): string[] {
    return this.#trouble ? [this.#trouble.message] : [];
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    const path = join(this.#folder, `${randomUUID()}${TEMPORARY}`);
    try {
      const file = await open(path, "wx");
      try {
        await file.writeFile(Buffer.alloc(2 ** 16));
        await file.sync();
      } finally {
        await file.close();
      }
      this.#trouble = undefined;
      this.#timer = undefined;
    } catch (error) {
      this.#trouble = storeError(error);
      this.#timer = setTimeout(() => this.#probe(), PROBE_MS).unref();
    } finally {
      await rm(path, { force: true }).catch(() => undefined);
    }
  }
}

/** One task, now and then, never twice at once. */
class Repeated {
  readonly #onError: (context: string, error: unknown) => void;
  #task: (() => Promise<unknown>) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(onError: (context: string, error: unknown) => void) {
    this.#onError = onError;
  }

  start(task: () => Promise<unknown>): void {
    this.#task = task;
    this.#after(COLLECT_EVERY_MS);
  }

  soon(): void {
    if (this.#task) this.#after(1000);
  }

  async stop(): Promise<void> {
    this.#task = undefined;
    clearTimeout(this.#timer);
    await this.#running;
  }

  #after(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#running ??= this.#run();
    }, delayMs).unref();
  }

  async #run(): Promise<void> {
    await this.#task?.().catch((error: unknown) => this.#onError("collecting blobs", error));
    this.#running = undefined;
    if (this.#task) this.#after(COLLECT_EVERY_MS);
  }
}
