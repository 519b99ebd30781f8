/** The sparse and the dense points of a step, as one list. */

import type { Points } from "../engine.ts";
import type { View } from "../mapper/view.ts";
import type { DensePoints } from "./fused-parts.ts";

/** @param more points in all `parts`, which are asked for one after the other */
export function withDense(sparse: Points, parts: Iterable<DensePoints>, more: number, views: readonly View[]): Points {
  const few = sparse.positions.length / 3;
  const count = few + more;
  if (count === few) return sparse;
  const positions = new Float32Array(3 * count);
  const colors = new Uint8Array(3 * count);
  const confidences = new Uint8Array(count).fill(255, 0, few);
  const of = new Uint32Array(count);
  positions.set(sparse.positions);
  colors.set(sparse.colors);
  if (sparse.confidences) confidences.set(sparse.confidences);
  if (sparse.source) of.set(sparse.source.of);
  const images = [...(sparse.source?.images ?? [])];
  const indexOf = new Map(images.map((image, index) => [image, index]));
  const numberOf = views.map(({ photo: { image } }) => indexOf.get(image) ?? images.push(image) - 1);
  let at = few;
  for (const part of parts) {
    positions.set(part.positions, 3 * at);
    colors.set(part.colors, 3 * at);
    confidences.set(part.confidences, at);
    for (const view of part.source) of[at++] = numberOf[view];
  }
  return { positions, colors, confidences, source: { images, of } };
}
