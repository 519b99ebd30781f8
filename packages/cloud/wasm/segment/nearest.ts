/**
 * Which of the last four points is the nearest, of equally near ones the first: in Morton order the last is often not.
 * @param far how far each is, below 2^29
 */
export function nearestOf(far: v128): u32 {
  // With its place below, so that the first of equal ones is the least.
  far = v128.or(i32x4.shl(far, 2), i32x4(0, 1, 2, 3));
  far = i32x4.min_s(far, v128.shuffle<i32>(far, far, 2, 3, 0, 1));
  far = i32x4.min_s(far, v128.shuffle<i32>(far, far, 1, 0, 3, 2));
  return i32x4.extract_lane(far, 0) & 3;
}
