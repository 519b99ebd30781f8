/** Movements of pointer and keys as movements of an orbit: parts of the canvas become angles and ways. */
import type { Vec3 } from "@cairn/protocol";
import type { InputTarget } from "./input.ts";
import type { Orbit } from "./orbit.ts";
import { FOV_Y, type Viewport } from "./viewport.ts";

export type Steering = {
  /** What lies at a place of the canvas; `undefined`: nothing. Scene. */
  hit(xPx: number, yPx: number): Vec3 | undefined;
  /** What is zoomed to there. */
  zoomPoint(xPx: number, yPx: number): Vec3;
  /** Before the orbit moves. */
  touch(): void;
  /** After it. */
  moved(): void;
};

/** One turn of the wheel is many events: what it points at is looked up once. */
const SAME_PLACE_MS = 300;
const SAME_PLACE_PX = 3;

export function steer(
  orbit: Orbit,
  viewport: Viewport,
  { hit, zoomPoint, touch, moved }: Steering,
): Pick<InputTarget, "rotate" | "pan" | "zoom" | "pivot"> {
  let anchor: { x: number; y: number; atMs: number; point: Vec3 } | undefined;
  return {
    rotate(rightPx, upPx) {
      touch();
      orbit.rotate((rightPx / viewport.height) * Math.PI, (upPx / viewport.height) * Math.PI);
      moved();
    },
    pan(rightPx, downPx) {
      touch();
      orbit.pan(rightPx / viewport.height, -downPx / viewport.height, FOV_Y);
      moved();
    },
    zoom(factor, xPx, yPx) {
      touch();
      const nowMs = performance.now();
      const known =
        anchor && nowMs - anchor.atMs < SAME_PLACE_MS && Math.hypot(anchor.x - xPx, anchor.y - yPx) < SAME_PLACE_PX;
      const point = (known && anchor?.point) || zoomPoint(xPx, yPx);
      anchor = { x: xPx, y: yPx, atMs: nowMs, point };
      orbit.zoom(factor, point);
      moved();
    },
    pivot(xPx, yPx) {
      const point = hit(xPx, yPx);
      if (!point) return;
      touch();
      orbit.setPivot(point);
      moved();
    },
  };
}
