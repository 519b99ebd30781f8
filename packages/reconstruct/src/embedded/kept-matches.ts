/** Matches of two photos, found once: kept under what both photos are, so that a restart does not seek them again. */
import type { EngineCache } from "../engine.ts";
import { FEATURES_VERSION } from "../features/features.ts";
import type { FrontEnd } from "../features/front-end.ts";
import type { Descriptors } from "../features/matcher.ts";
import type { View } from "../mapper/view.ts";

/** Changes whenever the same features would give other matches. */
const MATCHES_VERSION = 3;

type Match = Pick<FrontEnd, "matchMany">;

/** What matching reads of a view. */
export type Reader = {
  /** Names what it reads besides the features: with other words, other features are compared. */
  readonly wordsName: string;
  descriptorsOf(view: number): Descriptors;
};

/** `[m, 2]` for each of the others: index in the view, index in the other. */
export async function matchKept(
  kernels: Match,
  cache: EngineCache | undefined,
  view: View,
  others: readonly View[],
  reader: Reader,
): Promise<Uint32Array[]> {
  const own = reader.descriptorsOf(view.index);
  const keys = others.map((other) => keyOf(view, other, reader.wordsName));
  const found = await Promise.all(
    keys.map(async (key, k) => decoded(await cache?.get(key), view.features.count, others[k].features.count)),
  );
  const missing = others.flatMap((_, k) => (found[k] ? [] : [k]));
  const theirs = missing.map((k) => reader.descriptorsOf(others[k].index));
  const fresh = theirs.length > 0 ? await kernels.matchMany(own, theirs) : [];
  for (const [at, k] of missing.entries()) {
    found[k] = fresh[at];
    await cache?.put(keys[k], encoded(fresh[at]));
  }
  return found.map((pairs) => pairs!);
}

/** The search is not the same both ways where two are equally good, so the order counts. */
function keyOf(view: View, other: View, words: string): string {
  return `matches-${MATCHES_VERSION}-${FEATURES_VERSION}-${words}-${photoKey(view)}-${photoKey(other)}`;
}

function photoKey({ photo: { digest, widthPx, heightPx } }: View): string {
  return `${widthPx}x${heightPx}-${digest}`;
}

/** Little-endian, 16 bits an index where that is enough: it is, as long as no photo has 65,536 features. */
function encoded(pairs: Uint32Array): Uint8Array {
  const small = pairs.every((index) => index < 2 ** 16);
  const values = small ? Uint16Array.from(pairs) : pairs;
  const bytes = new Uint8Array(4 + values.byteLength);
  bytes[0] = small ? 2 : 4;
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 4);
  return bytes;
}

/** `undefined` where the bytes are no matches of photos with so many features. */
function decoded(bytes: Uint8Array | undefined, count: number, otherCount: number): Uint32Array | undefined {
  if (!bytes || bytes.byteLength < 4) return undefined;
  const body = bytes.slice(4);
  const width = bytes[0];
  if ((width !== 2 && width !== 4) || body.byteLength % (2 * width) !== 0) return undefined;
  const pairs = width === 2 ? Uint32Array.from(new Uint16Array(body.buffer)) : new Uint32Array(body.buffer);
  const fits = pairs.every((index, k) => index < (k % 2 === 0 ? count : otherCount));
  return fits ? pairs : undefined;
}
