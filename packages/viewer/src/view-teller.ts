/** Tells the server where we look, a few times a second and only when that changed: it sends what is seen first. */
import type { Pose, View } from "@cairn/protocol";
import { Matrix4, Quaternion, Vector3 } from "three";
import type { Eye } from "./point-scene.ts";

const EVERY_MS = 250;

export class ViewTeller {
  readonly #send: (view: Omit<View, "type">) => void;
  #sent = "";
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #next: Omit<View, "type"> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(send: (view: Omit<View, "type">) => void) {
    this.#send = send;
  }

  tell(eye: Eye, points: number, nowMs: number): void {
    const view = {
      camera: {
        pose: poseOf(eye),
        fovY: 2 * Math.atan(eye.view.tanY),
        widthPx: Math.min(65_536, Math.max(1, Math.round(eye.widthPx))),
        heightPx: Math.min(65_536, Math.max(1, Math.round(eye.heightPx))),
      },
      points,
    };
    const text = JSON.stringify(view);
    if (text === this.#sent) return;
    this.#sent = text;
    this.#next = view;
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#sentAtMs + EVERY_MS - nowMs));
  }

  /** Another space: it knows nothing of us yet. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#next = undefined;
    this.#sent = "";
    this.#sentAtMs = Number.NEGATIVE_INFINITY;
  }

  #flush(): void {
    this.#timer = undefined;
    this.#sentAtMs = performance.now();
    if (this.#next) this.#send(this.#next);
    this.#next = undefined;
  }
}

/** World→camera, rounded: a view that moves by less is the same. */
function poseOf({ view: { position, axes } }: Eye): Pose {
  const [right, down, forward] = axes.map((axis) => new Vector3(...axis)) as [Vector3, Vector3, Vector3];
  const modelFromCamera = new Quaternion().setFromRotationMatrix(new Matrix4().makeBasis(right, down, forward));
  const { x, y, z, w } = modelFromCamera.invert();
  const round = (value: number) => Number(value.toPrecision(9));
  const along = (axis: Vector3) => round(-(axis.x * position[0] + axis.y * position[1] + axis.z * position[2]));
  return {
    rotation: [round(w), round(x), round(y), round(z)],
    translation: [along(right), along(down), along(forward)],
  };
}
