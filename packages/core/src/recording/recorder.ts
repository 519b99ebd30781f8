/**
 * One recording while it runs: what comes through the chosen channels goes to its files, now or never. Nobody waits for
 * it: what the disk is too slow for is left out, pictures up to the next key picture, and counted.
 */
import type { ImuSample } from "@cairn/motion";
import { type CairnEvent, centreOf, type EventData, type Pose, type RecordingEnd } from "@cairn/protocol";
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
import { GrowingFile } from "./growing-file.ts";
import { Chunks, type McapMessage } from "./mcap/chunks.ts";
import { compressedVideo } from "./mcap/protobuf.ts";
import { timeJson } from "./mcap/schemas.ts";
import { type RecordedPicture, VideoTrack } from "./video-track.ts";

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
/** What waits for the disk; above it is left out until half of it is gone. */
const MAX_WAITING_BYTES = 32 * 2 ** 20;
/** Channels of the poses of a stream. */
const POSES_OF = /^pose\/(.+)$/;
/** Files of one recording. */
const MAX_FILES = 500;

export class Recorder {
  readonly #places: RecorderPlaces;
  readonly #options: RecorderOptions;
  readonly #folder: RecordingFolder;
  readonly #choice: ChannelChoice;
  readonly #tracks = new Map<string, VideoTrack>();
  /** All of its files, also those that are closed. */
  readonly #growing = new Set<GrowingFile>();
  readonly #stop: (() => void)[] = [];
  readonly #stopped = new AbortController();
  readonly #chunks: Chunks | undefined;
  readonly #beganMs = performance.now();
  #lastMs = performance.now();
  #choked = false;
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
    if (plan.formats.includes("mcap")) {
      const about = new Map([
        ["recording", plan.recording],
        ["space", space.id],
        ["name", plan.name],
        ["channels", plan.channels.join(" ")],
      ]);
      const file = this.#open(folder.mcapPath);
      this.#chunks = new Chunks(about, (bytes) => file.append(bytes));
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
    return { sizeBytes: this.#sizeBytes, waitingBytes: this.#waitingBytes, ...this.#progress };
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
    await Promise.all([...this.#growing].map((file) => file.close()));
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

  get #sizeBytes(): number {
    return [...this.#growing].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get #waitingBytes(): number {
    return [...this.#growing].reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
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
    if (this.#isChoked()) {
      track.skip();
      if (packet.kind !== "parameters") this.#progress.lost++;
      return;
    }
    track.take(packet);
    this.#came();
  }

  #newTrack(name: string): VideoTrack {
    return new VideoTrack({
      timeOf: (ms) => this.#places.clock.nowNs() - BigInt(Math.round((performance.now() - ms) * 1e6)),
      onPicture: (picture) => this.#onPicture(name, picture),
      onLeftOut: () => this.#progress.lost++,
      ...(this.#options.plan.formats.includes("mp4") && {
        openFile: (fromNs: bigint) => {
          if (this.#growing.size < MAX_FILES) return this.#open(this.#folder.mp4Path(name, fromNs));
          this.#endSoon("files");
          return undefined;
        },
      }),
    });
  }

  #endTrack(name: string): void {
    this.#tracks.get(name)?.end();
    this.#tracks.delete(name);
  }

  #onPicture(name: string, { unit, timeNs }: RecordedPicture): void {
    this.#progress.pictures++;
    if (!this.#chunks) return;
    const data = compressedVideo({ timeNs, frameId: name, data: unit.data });
    this.#message({ topic: `/video/${name}`, schema: "video", logNs: timeNs, data });
  }

  #onSamples(name: string, samples: readonly ImuSample[], space: string | undefined): void {
    if (!this.#chunks || !this.#takes("imu", name, space)) return;
    const { clock } = this.#places;
    const logNs = clock.nowNs();
    for (const { timestamp, accelerometer, gyroscope } of samples) {
      const measured = clock.devices.timeOf(name, timestamp)?.timeNs;
      this.#json(
        { topic: `/imu/${name}`, schema: "imu", logNs, ...(measured !== undefined && { publishNs: measured }) },
        {
          timestamp: timeJson(measured ?? logNs),
          device_timestamp: String(timestamp),
          linear_acceleration: vector(accelerometer),
          angular_velocity: vector(gyroscope),
        },
      );
    }
    this.#came();
  }

  #onSignal({ channel, from, data }: Signal): void {
    if (this.#over || !this.#chunks) return;
    const logNs = this.#places.clock.nowNs();
    const [, source] = POSES_OF.exec(channel) ?? [];
    // Only the server's own: what a client says in its stead has the client's name.
    if (source !== undefined && from === "" && this.#choice.has("poses")) {
      for (const { timeNs, ...pose } of (data as PoseSignal).poses) {
        this.#pose(`/poses/${source}`, logNs, BigInt(timeNs), pose);
      }
    }
    if (!this.#choice.has("signals", channel)) return;
    this.#json({ topic: `/signals/${channel}`, schema: "signal", logNs }, { from, data });
    this.#came();
  }

  #pose(topic: string, logNs: bigint, publishNs: bigint, pose: Pose): void {
    const inFrame = { timestamp: timeJson(publishNs), frame_id: "model", pose: placeOf(pose) };
    this.#json({ topic, schema: "pose", logNs, publishNs }, inFrame);
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
    const logNs = BigInt(event.timeNs);
    const isControl = event.type.startsWith("control.");
    if (this.#choice.has(isControl ? "control" : "events")) {
      this.#json({ topic: isControl ? "/control" : "/events", schema: "event", logNs }, event);
      this.#came();
    }
    if (event.type === "camera.posed" && this.#choice.has("poses")) {
      const { image, pose } = event.data;
      const { capturedNs } = this.space.log.snapshot().state.images[image] ?? {};
      this.#pose("/poses/cameras", logNs, capturedNs === undefined ? logNs : BigInt(capturedNs), pose);
    }
  }

  /** Whether it is of this space and chosen, or of none and chosen by name. */
  #takes(kind: "video" | "imu", name: string, space: string | undefined): boolean {
    if (this.#over || this.#ending) return false;
    if (space === undefined) return this.#options.strays && this.#choice.names(kind, name);
    return space === this.#options.space.id && this.#choice.has(kind, name);
  }

  #json(head: Omit<McapMessage, "data">, value: unknown): void {
    this.#message({ ...head, data: Buffer.from(JSON.stringify(value)) });
  }

  #message(message: McapMessage): void {
    if (!this.#chunks) return;
    if (this.#isChoked() || !this.#chunks.add(message)) this.#progress.lost++;
    else this.#progress.messages++;
  }

  #isChoked(): boolean {
    this.#choked = this.#waitingBytes > (this.#choked ? MAX_WAITING_BYTES / 2 : MAX_WAITING_BYTES);
    return this.#choked;
  }

  #came(): void {
    this.#lastMs = performance.now();
  }

  #open(path: string): GrowingFile {
    const file = new GrowingFile(path, {
      onTrouble: ({ code }) => this.#endSoon(code === "store.full" ? "disk_full" : "disk_failed"),
      onAppended: () => {
        if (this.#sizeBytes >= this.#options.plan.maxBytes) this.#endSoon("bytes");
      },
    });
    this.#growing.add(file);
    return file;
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

function vector([x, y, z]: readonly [number, number, number]) {
  return { x, y, z };
}

/** Where a camera is and how it is turned, of world→camera: the other way around. */
function placeOf(pose: Pose) {
  const [w, x, y, z] = pose.rotation;
  return { position: vector(centreOf(pose)), orientation: { x: -x, y: -y, z: -z, w } };
}
