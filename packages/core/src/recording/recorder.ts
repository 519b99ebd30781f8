/**
 * One recording while it runs: what comes through the chosen channels goes to its files, now or never. Nobody waits for
 * it: what the disk is too slow for is left out, pictures up to the next key picture, and counted.
 */
import type { ImuSample } from "@cairn/motion";
import type { CairnEvent, EventData, RecordingEnd } from "@cairn/protocol";
import type { Signal } from "../channel/channels.ts";
import type { ServerClock } from "../clock/server-clock.ts";
import type { PoseSignal } from "../keyframe/stream-poses.ts";
import type { MotionSources } from "../motion/motion-sources.ts";
import type { Space } from "../space/spaces.ts";
import type { StreamPacket } from "../video/stream-packet.ts";
import type { VideoSource } from "../video/video-source.ts";
import type { VideoSources } from "../video/video-sources.ts";
import { ChannelChoice } from "./choice.ts";
import type { Ending, RecordingFolder } from "./folder.ts";
import { GrowingFiles } from "./growing-files.ts";
import { Chunks, type McapMessage } from "./mcap/chunks.ts";
import {
  cameraMessage,
  eventMessage,
  pictureMessage,
  sampleMessages,
  signalMessage,
  streamPoseMessages,
} from "./messages.ts";
import { VideoTrack } from "./video-track.ts";

export type RecorderPlaces = {
  readonly video: VideoSources;
  readonly motion: MotionSources;
  readonly clock: ServerClock;
};

export type RecorderOptions = {
  readonly plan: EventData<"recording.started">;
  readonly space: Space;
  /** The event that began it. */
  readonly seq: number;
  /** Sources that are in no space, too, where they are chosen by name. */
  readonly strays: boolean;
  /** Told once. */
  readonly onEnding: () => void;
  readonly onError: (error: unknown) => void;
};

/** As it stands. */
export type RecordingProgress = {
  readonly sizeBytes: number;
  /** Of these, what the disk has not taken yet. */
  readonly waitingBytes: number;
  readonly pictures: number;
  readonly messages: number;
  /** What came faster than the disk took it. */
  readonly lost: number;
};

/** A crash costs no more than this of what was there. */
const FLUSH_EVERY_MS = 1000;
/** Channels of the poses of a stream. */
const POSES_OF = /^pose\/(.+)$/;

export class Recorder {
  readonly #places: RecorderPlaces;
  readonly #options: RecorderOptions;
  readonly #folder: RecordingFolder;
  readonly #choice: ChannelChoice;
  readonly #tracks = new Map<string, VideoTrack>();
  readonly #files: GrowingFiles;
  readonly #stop: (() => void)[] = [];
  readonly #stopped = new AbortController();
  readonly #chunks: Chunks | undefined;
  readonly #beganMs = performance.now();
  #lastMs = performance.now();
  #progress = { pictures: 0, messages: 0, lost: 0 };
  /** Why it ends as soon as what is being done is done. */
  #over: RecordingEnd | undefined;
  #ending: Ending | undefined;
  /** Of the last event that was looked at. */
  #seq: number;
  #closed: Promise<void> | undefined;

  constructor(places: RecorderPlaces, folder: RecordingFolder, options: RecorderOptions) {
    this.#places = places;
    this.#folder = folder;
    this.#options = options;
    const { plan, space } = options;
    this.#seq = options.seq;
    this.#choice = new ChannelChoice(plan.channels);
    this.#files = new GrowingFiles({ maxBytes: plan.maxBytes, onEnd: (reason) => this.#endSoon(reason) });
    if (plan.formats.includes("mcap")) {
      const about = new Map([
        ["recording", plan.recording],
        ["space", space.id],
        ["name", plan.name],
        ["channels", plan.channels.join(" ")],
      ]);
      const file = this.#files.open(folder.mcapPath);
      this.#chunks = new Chunks(about, (bytes) => file?.append(bytes));
    }
    this.#listen();
  }

  get plan(): EventData<"recording.started"> {
    return this.#options.plan;
  }

  get space(): Space {
    return this.#options.space;
  }

  get folder(): RecordingFolder {
    return this.#folder;
  }

  /** How it ended; undefined while it runs. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  get progress(): RecordingProgress {
    const { sizeBytes, waitingBytes } = this.#files;
    return { sizeBytes, waitingBytes, ...this.#progress };
  }

  /** No more is taken. What was goes to disk; `closed` says when it is there. The first reason counts. */
  end(reason: RecordingEnd): void {
    if (this.#ending) return;
    const endedNs = String(this.#places.clock.nowNs());
    this.#stopped.abort();
    for (const stop of this.#stop.splice(0)) stop();
    for (const track of this.#tracks.values()) track.end();
    const { lost } = this.#progress;
    this.#ending = { reason, endedNs, ...(lost > 0 && { lost }) };
    this.#closed = this.#close(this.space.log.head);
    this.#options.onEnding();
  }

  /** @param head of the log when it ended: what it holds comes to the recording later than to the log */
  async #close(head: number): Promise<void> {
    while (this.#chunks && this.#seq < head) {
      const events = await this.space.log.read(this.#seq, 1000).catch(() => []);
      if (events.length === 0) break;
      for (const event of events) if (event.seq <= head) this.#onEvent(event);
    }
    this.#chunks?.flush();
    await this.#files.close();
  }

  #endSoon(reason: RecordingEnd): void {
    if (this.#over) return;
    this.#over = reason;
    queueMicrotask(() => this.end(reason));
  }

  /** Resolves when nothing writes to its files any more. */
  async closed(): Promise<void> {
    await this.#closed;
  }

  #listen(): void {
    const { video, motion } = this.#places;
    const { space } = this.#options;
    this.#stop.push(
      video.onPacket((source, packet) => this.#onPacket(source, packet)),
      video.onChange((source) => {
        if (!source.live) this.#endTrack(source.name);
      }),
      motion.onFlush((source, samples, from) => this.#onSamples(source, samples, from)),
      space.channels.hearAll((signal) => this.#onSignal(signal)),
    );
    const tick = setInterval(() => this.#tick(), FLUSH_EVERY_MS);
    this.#stop.push(() => clearInterval(tick));
    for (const { source: name, live } of video.sources()) {
      const source = video.source(name);
      if (!live || !source) continue;
      // What is on the air now began with a key picture that has been already.
      for (const packet of source.group.packets) this.#onPacket(source, packet);
    }
    this.#follow().catch((error: unknown) => {
      if (!this.#stopped.signal.aborted && !space.signal.aborted) this.#options.onError(error);
    });
  }

  #onPacket(source: VideoSource, packet: StreamPacket): void {
    if (!this.#takes("video", source.name, source.space)) return;
    let track = this.#tracks.get(source.name);
    if (!track) {
      track = this.#newTrack(source.name);
      this.#tracks.set(source.name, track);
      if (source.parameters) track.know(source.parameters.data);
    }
    if (this.#files.isBehind()) {
      track.skip();
      if (packet.kind !== "parameters") this.#progress.lost++;
      return;
    }
    track.take(packet);
    this.#came();
  }

  #newTrack(name: string): VideoTrack {
    return new VideoTrack({
      timeOf: (ms) => this.#places.clock.nsAt(ms),
      onPicture: (picture) => {
        this.#progress.pictures++;
        if (this.#chunks) this.#write([pictureMessage(name, picture)]);
      },
      onLeftOut: () => this.#progress.lost++,
      ...(this.#options.plan.formats.includes("mp4") && {
        openFile: (fromNs: bigint) => this.#files.open(this.#folder.mp4Path(name, fromNs)),
      }),
    });
  }

  #endTrack(name: string): void {
    this.#tracks.get(name)?.end();
    this.#tracks.delete(name);
  }

  #onSamples(name: string, samples: readonly ImuSample[], space: string | undefined): void {
    if (!this.#chunks || !this.#takes("imu", name, space)) return;
    this.#write(sampleMessages(name, samples, this.#places.clock));
    this.#came();
  }

  #onSignal(signal: Signal): void {
    if (this.#over || !this.#chunks) return;
    const logNs = this.#places.clock.nowNs();
    const [, source] = POSES_OF.exec(signal.channel) ?? [];
    // Only the server's own: what a client says in its stead has the client's name.
    if (source !== undefined && signal.from === "" && this.#choice.has("poses")) {
      this.#write(streamPoseMessages(source, signal.data as PoseSignal, logNs));
      this.#came();
    }
    if (!this.#choice.has("signals", signal.channel)) return;
    this.#write([signalMessage(signal, logNs)]);
    this.#came();
  }

  async #follow(): Promise<void> {
    const { space, seq } = this.#options;
    if (!this.#chunks) return;
    for await (const events of space.log.follow(seq, { signal: this.#stopped.signal })) {
      if (this.#ending) return;
      for (const event of events) this.#onEvent(event);
    }
  }

  #onEvent(event: CairnEvent): void {
    if (event.seq <= this.#seq) return;
    this.#seq = event.seq;
    const isControl = event.type.startsWith("control.");
    if (this.#choice.has(isControl ? "control" : "events")) {
      this.#write([eventMessage(event, isControl ? "/control" : "/events")]);
      this.#came();
    }
    if (event.type === "camera.posed" && this.#choice.has("poses")) {
      const { capturedNs } = this.space.log.snapshot().state.images[event.data.image] ?? {};
      const captured = capturedNs === undefined ? undefined : BigInt(capturedNs);
      this.#write([cameraMessage(event.data, captured, BigInt(event.timeNs))]);
      this.#came();
    }
  }

  /** Whether it is of this space and chosen, or of none and chosen by name. */
  #takes(kind: "video" | "imu", name: string, space: string | undefined): boolean {
    if (this.#over || this.#ending) return false;
    if (space === undefined) return this.#options.strays && this.#choice.names(kind, name);
    return space === this.#options.space.id && this.#choice.has(kind, name);
  }

  #write(messages: readonly McapMessage[]): void {
    if (!this.#chunks) return;
    for (const message of messages) {
      if (this.#files.isBehind() || !this.#chunks.add(message)) this.#progress.lost++;
      else this.#progress.messages++;
    }
  }

  #came(): void {
    this.#lastMs = performance.now();
  }

  #tick(): void {
    for (const track of this.#tracks.values()) track.flush();
    this.#chunks?.flush();
    const { maxDurationMs, idleMs } = this.#options.plan;
    const nowMs = performance.now();
    if (nowMs - this.#beganMs >= maxDurationMs) this.end("duration");
    else if (nowMs - this.#lastMs >= idleMs) this.end("idle");
  }
}
