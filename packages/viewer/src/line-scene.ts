/** What is drawn as lines over the points: posed cameras, and the ways of those that filmed. */
import { type CameraState, centreOf, type PathState } from "@cairn/protocol";
import { Scene } from "three";
import { CameraLayer, frustumDepth } from "./camera-layer.ts";
import { fitLines } from "./lines.ts";
import { PathLayer } from "./path-layer.ts";
import type { SceneFrame } from "./scene-frame.ts";
import type { Viewport } from "./viewport.ts";

export class LineScene {
  readonly scene = new Scene();
  readonly cameras = new CameraLayer();
  readonly #paths = new PathLayer();

  constructor() {
    this.scene.add(this.#paths.object, this.cameras.object);
  }

  get visible(): boolean {
    return this.cameras.object.visible;
  }

  set visible(visible: boolean) {
    for (const object of this.#objects) object.visible = visible;
  }

  /**
   * Shows these and no others.
   * @param radius of the scene @param nowMs those not shown before shine for a while from now
   */
  set(
    cameras: readonly CameraState[],
    paths: readonly PathState[],
    { origin }: SceneFrame,
    radius: number,
    nowMs: number,
  ): void {
    const centres = cameras.map(({ pose }) => centreOf(pose));
    const depth = frustumDepth(centres, radius);
    this.cameras.set(cameras, origin, depth, nowMs);
    const centreOfImage = new Map(cameras.map(({ image }, i) => [image, centres[i]!]));
    this.#paths.set(paths, centreOfImage, origin, depth, nowMs);
  }

  /** Nothing in it is new. */
  settle(): void {
    this.cameras.settle();
    this.#paths.settle();
  }

  clear(): void {
    this.cameras.clear();
    this.#paths.clear();
  }

  /** Lays them where the points lie. */
  place(frame: SceneFrame): void {
    const sceneFromLocal = frame.sceneFromLocal();
    for (const object of this.#objects) {
      object.matrix.copy(sceneFromLocal);
      object.matrixWorldNeedsUpdate = true;
    }
  }

  /** Colours for the moment `nowMs`; returns whether a later moment looks different. */
  paint(nowMs: number): boolean {
    const marked = this.#paths.paint(nowMs);
    return this.cameras.paint(nowMs) || marked;
  }

  /** Once a picture, before it is drawn. */
  fit(viewport: Viewport): void {
    for (const object of this.#objects) fitLines(object, viewport);
  }

  dispose(): void {
    this.cameras.dispose();
    this.#paths.dispose();
  }

  get #objects() {
    return [this.cameras.object, this.#paths.object];
  }
}
