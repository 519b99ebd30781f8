/**
 * Nearest neighbours among descriptors of 128 small whole numbers, by dot product, in WebAssembly SIMD. Exact: the
 * sums are 32-bit integers. The caller owns the memory; pointers are byte offsets above `heapBase()`.
 */

/** The first byte that the caller may use. */
export function heapBase(): usize {
  return __heap_base;
}

/** Widens `count` descriptors from bytes to 16 bits. `from` may lie at the end of the space of `to`. */
export function widen(from: usize, to: usize, count: i32): void {
  for (let i: usize = 0; i < (<usize>count) << 7; i += 16) {
    const bytes = v128.load(from + i);
    v128.store(to + (i << 1), i16x8.extend_low_i8x16_u(bytes));
    v128.store(to + (i << 1), i16x8.extend_high_i8x16_u(bytes), 16);
  }
}

/** As `widen`, for the descriptors listed: `list` is `[count]` i32. */
export function widenListed(from: usize, list: usize, count: i32, to: usize): void {
  for (let i: usize = 0; i < <usize>count; i++)
    widen(from + ((<usize>load<i32>(list + (i << 2))) << 7), to + (i << 8), 1);
}

/**
 * For each row of `a` the best and second best of `b`, for each row of `b` the best of `a`. Among equals the first wins.
 *
 * @param a `[countA, 128]` i16, room for a multiple of four rows (what is in the extra ones does not matter)
 * @param b `[countB, 128]` i16
 * @param forward `[countA, 3]` i32 out, room for a multiple of four rows: index in `b`, its dot product, the second
 *   best dot product; -1 where there is none
 * @param backward `[countB, 2]` i32 out: index in `a`, its dot product
 */
export function match(a: usize, countA: i32, b: usize, countB: i32, forward: usize, backward: usize): void {
  for (let j = 0; j < countB; j++) store<i64>(backward + ((<usize>j) << 3), -1);
  for (let i = 0; i < countA; i += 4) {
    matchFour(a + ((<usize>i) << 8), i, min(4, countA - i), b, countB, forward + <usize>i * 12, backward);
  }
}

/**
 * As `match`, but a row of `a` only meets those of `b` that are listed for it: `matchListed` of each group of rows with
 * one list adds up to the whole. Set `backward` to -1 before the first.
 *
 * @param a the group's rows, `[count, 128]` i16, room for a multiple of four
 * @param first index of the group's first row, as it is to be written to `backward`
 * @param list `[length]` i32 indices of rows of `b`, none twice
 * @param forward the group's part: `[count, 3]` i32 out, room for a multiple of four
 */
export function matchListed(
  a: usize,
  first: i32,
  count: i32,
  b: usize,
  list: usize,
  length: i32,
  forward: usize,
  backward: usize,
): void {
  for (let i = 0; i < count; i += 4) {
    const rows = a + ((<usize>i) << 8);
    const real = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count - i));
    let best = i32x4.splat(-1);
    let second = i32x4.splat(-1);
    let index = i32x4.splat(-1);
    for (let k = 0; k < length; k++) {
      const j = load<i32>(list + ((<usize>k) << 2));
      const dots = v128.bitselect(dotFour(rows, b + ((<usize>j) << 8)), i32x4.splat(-1), real);
      const better = i32x4.gt_s(dots, best);
      second = i32x4.max_s(second, i32x4.min_s(dots, best));
      index = v128.bitselect(i32x4.splat(j), index, better);
      best = i32x4.max_s(best, dots);
      keepColumn(backward + ((<usize>j) << 3), dots, first + i);
    }
    storeRows(forward + <usize>i * 12, index, best, second);
  }
}

/**
 * For each row the centres nearest to it, nearest first; among equals the first.
 *
 * @param a `[count, 128]` i16, room for a multiple of four
 * @param centres `[size, 128]` i16
 * @param most how many are wanted, at most 16 and `size`
 * @param out `[count, most]` bytes
 */
export function nearest(a: usize, count: i32, centres: usize, size: i32, most: i32, out: usize): void {
  for (let i = 0; i < count; i += 4) {
    const rows = a + ((<usize>i) << 8);
    const lanes = min(4, count - i);
    const kept = memory.data(4 * 16 * 8);
    for (let at: usize = 0; at < 512; at += 8) store<i64>(kept + at, -1);
    for (let j = 0; j < size; j++) {
      const dots = dotFour(rows, centres + ((<usize>j) << 8));
      insert(kept, most, j, i32x4.extract_lane(dots, 0));
      insert(kept + 128, most, j, i32x4.extract_lane(dots, 1));
      insert(kept + 256, most, j, i32x4.extract_lane(dots, 2));
      insert(kept + 384, most, j, i32x4.extract_lane(dots, 3));
    }
    for (let lane = 0; lane < lanes; lane++) {
      const row = out + <usize>((i + lane) * most);
      for (let k = 0; k < most; k++) store<u8>(row + <usize>k, <u8>load<i32>(kept + <usize>(lane * 128 + k * 8)));
    }
  }
}

/** Keeps the `most` largest of what comes by, `[16]` of index and product. */
function insert(kept: usize, most: i32, index: i32, dot: i32): void {
  let at = kept + <usize>(most << 3);
  if (dot <= load<i32>(at - 8, 4)) return;
  at -= 8;
  for (; at > kept && dot > load<i32>(at - 8, 4); at -= 8) store<i64>(at, load<i64>(at - 8));
  store<i32>(at, index);
  store<i32>(at, dot, 4);
}

/** Four rows of `a` against all of `b`: each row of `b` is loaded once for four products. */
function matchFour(a: usize, first: i32, count: i32, b: usize, countB: i32, forward: usize, backward: usize): void {
  let best = i32x4.splat(-1);
  let second = i32x4.splat(-1);
  let index = i32x4.splat(-1);
  const real = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
  for (let j = 0; j < countB; j++) {
    const dots = v128.bitselect(dotFour(a, b + ((<usize>j) << 8)), i32x4.splat(-1), real);
    const better = i32x4.gt_s(dots, best);
    second = i32x4.max_s(second, i32x4.min_s(dots, best));
    index = v128.bitselect(i32x4.splat(j), index, better);
    best = i32x4.max_s(best, dots);
    keepColumn(backward + ((<usize>j) << 3), dots, first);
  }
  storeRows(forward, index, best, second);
}

function storeRows(forward: usize, index: v128, best: v128, second: v128): void {
  storeRow(forward, i32x4.extract_lane(index, 0), i32x4.extract_lane(best, 0), i32x4.extract_lane(second, 0));
  storeRow(forward + 12, i32x4.extract_lane(index, 1), i32x4.extract_lane(best, 1), i32x4.extract_lane(second, 1));
  storeRow(forward + 24, i32x4.extract_lane(index, 2), i32x4.extract_lane(best, 2), i32x4.extract_lane(second, 2));
  storeRow(forward + 36, i32x4.extract_lane(index, 3), i32x4.extract_lane(best, 3), i32x4.extract_lane(second, 3));
}

function storeRow(row: usize, index: i32, best: i32, second: i32): void {
  store<i32>(row, index);
  store<i32>(row, best, 4);
  store<i32>(row, second, 8);
}

/** Remembers the best of four for a row of `b`. */
function keepColumn(column: usize, dots: v128, first: i32): void {
  const known = load<i32>(column, 4);
  if (!v128.any_true(i32x4.gt_s(dots, i32x4.splat(known)))) return;
  const pairs = i32x4.max_s(dots, i32x4.shuffle(dots, dots, 2, 3, 0, 1));
  const top = i32x4.max_s(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2));
  store<i32>(column, first + ctz(i32x4.bitmask(i32x4.eq(dots, top))));
  store<i32>(column, i32x4.extract_lane(top, 0), 4);
}

/** Dot products of four rows with one. */
function dotFour(a: usize, b: usize): v128 {
  let s0 = i32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let k: usize = 0; k < 256; k += 32) {
    const low = v128.load(b + k);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(a + k), low));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(a + k, 256), low));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(v128.load(a + k, 512), low));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(v128.load(a + k, 768), low));
    const high = v128.load(b + k, 16);
    s0 = i32x4.add(s0, i32x4.dot_i16x8_s(v128.load(a + k, 16), high));
    s1 = i32x4.add(s1, i32x4.dot_i16x8_s(v128.load(a + k, 272), high));
    s2 = i32x4.add(s2, i32x4.dot_i16x8_s(v128.load(a + k, 528), high));
    s3 = i32x4.add(s3, i32x4.dot_i16x8_s(v128.load(a + k, 784), high));
  }
  // Sums across lanes by two transposing adds.
  const s01 = i32x4.add(i32x4.shuffle(s0, s1, 0, 4, 2, 6), i32x4.shuffle(s0, s1, 1, 5, 3, 7));
  const s23 = i32x4.add(i32x4.shuffle(s2, s3, 0, 4, 2, 6), i32x4.shuffle(s2, s3, 1, 5, 3, 7));
  return i32x4.add(i32x4.shuffle(s01, s23, 0, 1, 4, 5), i32x4.shuffle(s01, s23, 2, 3, 6, 7));
}
