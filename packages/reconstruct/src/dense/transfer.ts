/** From the pixels of one straight view to those of another: `u = (m · (x, y, 1) · z + b) / w`. */
import { relativePose } from "@cairn/geometry";
import type { DenseView } from "./contract.ts";

export type Transfer = {
  /** `[9]` row-major, over pixels of the first view; times depth. */
  readonly m: Float64Array;
  /** `[3]` */
  readonly b: Float64Array;
  /** `[9]` row-major: directions in the second camera from those in the first. */
  readonly turn: Float64Array;
};

/** How to carry a pixel with its depth from `from` to `to`. */
export function transferBetween(from: DenseView, to: DenseView): Transfer {
  const relative = relativePose(from.cameraFromWorld, to.cameraFromWorld);
  const [fx, fy, cx, cy] = from.pinhole;
  const [gx, gy, hx, hy] = to.pinhole;
  const turn = new Float64Array(9);
  const rays = new Float64Array(9);
  for (let row = 0; row < 3; row++) {
    const [p, q, r] = relative.subarray(row * 4, row * 4 + 3);
    turn.set([p, q, r], row * 3);
    rays.set([p / fx, q / fy, r - (p * cx) / fx - (q * cy) / fy], row * 3);
  }
  const m = new Float64Array(9);
  for (let k = 0; k < 3; k++) {
    m[k] = gx * rays[k] + hx * rays[6 + k];
    m[3 + k] = gy * rays[3 + k] + hy * rays[6 + k];
    m[6 + k] = rays[6 + k];
  }
  const [tx, ty, tz] = [relative[3], relative[7], relative[11]];
  return { m, b: Float64Array.of(gx * tx + hx * tz, gy * ty + hy * tz, tz), turn };
}
