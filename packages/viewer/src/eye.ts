/** Where a picture is seen from, in the scene and in the model. */
import type { LayerView } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";
import { type Matrix4, type Quaternion, Vector3 } from "three";
import type { SceneFrame } from "./scene-frame.ts";
import { FOV_Y, type Viewport } from "./viewport.ts";

export type Eye = {
  readonly origin: Vec3;
  readonly sceneFromModel: Quaternion;
  readonly eyeFromScene: Matrix4;
  readonly clipFromEye: Matrix4;
  readonly view: LayerView;
  /** Of the picture, drawn pixels. */
  readonly widthPx: number;
  readonly heightPx: number;
  readonly pixelRatio: number;
};

/** Points are chosen for a picture of so many pixels to a CSS pixel at most. */
const MOST_PIXEL_RATIO = 1.5;

/** As the camera stands now. */
export function eyeOf({ camera, width, height, pixelRatio }: Viewport, { origin, sceneFromModel }: SceneFrame): Eye {
  const modelFromScene = sceneFromModel.clone().invert();
  const axis = (x: number, y: number, z: number): Vec3 => {
    const v = new Vector3(x, y, z).transformDirection(camera.matrixWorld).applyQuaternion(modelFromScene);
    return [v.x, v.y, v.z];
  };
  const at = camera.position.clone().applyQuaternion(modelFromScene);
  const p = camera.projectionMatrix.elements;
  return {
    origin,
    sceneFromModel,
    eyeFromScene: camera.matrixWorldInverse,
    clipFromEye: camera.projectionMatrix,
    view: {
      position: [origin[0] + at.x, origin[1] + at.y, origin[2] + at.z],
      axes: [axis(1, 0, 0), axis(0, -1, 0), axis(0, 0, -1)],
      // The picture is not centred on the axis: the wider half counts on both sides.
      tanX: (1 + Math.abs(p[8]!)) / p[0]!,
      tanY: (1 + Math.abs(p[9]!)) / p[5]!,
      focalPx: (height * Math.min(pixelRatio, MOST_PIXEL_RATIO)) / (2 * Math.tan(FOV_Y / 2)),
    },
    widthPx: width * pixelRatio,
    heightPx: height * pixelRatio,
    pixelRatio,
  };
}
