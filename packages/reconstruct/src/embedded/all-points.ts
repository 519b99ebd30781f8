/** The sparse and the dense points of a step, as one list. */
import type { FusedPoints } from "../dense/fuse.ts";
import type { Points } from "../engine.ts";
import type { View } from "../mapper/view.ts";

export function withDense(sparse: Points, dense: FusedPoints | undefined, views: readonly View[]): Points {
  if (!dense || dense.source.length === 0) return sparse;
  const few = sparse.positions.length / 3;
  const count = few + dense.source.length;
  const positions = new Float32Array(3 * count);
  positions.set(sparse.positions);
  positions.set(dense.positions, 3 * few);
  const colors = new Uint8Array(3 * count);
  colors.set(sparse.colors);
  colors.set(dense.colors, 3 * few);
  const confidences = new Uint8Array(count).fill(255);
  if (sparse.confidences) confidences.set(sparse.confidences);
  confidences.set(dense.confidences, few);
  const images = [...(sparse.source?.images ?? [])];
  const indexOf = new Map(images.map((image, index) => [image, index]));
  const numberOf = views.map(({ photo: { image } }) => {
    let index = indexOf.get(image);
    if (index === undefined) {
      index = images.push(image) - 1;
      indexOf.set(image, index);
    }
    return index;
  });
  const of = new Uint32Array(count);
  if (sparse.source) of.set(sparse.source.of);
  for (let i = 0; i < dense.source.length; i++) of[few + i] = numberOf[dense.source[i]];
  return { positions, colors, confidences, source: { images, of } };
}
