/** What passes between the engine on the caller's thread and its worker. Types only. */
import type { SparseModel } from "@cairn/formats";
import type { EngineReport, ErrorCode, ErrorFacts, PosedCamera, Preset } from "@cairn/protocol";
import type { FeltUpright, FocalReport, Photo, Rebuild, Step, WorkOptions } from "../engine.ts";
import type { CacheCall } from "./remote-cache.ts";

export type WorkerData = {
  readonly seed: number;
  readonly preset: Preset;
  readonly threads: number;
  /** `[1]` the number of the job that is to end, shared between the threads. */
  readonly cancelled: Int32Array;
  /** Whether the other side keeps things. */
  readonly caches: boolean;
  /** Where disk may stand in for memory. */
  readonly scratchDir: string;
};

type Wanted = NonNullable<WorkOptions["points"]>;

/** One at a time, but that a photo is foreseen at once; `job` counts up from 1, and is 0 where nothing is answered. */
export type Request =
  | {
      readonly job: number;
      readonly kind: "add";
      readonly photo: Photo;
      readonly features: Uint8Array | undefined;
      readonly points: Wanted;
    }
  | { readonly job: number; readonly kind: "foresee"; readonly photo: Photo }
  | {
      readonly job: number;
      readonly kind: "rebuild";
      readonly up?: FeltUpright;
      readonly frame?: readonly PosedCamera[];
      readonly thorough: boolean;
      readonly points: Wanted;
    }
  | { readonly job: number; readonly kind: "model" }
  | { readonly job: number; readonly kind: "report" }
  | { readonly job: number; readonly kind: "close" };

export type Reply =
  | { readonly kind: "ready" }
  | { readonly kind: "cache"; readonly call: CacheCall }
  | {
      readonly kind: "progress";
      readonly job: number;
      readonly stage: string;
      readonly done: number;
      readonly total: number;
    }
  /** `features` are to be kept under the photo's key, when they were not given. */
  | {
      readonly kind: "added";
      readonly job: number;
      readonly step: Step;
      readonly focal: FocalReport | undefined;
      readonly features?: Uint8Array;
    }
  | {
      readonly kind: "rebuilt";
      readonly job: number;
      readonly rebuild: Rebuild;
      readonly focal: FocalReport | undefined;
    }
  | { readonly kind: "model"; readonly job: number; readonly model: SparseModel }
  | { readonly kind: "reported"; readonly job: number; readonly report: EngineReport }
  | { readonly kind: "closed"; readonly job: number }
  | {
      readonly kind: "failed";
      readonly job: number;
      readonly code: ErrorCode;
      readonly facts: ErrorFacts;
      readonly cause: string;
    };
