/** What the RANSAC loops share: how long to go on, and in which order to score. */
import type { Random } from "./random.ts";

/** Samples needed to draw one of inliers alone with this confidence (Fischler & Bolles 1981), at least 10. */
export function neededIterations(inlierShare: number, sampleSize: number, confidence: number): number {
  const good = inlierShare ** sampleSize;
  if (good >= 1) return 10;
  return Math.max(10, Math.ceil(Math.log(1 - confidence) / Math.log1p(-good)));
}

/** 0…n − 1 shuffled (Fisher–Yates): a score that gives up early must see a fair sample first. */
export function shuffledIndices(random: Random, n: number): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  return order;
}
