/**
 * The threads that find normals: a few for all files that are written at once, in the whole process, since many spaces
 * may write many each. They start with the first file and end with the last.
 */
import { availableParallelism } from "node:os";
import { type Pool, workers } from "@cairn/worker";
import type { NormalsJobs } from "./normals-jobs.ts";

/** Half of the processors are for those who look and for photos. */
export const NORMALS_THREADS = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)));
/** Its data are typed arrays, which lie elsewhere. */
const YOUNG_MIB = 16;

let shared: { readonly pool: Pool<NormalsJobs>; users: number } | undefined;

/** Whoever is done calls `leave`, once. */
export function joinNormalsThreads(): { pool: Pool<NormalsJobs>; leave: () => Promise<void> } {
  const file = new URL("./normals.worker.js", import.meta.url);
  const mine = shared ?? { pool: workers<NormalsJobs>(file, NORMALS_THREADS, YOUNG_MIB), users: 0 };
  shared = mine;
  mine.users++;
  const leave = async () => {
    if (--mine.users > 0) return;
    if (shared === mine) shared = undefined; // who comes now finds none that is closing
    await mine.pool.close();
  };
  return { pool: mine.pool, leave };
}
