/** Coloured points for tests of layers: the same for the same seed. */
import type { CloudPoints } from "@cairn/cloud";

/** Numbers in 0…1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Of each insertion of a process that is killed. */
export const CHUNK_POINTS = 1000;

/** A wavy sheet of 10 × 10, from `x0` to `x1`, seen in random places. */
export function sheet(n: number, seed: number, x0 = 0, x1 = 10): CloudPoints {
  const random = randomFrom(seed);
  const positions = new Float32Array(n * 3);
  const colors = new Uint8Array(n * 3);
  for (let i = 0; i < n; i++) {
    const [x, y] = [x0 + (x1 - x0) * random(), 10 * random()];
    positions.set([x, y, Math.sin(x) + Math.cos(y)], 3 * i);
    colors.set([25 * x, 25 * y, 128], 3 * i);
  }
  return { positions, colors, photos: seed };
}
