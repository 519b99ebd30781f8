/** Morton order: coordinates interleaved to one key of up to 48 bits. */

/** 12 bits of a key → x, y and z in 4 bits each, at bit 0, 8 and 16. */
export const GATHER = new Uint32Array(4096);
for (let i = 0; i < 4096; i++)
  for (let b = 0; b < 12; b++) GATHER[i]! |= ((i >> b) & 1) << (((b / 3) | 0) + 8 * (b % 3));
