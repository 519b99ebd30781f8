/** Raw inflate with the platform's own `DecompressionStream`, in browsers and in Node, with an end to what comes out. */

/** @returns exactly `sizeBytes`, or `undefined` when there are fewer, more, or the bytes are no deflate stream */
export async function inflateExactly(bytes: Uint8Array, sizeBytes: number): Promise<Uint8Array | undefined> {
  const reader = new Blob([bytes.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      pieces.push(next.value);
      length += next.value.length;
      if (length > sizeBytes) {
        await reader.cancel();
        return undefined;
      }
    }
  } catch {
    return undefined;
  }
  if (length !== sizeBytes) return undefined;
  const out = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
