/**
 * Normals of points that photos made, found as they are written: the points themselves and where the photos were taken
 * say them, so no byte of them is stored or sent to those who only look.
 */
import type { PointRun } from "@cairn/formats";
import type { Vec3 } from "@cairn/protocol";
import { workers } from "@cairn/worker";
import type { NormalsJobs } from "./normals-jobs.ts";

/** Its data are typed arrays, which lie elsewhere. */
const YOUNG_MIB = 16;

/** The same runs, with normals where a run has none and photos saw it; in a thread of its own, which ends with them. */
export async function* withNormals(
  runs: AsyncIterable<PointRun>,
  cameras: readonly (readonly [number, Vec3])[],
  signal: AbortSignal | undefined,
): AsyncGenerator<PointRun> {
  if (cameras.length === 0) {
    yield* runs;
    return;
  }
  const pool = workers<NormalsJobs>(new URL("./normals.worker.js", import.meta.url), 1, YOUNG_MIB);
  const within = signal ? { signal } : {};
  try {
    await pool.run("begin", { cameras }, within);
    for await (const run of runs) {
      const { count, positions, photos } = run;
      if (run.normals || photos === 0) yield run;
      else yield { ...run, normals: await pool.run("find", { count, positions, photos }, within) };
    }
  } finally {
    await pool.close();
  }
}
