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
  const centres = new Map(cameras);
  const { pool, leave } = joinNormalsThreads();
  const within = signal ? { signal } : {};
  try {
    for await (const run of runs) {
      const { count, positions, photos } = run;
      if (run.normals || photos === 0) yield run;
      else {
        const job = { count, positions, photos, cameras: camerasOf(photos, centres) };
        yield { ...run, normals: await pool.run("find", job, within) };
      }
    }
  } finally {
    await leave();
  }
}

/** `[m, 4]` those of a run's photos that have a place: of ten thousand a run names a few. */
function camerasOf(photos: PointRun["photos"], centres: ReadonlyMap<number, Vec3>): Float64Array {
  const named = [...new Set(typeof photos === "number" ? [photos] : photos)];
  return Float64Array.from(
    named.flatMap((photo) => {
      const centre = centres.get(photo);
      return centre ? [photo, ...centre] : [];
    }),
  );
}
