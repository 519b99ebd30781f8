/** The pairwise match graph: which photos hang together, by how much, and where the model would fall apart. */
import type { MatchEdge, WeakLink } from "@cairn/protocol";
import { contradicts } from "../mapper/consistency.ts";
import type { Pair } from "../mapper/pair.ts";
import type { Scene } from "../mapper/scene.ts";

const DEGREES = 180 / Math.PI;
const MAX_WEAK_LINKS = 50;

export function matchEdges(scene: Scene, pairs: readonly Pair[]): MatchEdge[] {
  return [...pairs]
    .sort((p, q) => p.a - q.a || p.b - q.b)
    .map((pair) => {
      const { a, b, matches, kept, kind, angleRad } = pair;
      const edge = { a, b, matches: matches.length / 2, inliers: kept.length / 2, kind, angleDeg: angleRad * DEGREES };
      return scene.isPosed(a) && scene.isPosed(b) ? { ...edge, agrees: !contradicts(scene, pair) } : edge;
    });
}

/** Groups of photos that hang together, the largest first; photos without a tie are in none. */
export function componentsOf(viewCount: number, edges: readonly MatchEdge[]): number[][] {
  const neighbours = neighboursOf(viewCount, edges);
  const seen = new Uint8Array(viewCount);
  const groups: number[][] = [];
  for (let view = 0; view < viewCount; view++) {
    if (seen[view] || neighbours[view].length === 0) continue;
    groups.push(reach(neighbours, view, seen).sort((a, b) => a - b));
  }
  return groups.sort((p, q) => q.length - p.length || p[0] - q[0]);
}

/**
 * The pairs and photos whose loss would split what hangs together, those with the largest smaller part first. A photo
 * at one end of such a pair is named with the pair, unless its loss cuts off more than the pair's would.
 */
export function weakLinks(viewCount: number, edges: readonly MatchEdge[]): WeakLink[] {
  const neighbours = neighboursOf(viewCount, edges);
  const { order, parent, low, place, size } = depthFirst(neighbours);
  const links: WeakLink[] = [];
  const rootSize = new Map<number, number>();
  const rootOf = new Int32Array(viewCount).fill(-1);
  for (const view of order) {
    rootOf[view] = parent[view] < 0 ? view : rootOf[parent[view]];
    if (parent[view] < 0) rootSize.set(view, size[view]);
  }
  const add = (photos: number[], cutOff: number, whole: number) => {
    const rest = whole - cutOff;
    if (cutOff > 0 && rest > 0) links.push({ photos, parts: [Math.max(cutOff, rest), Math.min(cutOff, rest)] });
  };
  for (const view of order) {
    const whole = rootSize.get(rootOf[view])!;
    const up = parent[view];
    // No way from below this edge back above it.
    if (up >= 0 && low[view] > place[up]) add([Math.min(up, view), Math.max(up, view)], size[view], whole);
    const cut = neighbours[view].filter((next) => parent[next] === view && low[next] >= place[view]);
    if (cut.length === 0 || (up < 0 && cut.length < 2)) continue;
    // What would be left are the subtrees that are cut off, and what is above: all but the largest is the smaller part.
    const pieces = cut.map((next) => size[next]);
    pieces.push(whole - 1 - pieces.reduce((sum, each) => sum + each, 0));
    const largest = Math.max(...pieces);
    add([view], whole - 1 - largest, whole - 1);
  }
  const pairsOf = new Map<number, number>();
  for (const { photos, parts } of links) {
    if (photos.length === 2) for (const view of photos) pairsOf.set(view, Math.max(pairsOf.get(view) ?? 0, parts[1]));
  }
  return links
    .filter(({ photos, parts }) => photos.length === 2 || parts[1] > (pairsOf.get(photos[0]) ?? 0))
    .sort((p, q) => q.parts[1] - p.parts[1] || p.photos[0] - q.photos[0] || p.photos.length - q.photos.length)
    .slice(0, MAX_WEAK_LINKS);
}

/** The edges that hold the model: between posed photos, borne out by their poses, and more than a turn on the spot. */
export function holdingEdges(edges: readonly MatchEdge[]): MatchEdge[] {
  return edges.filter(({ kind, agrees }) => agrees === true && kind !== "rotation");
}

function neighboursOf(viewCount: number, edges: readonly MatchEdge[]): number[][] {
  const sets = Array.from({ length: viewCount }, () => new Set<number>());
  for (const { a, b } of edges) {
    sets[a].add(b);
    sets[b].add(a);
  }
  return sets.map((set) => [...set].sort((p, q) => p - q));
}

function reach(neighbours: readonly number[][], from: number, seen: Uint8Array): number[] {
  const found = [from];
  seen[from] = 1;
  for (let at = 0; at < found.length; at++) {
    for (const next of neighbours[found[at]]) {
      if (seen[next]) continue;
      seen[next] = 1;
      found.push(next);
    }
  }
  return found;
}

/**
 * Depth-first numbers after Tarjan and Hopcroft: `place` when a view was met, `low` the earliest that can be reached
 * from its subtree by one edge back, `size` of the subtree. With a stack of its own: a chain may be thousands long.
 */
function depthFirst(neighbours: readonly number[][]) {
  const n = neighbours.length;
  const parent = new Int32Array(n).fill(-1);
  const place = new Int32Array(n).fill(-1);
  const low = new Int32Array(n);
  const size = new Int32Array(n).fill(1);
  const nextAt = new Int32Array(n);
  const order: number[] = [];
  for (let root = 0; root < n; root++) {
    if (place[root] >= 0 || neighbours[root].length === 0) continue;
    const stack = [root];
    place[root] = low[root] = order.length;
    order.push(root);
    while (stack.length > 0) {
      const view = stack[stack.length - 1];
      const next = neighbours[view][nextAt[view]++];
      if (next === undefined) {
        stack.pop();
        const up = parent[view];
        if (up < 0) continue;
        low[up] = Math.min(low[up], low[view]);
        size[up] += size[view];
      } else if (place[next] < 0) {
        parent[next] = view;
        place[next] = low[next] = order.length;
        order.push(next);
        stack.push(next);
      } else if (next !== parent[view]) {
        low[view] = Math.min(low[view], place[next]);
      }
    }
  }
  return { order, parent, low, place, size };
}
