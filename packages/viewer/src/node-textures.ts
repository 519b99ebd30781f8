/**
 * What the vertex shader knows of nodes, as two textures. Slots: where a node's points lie and how they fade in. Tree:
 * the nodes drawn, each with the mask of its drawn children, so that a point finds the finest node around it and takes
 * that node's spacing as its size: without it coarse points would be blots among fine ones. A node that comes in takes
 * over by and by: points around it shrink from what covered its place before to its own spacing, so nothing opens.
 */
import { cornerOf, edgeOf, GRID, type LayerGrid, parseNodeKey, type TableNode } from "@cairn/cloud";
import type { Vec3 } from "@cairn/protocol";
import { BATCH_MS, type Resident } from "./residents.ts";

/** Width of both textures, texels. */
export const TEXTURE_WIDTH = 1024;
/**
 * Texels of a slot: corner and edge; step, place in the tree, birth in seconds, batch + 4096 if new to the model, or 0
 * where all of the node's points come in.
 */
const SLOT_TEXELS = 2;

type Place = {
  /** In the tree. */
  readonly place: number;
  /** Its parent's spacing. */
  readonly above: number;
  /** The spacing that covered its place before it came in. */
  readonly before: number;
  /** `[8]`: its parent's points in each of its octants. */
  readonly around: ArrayLike<number>;
};

export type DrawnNode = {
  readonly grid: LayerGrid;
  readonly node: TableNode;
  readonly resident: Resident | undefined;
  /** 1: its layer's points cover surfaces; 0: they are some of the places of a scene, to be drawn as dots. */
  readonly density: number;
};

/** A node takes over from what covered its place in this time; the shader says the same. */
const BLEND_MS = 350;
/** A node counts as covered by its points from this part of them on: fewer, and its parent's points stay large. */
const COVERED = 0.5;
/** Points from which a leaf is dense enough to be judged by itself. */
const FILLED = 512;
/** A grid's winners are a spacing apart on average, but not everywhere: a point covers somewhat more. */
const GRID_SPREAD = 1.5;
/**
 * Points thrown at random on a surface, n a unit area: the fourth neighbour is 1.09 / √n away, and discs of 2.5 / √n
 * across cover 1 − exp(−1.56 π) = 99 % of it.
 */
const NEIGHBOUR_SPREAD = 2.3;
/** Fewer points than this in an octant of a node, its parent's with them, are no surface but some that stand alone. */
const LONE = 16;
/** Places of the tree: an index of a child has 16 bits. */
const MOST_PLACES = 65_536;
const NONE = new Uint32Array(8);
/** Dots are told apart: they touch their neighbours (0.5 / √n away) but do not cover what is between. */
const DOT_SPREAD = 0.73;

/** Points of a layer are relative to this point of the layer's frame: near them, so that singles are exact enough. */
export function anchorOf(grid: LayerGrid): Vec3 {
  return cornerOf(parseNodeKey(grid.seed), grid.origin);
}

export class NodeTextures {
  /** `[rows · TEXTURE_WIDTH · 4]` */
  slots = new Float32Array(TEXTURE_WIDTH * 4);
  /**
   * `[rows · TEXTURE_WIDTH · 4]`: mask of children | octants whose points stand alone << 8 | index of the first child << 16,
   * and as the bits of singles the spacing, the spacing there before, the second at which the node came in. A spacing below
   * zero is that of points that lie loosely: they are drawn no larger than dots.
   */
  tree = new Uint32Array(TEXTURE_WIDTH * 4);
  /** When each node that is drawn came in, milliseconds. */
  #since = new Map<Resident, number>();

  /**
   * @param nodes those drawn, parents before their children, of all layers
   * @param epochMs births are relative to it
   * @returns whether a node came in
   */
  fill(nodes: readonly DrawnNode[], slots: number, epochMs: number, nowMs: number): boolean {
    this.slots = grown(this.slots, slots * SLOT_TEXELS, 4, (n) => new Float32Array(n));
    this.tree = grown(this.tree, nodes.length, 4, (n) => new Uint32Array(n));
    const spacings = new Float32Array(this.tree.buffer);
    const places = new Map<TableNode, Place>();
    const covered = new Set<TableNode>();
    const dots = dotSizes(nodes);
    const since = new Map<Resident, number>();
    let came = false;
    for (const { node, resident } of nodes) {
      if (node.points > 0 && !(resident && resident.points >= node.points * COVERED)) continue;
      covered.add(node);
      if (!resident) continue;
      const known = this.#since.get(resident);
      came ||= known === undefined;
      since.set(resident, known ?? nowMs);
    }
    this.#since = since;
    const anchors = new Map(nodes.map(({ grid }) => [grid, grid.origin]));
    for (const grid of anchors.keys()) anchors.set(grid, anchorOf(grid));
    let next = 0;
    for (const { grid, node, resident, density } of nodes) {
      const known = places.get(node);
      const place = known?.place ?? next++;
      const spacing = spacingOf(node, resident, known);
      const sinceMs = (resident && since.get(resident)) ?? Number.NEGATIVE_INFINITY;
      // A root covers nothing that was there before.
      const before = known ? larger(known.before, spacing) : spacing;
      let mask = 0;
      const first = next;
      node.children.forEach((child, octant) => {
        if (!child || !covered.has(child) || next === MOST_PLACES) return;
        mask |= 1 << octant;
        places.set(child, {
          place: next++,
          above: spacing,
          before: nowMs - sinceMs < BLEND_MS ? before : spacing,
          around: resident?.octants.subarray(octant * 8, octant * 8 + 8) ?? NONE,
        });
      });
      this.tree[place * 4] = mask | (loneOctants(resident, known) << 8) | (first << 16);
      const dot = dots.get(grid) ?? Math.abs(spacing);
      const drawn = (signed: number) => {
        const size = Math.abs(signed);
        return Math.sign(signed) * Math.min(size, dot) ** (1 - density) * size ** density;
      };
      spacings[place * 4 + 1] = drawn(spacing);
      spacings[place * 4 + 2] = drawn(before);
      spacings[place * 4 + 3] = Math.max(-1e6, (sinceMs - epochMs) / 1000);
      if (!resident) continue;
      const corner = cornerOf(node.id, grid.origin);
      const anchor = anchors.get(grid)!;
      const edge = edgeOf(node.id.e);
      const at = resident.slot * SLOT_TEXELS * 4;
      for (let axis = 0; axis < 3; axis++) this.slots[at + axis] = corner[axis]! - anchor[axis]!;
      this.slots[at + 3] = edge;
      this.slots[at + 4] = edge / 2 ** resident.bits;
      this.slots[at + 5] = place;
      // What was here already and is drawn again comes in as a whole.
      const again = sinceMs > resident.bornMs + BATCH_MS;
      this.slots[at + 6] = Math.max(-1e6, ((again ? sinceMs : resident.bornMs) - epochMs) / 1000);
      this.slots[at + 7] = again ? 0 : resident.batch + (resident.live ? 4096 : 0);
    }
    return came;
  }
}

/** Of each layer: what suits the distance between neighbours of most of its points. */
function dotSizes(nodes: readonly DrawnNode[]): Map<LayerGrid, number> {
  const sums = new Map<LayerGrid, { size: number; points: number }>();
  for (const { grid, node, resident } of nodes) {
    if (!resident) continue;
    const sum = sums.get(grid) ?? { size: 0, points: 0 };
    sums.set(grid, sum);
    sum.size += resident.points * edgeOf(node.id.e) * resident.spacing * DOT_SPREAD;
    sum.points += resident.points;
  }
  return new Map([...sums].map(([grid, { size, points }]) => [grid, size / Math.max(1, points)]));
}

/**
 * How far apart points are around a node's, where nothing finer is drawn, layer units. Below zero where they lie loosely: a
 * large node around a scene has near points and far ones, which lie farther apart, and what suits most is too large for some.
 */
function spacingOf({ id, children, chain, points }: TableNode, resident: Resident | undefined, known?: Place): number {
  const edge = edgeOf(id.e);
  const most = (edge / GRID) * GRID_SPREAD;
  // A node on the way from a root to others may have no points: those within it are its parent's.
  if (points === 0 && known) return known.above;
  const inner = !chain && children.some((child) => child !== undefined);
  if (inner || !resident) return most;
  const own = Math.min(most, edge * resident.spacing * NEIGHBOUR_SPREAD);
  if (chain && own < most) return -own;
  const filled = Math.min(1, points / FILLED);
  if (filled === 1) return own;
  // A leaf that has only begun to fill leaves the ground to its parent's points, if these close it.
  const above = known?.above ?? Number.POSITIVE_INFINITY;
  return above < 0 ? -own : own * filled + Math.min(above, 2 * most) * (1 - filled);
}

/** A bit for each octant whose points stand alone: in the sky, or behind what is seen. */
function loneOctants(resident: Resident | undefined, known: Place | undefined): number {
  let lone = 0;
  for (let octant = 0; octant < 8; octant++) {
    let points = known?.around[octant] ?? 0;
    for (let i = octant * 8; i < octant * 8 + 8; i++) points += resident?.octants[i] ?? 0;
    if (points < LONE) lone |= 1 << octant;
  }
  return lone;
}

/** The one of more size. */
function larger(a: number, b: number): number {
  return Math.abs(a) > Math.abs(b) ? a : b;
}

/** Large enough for `texels`, in whole rows; a larger one by half. */
function grown<T extends Float32Array | Uint32Array>(old: T, texels: number, size: number, make: (n: number) => T): T {
  const rows = Math.ceil(texels / TEXTURE_WIDTH);
  const had = old.length / size / TEXTURE_WIDTH;
  if (rows <= had) return old;
  return make(Math.max(rows, Math.ceil(had * 1.5)) * TEXTURE_WIDTH * size);
}
