/** A map of planes in the kernel's memory: one plane in space for each pixel. */
import type { Kernel } from "../../features/kernel.ts";
import type { DepthFunctions } from "./functions.ts";
import type { Level } from "./pyramid.ts";

/** What is known of each pixel, one after the other in memory. */
export const FIELD = {
  /** Inverse depth. */
  inverse: 0,
  /** Change of inverse depth to the pixel at the right, and below. */
  across: 1,
  down: 2,
  /** The sources that agreed, one bit each. */
  sources: 3,
  /** How well they did. */
  score: 4,
  /** How certain the depth is: how much the score falls for one pixel of motion. */
  bend: 5,
  /** Inverse depth of the plane through the pixel and those around. */
  smooth: 6,
} as const;

const PLANES = 7;

export type Field = Omit<Level, "quads"> & { readonly at: number };

/** Bytes of a field of that size. */
export function fieldBytes({ stride, height }: Level): number {
  return PLANES * stride * height * 4;
}

export function fieldAt(at: number, { width, height, stride }: Level): Field {
  return { width, height, stride, at };
}

/** One plane of a field; a view of the kernel's memory. */
export function planeOf(
  kernel: Kernel<DepthFunctions>,
  { at, stride, height }: Field,
  name: keyof typeof FIELD,
): Float32Array {
  return kernel.f32(at + FIELD[name] * stride * height * 4, stride * height);
}

/** @param pixel inverse depth that moves a source's pixel by one */
export function fitPlanes(kernel: Kernel<DepthFunctions>, field: Field, pixel: number): void {
  kernel.call.fitPlanes(field.at, field.width, field.height, field.stride, 1 / pixel);
}
