/** Huffman codes as RFC 1951 wants them: lengths with a limit, codes that follow from the lengths. */

const MAX_SYMBOLS = 288;
const sorted = new Uint32Array(MAX_SYMBOLS);
const weights = new Uint32Array(MAX_SYMBOLS);
const perLength = new Uint32Array(64);

/**
 * Lengths of the shortest codes with none over `limit` bits (nearly: over-long ones are shortened as zlib does).
 * @param counts how often each symbol comes, below 2^22; at least two come at all
 * @param lengths out, 0 for a symbol that never comes
 */
export function codeLengths(counts: Uint32Array, symbols: number, limit: number, lengths: Uint8Array): void {
  let used = 0;
  for (let symbol = 0; symbol < symbols; symbol++) {
    lengths[symbol] = 0;
    if (counts[symbol]) sorted[used++] = counts[symbol]! * 512 + symbol;
  }
  sortAscending(sorted, used);
  for (let i = 0; i < used; i++) weights[i] = sorted[i]! >>> 9;
  weightsToLengths(weights, used);

  perLength.fill(0);
  for (let i = 0; i < used; i++) perLength[Math.min(limit, weights[i]!)]!++;
  let room = 2 ** limit;
  for (let length = 1; length <= limit; length++) room -= perLength[length]! * 2 ** (limit - length);
  for (; room < 0; room++) {
    // Too many codes of the longest kind: one leaves, and shares the place of a shorter one.
    perLength[limit]!--;
    let length = limit - 1;
    while (perLength[length] === 0) length--;
    perLength[length]!--;
    perLength[length + 1]! += 2;
  }
  for (let length = limit, i = 0; length > 0; length--)
    for (let n = perLength[length]!; n > 0; n--) lengths[sorted[i++]! & 511] = length;
}

/** @param codes out, each with its first bit lowest, as deflate writes them */
export function codesOf(lengths: Uint8Array, symbols: number, codes: Uint16Array): void {
  perLength.fill(0);
  for (let symbol = 0; symbol < symbols; symbol++) perLength[lengths[symbol]!]!++;
  for (let length = 1, code = 0, next = 0; length <= 15; length++, code = next << 1) {
    next = code + perLength[length]!;
    perLength[length] = code;
  }
  for (let symbol = 0; symbol < symbols; symbol++) {
    const length = lengths[symbol]!;
    if (length) codes[symbol] = reversed(perLength[length]!++, length);
  }
}

function reversed(code: number, length: number): number {
  let out = 0;
  for (let left = length, rest = code; left > 0; left--, rest >>= 1) out = (out << 1) | (rest & 1);
  return out;
}

function sortAscending(values: Uint32Array, count: number): void {
  if (count > 40) {
    values.subarray(0, count).sort();
    return;
  }
  for (let i = 1; i < count; i++) {
    const value = values[i]!;
    let at = i;
    for (; at > 0 && values[at - 1]! > value; at--) values[at] = values[at - 1]!;
    values[at] = value;
  }
}

/** Ascending weights to code lengths, in place. Moffat & Katajainen, In-Place Calculation of Minimum-Redundancy Codes. */
function weightsToLengths(a: Uint32Array, n: number): void {
  a[0]! += a[1]!;
  let root = 0;
  let leaf = 2;
  for (let next = 1; next < n - 1; next++) {
    for (let half = 0; half < 2; half++) {
      const before = half ? a[next]! : 0;
      if (leaf >= n || (root < next && a[root]! < a[leaf]!)) {
        a[next] = before + a[root]!;
        a[root++] = next;
      } else {
        a[next] = before + a[leaf++]!;
      }
    }
  }
  a[n - 2] = 0;
  for (let next = n - 3; next >= 0; next--) a[next] = a[a[next]!]! + 1;
  let free = 1;
  let inner = 0;
  root = n - 2;
  for (let depth = 0, next = n - 1; free > 0; depth++) {
    while (root >= 0 && a[root] === depth) {
      inner++;
      root--;
    }
    while (free > inner) {
      a[next--] = depth;
      free--;
    }
    free = 2 * inner;
    inner = 0;
  }
}
