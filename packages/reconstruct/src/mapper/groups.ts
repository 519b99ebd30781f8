/** Groups of photos that are tied to one another but not to the scene. */
import type { Pair } from "./pair.ts";
import type { Scene } from "./scene.ts";

/** A weaker tie does not make a group. */
const MIN_TIE = 40;

export type Group = { readonly views: readonly number[]; readonly pairs: readonly Pair[] };

/** The groups of views without a pose in a scene, the largest first, each with all pairs within it. */
export function waitingGroups(scene: Scene, pairs: readonly Pair[]): Group[] {
  const groupOf = scene.views.map((view) => view.index);
  const root = (view: number): number => {
    let at = view;
    while (groupOf[at] !== at) at = groupOf[at];
    return at;
  };
  const within = pairs.filter(({ a, b }) => !scene.isPosed(a) && !scene.isPosed(b));
  for (const { a, b, kept, kind } of within) {
    if (kind === "rotation" || kept.length / 2 < MIN_TIE) continue;
    const [p, q] = [root(a), root(b)];
    groupOf[Math.max(p, q)] = Math.min(p, q);
  }
  const groups = new Map<number, { views: number[]; pairs: Pair[] }>();
  for (const { index } of scene.views) {
    if (scene.isPosed(index)) continue;
    const at = root(index);
    if (!groups.has(at)) groups.set(at, { views: [], pairs: [] });
    groups.get(at)!.views.push(index);
  }
  for (const pair of within) if (root(pair.a) === root(pair.b)) groups.get(root(pair.a))!.pairs.push(pair);
  return [...groups.values()]
    .filter(({ views }) => views.length > 1)
    .sort((p, q) => q.views.length - p.views.length || p.views[0] - q.views[0]);
}
