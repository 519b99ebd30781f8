/** Posed cameras as frusta: eight lines each, one instanced draw call for all. */
import { type CameraState, centreOf, type Vec3 } from "@cairn/protocol";
import { Matrix4, Vector4 } from "three";
import { disposeLines, type LineMesh, lineMesh, resizeLines } from "./lines.ts";
import { insidePolygon } from "./pick.ts";
import { rotationRows } from "./up.ts";

/** Apex to corners, corners in a ring, and a roof that says which side of the photo is up. */
const LINES = [
  [0, 1],
  [0, 2],
  [0, 3],
  [0, 4],
  [1, 2],
  [2, 3],
  [3, 4],
  [4, 1],
  [1, 5],
  [5, 2],
] as const;

const COLOR = { calm: [0.31, 0.66, 0.86, 0.62], fresh: [0.55, 1, 0.95, 1.7], chosen: [1, 0.78, 0.3, 1.9] } as const;
const FRESH_MS = 2500;

type Frustum = { image: string; corners: Vec3[]; bornMs: number };

export class CameraLayer {
  readonly object: LineMesh = lineMesh();
  #frusta: Frustum[] = [];
  #bornMs = new Map<string, number>();
  #chosen: string | undefined;
  #hovered: string | undefined;

  get count(): number {
    return this.#frusta.length;
  }

  /**
   * Shows these and no others.
   * @param origin model frame; the lines are relative to it @param depth apex to picture, model units
   * @param nowMs cameras not shown before shine for a while from now
   */
  set(cameras: readonly CameraState[], origin: Vec3, depth: number, nowMs: number): void {
    this.#frusta = cameras.map(({ image, pose, intrinsics }) => {
      const bornMs = this.#bornMs.get(image) ?? nowMs;
      this.#bornMs.set(image, bornMs);
      const { width, height, params } = intrinsics;
      const pinhole = intrinsics.model === "PINHOLE";
      const fx = params[0]!;
      const fy = pinhole ? params[1]! : fx;
      const cx = params[pinhole ? 2 : 1]!;
      const cy = params[pinhole ? 3 : 2]!;
      const apex = centreOf(pose);
      const rows = rotationRows(pose.rotation);
      const at = (xPx: number, yPx: number): Vec3 => {
        const [x, y, z] = [((xPx - cx) / fx) * depth, ((yPx - cy) / fy) * depth, depth];
        const point: Vec3 = [0, 0, 0];
        for (let axis = 0; axis < 3; axis++) {
          const along = rows[0][axis]! * x + rows[1][axis]! * y + rows[2][axis]! * z;
          point[axis] = apex[axis]! + along - origin[axis]!;
        }
        return point;
      };
      const local: Vec3 = [apex[0] - origin[0], apex[1] - origin[1], apex[2] - origin[2]];
      const corners = [local, at(0, 0), at(width, 0), at(width, height), at(0, height), at(width / 2, -height * 0.22)];
      return { image, corners, bornMs };
    });
    resizeLines(this.object, this.#frusta.length * LINES.length);
    const start = this.object.geometry.getAttribute("lineStart");
    const end = this.object.geometry.getAttribute("lineEnd");
    let line = 0;
    for (const { corners } of this.#frusta) {
      for (const [from, to] of LINES) {
        start.setXYZ(line, ...corners[from]!);
        end.setXYZ(line++, ...corners[to]!);
      }
    }
    start.needsUpdate = true;
    end.needsUpdate = true;
    this.paint(nowMs);
  }

  /** Forgets who is new, so that a space opened afresh does not shine all over. */
  settle(): void {
    for (const image of this.#bornMs.keys()) this.#bornMs.set(image, -Infinity);
    for (const frustum of this.#frusta) frustum.bornMs = -Infinity;
  }

  clear(): void {
    this.#bornMs.clear();
    this.set([], [0, 0, 0], 1, 0);
  }

  choose(image: string | undefined, hovered: string | undefined): boolean {
    const changed = image !== this.#chosen || hovered !== this.#hovered;
    this.#chosen = image;
    this.#hovered = hovered;
    return changed;
  }

  /** Colours for the moment `nowMs`; returns whether a later moment looks different. */
  paint(nowMs: number): boolean {
    const color = this.object.geometry.getAttribute("lineColor");
    let moving = false;
    let line = 0;
    for (const { image, bornMs } of this.#frusta) {
      const glow = Math.max(0, 1 - (nowMs - bornMs) / FRESH_MS);
      if (glow > 0) moving = true;
      const chosen = image === this.#chosen || image === this.#hovered;
      const mix = (k: 0 | 1 | 2 | 3) => COLOR.calm[k] + (COLOR.fresh[k] - COLOR.calm[k]) * glow * glow;
      const [r, g, b, a] = chosen ? COLOR.chosen : [mix(0), mix(1), mix(2), mix(3)];
      for (let each = 0; each < LINES.length; each++) color.setXYZW(line++, r, g, b, a);
    }
    color.needsUpdate = true;
    return moving;
  }

  /** The image whose frustum lies under the pointer, the nearest to the eye of several. */
  pick(clipFromScene: Matrix4, xPx: number, yPx: number, widthPx: number, heightPx: number): string | undefined {
    const clipFromLocal = new Matrix4().multiplyMatrices(clipFromScene, this.object.matrix);
    const v = new Vector4();
    let best: string | undefined;
    let bestDepth = Infinity;
    for (const { image, corners } of this.#frusta) {
      const screen: [number, number][] = [];
      let depth = Infinity;
      for (const [x, y, z] of corners) {
        v.set(x, y, z, 1).applyMatrix4(clipFromLocal);
        if (v.w <= 0) break;
        depth = Math.min(depth, v.w);
        screen.push([(v.x / v.w + 1) * 0.5 * widthPx, (1 - v.y / v.w) * 0.5 * heightPx]);
      }
      if (screen.length < corners.length || depth >= bestDepth) continue;
      const [apex, a, b, c, d] = screen as [
        [number, number],
        [number, number],
        [number, number],
        [number, number],
        [number, number],
      ];
      const hit =
        Math.hypot(apex[0] - xPx, apex[1] - yPx) < 9 ||
        [
          [a, b, c, d],
          [apex, a, b],
          [apex, b, c],
          [apex, c, d],
          [apex, d, a],
        ].some((polygon) => insidePolygon(xPx, yPx, polygon));
      if (!hit) continue;
      best = image;
      bestDepth = depth;
    }
    return best;
  }

  dispose(): void {
    disposeLines(this.object);
  }
}

/** How long frusta are: a part of the way between neighbouring cameras, but in proportion to the scene. */
export function frustumDepth(centres: readonly Vec3[], sceneRadius: number): number {
  const nearest = centres
    .slice(0, 200)
    .map((a) =>
      Math.min(...centres.map((b) => (a === b ? Infinity : Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])))),
    )
    .filter((distance) => distance < Infinity && distance > 0)
    .sort((a, b) => a - b);
  const between = (nearest[nearest.length >> 1] ?? sceneRadius) * 0.45;
  return Math.min(Math.max(between, sceneRadius * 0.02), sceneRadius * 0.09);
}
