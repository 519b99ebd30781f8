/** For tests: a data directory with a space `place` that has layers, written the way the server writes them. */
import { rmSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CloudPoints } from "@cairn/cloud";
import { type Core, openCore, type Space } from "@cairn/core";

/** Removed with the process: a test's hooks run in the order in which they were set, and its servers come after this. */
const made: string[] = [];
process.once("exit", () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** Each `change` opens the directory, and lets go of it before it returns. */
export async function layerSpace() {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-tiles-"));
  made.push(dataDir);
  return {
    dataDir,
    async change<T>(use: (core: Core, space: Space) => Promise<T>): Promise<T> {
      const core = await openCore({ dataDir });
      try {
        const known = (await core.spaces.list()).some(({ id }) => id === "place");
        return await use(core, known ? await core.spaces.open("place") : await core.spaces.create({ id: "place" }));
      } finally {
        await core.close();
      }
    },
  };
}

export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Points on a wavy floor of this edge around a centre, with colours that follow the place. */
export function floor(count: number, edge: number, centre: readonly [number, number, number], seed = 1): CloudPoints {
  const random = randomOf(seed);
  const positions = new Float64Array(count * 3);
  const colors = new Uint8Array(count * 3);
  for (let i = 0; i < count; i++) {
    const [u, v] = [random(), random()];
    const height = 0.05 * Math.sin(9 * u) * Math.cos(7 * v);
    positions.set([centre[0] + (u - 0.5) * edge, centre[1] + (v - 0.5) * edge, centre[2] + height * edge], 3 * i);
    colors.set([255 * u, 255 * v, 128], 3 * i);
  }
  return { positions, colors, photos: 0 };
}
