/**
 * Nodes of the octree: cubes of a dyadic grid. A node's id says where it is and how large, and nothing about the tree
 * it is in, so it stays when the tree grows a new root above it.
 */
import type { Vec3 } from "@cairn/protocol";

/** Edge `2^e` layer units; lowest corner at `origin + (x, y, z) · 2^e`. */
export type NodeId = { readonly e: number; readonly x: number; readonly y: number; readonly z: number };

/** `e_x_y_z`: a node's id as text. */
export type NodeKey = string;

/** Cells along an edge of a node's sampling grid: a node's spacing is its edge by this. */
export const GRID = 64;
/** The upper bits of a coordinate say in which cell it is. */
export const CELL_BITS = 6;
/** A node at the finest level has this many bits per axis; each level above has one more, 16 at most. */
export const FINEST_BITS = 8;
export const MAX_BITS = 16;

/** Where a layer's octree lies. Fixed when the layer starts. */
export type LayerGrid = {
  /** Corner of the grid, layer frame, double precision: far below the data, for a dyadic cube never crosses 0. */
  readonly origin: Vec3;
  /** The first root. Every later root contains it. */
  readonly seed: NodeKey;
  /** Exponent of the finest nodes: points closer than `2^finest / 64` merge. */
  readonly finest: number;
};

export function nodeKey({ e, x, y, z }: NodeId): NodeKey {
  return `${e}_${x}_${y}_${z}`;
}

/** @throws {RangeError} when it is not a node's id */
export function parseNodeKey(key: NodeKey): NodeId {
  const match = /^(-?\d{1,3})_(\d{1,10})_(\d{1,10})_(\d{1,10})$/.exec(key);
  if (!match) throw new RangeError(`${key} is not a node's id`);
  return { e: Number(match[1]), x: Number(match[2]), y: Number(match[3]), z: Number(match[4]) };
}

/** Edge length, layer units. */
export function edgeOf(e: number): number {
  return 2 ** e;
}

/** Distance of neighbouring points in a node of this exponent, layer units. */
export function spacingOf(e: number): number {
  return 2 ** e / GRID;
}

/** Bits per axis with which points of a node at exponent `e` are kept: one absolute step for all, as far as 16 bits go. */
export function bitsOf(e: number, finest: number): number {
  return Math.min(MAX_BITS, Math.max(FINEST_BITS, e - finest + FINEST_BITS));
}

/** Lowest corner, layer frame. */
export function cornerOf({ e, x, y, z }: NodeId, origin: Vec3): Vec3 {
  const edge = edgeOf(e);
  return [origin[0] + x * edge, origin[1] + y * edge, origin[2] + z * edge];
}

export function parentOf({ e, x, y, z }: NodeId): NodeId {
  return { e: e + 1, x: Math.floor(x / 2), y: Math.floor(y / 2), z: Math.floor(z / 2) };
}

/** @param octant 0…7: bit 0 the upper half in x, bit 1 in y, bit 2 in z */
export function childOf({ e, x, y, z }: NodeId, octant: number): NodeId {
  return { e: e - 1, x: x * 2 + (octant & 1), y: y * 2 + ((octant >> 1) & 1), z: z * 2 + ((octant >> 2) & 1) };
}

/** Which child of its parent this node is. */
export function octantOf({ x, y, z }: NodeId): number {
  return (x % 2) + 2 * (y % 2) + 4 * (z % 2);
}

/** Whether `inner` is `outer` or lies in it. */
export function contains(outer: NodeId, inner: NodeId): boolean {
  if (inner.e > outer.e) return false;
  const k = 2 ** (outer.e - inner.e);
  return (
    Math.floor(inner.x / k) === outer.x && Math.floor(inner.y / k) === outer.y && Math.floor(inner.z / k) === outer.z
  );
}
