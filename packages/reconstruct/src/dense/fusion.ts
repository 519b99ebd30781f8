/** Straightening and fusing, worked out by a pool of threads. */
import { availableParallelism } from "node:os";
import { MessageChannel } from "node:worker_threads";
import { workers } from "@cairn/worker";
import type { DenseView, PosedDepth } from "./contract.ts";
import type { Gain } from "./exposure.ts";
import type { FusedPart, FuseJobOptions, FusionJobs } from "./fusion-jobs.ts";
import type { DecodedPhoto } from "./undistort.ts";

type Stop = { readonly signal?: AbortSignal };
export type FusingOptions = FuseJobOptions &
  Stop & {
    /** The depth maps and pictures are given away: nobody may read them any more. Default: they are copied. */
    readonly giveAway?: boolean;
    /**
     * Gains with which points were coloured before, as `fuse` takes them. Where others colour theirs at the same time they
     * may come later: they are needed when all has been looked through, which is most of the work.
     */
    readonly gains?: ReadonlyMap<number, Gain> | Promise<ReadonlyMap<number, Gain>>;
    /** Told once, as soon as they are known: mostly before there are points, and never after the part is there. */
    readonly onGains?: (gains: ReadonlyMap<number, Gain>) => void;
  };

export interface Fusion {
  /** `undistortView` on a thread; arguments as there. */
  undistort(
    view: number,
    photo: DecodedPhoto,
    calibration: Float64Array,
    cameraFromWorld: Float64Array,
    sidePx: number,
    options?: Stop,
  ): Promise<DenseView>;
  /** `fuse` on a thread, without normals. @throws the signal's reason, at once; the thread is free again within one view's work */
  fuse(depths: readonly PosedDepth[], options?: FusingOptions): Promise<FusedPart>;
  close(): Promise<void>;
}

const MOST_THREADS = 8;

export function openFusion(options: { readonly threads?: number } = {}): Fusion {
  const threads = options.threads ?? Math.min(availableParallelism(), MOST_THREADS);
  const pool = workers<FusionJobs>(new URL("./fusion.worker.js", import.meta.url), threads);
  return {
    undistort(view, photo, calibration, cameraFromWorld, sidePx, { signal } = {}) {
      const job = { view, photo, calibration, cameraFromWorld, sidePx };
      return pool.run("undistort", job, signal ? { signal } : {});
    },
    async fuse(depths, { signal, giveAway = false, gains, onGains, ...options } = {}) {
      const ended = new Int32Array(new SharedArrayBuffer(4));
      const end = (): void => void Atomics.store(ended, 0, 1);
      const { port1: here, port2: there } = new MessageChannel();
      const withoutGains = new AbortController();
      const stopped = signal ? AbortSignal.any([signal, withoutGains.signal]) : withoutGains.signal;
      stopped.addEventListener("abort", end, { once: true });
      let told = false;
      const tell = (found: ReadonlyMap<number, Gain>): void => {
        if (!told) onGains?.(found);
        told = true;
      };
      here.on("message", tell);
      Promise.resolve(gains).then(
        (known) => here.postMessage(known),
        (error) => withoutGains.abort(error),
      );
      try {
        const move = [there, ...(giveAway ? depths.flatMap(buffersOf) : [])];
        const part = await pool.run("fuse", { depths, options, ended, gains: there }, { move, signal: stopped });
        // Two ports keep no order between them: the part may be here first, and the next one waits for these.
        tell(part.gains);
        return part;
      } finally {
        stopped.removeEventListener("abort", end);
        here.close();
      }
    },
    close: () => pool.close(),
  };
}

function buffersOf({ view, depth, picture }: PosedDepth): ArrayBuffer[] {
  const arrays = [view.rgb, depth.depths, depth.normals, depth.confidences, ...(picture ? [picture.rgb] : [])];
  return arrays.map(({ buffer }) => buffer as ArrayBuffer);
}
