/**
 * An engine for tests whose models can be read off: photo k stands at (k / 2, 0, -5) and looks along z at its own points
 * of a wall. What a rebuild does to the model is the test's to say.
 */
import type { Doubt, PosedCamera, Vec3, Verdict } from "@cairn/protocol";
import type { Engine, Photo, Points, Rebuild, RebuildOptions, Step } from "@cairn/reconstruct";
import { emptyReport } from "./empty-report.ts";

/** Where a rebuild takes a point of the true scene; cameras go where their centres go, and do not turn. */
export type Motion = (point: Vec3) => Vec3;

export const stay: Motion = (point) => point;

export function shifted(scale: number, [x, y, z]: Vec3): Motion {
  return (p) => [scale * p[0] + x, scale * p[1] + y, scale * p[2] + z];
}

export type SceneEngineOptions = {
  /** The motion of the model after so many rebuilds, 0: before the first. */
  motionOf?: (rebuilds: number) => Motion;
  /** Points of the true scene that one photo brings. */
  pointsOf?: (photo: number, rebuilds: number) => Vec3[];
  hold?: (rebuilds: number) => Promise<void> | undefined;
  doubtsOf?: (rebuilds: number) => Doubt[];
};

/** Twenty points of the wall before the camera, the same each time. */
export function wallPoints(photo: number): Vec3[] {
  return Array.from({ length: 20 }, (_, i) => [
    photo / 2 + (i % 5) / 10,
    Math.floor(i / 5) / 2 - 1,
    Math.sin(i + photo),
  ]);
}

export class SceneEngine implements Engine {
  readonly given: string[] = [];
  readonly frames: (readonly PosedCamera[] | undefined)[] = [];
  readonly #options: SceneEngineOptions;
  /** Happens while what a rebuild came to is being put together. */
  meanwhile: (() => Promise<unknown>) | undefined;
  #rebuilds = 0;

  constructor(options: SceneEngineOptions = {}) {
    this.#options = options;
  }

  async add(photo: Photo): Promise<Step> {
    this.given.push(photo.image);
    const last = this.given.length - 1;
    if (last === 0) return { verdicts: [waiting(photo.image)], cameras: [], points: empty(), rebuildAdvised: false };
    const from = last === 1 ? 0 : last;
    const fresh = this.given.slice(from);
    return {
      verdicts: fresh.map(registered),
      cameras: fresh.map((_, i) => this.#camera(from + i)),
      points: this.#points(from),
      rebuildAdvised: false,
      ...this.#doubts,
    };
  }

  async rebuild({ signal, frame }: RebuildOptions = {}): Promise<Rebuild> {
    const held = this.#options.hold?.(this.#rebuilds);
    if (held) {
      await Promise.race([
        held,
        new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason))),
      ]);
    }
    this.frames.push(frame);
    this.#rebuilds++;
    return {
      verdicts: this.given.map(registered),
      cameras: this.given.map((_, k) => this.#camera(k)),
      points: this.#points(0),
      alignment: { scale: 1, rotation: [1, 0, 0, 0], translation: [0, 0, 0] },
      residual: 0.001 * this.#rebuilds,
      ...this.#doubts,
    };
  }

  async model() {
    const images = this.given.map((image, k) => ({
      image,
      name: `${k}.jpg`,
      camera: this.#camera(k),
      features: new Float64Array(0),
      points: new Int32Array(0),
    }));
    return { images, positions: new Float64Array(0), colors: new Uint8Array(0), errorsPx: new Float32Array(0) };
  }

  focal(): undefined {}
  async report() {
    await this.meanwhile?.();
    return emptyReport(this.given);
  }
  async close(): Promise<void> {}

  get #doubts(): { doubts?: Doubt[] } {
    const { doubtsOf } = this.#options;
    return doubtsOf ? { doubts: doubtsOf(this.#rebuilds) } : {};
  }

  get #motion(): Motion {
    return this.#options.motionOf?.(this.#rebuilds) ?? stay;
  }

  #camera(k: number): PosedCamera {
    const [x, y, z] = this.#motion([k / 2, 0, -5]);
    return {
      image: this.given[k] ?? "",
      pose: { rotation: [1, 0, 0, 0], translation: [-x, -y, -z] },
      intrinsics: { model: "PINHOLE", width: 800, height: 600, params: [500, 500, 400, 300] },
      reprojectionPx: 0.5,
    };
  }

  #points(from: number): Points {
    const { pointsOf = wallPoints } = this.#options;
    const positions = this.given
      .slice(from)
      .flatMap((_, i) => pointsOf(from + i, this.#rebuilds))
      .flatMap(this.#motion);
    return { positions: Float32Array.from(positions), colors: new Uint8Array(positions.length).fill(200) };
  }
}

function waiting(image: string): Verdict {
  return { image, verdict: "waiting", reason: "first" };
}

function registered(image: string): Verdict {
  return { image, verdict: "registered", reprojectionPx: 0.5, matches: 100 };
}

function empty(): Points {
  return { positions: new Float32Array(0), colors: new Uint8Array(0) };
}
