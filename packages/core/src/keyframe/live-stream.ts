/**
 * One stream that builds a model: from its first packet to its last, or until its space goes. Packets wait in a bounded
 * queue for a thread that decodes them and chooses keyframes; these become photos of the space.
 */
import { CairnError, type ErrorBody, type Id, STREAM } from "@cairn/protocol";
import { type DecoderChoice, HUB_FLAG, type VideoKeyframe } from "@cairn/video";
import { type Pool, workers } from "@cairn/worker";
import type { ServerClock } from "../clock/server-clock.ts";
import { StreamClock } from "../clock/stream-clock.ts";
import type { IncomingPhoto } from "../ingest/ingest-image.ts";
import { Bell } from "../reconstruct/turn.ts";
import type { Space } from "../space/spaces.ts";
import type { StreamPacket } from "../video/stream-packet.ts";
import { Intake, timeNsOf } from "./intake.ts";
import type { KeyframeJobs, KeyframeTake } from "./keyframe-jobs.ts";
import type { KeyframeStats } from "./keyframe-stats.ts";
import { PacketQueue } from "./packet-queue.ts";
import { StreamPoses } from "./stream-poses.ts";

export type LiveStreamOptions = {
  readonly source: string;
  readonly space: Space;
  readonly clock: ServerClock;
  readonly reconstructs: boolean;
  readonly decoder: DecoderChoice;
  /** @returns the image it has become */
  readonly ingest: (space: Space, photo: IncomingPhoto, signal: AbortSignal) => Promise<Id>;
  /** Told when something goes wrong with the stream, once for each kind, and `undefined` when all is well again. */
  readonly onProblem: (stream: LiveStream, problem: ErrorBody | undefined) => void;
  /** What nobody asked for went wrong: a thread died. */
  readonly onError: (error: unknown) => void;
};

/** Packets of one job: few, so that what comes of them comes soon. */
const BATCH = 8;
/** Behind by more than this, fewer pictures are looked at; every one is decoded. */
const LATE_MS = 400;
const LOOK_MS = { usual: 45, late: 120 } as const;

export class LiveStream {
  readonly #options: LiveStreamOptions;
  readonly sequence: string;
  #clock: StreamClock;
  readonly #queue = new PacketQueue();
  readonly #bell = new Bell();
  readonly #pool: Pool<KeyframeJobs>;
  readonly #intake: Intake;
  readonly #poses: StreamPoses;
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #ended: Promise<void>;
  /** Heard to the end: every photo has its verdict. */
  readonly settled: Promise<void>;
  #ending = false;
  #done = false;
  #number: number | undefined;
  #feed: number | undefined;
  #photos = 0;
  #counts = { pictures: 0, skipped: 0, untrusted: 0, width: 0, height: 0 };
  #problem: ErrorBody | undefined;

  constructor(options: LiveStreamOptions) {
    const { source, space, clock, reconstructs } = options;
    this.#options = options;
    this.#signal = AbortSignal.any([this.#stop.signal, space.signal]);
    this.sequence = `${STREAM}${source}:${clock.nowNs()}`;
    this.#clock = new StreamClock(source, clock.devices);
    this.#pool = workers<KeyframeJobs>(new URL("./keyframe.worker.js", import.meta.url), 1);
    this.#poses = new StreamPoses({ source, path: this.sequence, space });
    this.#intake = new Intake({
      space,
      reconstructs,
      ingest: (keyframe) => this.#ingest(keyframe),
      onRefused: (error) => this.#refused(error),
    });
    this.settled = this.#follow();
    this.#ended = this.#run();
  }

  get space(): Space {
    return this.#options.space;
  }

  /** Nothing more will come of it. */
  get over(): boolean {
    return this.#signal.aborted;
  }

  stats(): KeyframeStats {
    const { source, space } = this.#options;
    const { pictures, skipped, untrusted, width, height } = this.#counts;
    return {
      source,
      space: space.id,
      sequence: this.sequence,
      pictures,
      leftOut: skipped + this.#queue.leftOut,
      untrusted,
      keyframes: this.#photos,
      dropped: this.#intake.dropped,
      waiting: this.#intake.waiting,
      demand: this.#intake.demand,
      width,
      height,
      ...(this.#problem && { problem: this.#problem }),
    };
  }

  /** Parameter sets that were in force before its first packet. */
  know(sets: Uint8Array): void {
    this.#queue.add({ kind: "parameters", arrivedMs: performance.now(), message: { data: sets, timeNs: 0n } });
  }

  /** @param feed which of its producers sent it: each has a clock of its own */
  add(packet: StreamPacket, feed: number): void {
    const follows = this.#number === undefined || packet.number === (this.#number + 1) >>> 0;
    const changed = this.#feed !== undefined && this.#feed !== feed;
    const lost = !follows || changed;
    this.#number = packet.number;
    this.#feed = feed;
    if (changed) this.#clock = new StreamClock(this.#options.source, this.#options.clock.devices);
    if (packet.data.length > 0) {
      const { kind, data, arrivedMs } = packet;
      // It may have waited for its space to open.
      const timeNs = this.#clock.timeOf(packet.timeNs, this.#options.clock.nsAt(arrivedMs));
      const partial = (packet.flags & HUB_FLAG.partial) !== 0;
      this.#queue.add({ kind, arrivedMs, message: { data, timeNs, partial, ...(lost && { lost }) } });
    }
    this.#bell.ring();
  }

  /** The stream is over: what is left of it goes into the space. */
  end(): Promise<void> {
    this.#ending = true;
    this.#bell.ring();
    return this.#ended;
  }

  /** At once. */
  async close(): Promise<void> {
    this.#stop.abort(new CairnError("server.stopping"));
    await Promise.all([this.#ended, this.settled]);
  }

  async #run(): Promise<void> {
    try {
      while (!this.#ending || this.#queue.length > 0) {
        if (this.#queue.length === 0) await this.#bell.wait(this.#signal);
        this.#signal.throwIfAborted();
        await this.#takeSome();
      }
      await this.#given(await this.#pool.run("end", {}, { signal: this.#signal }));
      await this.#intake.end();
    } catch (error) {
      if (!this.#signal.aborted) this.#options.onError(error);
    } finally {
      await this.#pool.close();
      this.#done = true;
      if (this.#poses.settled || !this.#options.reconstructs) this.#stop.abort();
    }
  }

  async #takeSome(): Promise<void> {
    const packets = this.#queue.take(BATCH);
    if (packets.length === 0) return;
    const late = performance.now() - packets[0]!.arrivedMs > LATE_MS;
    try {
      const taken = await this.#pool.run(
        "take",
        {
          messages: packets.map(({ message }) => message),
          decoder: this.#options.decoder,
          demand: this.#intake.demand,
          lookEveryMs: late ? LOOK_MS.late : LOOK_MS.usual,
        },
        { signal: this.#signal },
      );
      await this.#given(taken);
    } catch (error) {
      this.#signal.throwIfAborted();
      // Another thread takes its place, and begins with a key picture like any decoder.
      this.#options.onError(error);
    }
  }

  async #given(taken: KeyframeTake): Promise<void> {
    const { keyframes, timesNs, untrusted, skipped, width, height, problem } = taken;
    this.#counts.pictures += timesNs.length;
    this.#counts.untrusted += untrusted;
    this.#counts.skipped += skipped;
    if (width > 0) Object.assign(this.#counts, { width, height });
    this.#poses.addTimes(timesNs);
    for (const keyframe of keyframes) this.#intake.add(keyframe);
    if (problem || timesNs.length > 0) this.#say(problem);
  }

  async #ingest({ jpeg, timeNs, index }: VideoKeyframe): Promise<void> {
    const { source, space, ingest } = this.#options;
    const image = await ingest(
      space,
      {
        bytes: jpeg,
        name: `${source}-${String(index + 1).padStart(4, "0")}.jpg`,
        source: "video",
        contributor: source,
        capturedNs: timeNsOf(timeNs),
        sequence: this.sequence,
        key: `${this.sequence}:${index}`,
      },
      this.#signal,
    );
    this.#photos++;
    this.#poses.addKeyframe(image, timeNs);
  }

  #refused(error: unknown): void {
    if (this.#signal.aborted) return;
    if (error instanceof CairnError) this.#say(error.toJSON());
    else this.#options.onError(error);
  }

  #say(problem: ErrorBody | undefined): void {
    if (problem?.code === this.#problem?.code) return;
    this.#problem = problem;
    this.#options.onProblem(this, problem);
  }

  /** The engine has dealt with a photo: there may be room for the next, and its pose leads to others. */
  async #follow(): Promise<void> {
    const { log } = this.#options.space;
    try {
      for await (const events of log.follow(log.head, { signal: this.#signal })) {
        this.#poses.take(events);
        if (this.#done && this.#poses.settled) return;
        if (events.some(({ type }) => type === "image.judged" || type === "space.configured")) this.#intake.pump();
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#options.onError(error);
    }
  }
}
