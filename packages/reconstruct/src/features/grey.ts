/** A photo's luma: what is kept of it to look at it again when the photo itself has been let go. */

export type Grey = {
  /** `[heightPx, widthPx]` luma of sRGB (ITU-R BT.601), 0 to 255. */
  readonly grey: Uint8Array<ArrayBuffer>;
  readonly widthPx: number;
  readonly heightPx: number;
};

/** @param rgb `[heightPx, widthPx, 3]` sRGB */
export function greyOf(rgb: Uint8Array, widthPx: number, heightPx: number): Grey {
  const grey = new Uint8Array(widthPx * heightPx);
  // The weights times 2^16, which sum to it; the half rounds.
  for (let i = 0, at = 0; i < grey.length; i++, at += 3) {
    grey[i] = (19595 * rgb[at] + 38470 * rgb[at + 1] + 7471 * rgb[at + 2] + 32768) >> 16;
  }
  return { grey, widthPx, heightPx };
}
