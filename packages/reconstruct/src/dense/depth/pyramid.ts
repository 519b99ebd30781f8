/** A view in the kernel's memory: its brightness at full size, half, a quarter, …, packed for sampling. */
import type { Kernel } from "../../features/kernel.ts";
import type { DenseView } from "../contract.ts";
import type { DepthFunctions } from "./functions.ts";

/** One size of a view. */
export type Level = {
  readonly width: number;
  readonly height: number;
  /** Pixels from one row to the next. */
  readonly stride: number;
  /** Address of the packed pixels. */
  readonly quads: number;
};

/** Room for reading one view after the other: bytes, and two images of floats that take turns. */
export type Desk = { readonly rgb: number; readonly floats: readonly [number, number] };

/** Rows of floats are whole vectors. */
const strideOf = (width: number): number => Math.ceil(width / 4) * 4;

export function takeLevels(kernel: Kernel<DepthFunctions>, view: DenseView, halvings: number): Level[] {
  const levels: Level[] = [];
  for (let level = 0, width = view.widthPx, height = view.heightPx; level <= halvings; level++) {
    const stride = strideOf(width);
    levels.push({ width, height, stride, quads: kernel.take(stride * height * 4) });
    width = (width + 1) >> 1;
    height = (height + 1) >> 1;
  }
  return levels;
}

export function takeDesk(kernel: Kernel<DepthFunctions>, views: readonly DenseView[]): Desk {
  const floats = Math.max(...views.map(({ widthPx, heightPx }) => strideOf(widthPx) * heightPx * 4));
  const rgb = kernel.take(Math.max(...views.map(({ widthPx, heightPx }) => widthPx * heightPx * 3)));
  return { rgb, floats: [kernel.take(floats), kernel.take(floats)] };
}

/** Fills the levels of a view. @returns the address of the coarsest image as floats, until the next view is read */
export function readView(
  kernel: Kernel<DepthFunctions>,
  { rgb }: DenseView,
  levels: readonly Level[],
  desk: Desk,
): number {
  let [from, to] = desk.floats;
  kernel.bytes(desk.rgb, rgb.length).set(rgb);
  kernel.call.grey(desk.rgb, from, levels[0].width, levels[0].height, levels[0].stride);
  for (const [index, { width, height, stride, quads }] of levels.entries()) {
    kernel.call.packQuads(from, width, height, stride, quads);
    const next = levels[index + 1];
    if (!next) break;
    kernel.call.halve(from, width, height, stride, to, next.stride);
    [from, to] = [to, from];
  }
  return from;
}
