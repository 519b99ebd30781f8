/** Which matches lie in front of both cameras of a relative pose: what tells its four mirror images apart. */

export type Front = {
  /** `[12]` secondFromFirst. */
  pose: Float64Array;
  /** Share of the matches in front of both cameras. */
  inFront: number;
  /** Median angle between the two rays of those, radians; 0 when there are none. */
  medianAngle: number;
};

/** Depth and angle of the match looked at last; one object, so that a loop allocates nothing. */
export type Sight = {
  /** z in the first camera, in the unit of t. */
  depth: number;
  /** Angle between the two rays, radians. */
  angle: number;
};

/** @returns whether the match lies in front of both cameras; only then is `out` written */
export function sight(pose: Float64Array, x: number, y: number, u: number, v: number, out: Sight): boolean {
  // a = R · (x, y, 1), b = (u, v, 1): depth₁ a + t = depth₂ b, least squares.
  const a0 = pose[0] * x + pose[1] * y + pose[2];
  const a1 = pose[4] * x + pose[5] * y + pose[6];
  const a2 = pose[8] * x + pose[9] * y + pose[10];
  const aa = a0 * a0 + a1 * a1 + a2 * a2;
  const bb = u * u + v * v + 1;
  const ab = a0 * u + a1 * v + a2;
  const at = a0 * pose[3] + a1 * pose[7] + a2 * pose[11];
  const bt = u * pose[3] + v * pose[7] + pose[11];
  const parallel = aa * bb - ab * ab; // |a|² |b|² sin²: its sign is sure, its zero is a ray to infinity
  if (!(parallel > 0) || ab * bt - at * bb <= 0 || aa * bt - ab * at <= 0) return false;
  out.depth = (ab * bt - at * bb) / parallel;
  out.angle = Math.atan2(Math.sqrt(parallel), ab);
  return true;
}

/** @param matches indices, the first `count` of them are judged */
export function judgeFront(
  first: Float64Array,
  second: Float64Array,
  pose: Float64Array,
  matches: Int32Array,
  count: number,
): Front {
  const angles = new Float64Array(count);
  const seen: Sight = { depth: 0, angle: 0 };
  let inFront = 0;
  for (let k = 0; k < count; k++) {
    const i = matches[k] * 2;
    if (sight(pose, first[i], first[i + 1], second[i], second[i + 1], seen)) angles[inFront++] = seen.angle;
  }
  const sorted = angles.subarray(0, inFront).sort();
  return { pose, inFront: count > 0 ? inFront / count : 0, medianAngle: inFront > 0 ? sorted[inFront >> 1] : 0 };
}
