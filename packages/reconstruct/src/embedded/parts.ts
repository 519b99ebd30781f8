/**
 * Which views are fused together where memory does not hold all of them. About each view whose points are wanted some
 * others are asked, and each of these is a view in memory that is looked at again in every part: a part takes next the view
 * that needs the fewest more, so that those who look at one place come together, in whatever order they were taken.
 */

export type PartView = {
  readonly view: number;
  /** In memory, with what fusion notes of it. */
  readonly sizeBytes: number;
  /** Who can be asked about it, best first. */
  readonly around: readonly number[];
};

export type Part = {
  /** Views whose points are wanted. */
  readonly emit: ReadonlySet<number>;
  /** These, and those that are asked about them, in ascending order. */
  readonly asked: readonly number[];
};

/**
 * Every view is wanted in one part.
 * @param witnesses about each view so many are asked, where it has them
 * @param maxBytes of a part; one of a single view may be larger
 */
export function partsOf(
  views: readonly PartView[],
  { witnesses, maxBytes }: { readonly witnesses: number; readonly maxBytes: number },
): Part[] {
  const known = new Map(views.map((each) => [each.view, each]));
  const left = new Set(views);
  const parts: Part[] = [];
  while (left.size > 0) {
    const emit = new Set<number>();
    const asked = new Set<number>();
    let sizeBytes = 0;
    for (let next = cheapest(left, asked); next; next = cheapest(left, asked)) {
      if (emit.size > 0 && sizeBytes + next.moreBytes > maxBytes) break;
      sizeBytes += next.moreBytes;
      for (const view of next.more) asked.add(view);
      emit.add(next.each.view);
      left.delete(next.each);
    }
    parts.push({ emit, asked: [...asked].sort((a, b) => a - b) });
  }
  return parts;

  /** Of those that are left the one that needs the least more memory; at first, and of two alike, the first. */
  function cheapest(among: ReadonlySet<PartView>, asked: ReadonlySet<number>) {
    let best: { readonly each: PartView; readonly more: number[]; readonly moreBytes: number } | undefined;
    for (const each of among) {
      const more = missing(each, asked);
      const moreBytes = more.reduce((sum, view) => sum + known.get(view)!.sizeBytes, 0);
      if (!best || moreBytes < best.moreBytes) best = { each, more, moreBytes };
      if (asked.size === 0 || moreBytes === 0) break;
    }
    return best;
  }

  /** The view itself and as many of those around it as it lacks. */
  function missing({ view, around }: PartView, asked: ReadonlySet<number>): number[] {
    const there = around.filter((other) => known.has(other));
    const lacks = witnesses - there.filter((other) => asked.has(other)).length;
    const more = there.filter((other) => !asked.has(other)).slice(0, Math.max(0, lacks));
    return asked.has(view) ? more : [view, ...more];
  }
}
