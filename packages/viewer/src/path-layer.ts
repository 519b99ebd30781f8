/** Ways of cameras that filmed: a thin line through their keyframes, and a mark where one is now. */
import type { PathState, Vec3 } from "@cairn/protocol";
import { disposeLines, type LineMesh, lineMesh, resizeLines } from "./lines.ts";
import { pathLines } from "./path-lines.ts";

const COLOR = [0.98, 0.62, 0.3, 0.55] as const;
const NOW = [1, 0.8, 0.45, 2.2] as const;
/** A camera that goes on is marked for so long after its last keyframe. */
const NOW_MS = 4000;
/** Three short lines across each other. */
const MARK_LINES = 3;

export class PathLayer {
  readonly object: LineMesh = lineMesh();
  /** Where each way ended, and since when. */
  readonly #ends = new Map<string, { image: string; sinceMs: number }>();
  #lines = 0;
  #marks: number[] = [];

  /**
   * Shows these and no others.
   * @param centres of the cameras on the screen, model frame @param origin model frame; the lines are relative to it
   * @param size of a mark, model units
   */
  set(
    paths: readonly PathState[],
    centres: ReadonlyMap<string, Vec3>,
    origin: Vec3,
    size: number,
    nowMs: number,
  ): void {
    const { lines, ends } = pathLines(paths, centres);
    for (const { path, image } of ends) {
      const known = this.#ends.get(path);
      if (known?.image !== image) this.#ends.set(path, { image, sinceMs: nowMs });
    }
    resizeLines(this.object, lines.length + ends.length * MARK_LINES);
    const start = this.object.geometry.getAttribute("lineStart");
    const end = this.object.geometry.getAttribute("lineEnd");
    const local = ([x, y, z]: Vec3): Vec3 => [x - origin[0], y - origin[1], z - origin[2]];
    for (const [i, [from, to]] of lines.entries()) {
      start.setXYZ(i, ...local(from));
      end.setXYZ(i, ...local(to));
    }
    for (const [i, { at }] of ends.entries()) {
      for (let axis = 0; axis < MARK_LINES; axis++) {
        const arm = [0, 1, 2].map((each) => (each === axis ? size / 2 : 0));
        const [x, y, z] = local(at);
        start.setXYZ(lines.length + MARK_LINES * i + axis, x - arm[0]!, y - arm[1]!, z - arm[2]!);
        end.setXYZ(lines.length + MARK_LINES * i + axis, x + arm[0]!, y + arm[1]!, z + arm[2]!);
      }
    }
    start.needsUpdate = true;
    end.needsUpdate = true;
    this.#lines = lines.length;
    this.#marks = ends.map(({ path }) => this.#ends.get(path)!.sinceMs);
    this.paint(nowMs);
  }

  /** A space that is opened afresh has no camera that just went on. */
  settle(): void {
    for (const end of this.#ends.values()) end.sinceMs = Number.NEGATIVE_INFINITY;
    this.#marks.fill(Number.NEGATIVE_INFINITY);
  }

  clear(): void {
    this.#ends.clear();
    this.set([], new Map(), [0, 0, 0], 0, 0);
  }

  /** Colours for the moment `nowMs`; returns whether a later moment looks different. */
  paint(nowMs: number): boolean {
    const color = this.object.geometry.getAttribute("lineColor");
    for (let line = 0; line < this.#lines; line++) color.setXYZW(line, ...COLOR);
    let moving = false;
    for (const [i, sinceMs] of this.#marks.entries()) {
      const left = Math.max(0, 1 - (nowMs - sinceMs) / NOW_MS);
      if (left > 0) moving = true;
      // It goes out in the last third.
      const [r, g, b, a] = NOW;
      for (let line = 0; line < MARK_LINES; line++)
        color.setXYZW(this.#lines + MARK_LINES * i + line, r, g, b, a * Math.min(1, 3 * left));
    }
    color.needsUpdate = true;
    return moving;
  }

  dispose(): void {
    disposeLines(this.object);
  }
}
