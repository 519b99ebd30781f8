/**
 * Normals of points that photos made, found as they are written: the points themselves and where the photos were taken
 * say them, so no byte of them is stored or sent to those who only look.
 */
import type { PointRun } from "@cairn/formats";
import type { Vec3 } from "@cairn/protocol";
import { joinNormalsThreads } from "./normals-threads.ts";

/** The same runs, with normals where a run has none and photos saw it; found in threads that all files share. */
export async function* withNormals(
  runs: AsyncIterable<PointRun>,
  cameras: readonly (readonly [number, Vec3])[],
  signal: AbortSignal | undefined,
): AsyncGenerator<PointRun> {
  if (cameras.length === 0) {
    yield* runs;
    return;
  }
  const places = Float64Array.from(cameras.flatMap(([photo, centre]) => [photo, ...centre]));
  const { pool, leave } = joinNormalsThreads();
  const within = signal ? { signal } : {};
  try {
    for await (const run of runs) {
      const { count, positions, photos } = run;
      if (run.normals || photos === 0) yield run;
      else yield { ...run, normals: await pool.run("find", { count, positions, photos, cameras: places }, within) };
    }
  } finally {
    await leave();
  }
}
