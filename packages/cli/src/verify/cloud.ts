/** A hilly terrain as PLY: points for a server to deliver, the same for the same seed. */
import { writePly } from "@cairn/formats";

/** @param count points @param seed another seed, another terrain beside the first */
export function terrainPly(count: number, seed: number): Uint8Array {
  const positions = new Float64Array(count * 3);
  const colors = new Uint8Array(count * 3);
  let state = (seed * 7919 + 17) >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < count; i++) {
    const x = random() * 20;
    const y = random() * 20 + seed * 20;
    const z = Math.sin(x * 0.9) * Math.cos(y * 0.7) + 0.2 * Math.sin(x * 5 + y * 4);
    positions.set([x, y, z], i * 3);
    colors.set([96 + 50 * z, 120 + 40 * z + random() * 12, 80 + random() * 12], i * 3);
  }
  return Buffer.concat([...writePly(positions, colors)]);
}
