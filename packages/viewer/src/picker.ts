/**
 * Which point lies under the pointer, exactly: the few nodes that the ray meets are drawn once more into a picture of
 * 15 × 15 pixels around it, each point in the colour of who it is.
 */
import type { Vec3 } from "@cairn/protocol";

/** Odd, so that one pixel is in the middle. */
export const PICK_PX = 15;

type PickedPoint = {
  readonly slab: number;
  readonly slot: number;
  /** Of the slab. */
  readonly point: number;
  /** Whole steps of the node. */
  readonly coords: Vec3;
  /** Number of the photo; 0 none. */
  readonly photo: number;
  /** 0…255 */
  readonly confidence: number;
};

export class Picker {
  readonly #gl: WebGL2RenderingContext;
  #target: { framebuffer: WebGLFramebuffer; color: WebGLRenderbuffer; depth: WebGLRenderbuffer } | undefined;

  constructor(gl: WebGL2RenderingContext) {
    this.#gl = gl;
  }

  /** After the context was lost. */
  restore(): void {
    this.#target = undefined;
  }

  /**
   * @param x part of the picture's width from the left @param y part of its height from the top
   * @param widthPx of the picture, drawn pixels
   * @param draw draws the candidates with the matrix it is given
   */
  pick(
    x: number,
    y: number,
    widthPx: number,
    heightPx: number,
    clipFromEye: readonly number[],
    draw: (clipFromEye: number[]) => void,
  ): PickedPoint | undefined {
    const gl = this.#gl;
    this.#target ??= this.#make();
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#target.framebuffer);
    gl.viewport(0, 0, PICK_PX, PICK_PX);
    gl.disable(gl.SCISSOR_TEST);
    gl.depthMask(true);
    gl.clearBufferuiv(gl.COLOR, 0, new Uint32Array(4));
    gl.clearBufferfv(gl.DEPTH, 0, new Float32Array([1]));
    draw(zoomed(clipFromEye, 2 * x - 1, 1 - 2 * y, widthPx / PICK_PX, heightPx / PICK_PX));
    const pixels = new Uint32Array(PICK_PX * PICK_PX * 4);
    gl.readPixels(0, 0, PICK_PX, PICK_PX, gl.RGBA_INTEGER, gl.UNSIGNED_INT, pixels);
    return nearest(pixels);
  }

  dispose(): void {
    const gl = this.#gl;
    if (!this.#target) return;
    gl.deleteFramebuffer(this.#target.framebuffer);
    gl.deleteRenderbuffer(this.#target.color);
    gl.deleteRenderbuffer(this.#target.depth);
    this.#target = undefined;
  }

  #make() {
    const gl = this.#gl;
    const [framebuffer, color, depth] = [gl.createFramebuffer(), gl.createRenderbuffer(), gl.createRenderbuffer()];
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.bindRenderbuffer(gl.RENDERBUFFER, color);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA32UI, PICK_PX, PICK_PX);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, color);
    gl.bindRenderbuffer(gl.RENDERBUFFER, depth);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.DEPTH_COMPONENT24, PICK_PX, PICK_PX);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.DEPTH_ATTACHMENT, gl.RENDERBUFFER, depth);
    return { framebuffer, color, depth };
  }
}

/** Column-major: what is at (`x`, `y`) of the picture comes to its middle, so many times larger. */
export function zoomed(clip: readonly number[], x: number, y: number, timesX: number, timesY: number): number[] {
  const out = [...clip];
  for (let column = 0; column < 16; column += 4) {
    const w = clip[column + 3]!;
    out[column] = (clip[column]! - x * w) * timesX;
    out[column + 1] = (clip[column + 1]! - y * w) * timesY;
  }
  return out;
}

/** The one whose pixel is closest to the middle. @param pixels `[15, 15, 4]` as the pick shader writes them */
export function nearest(pixels: Uint32Array): PickedPoint | undefined {
  const middle = (PICK_PX - 1) / 2;
  let best = -1;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let i = 0; i < PICK_PX * PICK_PX; i++) {
    if (pixels[i * 4] === 0) continue; // slot 0 is nobody's
    const distance = ((i % PICK_PX) - middle) ** 2 + (Math.floor(i / PICK_PX) - middle) ** 2;
    if (distance >= bestDistance) continue;
    bestDistance = distance;
    best = i;
  }
  if (best < 0) return undefined;
  const [who, point, xy, z] = pixels.subarray(best * 4, best * 4 + 4) as Iterable<number> as [
    number,
    number,
    number,
    number,
  ];
  return {
    slot: who & 0xffff,
    slab: who >>> 16,
    point: point & 0x3ffff,
    coords: [xy & 0xffff, xy >>> 16, z & 0xffff],
    photo: (point >>> 18) | ((z >>> 24) << 14),
    confidence: (z >>> 16) & 255,
  };
}

/** Whether a cone of this slope about the ray from `origin` along the unit vector `direction` meets the ball. */
export function meetsBall(origin: Vec3, direction: Vec3, slope: number, centre: Vec3, radius: number): boolean {
  const [x, y, z] = [centre[0] - origin[0], centre[1] - origin[1], centre[2] - origin[2]];
  const along = x * direction[0] + y * direction[1] + z * direction[2];
  if (along < -radius) return false;
  const aside = Math.sqrt(Math.max(0, x * x + y * y + z * z - along * along));
  return aside <= radius + Math.max(0, along) * slope;
}
