/** How sharp a picture is: the variance of its Laplacian (Pech-Pacheco and others, 2000). */
import type { GrayPicture } from "../decode/frame.ts";

/** Only to be compared with that of similar pictures: it depends on what is seen. Grey levels squared. */
export function sharpnessOf({ width, height, pixels }: GrayPicture): number {
  let sum = 0;
  let squares = 0;
  for (let y = 1; y < height - 1; y++) {
    for (let at = y * width + 1, end = at + width - 2; at < end; at++) {
      const value = 4 * pixels[at]! - pixels[at - 1]! - pixels[at + 1]! - pixels[at - width]! - pixels[at + width]!;
      sum += value;
      squares += value * value;
    }
  }
  const count = Math.max(1, (width - 2) * (height - 2));
  return squares / count - (sum / count) ** 2;
}
