/**
 * Photos as cameras without distortion would have taken them, a bounded part of them kept: of a rebuild's depth maps each
 * looks at several photos, and each photo is looked at by several.
 */
import type { DenseView } from "../dense/contract.ts";
import { denseCamera } from "../dense/undistort.ts";
import type { DenseKernels } from "./dense-kernels.ts";
import type { Pictures } from "./pictures.ts";
import type { Stand } from "./sought-depth.ts";

/** Those of about 80 photos at 640 pixels. */
const KEPT_BYTES = 64 * 2 ** 20;

type Straight = { readonly view: Promise<DenseView>; readonly sizeBytes: number };

export class Straightened {
  readonly #kernels: Pick<DenseKernels, "undistort">;
  readonly #pictures: Pictures;
  readonly #maxBytes: number;
  /** Those asked for last are at the end. */
  readonly #kept = new Map<string, Straight>();
  #keptBytes = 0;

  constructor(kernels: Pick<DenseKernels, "undistort">, pictures: Pictures, maxBytes = KEPT_BYTES) {
    this.#kernels = kernels;
    this.#pictures = pictures;
    this.#maxBytes = maxBytes;
  }

  /** Lent: its pixels are only to be read. */
  async lend(stand: Stand, sidePx: number, signal: AbortSignal | undefined): Promise<DenseView> {
    const key = `${stand.view} ${sidePx} ${stand.calibration.join()}`;
    const straight = this.#kept.get(key) ?? this.#begin(stand, sidePx, signal);
    this.#kept.delete(key);
    this.#kept.set(key, straight);
    this.#makeRoom(key);
    try {
      return { ...(await straight.view), cameraFromWorld: stand.pose };
    } catch (error) {
      // One that was cancelled is not kept.
      if (this.#kept.get(key) === straight) this.#drop(key, straight);
      throw error;
    }
  }

  /** The same with pixels that may be given away. */
  async give(stand: Stand, sidePx: number, signal: AbortSignal | undefined): Promise<DenseView> {
    const view = await this.lend(stand, sidePx, signal);
    return { ...view, rgb: view.rgb.slice() };
  }

  #begin(stand: Stand, sidePx: number, signal: AbortSignal | undefined): Straight {
    const { photo, calibration } = this.#pictures.at(stand);
    const { widthPx, heightPx } = denseCamera(photo, calibration, sidePx);
    const options = signal ? { signal } : {};
    const view = this.#kernels.undistort(stand.view, photo, calibration, stand.pose, sidePx, options);
    const sizeBytes = 3 * widthPx * heightPx;
    this.#keptBytes += sizeBytes;
    return { view, sizeBytes };
  }

  #makeRoom(inUse: string): void {
    for (const [key, straight] of this.#kept) {
      if (this.#keptBytes <= this.#maxBytes) return;
      if (key !== inUse) this.#drop(key, straight);
    }
  }

  #drop(key: string, { sizeBytes }: Straight): void {
    this.#kept.delete(key);
    this.#keptBytes -= sizeBytes;
  }
}
