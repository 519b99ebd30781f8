/**
 * How the scene lies in the model: about an origin near what is shown, because the GPU counts in singles, and turned so
 * that y is up. Its scale is the model's.
 */
import type { Vec3 } from "@cairn/protocol";
import { Matrix4, Quaternion, Vector3 } from "three";

export class SceneFrame {
  readonly sceneFromModel = new Quaternion();
  #origin: Vec3 = [0, 0, 0];
  #settled = false;

  /** Model frame. */
  get origin(): Vec3 {
    return this.#origin;
  }

  /** The first point that is known becomes the origin, and stays it until `reset`. */
  settle(point: Vec3 | undefined): void {
    if (this.#settled || !point) return;
    this.#origin = point;
    this.#settled = true;
  }

  reset(): void {
    this.#settled = false;
  }

  /** @param up unit vector, model frame */
  turn(up: Vec3): void {
    this.sceneFromModel.setFromUnitVectors(new Vector3(...up), new Vector3(0, 1, 0));
  }

  toScene([x, y, z]: Vec3): Vec3 {
    const [originX, originY, originZ] = this.#origin;
    const v = new Vector3(x - originX, y - originY, z - originZ).applyQuaternion(this.sceneFromModel);
    return [v.x, v.y, v.z];
  }

  /** Of what is told relative to the origin. */
  sceneFromLocal(): Matrix4 {
    return new Matrix4().makeRotationFromQuaternion(this.sceneFromModel);
  }
}
