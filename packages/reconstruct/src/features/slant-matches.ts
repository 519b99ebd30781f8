/**
 * Matches of two photos, each also seen aslant. A slant that suits neither gives chance matches like any other, so that
 * of all that are found most are wrong; but the right ones are found by several looks that are not far from one another,
 * and two looks that err alike are rare (castle-P19: of pairs that see nothing in common not one passes for a pair).
 */
import type { Features } from "./features.ts";
import type { Matcher } from "./matcher.ts";
import type { Slants } from "./slants.ts";

export type SlantSide = {
  readonly features: Pick<Features, "count" | "x" | "y" | "descriptors">;
  readonly slants: Slants;
};

/** Decoded pixels within which two places are one. */
const NEAR_PX = 5;

/** Looks that must agree on a match. */
const LEAST_LOOKS = 2;

/** One match, by places of both sides, and what found it. */
type Group = { readonly a: number; readonly b: number; a1: number; b1: number; looks: number; last: number };

/**
 * @returns `[m, 2]` places of a and of b: a feature, or behind all features one of the slants, counted from there; the
 * photo's own features where they are among those that agree
 */
export async function matchAslant(
  matcher: Matcher,
  a: SlantSide,
  b: SlantSide,
  breathe: () => Promise<void>,
): Promise<Uint32Array<ArrayBuffer>> {
  const groups = new Groups(a, b);
  groups.add(matcher.match(a.features, b.features), 0, 0);
  for (const { from, ...look } of looksOf(a)) {
    await breathe();
    groups.add(matcher.match(look, b.features), from, 0);
  }
  for (const { from, ...look } of looksOf(b)) {
    await breathe();
    groups.add(matcher.match(a.features, look), 0, from);
  }
  return groups.agreed();
}

function* looksOf({ features, slants }: SlantSide) {
  for (let k = 0; k + 1 < slants.first.length; k++) {
    const [start, end] = [slants.first[k], slants.first[k + 1]];
    if (start === end) continue;
    const descriptors = slants.descriptors.subarray(128 * start, 128 * end);
    yield { count: end - start, descriptors, from: features.count + start };
  }
}

/** Where a place is: among the features, or behind them. */
export function placeOf({ features, slants }: SlantSide, place: number): readonly [x: number, y: number] {
  const slant = place - features.count;
  return slant < 0 ? [features.x[place], features.y[place]] : [slants.x[slant], slants.y[slant]];
}

class Groups {
  readonly #a: SlantSide;
  readonly #b: SlantSide;
  readonly #list: Group[] = [];
  /** By the cell of the place in a. */
  readonly #cells = new Map<number, Group[]>();
  #round = 0;

  constructor(a: SlantSide, b: SlantSide) {
    this.#a = a;
    this.#b = b;
  }

  /** What one look found. @param fromA, fromB places of the first of what was compared */
  add(matches: Uint32Array, fromA: number, fromB: number): void {
    this.#round++;
    for (let k = 0; k < matches.length; k += 2) this.#take(fromA + matches[k], fromB + matches[k + 1]);
  }

  #take(a: number, b: number): void {
    const at = placeOf(this.#a, a);
    const column = Math.floor(at[0] / NEAR_PX);
    const row = Math.floor(at[1] / NEAR_PX);
    for (let dx = -1; dx <= 1; dx++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (const group of this.#cells.get(cellOf(column + dx, row + dy)) ?? []) {
          if (!isNear(this.#a, group.a, a) || !isNear(this.#b, group.b, b)) continue;
          if (group.last !== this.#round) group.looks++;
          group.last = this.#round;
          group.a1 = Math.min(group.a1, a);
          group.b1 = Math.min(group.b1, b);
          return;
        }
      }
    }
    const group = { a, b, a1: a, b1: b, looks: 1, last: this.#round };
    this.#list.push(group);
    const cell = cellOf(column, row);
    const others = this.#cells.get(cell);
    if (others) others.push(group);
    else this.#cells.set(cell, [group]);
  }

  agreed(): Uint32Array<ArrayBuffer> {
    const agreed = this.#list.filter(({ looks }) => looks >= LEAST_LOOKS);
    return Uint32Array.from(agreed.flatMap(({ a1, b1 }) => [a1, b1]));
  }
}

function isNear(side: SlantSide, p: number, q: number): boolean {
  const [px, py] = placeOf(side, p);
  const [qx, qy] = placeOf(side, q);
  return Math.hypot(px - qx, py - qy) < NEAR_PX;
}

function cellOf(column: number, row: number): number {
  return column * 65_536 + row;
}
