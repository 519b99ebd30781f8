/** Where the sample capture lies, and what is true about it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const home = fileURLToPath(new URL("..", import.meta.url));

/** Absolute. Holds `01.jpg` …, `manifest.json` and `SHA256SUMS`. */
export const samplePhotosDir = join(home, "photos");
/** Absolute. Holds `cameras.json` and `depth/01.png` …. */
export const truthDir = join(home, "truth");

export type TruePose = {
  readonly image: string;
  /** `[9]` world→camera, row-major; x right, y down, z forward. */
  readonly R: readonly number[];
  /** `[3]` metres. */
  readonly t: readonly number[];
  /** `[9]` pixels, row-major; pixel centres at 0.5. */
  readonly K: readonly number[];
  readonly width: number;
  readonly height: number;
};

export type Truth = { readonly convention: string; readonly depth: string; readonly poses: readonly TruePose[] };

/** The exact cameras, in file order. */
export function readTruth(): Truth {
  return JSON.parse(readFileSync(join(truthDir, "cameras.json"), "utf8")) as Truth;
}

export type Manifest = {
  readonly title: string;
  readonly photos: readonly { readonly name: string; readonly sizeBytes: number }[];
};

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(samplePhotosDir, "manifest.json"), "utf8")) as Manifest;
}
