/**
 * Where the camera of a stream was: as soon as two keyframes have their poses, the pictures between them get theirs, as
 * signals on `pose/{source}`. What is refined later is in the log, as a path.
 */
import { type CairnEvent, type Id, type Pose, poseBetween, shownGeneration, type TimeNs } from "@cairn/protocol";
import type { Space } from "../space/spaces.ts";
import { timeNsOf } from "./intake.ts";

/** Further apart than this, nobody knows what the camera did meanwhile. */
const MOST_APART_NS = 5_000_000_000n;
/** Pictures whose pose is not known yet: minutes of a stream whose engine is behind. */
const MOST_TIMES = 10_000;
const MOST_KEYFRAMES = 1000;
/** Of one signal. */
const MOST_POSES = 100;

type Keyframe = { readonly image: Id; readonly timeNs: bigint };
type PoseOfTime = { readonly timeNs: TimeNs; readonly image?: Id } & Pose;

/** Data of a signal on `pose/{source}`; world→camera in the frame of the generation, in the order of time. */
export type PoseSignal = { readonly path: string; readonly generation: number; readonly poses: readonly PoseOfTime[] };

export class StreamPoses {
  readonly #stream: { readonly source: string; readonly path: string; readonly space: Space };
  /** Without a pose, in the order of time. */
  #keyframes: Keyframe[] = [];
  /** Of pictures since the last keyframe with a pose, in the order of time. */
  #timesNs: bigint[] = [];
  /** The last keyframe that has a pose. */
  #posed: (Keyframe & { readonly pose: Pose; readonly generation: number }) | undefined;

  constructor(stream: { source: string; path: string; space: Space }) {
    this.#stream = stream;
  }

  /** Every keyframe has been looked at by the engine. */
  get settled(): boolean {
    const { images } = this.#stream.space.log.snapshot().state;
    return this.#keyframes.every(({ image }) => !images[image] || images[image].verdict);
  }

  addTimes(timesNs: readonly bigint[]): void {
    this.#timesNs.push(...timesNs);
    if (this.#timesNs.length > MOST_TIMES) this.#timesNs.splice(0, this.#timesNs.length - MOST_TIMES);
  }

  addKeyframe(image: Id, timeNs: bigint): void {
    this.#keyframes.push({ image, timeNs });
    // Its verdict may have come before whoever brought it was told of the photo.
    this.#settle();
  }

  /** Hears what has been logged. */
  take(events: readonly CairnEvent[]): void {
    if (events.some(({ type }) => type === "image.judged" || type === "generation.published")) this.#settle();
  }

  #settle(): void {
    const { state } = this.#stream.space.log.snapshot();
    const cameras = shownGeneration(state)?.cameras ?? {};
    const { generation } = state;
    // One that waits for others to see the same may get its pose with the next; later than that it does not matter.
    const last = this.#keyframes.findLastIndex(({ image }) => cameras[image]);
    for (const keyframe of this.#keyframes.splice(0, last + 1)) {
      const pose = cameras[keyframe.image]?.pose;
      if (pose) this.#reach({ ...keyframe, pose, generation }, cameras[this.#posed?.image ?? ""]?.pose);
    }
    if (this.#keyframes.length > MOST_KEYFRAMES) this.#keyframes.shift();
  }

  /** @param refined the pose of the keyframe before as it is now */
  #reach(next: Keyframe & { pose: Pose; generation: number }, refined: Pose | undefined): void {
    const from = this.#posed;
    this.#posed = next;
    const before = this.#timesNs.filter((timeNs) => timeNs < next.timeNs && (!from || timeNs > from.timeNs));
    this.#timesNs = this.#timesNs.filter((timeNs) => timeNs > next.timeNs);
    const poses: PoseOfTime[] = [];
    if (from && refined && next.timeNs - from.timeNs <= MOST_APART_NS) {
      const lengthNs = Number(next.timeNs - from.timeNs);
      for (const timeNs of before) {
        const part = Number(timeNs - from.timeNs) / lengthNs;
        poses.push({ timeNs: timeNsOf(timeNs), ...poseBetween(refined, next.pose, part) });
      }
    }
    poses.push({ timeNs: timeNsOf(next.timeNs), image: next.image, ...next.pose });
    const { source, path, space } = this.#stream;
    for (let at = 0; at < poses.length; at += MOST_POSES) {
      const data: PoseSignal = { path, generation: next.generation, poses: poses.slice(at, at + MOST_POSES) };
      space.channels.publish({ channel: `pose/${source}`, from: "", data });
    }
  }
}
