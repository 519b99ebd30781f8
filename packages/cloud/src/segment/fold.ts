/**
 * Surfaces are thin: where two coordinates of a point are known and the points around it, the third is nearly known too.
 * So the lowest bits of one axis may be left out of the keys (they are **folded**) and written apart, each as how far it
 * is from that of the nearest point before. The axes are turned so that `u` and `v` lie along the surface, `w` across it.
 */

/** Which axis is folded, and how many of its lowest bits. */
export type Fold = { readonly axis: 0 | 1 | 2; readonly bits: number };

/** Nothing is folded; `u`, `v`, `w` are `x`, `y`, `z`. */
export const UNFOLDED: Fold = { axis: 2, bits: 0 };

/** How many bits of a coordinate stay in the keys: what is tried. */
const KEPT = [2, 0];
/** A folded segment takes a quarter longer to read: it has to be worth it. */
const WORTH = 0.97;
/** What a plane takes besides its symbols and their codes, in bits. */
const PLANE_BITS = 120;

/** Where `u`, `v` and `w` are in a point's coordinates. */
export function turned({ axis }: Fold): readonly [number, number, number] {
  return [(axis + 1) % 3, (axis + 2) % 3, axis];
}

/**
 * The fold with which points of `bits` bits cost least, if it is worth it.
 * @param thinAxis across which axis they differ least, by the order in which they were when unfolded
 */
export function bestFold(bits: number, costOf: (fold: Fold) => number, thinAxis: () => Fold["axis"]): Fold {
  let best = UNFOLDED;
  const unfolded = costOf(UNFOLDED);
  let least = Math.min(unfolded * WORTH, unfolded - PLANE_BITS);
  const axis = thinAxis();
  for (const kept of KEPT.filter((kept) => kept < bits)) {
    const fold: Fold = { axis, bits: bits - kept };
    const cost = costOf(fold);
    if (cost >= least) continue;
    least = cost;
    best = fold;
  }
  return best;
}
