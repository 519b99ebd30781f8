/**
 * Where a new layer's octree lies: its first root about the data, so small that coarse nodes are exact, and so far from
 * the grid's corner that the tree can grow to whatever else there is.
 */
import type { Vec3 } from "@cairn/protocol";
import { edgeOf, GRID, type LayerGrid, nodeKey, parseNodeKey } from "./node.ts";

export type Box = { readonly min: Vec3; readonly max: Vec3 };

/** Levels from the first root down to the finest nodes when nobody says otherwise: 8 m across are kept to 1 mm. */
const DEFAULT_DEPTH = 7;
const MOST_DEPTH = 14;
/** Bits of the first root's index: for data that may grow anywhere, and at most together with the depth below it. */
const INDEX_BITS = 15;
const MOST_BITS = 31;
/** Exponents of a first root, so that those of every node from the finest to the largest root fit a segment's byte. */
const LEAST_SEED = -100;
const MOST_SEED = 112;
const MOST_EXPONENT = MOST_SEED + INDEX_BITS;

/**
 * A grid for data that begins within `min`…`max` (layer frame) and may grow beyond, 10,000 times its size on each side.
 * Any finite box has one; of data wider than 2^112 units most is out of its reach.
 * @param spacing wanted smallest distance of points, layer units; the nearest power of two is taken
 */
export function planGrid(min: Vec3, max: Vec3, spacing?: number): LayerGrid {
  const fitting = fittingSeed({ min, max });
  const finest = spacing === undefined ? fitting - DEFAULT_DEPTH : Math.round(Math.log2(spacing * GRID));
  return gridOf(middleOf({ min, max }), fitting, Math.max(fitting - MOST_DEPTH, finest), INDEX_BITS);
}

/**
 * A grid for data that is known: its first root is at the bulk, and all of it is in reach. What is far from the bulk, a
 * hundred million times `spacing` and more, is so only where points need not merge for it that are `spacing` apart; what
 * is as near to the bulk as the bulk is wide always is.
 * @param spacing wanted smallest distance of points, layer units; the nearest power of two is taken
 */
export function planGridFor(bulk: Box, all: Box, spacing: number): LayerGrid {
  const middle = middleOf(bulk);
  const fitting = fittingSeed(bulk);
  const near = aboutTwice(bulk, all);
  for (let finest = Math.max(LEAST_SEED - MOST_DEPTH, Math.round(Math.log2(spacing * GRID))); ; finest++) {
    const seed = Math.max(LEAST_SEED, Math.min(fitting, finest + MOST_DEPTH));
    const bottom = Math.max(seed - MOST_DEPTH, finest);
    const mostBits = Math.min(MOST_BITS - Math.max(0, seed - bottom), MOST_EXPONENT - seed);
    let grid = gridOf(middle, seed, bottom, INDEX_BITS);
    for (let bits = INDEX_BITS + 1; !reaches(grid, all) && bits <= mostBits; bits++) {
      grid = gridOf(middle, seed, bottom, bits);
    }
    if (finest >= fitting || reaches(grid, near)) return grid;
  }
}

/** Exponent of the smallest first root that has the box in it with room about it. */
function fittingSeed({ min, max }: Box): number {
  const extent = Math.max(max[0] - min[0], max[1] - min[1], max[2] - min[2]);
  // One place says nothing of the scale, and doubles say nothing below a part of 2^40 of how far away it is.
  const least = 2 ** -40 * Math.max(...[...min, ...max].map(Math.abs));
  const fitting = extent > 0 ? Math.ceil(Math.log2(Math.max(extent, least) * 1.25)) : 1;
  return Math.min(MOST_SEED, Math.max(LEAST_SEED, fitting));
}

/** @param bits of the first root's index: they alternate, so a growing root gains room on both sides in turn */
function gridOf(middle: Vec3, seedExponent: number, finest: number, bits: number): LayerGrid {
  const index = Math.floor(2 ** (bits + 1) / 3);
  const edge = edgeOf(seedExponent);
  const corner = (axis: 0 | 1 | 2) => middle[axis] - edge / 2 - index * edge;
  return {
    origin: [corner(0), corner(1), corner(2)],
    seed: nodeKey({ e: seedExponent, x: index, y: index, z: index }),
    finest: Math.min(seedExponent, finest),
  };
}

/** Whether the largest root, the one with index 0 on each axis, has the whole box in it. */
function reaches({ origin, seed }: LayerGrid, { min, max }: Box): boolean {
  const { e, x } = parseNodeKey(seed);
  const edge = edgeOf(e + Math.ceil(Math.log2(x + 1)));
  return origin.every((from, axis) => min[axis]! - from >= 0 && max[axis]! - from < edge);
}

function middleOf({ min, max }: Box): Vec3 {
  return [min[0] / 2 + max[0] / 2, min[1] / 2 + max[1] / 2, min[2] / 2 + max[2] / 2];
}

/** What of the whole is no farther from the bulk than the bulk is wide. */
function aboutTwice(bulk: Box, all: Box): Box {
  const extent = Math.max(...bulk.max.map((high, axis) => high - bulk.min[axis]!));
  return {
    min: bulk.min.map((low, axis) => Math.max(all.min[axis]!, low - extent)) as Vec3,
    max: bulk.max.map((high, axis) => Math.min(all.max[axis]!, high + extent)) as Vec3,
  };
}
