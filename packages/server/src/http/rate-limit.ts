/** GEN-25: a token bucket for each address; 500 requests a second, 2000 at once. */
type RateLimit = {
  /** Takes one; false when there is none. */
  take(address: string): boolean;
};

/** Addresses remembered; the one seen longest ago goes first, and starts with a full bucket when it comes back. */
const MAX_ADDRESSES = 10_000;

export function rateLimit(perSecond = 500, burst = 2000, nowMs: () => number = () => performance.now()): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  return {
    take(address) {
      const atMs = nowMs();
      const bucket = buckets.get(address);
      const tokens = bucket ? Math.min(burst, bucket.tokens + ((atMs - bucket.atMs) / 1000) * perSecond) : burst;
      // Re-inserting keeps the map in order of last use.
      buckets.delete(address);
      buckets.set(address, { tokens: Math.max(0, tokens >= 1 ? tokens - 1 : tokens), atMs });
      if (buckets.size > MAX_ADDRESSES)
        for (const oldest of buckets.keys()) {
          buckets.delete(oldest);
          break;
        }
      return tokens >= 1;
    },
  };
}
