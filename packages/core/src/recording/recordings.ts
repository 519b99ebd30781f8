/**
 * Recordings of all spaces: started, ended, turned into blobs that an event names, and removed. Their files grow in a
 * folder each; what a killed process left there becomes a recording at the next start. Rules: docs/spec/recordings.md.
 */
import { randomUUID } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  CairnError,
  type EventDraft,
  type Id,
  type RecordingEnd,
  type RecordingFormat,
  type RecordingState,
  type SpaceId,
} from "@cairn/protocol";
import type { BlobStore } from "../blob/blob-store.ts";
import { errnoOf, makeFolder, storeError } from "../disk/disk.ts";
import { freeBytes } from "../space/quota.ts";
import type { Space, Spaces } from "../space/spaces.ts";
import { ChannelChoice } from "./choice.ts";
import { type Ending, RecordingFolder } from "./folder.ts";
import type { Recorder, RecorderPlaces, RecordingProgress } from "./recorder.ts";

export type RecordingWish = {
  readonly name?: string;
  /** Left out: everything. */
  readonly channels?: readonly string[];
  /** Left out: both. */
  readonly formats?: readonly RecordingFormat[];
  readonly maxBytes?: number;
  readonly maxDurationMs?: number;
  /** It ends when nothing comes for so long. */
  readonly idleMs?: number;
};

export const RECORDING_LIMITS = {
  /** What one has unless its maker says less, or more. */
  usual: { maxBytes: 4 * 2 ** 30, maxDurationMs: 3_600_000, idleMs: 600_000 },
  most: { maxBytes: 2 ** 40, maxDurationMs: 24 * 3_600_000, idleMs: 24 * 3_600_000 },
} as const;

/** At once, on the whole server. */
const MAX_RUNNING = 32;
/** Kept in one space. */
const MAX_KEPT = 1000;
/** While the disk refuses, the end of a recording is tried this often. */
const RETRY_MS = 1000;

export type RecordingsPlaces = RecorderPlaces & {
  readonly spaces: Spaces;
  readonly blobs: BlobStore;
  readonly onError: (context: string, error: unknown) => void;
};

type Running = {
  readonly recorder: Recorder;
  /** Its blobs are named by an event, or it was left to the next start. */
  ended: Promise<void>;
  discarded: boolean;
};

type Unended = { readonly space: Space; readonly recording: Id };

export class Recordings {
  readonly #places: RecordingsPlaces;
  readonly #root: string;
  readonly #running = new Map<Id, Running>();
  readonly #closing = new AbortController();
  #starting = 0;
  #recovering: Promise<void> = Promise.resolve();

  private constructor(places: RecordingsPlaces, root: string) {
    this.#places = places;
    this.#root = root;
  }

  /** What an earlier process left is made whole in the background. */
  static async open(places: RecordingsPlaces, root: string): Promise<Recordings> {
    await makeFolder(root);
    const recordings = new Recordings(places, root);
    const left = await readdir(root);
    const unended: Unended[] = [];
    for (const { id } of await places.spaces.list()) {
      const space = await places.spaces.open(id);
      for (const { recording, ended } of Object.values(space.log.snapshot().state.recordings ?? {})) {
        if (!ended) unended.push({ space, recording });
      }
    }
    recordings.#recovering = recordings
      .#recover(left, unended)
      .catch((error: unknown) => places.onError("recordings", error));
    return recordings;
  }

  /**
   * Resolves when the event is durable: from then on everything is taken.
   * @param options.strays sources that belong to no space may be chosen by name
   * @throws {CairnError} `request.invalid`, `space.closed`, `space.quota`, `recording.too_many`, `store.…`
   */
  async start(space: Space, wish: RecordingWish, options: { strays?: boolean } = {}): Promise<RecordingState> {
    const { state } = space.log.snapshot();
    if (state.closed || space.signal.aborted || this.#closing.signal.aborted) throw new CairnError("space.closed");
    const { channels = ["*"], formats = ["mp4", "mcap"], name = "" } = wish;
    new ChannelChoice(channels);
    const free = freeBytes(state);
    if (free === 0) throw new CairnError("space.quota", { maxBytes: state.settings.maxBytes });
    const kept = Object.keys(state.recordings ?? {}).length;
    const running = this.#running.size + this.#starting;
    if (running >= MAX_RUNNING || kept >= MAX_KEPT) throw new CairnError("recording.too_many", { running, kept });
    this.#starting++;
    try {
      const recording = randomUUID();
      const { maxBytes, maxDurationMs, idleMs } = { ...RECORDING_LIMITS.usual, ...wish };
      const plan = {
        recording,
        name,
        channels: [...new Set(channels)],
        formats: [...new Set(formats)],
        maxBytes: Math.min(maxBytes, free),
        maxDurationMs,
        idleMs,
      };
      const { Recorder: RecorderClass } = await import("./recorder.ts"); // with the library of MCAP, for those who record
      const folder = await RecordingFolder.make(join(this.#root, recording), space.id).catch((error: unknown) => {
        throw storeError(error);
      });
      const [started] = await space.log.append([{ type: "recording.started", data: plan }]).catch(async (error) => {
        await folder.remove();
        throw error;
      });
      if (this.#closing.signal.aborted || space.signal.aborted) throw new CairnError("server.stopping");
      this.#run(RecorderClass, space, folder, plan, started!.seq, options.strays ?? false);
      return { ...plan, startedNs: started!.timeNs };
    } finally {
      this.#starting--;
    }
  }

  /** Ends it, and resolves when its files can be had. One that has ended stays as it is. @throws {CairnError} `recording.missing` */
  async stop(space: Space, id: Id): Promise<RecordingState> {
    this.find(space, id);
    const running = this.#running.get(id);
    running?.recorder.end("stopped");
    await (running?.ended ?? this.#recovering);
    return this.find(space, id);
  }

  /** Ends it without keeping anything, or lets its files go. @throws {CairnError} `recording.missing` */
  async remove(space: Space, id: Id): Promise<void> {
    this.find(space, id);
    const running = this.#running.get(id);
    if (running) running.discarded = true;
    running?.recorder.end("stopped");
    await (running?.ended ?? this.#recovering);
    this.find(space, id);
    await space.log.append([{ type: "recording.removed", data: { recording: id } }]);
  }

  /** @throws {CairnError} `recording.missing` */
  find(space: Space, id: Id): RecordingState {
    const { recordings = {} } = space.log.snapshot().state;
    const found = Object.hasOwn(recordings, id) ? recordings[id] : undefined;
    if (!found) throw new CairnError("recording.missing");
    return found;
  }

  /** Of one that runs. `ending`: no more is taken, its files are being made whole. */
  progress(id: Id): (RecordingProgress & { ending?: RecordingEnd }) | undefined {
    const recorder = this.#running.get(id)?.recorder;
    return recorder && { ...recorder.progress, ...(recorder.ending && { ending: recorder.ending.reason }) };
  }

  /** Everything that runs ends; its files are made whole at the next start, which is not kept waiting either. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const { recorder } of this.#running.values()) recorder.end("server_stopping");
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    await this.#recovering;
  }

  #run(
    RecorderClass: typeof Recorder,
    space: Space,
    folder: RecordingFolder,
    plan: Recorder["plan"],
    seq: number,
    strays: boolean,
  ): void {
    const { onError } = this.#places;
    let begin = () => {};
    const over = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const recorder = new RecorderClass(this.#places, folder, {
      plan,
      space,
      seq,
      strays,
      onEnding: begin,
      onError: (error) => onError(`recording ${plan.recording}`, error),
    });
    const running: Running = { recorder, discarded: false, ended: Promise.resolve() };
    running.ended = over
      .then(() => this.#end(running))
      .catch((error: unknown) => onError(`recording ${plan.recording}`, error))
      .finally(() => this.#running.delete(plan.recording));
    this.#running.set(plan.recording, running);
    const gone = () => recorder.end("server_stopping");
    space.signal.addEventListener("abort", gone, { once: true });
    void over.then(() => space.signal.removeEventListener("abort", gone));
  }

  async #end(running: Running): Promise<void> {
    const { recorder } = running;
    const { folder, space, ending } = recorder;
    await recorder.closed();
    // With its space everything goes.
    if (running.discarded || this.#isGone(space)) return folder.remove();
    await folder.rememberEnding(ending!).catch(() => undefined); // said again when it is done
    await this.#untilDone(space, () => this.#name(space, recorder.plan.recording, folder, ending));
  }

  /** Its files become blobs, and an event names them. */
  async #name(space: Space, recording: Id, folder: RecordingFolder, how?: Ending): Promise<void> {
    const ended = await folder.finish(this.#places.blobs, AbortSignal.any([this.#closing.signal, space.signal]), how);
    await space.log.append([{ type: "recording.ended", data: { recording, ...ended } }]);
    await folder.remove();
  }

  /** Tries until the disk takes it, or somebody else has to: the next start. */
  async #untilDone(space: Space, task: () => Promise<void>): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, space.signal]);
    while (!signal.aborted && !this.#isGone(space)) {
      try {
        return await task();
      } catch (error) {
        if (signal.aborted) return;
        this.#places.onError("the end of a recording", error);
        // What is not the disk's doing is no better in a second; the next start may know better.
        if (!isOfDisk(error)) return;
        await setTimeout(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #isGone(space: Space): boolean {
    return space.signal.aborted && !this.#closing.signal.aborted;
  }

  async #recover(names: readonly string[], unended: readonly Unended[]): Promise<void> {
    for (const name of names) {
      await this.#recoverOne(name).catch((error: unknown) => this.#places.onError(`recording ${name}`, error));
      if (this.#closing.signal.aborted) return;
    }
    // Their folders are lost.
    for (const { space, recording } of unended) {
      if (names.includes(recording)) continue;
      const endedNs = String(this.#places.clock.nowNs());
      const lost: EventDraft = { type: "recording.ended", data: { recording, reason: "crashed", endedNs, files: [] } };
      await this.#untilDone(space, async () => void (await space.log.append([lost])));
    }
  }

  /** @throws where its space can't be read now: it stays for another start */
  async #recoverOne(name: Id): Promise<void> {
    const folder = new RecordingFolder(join(this.#root, name));
    const id = await folder.space();
    const space = id === undefined ? undefined : await this.#openIfThere(id);
    if (space?.log.refusing) throw space.log.refusing;
    const state = space?.log.snapshot().state.recordings?.[name];
    // Its space is gone, it never began, or the event that names its files is there already.
    if (!space || !state || state.ended) await folder.remove();
    else await this.#untilDone(space, () => this.#name(space, name, folder));
  }

  async #openIfThere(id: SpaceId): Promise<Space | undefined> {
    return this.#places.spaces.open(id).catch((error: unknown) => {
      if (error instanceof CairnError && error.code === "space.missing") return undefined;
      throw error;
    });
  }
}

function isOfDisk(error: unknown): boolean {
  return error instanceof CairnError ? error.code.startsWith("store.") : errnoOf(error) !== undefined;
}
