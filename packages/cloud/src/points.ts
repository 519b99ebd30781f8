/** Points on their way in, and points of one node. */
import type { Vec3 } from "@cairn/protocol";
import { cornerOf, edgeOf, type NodeId } from "./node.ts";

/** Points to insert; the same index in all arrays is one point. */
export type CloudPoints = {
  /** `[n, 3]` layer frame. Double precision where coordinates are large (UTM). */
  readonly positions: Float32Array | Float64Array;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
  /** Number of the photo each came from: 1 is the space's first `image.added`, 0 none. One number: all of them. */
  readonly photos: Uint32Array | number;
  /** `[n]` 0…255, 255 as sure as can be. Left out: all 255. */
  readonly confidences?: Uint8Array;
  /** `[n, 3]` unit vectors times 127, layer frame. Left out: not known. */
  readonly normals?: Int8Array;
};

/** Points of one node as they are kept and drawn: integers of the node's own grid. */
export type NodePoints = {
  readonly node: NodeId;
  /** Each coordinate is 0…2^bits − 1 of the node's edge; the point lies in the middle of that step. */
  readonly bits: number;
  readonly count: number;
  /** `[n, 3]` */
  readonly coords: Uint16Array;
  /** `[n, 3]` sRGB. */
  readonly colors: Uint8Array;
  readonly photos: Uint32Array | number;
  readonly confidences?: Uint8Array;
  readonly normals?: Int8Array;
};

/** `[n, 3]` layer frame, double precision: the points lie in the middle of their steps. @param origin the grid's */
export function positionsOf({ node, bits, count, coords }: NodePoints, origin: Vec3): Float64Array {
  const corner = cornerOf(node, origin);
  const step = edgeOf(node.e) / 2 ** bits;
  const positions = new Float64Array(count * 3);
  for (let i = 0; i < count * 3; i += 3) {
    positions[i] = corner[0] + (coords[i]! + 0.5) * step;
    positions[i + 1] = corner[1] + (coords[i + 1]! + 0.5) * step;
    positions[i + 2] = corner[2] + (coords[i + 2]! + 0.5) * step;
  }
  return positions;
}
