/**
 * Keyframes of one stream on their way into their space. The engine takes a photo after the other: what it has no room
 * for waits here, and the more waits the more a keyframe must show. Of too many those go that lie closest to others, so
 * that what is left still covers the whole way.
 */
import type { SpaceState, TimeNs } from "@cairn/protocol";
import type { VideoKeyframe } from "@cairn/video";
import type { Space } from "../space/spaces.ts";

/** Photos without a verdict that are given to the engine at a time: one at work, and the next. */
const IN_HAND = 3;
/** Keyframes that wait here; a JPEG of 1280 × 720 has about 200 KiB. */
const MOST_HELD = 24;
/** A model that follows by a second is one that keeps up; each second more demands so much more of a keyframe. */
const KEEPS_UP_MS = 1000;
const DEMAND_EACH_MS = 1 / 1000;
const MOST_DEMAND = 3;
/** What a photo takes, before the first has been seen to. */
const FIRST_GUESS_MS = 400;

export type IntakeOptions = {
  readonly space: Space;
  /** Somebody gives photos a verdict; else there is nothing to wait for. */
  readonly reconstructs: boolean;
  /** Puts a keyframe into the space. */
  readonly ingest: (keyframe: VideoKeyframe) => Promise<void>;
  /** A keyframe was refused. */
  readonly onRefused: (error: unknown) => void;
  /** For tests; otherwise `performance.now`. */
  readonly nowMs?: () => number;
};

export class Intake {
  readonly #options: IntakeOptions;
  #held: VideoKeyframe[] = [];
  #unjudged = 0;
  /** When the engine began with what it is at now. */
  #busySinceMs = 0;
  /** What a photo takes, mean of the last few. */
  #eachMs = FIRST_GUESS_MS;
  #dropped = 0;
  #pumping: Promise<void> | undefined;
  #ending = false;
  /** Something has changed since it was looked at. */
  #again = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Keyframes that were chosen and that the space never got. */
  get dropped(): number {
    return this.#dropped;
  }

  get waiting(): number {
    return this.#held.length + this.#unjudged;
  }

  /** How much more than usual a keyframe must show, 1 or more: by how long one that came now would wait. */
  get demand(): number {
    const behindMs = this.waiting * this.#eachMs;
    return Math.min(MOST_DEMAND, 1 + Math.max(0, behindMs - KEEPS_UP_MS) * DEMAND_EACH_MS);
  }

  add(keyframe: VideoKeyframe): void {
    this.#held.push(keyframe);
    if (this.#held.length > MOST_HELD) {
      this.#held.splice(leastMissed(this.#held), 1);
      this.#dropped++;
    }
    this.pump();
  }

  /** Gives what there is room for; called again whenever there may be more. */
  pump(): void {
    this.#again = true;
    this.#pumping ??= this.#pump();
  }

  /** Resolves when everything that there is room for is in. */
  async settled(): Promise<void> {
    while (this.#pumping) await this.#pumping;
  }

  /** No more comes: what waits goes in, for nobody adds to it. */
  async end(): Promise<void> {
    this.#ending = true;
    this.pump();
    await this.settled();
  }

  async #pump(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#give();
      }
    } finally {
      // In one step with the last look: who asks from now on begins anew, and is not taken for one who is waited for.
      this.#pumping = undefined;
    }
  }

  async #give(): Promise<void> {
    for (;;) {
      this.#count();
      if (this.#held.length === 0 || (this.#unjudged >= IN_HAND && !this.#ending)) return;
      try {
        await this.#options.ingest(this.#held.shift()!);
      } catch (error) {
        this.#dropped++;
        this.#options.onRefused(error);
      }
    }
  }

  #count(): void {
    const { reconstructs, space, nowMs = () => performance.now() } = this.#options;
    const before = this.#unjudged;
    this.#unjudged = reconstructs ? unjudged(space.log.snapshot().state) : 0;
    const done = before - this.#unjudged;
    if (done > 0) this.#eachMs += ((nowMs() - this.#busySinceMs) / done - this.#eachMs) / 2;
    if (done > 0 || before === 0) this.#busySinceMs = nowMs();
  }
}

/** The one whose neighbours are closest to each other in time. The first and the last are neighbours of what is gone. */
function leastMissed(held: readonly VideoKeyframe[]): number {
  let least = 1;
  const gap = (i: number) => held[i + 1]!.timeNs - held[i - 1]!.timeNs;
  for (let i = 2; i < held.length - 1; i++) if (gap(i) < gap(least)) least = i;
  return least;
}

/** Photos that the engine has before it; none where photos only lie. */
function unjudged({ images, settings }: SpaceState): number {
  if (!settings.reconstruct) return 0;
  let count = 0;
  for (const { verdict } of Object.values(images)) if (!verdict) count++;
  return count;
}

/** Of the log, which counts in text. */
export function timeNsOf(timeNs: bigint): TimeNs {
  return String(timeNs < 0n ? 0n : timeNs);
}
