/** The photos, as small as the dense stage needs them; the photo itself is let go when it has been taken in. */
import type { DenseView } from "../dense/contract.ts";
import { type DecodedPhoto, denseCamera } from "../dense/undistort.ts";
import type { DepthPlan } from "../presets.ts";
import type { DenseKernels } from "./dense-kernels.ts";
import type { Shelf } from "./shelf.ts";
import type { Stand } from "./sought-depth.ts";

/** Straightening samples between pixels: from a picture of the same size it would blur. */
const LARGER = 1.5;

/** A lens that only shrinks. */
const SHRINK = Float64Array.of(1, 1, 0, 0, 0, 0);
const NOWHERE = new Float64Array(12);

export type Shrunk = Pick<DenseView, "widthPx" | "heightPx" | "rgb">;

export class Pictures {
  /** Long side of what is kept. */
  readonly sidePx: number;
  readonly #kernels: Pick<DenseKernels, "undistort">;
  readonly #shelf: Shelf;
  readonly #sizes = new Map<number, { picture: Size; decoded: Size }>();

  constructor(kernels: Pick<DenseKernels, "undistort">, shelf: Shelf, plans: readonly DepthPlan[]) {
    this.#kernels = kernels;
    this.#shelf = shelf;
    const sides = plans.map(({ sidePx, pictureSidePx = 0 }) => Math.max(LARGER * sidePx, pictureSidePx));
    this.sidePx = Math.round(Math.max(...sides));
  }

  /** The photo as small as it is needed. */
  shrink(photo: DecodedPhoto): Promise<Shrunk> {
    return this.#kernels.undistort(0, photo, SHRINK, NOWHERE, this.sidePx);
  }

  /** @param decoded of which it was shrunk */
  put(view: number, { widthPx, heightPx, rgb }: Shrunk, decoded: Size): void {
    this.#sizes.set(view, {
      picture: { widthPx, heightPx },
      decoded: { widthPx: decoded.widthPx, heightPx: decoded.heightPx },
    });
    this.#shelf.put(keyOf(view), rgb);
  }

  /** The picture and the calibration of a lens in its pixels. @throws {RangeError} of a photo that was never put */
  at({ view, calibration }: Stand): { photo: DecodedPhoto; calibration: Float64Array } {
    const sizes = this.#sizes.get(view);
    const rgb = this.#shelf.get(keyOf(view));
    if (!sizes || !rgb) throw new RangeError(`no picture of view ${view}`);
    const { picture, decoded } = sizes;
    const [x, y] = [picture.widthPx / decoded.widthPx, picture.heightPx / decoded.heightPx];
    const [fx, fy, cx, cy, k1, k2] = calibration;
    return { photo: { rgb, ...picture }, calibration: Float64Array.of(fx * x, fy * y, cx * x, cy * y, k1, k2) };
  }

  /** Bytes of what fusion has of a view. */
  denseBytes({ view, calibration }: Stand, { sidePx, pictureSidePx }: DepthPlan): number {
    const pixels = (side: number) => {
      const { widthPx, heightPx } = denseCamera(this.#sizes.get(view)!.decoded, calibration, side);
      return widthPx * heightPx;
    };
    return pixels(sidePx) * DENSE_PIXEL_BYTES + (pictureSidePx ? 3 * pixels(pictureSidePx) : 0);
  }
}

/** Red, green, blue; depth, normal, confidence; both again with holes filled, and what else fusion notes. */
const DENSE_PIXEL_BYTES = 3 + 8 + 8 + 5;

type Size = { readonly widthPx: number; readonly heightPx: number };

function keyOf(view: number): string {
  return `picture-${view}`;
}
