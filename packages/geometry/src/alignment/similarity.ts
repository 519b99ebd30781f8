/** Similarities x' = scale · R x + t: what two reconstructions of one scene differ by. */
import { rotationOfPose } from "../rotation/pose.ts";
import { quaternionFromRotation, rotationFromQuaternion } from "../rotation/quaternion.ts";

export type Similarity3 = {
  scale: number;
  /** `[9]` row-major */
  rotation: Float64Array;
  /** `[3]` */
  translation: Float64Array;
};

/** Moves `[n, 3]` points; `out` may be the input. */
export function transformPoints(
  similarity: Similarity3,
  points: Float64Array,
  out: Float64Array = new Float64Array(points.length),
): Float64Array {
  const { scale, rotation: r, translation: t } = similarity;
  for (let i = 0; i < points.length; i += 3) {
    const x = points[i];
    const y = points[i + 1];
    const z = points[i + 2];
    out[i] = scale * (r[0] * x + r[1] * y + r[2] * z) + t[0];
    out[i + 1] = scale * (r[3] * x + r[4] * y + r[5] * z) + t[1];
    out[i + 2] = scale * (r[6] * x + r[7] * y + r[8] * z) + t[2];
  }
  return out;
}

/**
 * Moves a camera: given cameraFromOld and newFromOld, writes cameraFromNew. The camera's own unit of length becomes
 * the new one, so that [R|t] stays rigid. `out` may be the input.
 */
export function transformPose(
  newFromOld: Similarity3,
  poses: Float64Array,
  at: number,
  out: Float64Array,
  outAt: number,
): void {
  const { scale, rotation: r, translation: t } = newFromOld;
  const old = rotationOfPose(poses, at);
  const shift = [poses[at + 3], poses[at + 7], poses[at + 11]];
  for (let i = 0; i < 3; i++) {
    // R' = R_camera Rᵀ, t' = scale · t_camera − R' t
    let moved = scale * shift[i];
    for (let j = 0; j < 3; j++) {
      const value = old[i * 3] * r[j * 3] + old[i * 3 + 1] * r[j * 3 + 1] + old[i * 3 + 2] * r[j * 3 + 2];
      out[outAt + i * 4 + j] = value;
      moved -= value * t[j];
    }
    out[outAt + i * 4 + 3] = moved;
  }
}

/** The similarity that undoes this one. */
export function invertSimilarity(similarity: Similarity3): Similarity3 {
  const { scale, rotation: r, translation: t } = similarity;
  const rotation = Float64Array.of(r[0], r[3], r[6], r[1], r[4], r[7], r[2], r[5], r[8]);
  const translation = new Float64Array(3);
  for (let i = 0; i < 3; i++) {
    translation[i] = -(rotation[i * 3] * t[0] + rotation[i * 3 + 1] * t[1] + rotation[i * 3 + 2] * t[2]) / scale;
  }
  return { scale: 1 / scale, rotation, translation };
}

/** A similarity as events carry it: its turn as a quaternion `w, x, y, z`, which need not have unit length. */
export type QuaternionSimilarity = {
  readonly scale: number;
  readonly rotation: readonly [number, number, number, number];
  readonly translation: readonly [number, number, number];
};

export function similarityFromQuaternion({ scale, rotation, translation }: QuaternionSimilarity): Similarity3 {
  return { scale, rotation: rotationFromQuaternion(rotation), translation: Float64Array.from(translation) };
}

export function quaternionOfSimilarity({ scale, rotation, translation }: Similarity3): {
  scale: number;
  rotation: [number, number, number, number];
  translation: [number, number, number];
} {
  const [w, x, y, z] = quaternionFromRotation(rotation);
  const [tx, ty, tz] = translation;
  return { scale, rotation: [w, x, y, z], translation: [tx, ty, tz] };
}

/** `cFromA = composeSimilarities(cFromB, bFromA)`. */
export function composeSimilarities(cFromB: Similarity3, bFromA: Similarity3): Similarity3 {
  const [a, b] = [cFromB.rotation, bFromA.rotation];
  const rotation = new Float64Array(9);
  for (let i = 0; i < 9; i += 3) {
    for (let j = 0; j < 3; j++) rotation[i + j] = a[i] * b[j] + a[i + 1] * b[3 + j] + a[i + 2] * b[6 + j];
  }
  return {
    scale: cFromB.scale * bFromA.scale,
    rotation,
    translation: transformPoints(cFromB, bFromA.translation),
  };
}

/** 4×4, column-major, as graphics and 3D Tiles take it. */
export function matrixOfSimilarity({ scale, rotation: r, translation: t }: Similarity3): Float64Array {
  // biome-ignore format: a matrix, one column a line
  return Float64Array.of(
    scale * r[0], scale * r[3], scale * r[6], 0,
    scale * r[1], scale * r[4], scale * r[7], 0,
    scale * r[2], scale * r[5], scale * r[8], 0,
    t[0], t[1], t[2], 1,
  );
}
