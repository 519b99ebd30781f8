/**
 * The canvas as a window onto the scene: its size, what panels over it leave free, and the camera that looks through it
 * to where an orbit wants it.
 */
import type { Vec3 } from "@cairn/protocol";
import { Matrix4, PerspectiveCamera, Vector3 } from "three";
import type { Orbit } from "./orbit.ts";

/** Room taken by panels over the canvas, CSS pixels. */
export type Insets = { top: number; right: number; bottom: number; left: number };

export const FOV_Y = (50 * Math.PI) / 180;
const MAX_PIXEL_RATIO = 2;
/** What panels leave free is taken to be no smaller than this, CSS pixels. */
const LEAST_FREE_PX = 80;

export class Viewport {
  readonly camera = new PerspectiveCamera((FOV_Y * 180) / Math.PI, 1, 0.01, 1000);
  insets: Insets;
  /** Of the canvas, CSS pixels. */
  width = 1;
  height = 1;
  pixelRatio = 1;
  readonly #canvas: HTMLCanvasElement;
  readonly #orbit: Orbit;

  constructor(canvas: HTMLCanvasElement, orbit: Orbit, insets: Insets = { top: 0, right: 0, bottom: 0, left: 0 }) {
    this.#canvas = canvas;
    this.#orbit = orbit;
    this.insets = insets;
  }

  /** Takes the size that the canvas has now. */
  measure(): void {
    this.width = Math.max(1, this.#canvas.clientWidth);
    this.height = Math.max(1, this.#canvas.clientHeight);
    this.pixelRatio = Math.min(devicePixelRatio || 1, MAX_PIXEL_RATIO);
  }

  /** What is left beside the panels: its vertical field of view, radians, and width by height. */
  get free(): { fovY: number; aspect: number } {
    const width = Math.max(LEAST_FREE_PX, this.width - this.insets.left - this.insets.right);
    const height = Math.max(LEAST_FREE_PX, this.height - this.insets.top - this.insets.bottom);
    return { fovY: 2 * Math.atan(Math.tan(FOV_Y / 2) * (height / this.height)), aspect: width / height };
  }

  /** Puts the camera where the orbit is at this moment. */
  look(): void {
    const { camera, width, height, insets } = this;
    const { target, distance } = this.#orbit.view;
    camera.aspect = width / height;
    // Near enough that a surface one looks along is not cut; far enough for all there is.
    camera.near = distance / 800;
    camera.far = distance * 150;
    // The middle of what the panels leave free, not of the canvas, is where the target is seen.
    const shiftX = (insets.right - insets.left) / 2;
    const shiftY = (insets.bottom - insets.top) / 2;
    camera.setViewOffset(width, height, shiftX, shiftY, width, height);
    camera.position.set(...this.#orbit.position);
    camera.lookAt(target[0], target[1], target[2]);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
  }

  clipFromScene(): Matrix4 {
    this.look();
    return new Matrix4().multiplyMatrices(this.camera.projectionMatrix, this.camera.matrixWorldInverse);
  }

  /** Where a place of the canvas lies in the plane through the target, scene. */
  targetPlaneAt(xPx: number, yPx: number): Vec3 {
    this.look();
    const target = new Vector3(...this.#orbit.view.target).project(this.camera);
    const { x, y, z } = new Vector3(...this.clipAt(xPx, yPx), target.z).unproject(this.camera);
    return [x, y, z];
  }

  /** −1…1, to the right and up. */
  clipAt(xPx: number, yPx: number): [number, number] {
    return [(xPx / this.width) * 2 - 1, 1 - (yPx / this.height) * 2];
  }
}
