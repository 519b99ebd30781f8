/**
 * Surfaces are thin: where two coordinates of a point are known and the points around it, the third is nearly known too.
 * So the lowest bits of one axis may be left out of the keys (they are **folded**) and written apart, each as how far it
 * is from that of the nearest point before. The axes are turned so that `u` and `v` lie along the surface, `w` across it.
 */

/** Which axis is folded, and how many of its lowest bits. */
export type Fold = { readonly axis: 0 | 1 | 2; readonly bits: number };

/** Nothing is folded; `u`, `v`, `w` are `x`, `y`, `z`. */
export const UNFOLDED: Fold = { axis: 2, bits: 0 };

/** What is tried: across which axes, how many bits of a coordinate stay in the keys, and what part of the cost may be left. */
type Tried = { readonly axes: readonly Fold["axis"][]; readonly thenKept: readonly number[]; readonly worth: number };

/** Tried first, with each axis; the others are tried with the best one. */
const FIRST_KEPT = 2;
/** Of what is awaited. A folded segment takes a quarter longer to read: it has to be worth it. */
export const QUICK = { thenKept: [0], worth: 0.97 };
/** Of what is kept. */
export const THOROUGH: Tried = { axes: [0, 1, 2], thenKept: [0, 4], worth: 1 };
/** What a plane takes besides its symbols and their codes, in bits. */
const PLANE_BITS = 120;

/** Where `u`, `v` and `w` are in a point's coordinates. */
export function turned({ axis }: Fold): readonly [number, number, number] {
  return [(axis + 1) % 3, (axis + 2) % 3, axis];
}

/** The fold with which points of `bits` bits cost least, of those that are tried. */
export function bestFold(bits: number, unfolded: number, costOf: (fold: Fold) => number, tried: Tried): Fold {
  let best = UNFOLDED;
  let least = Math.min(unfolded * tried.worth, unfolded - PLANE_BITS);
  const consider = (axis: Fold["axis"], kept: number) => {
    if (kept >= bits) return;
    const fold: Fold = { axis, bits: bits - kept };
    const cost = costOf(fold);
    if (cost >= least) return;
    least = cost;
    best = fold;
  };
  for (const axis of tried.axes) consider(axis, FIRST_KEPT);
  const { axis } = best;
  if (best.bits > 0) for (const kept of tried.thenKept) consider(axis, kept);
  return best;
}
