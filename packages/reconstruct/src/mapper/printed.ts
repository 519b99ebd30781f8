/**
 * What is printed on the photos and no part of the scene: a dashboard, the legs of a drone, a date, the mark of a phone. It
 * is at the same pixels in every photo, and where there is much of it, it says that no camera has moved.
 *
 * Far hills stand still, too, where a camera does not turn, and so does everything before a tripod: so only a pair tells
 * of which the rest has clearly moved, in more of the photo. What stands still by chance, as near the point towards
 * which a camera moves, has neighbours that hardly move; what is printed has none. Measured on 1 600 pixels, matches
 * within 1 pixel against those within 1 to 4: printed 37 to 55 against 5 to 12 for a line of text, 280 to 970 against 1
 * to 20 for a strip; of photos with nothing printed on them no pair passes.
 *
 * COLMAP asks of a single pair whether what is near the border has only shifted (`two_view_geometry.cc`,
 * `DetectWatermark`). Here a place that one pair has told is known in all photos of that size, also where they share
 * nothing else.
 */
import type { Matched } from "./pair.ts";
import type { View } from "./view.ts";

/** Decoded pixels, as all below: what is printed is found again this near. */
const STILL_PX = 1;
/** Up to here a match has hardly moved. */
const NEAR_PX = 4;
const MIN_STILL = 10;
const MOST_NEAR = 0.5;
/** Of those that have moved: so many, and half of them so far. */
const MIN_MOVED = 25;
const MIN_MOVE_PX = 8;
/** A feature this near a place that is known is printed. */
const SAME_PX = 1.5;
/** Parts of a photo, by which what has moved and what has not are compared. */
const PART_PX = 64;
/** So wide are the boxes in which places are looked up. */
const BOX_PX = 2;

/** Decoded pixels. */
type Place = readonly [x: number, y: number];
type Match = Pick<Matched, "a" | "b" | "matches">;

export class Printed {
  /** For each size of photos the places, by box. */
  #sizes = new Map<string, Map<number, readonly Place[]>>();

  /** @returns whether the pair tells of a place that was not known */
  learn(views: readonly View[], { a, b, matches }: Match): boolean {
    const [first, second] = [views[a], views[b]];
    if (sizeOf(first) !== sizeOf(second)) return false;
    const still: number[] = [];
    const moves: number[] = [];
    const [stillParts, movedParts] = [new Set<number>(), new Set<number>()];
    let near = 0;
    for (let k = 0; k < matches.length; k += 2) {
      const [p, q] = [first.places, second.places];
      const [i, j] = [matches[k], matches[k + 1]];
      const move = Math.hypot(p.x[i] - q.x[j], p.y[i] - q.y[j]);
      if (move < STILL_PX) still.push(i, j);
      else if (move < NEAR_PX) near++;
      else moves.push(move);
      (move < STILL_PX ? stillParts : movedParts).add(boxOf(p.x[i], p.y[i], PART_PX));
    }
    if (still.length / 2 < MIN_STILL || near > (MOST_NEAR * still.length) / 2) return false;
    if (moves.length < MIN_MOVED || moves.sort((x, y) => x - y)[moves.length >> 1] < MIN_MOVE_PX) return false;
    if (stillParts.size >= movedParts.size) return false;
    let fresh = false;
    for (const [k, feature] of still.entries()) {
      const view = k % 2 === 0 ? first : second;
      if (this.has(view, feature)) continue;
      this.#add(view, feature);
      fresh = true;
    }
    return fresh;
  }

  /** Whether a feature is where something is printed. */
  has({ places, photo }: View, feature: number): boolean {
    const boxes = this.#sizes.get(sizeOf({ photo }));
    if (!boxes) return false;
    const [x, y] = [places.x[feature], places.y[feature]];
    for (const dx of [-BOX_PX, 0, BOX_PX]) {
      for (const dy of [-BOX_PX, 0, BOX_PX]) {
        const known = boxes.get(boxOf(x + dx, y + dy, BOX_PX));
        if (known?.some(([px, py]) => Math.hypot(px - x, py - y) < SAME_PX)) return true;
      }
    }
    return false;
  }

  /** `[m, 2]` matches of which neither side is printed; the same array when that is all of them. */
  without(views: readonly View[], { a, b, matches }: Match): Int32Array {
    if (this.#sizes.size === 0) return matches;
    const rest: number[] = [];
    for (let k = 0; k < matches.length; k += 2) {
      const isPrinted = this.has(views[a], matches[k]) || this.has(views[b], matches[k + 1]);
      if (!isPrinted) rest.push(matches[k], matches[k + 1]);
    }
    return rest.length === matches.length ? matches : Int32Array.from(rest);
  }

  /** @returns forgets what was learned since */
  mark(): () => void {
    const before = [...this.#sizes].map(([size, boxes]) => [size, [...boxes]] as const);
    return () => {
      this.#sizes = new Map(before.map(([size, boxes]) => [size, new Map(boxes)]));
    };
  }

  #add({ places, photo }: View, feature: number): void {
    const size = sizeOf({ photo });
    const boxes = this.#sizes.get(size) ?? new Map<number, readonly Place[]>();
    this.#sizes.set(size, boxes);
    const [x, y] = [places.x[feature], places.y[feature]];
    const box = boxOf(x, y, BOX_PX);
    boxes.set(box, [...(boxes.get(box) ?? []), [x, y]]);
  }
}

function sizeOf({ photo: { widthPx, heightPx } }: Pick<View, "photo">): string {
  return `${widthPx}x${heightPx}`;
}

function boxOf(x: number, y: number, side: number): number {
  return Math.floor(x / side) * 2 ** 16 + Math.floor(y / side);
}
