/** Groups of photos that are tied to one another but not to the scene. */
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** A weaker tie does not make a group. */
const MIN_TIE = 40;

/** The pairs within the largest group of views without a pose, and how many views it has. */
export function largestWaitingGroup(scene: Scene, pairs: readonly Pair[]): { views: number; pairs: Pair[] } {
  const groupOf = scene.views.map((view) => view.index);
  const root = (view: number): number => {
    let at = view;
    while (groupOf[at] !== at) at = groupOf[at];
    return at;
  };
  const ties = pairs.filter(
    ({ a, b, kept, kind }) =>
      !scene.isPosed(a) && !scene.isPosed(b) && kind !== "rotation" && kept.length / 2 >= MIN_TIE,
  );
  for (const { a, b } of ties) groupOf[root(Math.max(root(a), root(b)))] = Math.min(root(a), root(b));
  const sizes = new Map<number, number>();
  for (const { index } of scene.views) sizes.set(root(index), (sizes.get(root(index)) ?? 0) + 1);
  const [largest, views] = [...sizes].reduce((best, each) => (each[1] > best[1] ? each : best), [-1, 0]);
  return { views, pairs: ties.filter(({ a }) => root(a) === largest) };
}
