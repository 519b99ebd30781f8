/**
 * The engine port: photos in, one at a time; poses and coloured points out, at once.
 * Frames and units: poses are world→camera (COLMAP), pixels are of the upright photo at full size with pixel
 * centres at 0.5, points are in the model's frame (unit: as good as known; the embedded engine's first baseline).
 */
import type { SparseModel } from "@cairn/formats";
import type {
  Doubt,
  EngineReport,
  Gps,
  Gravity,
  Hint,
  Intrinsics,
  PosedCamera,
  Similarity,
  Upright,
  Verdict,
} from "@cairn/protocol";

export type Photo = {
  readonly image: string;
  /** For reports and exports. */
  readonly name: string;
  /** `[heightPx, widthPx, 3]` sRGB, upright, at most `DECODE_SIDE_PX` on the long side. Lent: not kept, not changed. */
  readonly rgb: Uint8Array;
  readonly widthPx: number;
  readonly heightPx: number;
  /** Upright size of the photo itself. Decoded, it is made smaller by its long side, about its middle. */
  readonly fullWidthPx: number;
  readonly fullHeightPx: number;
  /** Names the bytes (SHA-256): the key under which features are cached. */
  readonly digest: string;
  /** Known calibration at full size: used as it is. */
  readonly camera?: Intrinsics;
  /** A first guess (EXIF), pixels at full size: refined. */
  readonly focalPx?: number;
  /** Where it was taken, as far as its EXIF tells: photos taken near by are compared with it. */
  readonly gps?: Gps;
  /** Which way is down, by motion sensors. */
  readonly gravity?: Gravity;
};

/** Photos are handed to the engine with this many pixels on the long side, or fewer. */
export const DECODE_SIDE_PX = 1600;

/** Coloured points; the same index in all arrays is one point. */
export type Points = {
  /** `[n, 3]` model frame. */
  readonly positions: Float32Array;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
  /** The photo with which each became a point, the second that sees it: `images[of[i]]`. Left out: not known. */
  readonly source?: { readonly images: readonly string[]; readonly of: Uint32Array };
  /** `[n]` 0…255: the more photos agree on a point, the surer. Left out: all 255. */
  readonly confidences?: Uint8Array;
};

export type Step = {
  /** Of the photo just given, and of every earlier one whose verdict changed. The last word on each. */
  readonly verdicts: readonly Verdict[];
  /** Cameras that are new or have moved visibly since they were last handed out. */
  readonly cameras: readonly PosedCamera[];
  /** Points never handed out before in this generation. */
  readonly points: Points;
  /** True when what was handed out before has moved so far that a rebuild is worth doing now. */
  readonly rebuildAdvised: boolean;
  /** Why the model as it is now must not be relied on; left out: no reason is known. */
  readonly doubts?: readonly Doubt[];
  /** For the photographer, where there is news: at most two. */
  readonly hints?: readonly Hint[];
};

export type Rebuild = {
  readonly verdicts: readonly Verdict[];
  /** All of them, in the frame of the generation before. */
  readonly cameras: readonly PosedCamera[];
  readonly points: Points;
  /** How the refined model was laid onto the old frame; left out for the first. */
  readonly alignment?: Similarity;
  /** RMS distance that the alignment left between common cameras and points, as a part of the scene's size. */
  readonly residual?: number;
  /** Which way is up, where more tells it than how the cameras are held. */
  readonly upright?: Upright;
  /** As in a step. */
  readonly doubts?: readonly Doubt[];
  readonly hints?: readonly Hint[];
  /** It was a thorough one, and something was tried that others do not. */
  readonly thorough?: true;
  /** A thorough one may place more photos, or place them better. */
  readonly thoroughAdvised?: boolean;
};

export type Progress = (stage: string, done: number, total: number) => void;

export type WorkOptions = {
  readonly signal?: AbortSignal;
  readonly onProgress?: Progress;
  /**
   * `false`: nobody looks at the points, they are in the log already; those that are not cheap are left out. `"later"`:
   * those that are not cheap come with a later photo or a rebuild.
   */
  readonly points?: boolean | "later";
  /** Everything is rebuilt right after this photo: an engine may leave to that what it would do twice. */
  readonly rebuildFollows?: boolean;
};

export type RebuildOptions = WorkOptions & {
  /** Lay the result onto these cameras rather than onto what was handed out before. */
  readonly frame?: readonly PosedCamera[];
  /** Up as motion sensors tell it of the cameras that were handed out. */
  readonly up?: FeltUpright;
  /** Nobody waits: what takes long and may place more photos is tried, too. */
  readonly thorough?: boolean;
};

/** `[3]` unit vector in the frame last handed out, and one standard deviation. */
export type FeltUpright = { readonly direction: readonly number[]; readonly sigmaDeg: number };

/** How sure the engine is of the focal length it found. */
export type FocalReport = {
  readonly source: "given" | "exif" | "estimated";
  readonly focalPx: number;
  /** One standard deviation, pixels at full size. */
  readonly sigmaPx: number;
  /** False: the result has the doubt `focal_uncertain` or one of what the lens was held to, and may be wrong however well it fits. */
  readonly certain: boolean;
  /** Where the photos deny a focal length that was given: the one that they tell, pixels at full size. */
  readonly toldPx?: number;
};

export interface Engine {
  /** Takes one photo. A photo that cannot be placed waits inside the engine and is tried again at each later one. */
  add(photo: Photo, options?: WorkOptions): Promise<Step>;
  /** This photo will be added next: what can be known of it alone may be worked out beside what is under way. */
  foresee?(photo: Photo): void;
  /** Refines everything. The result replaces all that was handed out before; it is laid onto the old frame. */
  rebuild(options?: RebuildOptions): Promise<Rebuild>;
  /** All of it, copied: for a rebuild or an export, not for every photo. Waits for what is under way. */
  model(): Promise<SparseModel>;
  focal(): FocalReport | undefined;
  /** How the model came about and how far it can be trusted, as it is after the work given so far. */
  report(options?: Pick<WorkOptions, "signal">): Promise<EngineReport>;
  close(): Promise<void>;
}

/** Keeps what is expensive: features, matches, depth. Losing it costs time, never a result. */
export interface EngineCache {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
}
