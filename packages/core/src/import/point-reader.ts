/** Reads a file of points in a thread of its own, one run ahead of whoever takes them. */
import type { CloudPoints } from "@cairn/cloud";
import type { PointRun } from "@cairn/formats";
import { CairnError } from "@cairn/protocol";
import { type Pool, workers } from "@cairn/worker";
import type { FileFacts, ReadJobs } from "./read-jobs.ts";
import type { Survey } from "./survey.ts";

/** A run that takes longer is no honest file's. */
const DEADLINE_MS = 60_000;
/** A run is typed arrays, which lie elsewhere. */
const YOUNG_MIB = 8;

export type PointReader = {
  readonly facts: FileFacts;
  /** Goes through all of the file, once: yields how many points it has seen, returns what. */
  survey(): AsyncGenerator<number, Survey>;
  /** In the order of the file; once. @throws {CairnError} `import.invalid` */
  chunks(): AsyncGenerator<CloudPoints>;
  close(): Promise<void>;
};

/** @throws {CairnError} `import.invalid` */
export async function openPointReader(path: string): Promise<PointReader> {
  const pool = workers<ReadJobs>(new URL("./read.worker.js", import.meta.url), 1, YOUNG_MIB);
  try {
    const facts = await pool.run("open", { path }, { signal: AbortSignal.timeout(DEADLINE_MS) });
    return {
      facts,
      survey: () => lookThrough(pool, facts),
      chunks: () => readAhead(pool, facts),
      close: () => pool.close(),
    };
  } catch (error) {
    await pool.close();
    throw asInvalid(error, "unknown");
  }
}

async function* lookThrough(pool: Pool<ReadJobs>, { format }: FileFacts): AsyncGenerator<number, Survey> {
  try {
    for (;;) {
      const { points, survey } = await pool.run("look", {}, { signal: AbortSignal.timeout(DEADLINE_MS) });
      if (survey) return survey;
      yield points;
    }
  } catch (error) {
    throw asInvalid(error, format);
  }
}

async function* readAhead(pool: Pool<ReadJobs>, { format }: FileFacts): AsyncGenerator<CloudPoints> {
  const ask = () => {
    const next = pool.run("next", {}, { signal: AbortSignal.timeout(DEADLINE_MS) });
    next.catch(() => undefined); // told when its turn comes
    return next;
  };
  try {
    for (let coming = ask(); ; ) {
      const run = await coming;
      if (!run) return;
      coming = ask();
      yield cloudPoints(run);
    }
  } catch (error) {
    throw asInvalid(error, format);
  }
}

function cloudPoints({ positions, colors, photos, confidences, normals }: PointRun): CloudPoints {
  return { positions, colors, photos, ...(confidences && { confidences }), ...(normals && { normals }) };
}

/** A reader that crashed, ran out of its memory or hung did so by what is in the file. */
function asInvalid(error: unknown, format: string): CairnError {
  if (error instanceof CairnError && error.code !== "engine.failed") return error;
  const slow = error instanceof Error && error.name === "TimeoutError";
  const problem = slow ? "takes too long to read" : "cannot be read: damaged?";
  return new CairnError("import.invalid", { format, problem }, error);
}
