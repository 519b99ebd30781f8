/** Points along a Z-shaped curve: neighbours in the list are neighbours in space, and compress well. */

/** Bits of a coordinate, spread so that two others fit between them. */
function spread(value: number): number {
  value &= 1023;
  value = (value | (value << 16)) & 0x30000ff;
  value = (value | (value << 8)) & 0x300f00f;
  value = (value | (value << 4)) & 0x30c30c3;
  return (value | (value << 2)) & 0x9249249;
}

const SPREAD: Uint32Array = Uint32Array.from({ length: 1024 }, (_, value) => spread(value));

/**
 * Indices in Morton order of the coordinates' upper ten bits; equal ones keep their order. A radix sort in three turns
 * of ten bits: O(n).
 * @param coords `[n, 3]`, `bits` wide
 */
export function mortonOrder(coords: Uint16Array, count: number, bits: number): Uint32Array {
  const shift = Math.max(0, bits - 10);
  const keys = new Uint32Array(count);
  const counts = [new Uint32Array(1024), new Uint32Array(1024), new Uint32Array(1024)] as const;
  for (let i = 0, at = 0; i < count; i++, at += 3) {
    const key =
      SPREAD[coords[at]! >> shift]! |
      (SPREAD[coords[at + 1]! >> shift]! << 1) |
      (SPREAD[coords[at + 2]! >> shift]! << 2);
    keys[i] = key;
    counts[0][key & 1023]!++;
    counts[1][(key >>> 10) & 1023]!++;
    counts[2][(key >>> 20) & 1023]!++;
  }
  for (const places of counts) {
    for (let digit = 0, place = 0; digit < 1024; digit++) {
      const members = places[digit]!;
      places[digit] = place;
      place += members;
    }
  }
  const [low, middle, high] = counts;
  const first = new Uint32Array(count);
  for (let i = 0; i < count; i++) first[low[keys[i]! & 1023]!++] = i;
  const second = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const index = first[i]!;
    second[middle[(keys[index]! >>> 10) & 1023]!++] = index;
  }
  for (let i = 0; i < count; i++) {
    const index = second[i]!;
    first[high[(keys[index]! >>> 20) & 1023]!++] = index;
  }
  return first;
}
