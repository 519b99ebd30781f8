/**
 * Points from elsewhere as a layer of a space: an operation that fills it chunk by chunk, in the same memory whatever the
 * size. Everyone sees it grow. One that is cancelled, fails or is cut off leaves nothing behind. Rules: docs/spec/cloud.md.
 */
import type { CloudPoints } from "@cairn/cloud";
import { CairnError, type Id, type Similarity } from "@cairn/protocol";
import type { Running } from "../operation/operations.ts";
import type { Space } from "../space/spaces.ts";
import type { GridWish } from "./choose-grid.ts";
import type { Layers } from "./layers.ts";
import { pointsIn, regroup } from "./regroup.ts";

/** Points of one insertion: some 400 kB, shown within a moment. */
const CHUNK_POINTS = 100_000;

export type ImportOptions = {
  readonly name: string;
  /** Of any sizes. Their arrays are the importer's: moved and not to be read afterwards. */
  readonly chunks: AsyncIterable<CloudPoints> | Iterable<CloudPoints>;
  /** How many there will be, when the source knows; for progress only. */
  readonly points?: number;
  /** Looks at the points before the first is taken: a better grid than the first chunk's. */
  readonly plan?: (look: Look) => Promise<GridWish>;
  /** Layer frame→model frame. */
  readonly transform?: Similarity;
  readonly signal?: AbortSignal;
  readonly onProgress?: (donePoints: number, points: number | undefined) => void;
};

export type Look = { readonly signal: AbortSignal; readonly progress: (donePoints: number) => void };

export type Import = { readonly operation: Id; readonly ended: Promise<"completed" | "failed" | "cancelled"> };

/**
 * Resolves when the operation `import` is queued. Its result says `layer`, and how many `points` were kept, `merged` into
 * others, and `refused` for having no place, of which `outOfReach` have finite coordinates.
 */
export async function importPoints(space: Space, layers: Layers, options: ImportOptions): Promise<Import> {
  options.signal?.throwIfAborted();
  const { operation, ended } = await space.operations.start("import", (running) =>
    run(space, layers, options, running),
  );
  const cancel = () => void space.operations.cancel(operation).catch(() => undefined);
  options.signal?.addEventListener("abort", cancel, { once: true });
  if (options.signal?.aborted) cancel();
  void ended.then(() => options.signal?.removeEventListener("abort", cancel));
  return { operation, ended };
}

async function run(space: Space, layers: Layers, options: ImportOptions, { operation, signal, progress }: Running) {
  const { name, plan, transform, points: total, onProgress } = options;
  const told = (done: number) => progress("survey", done, Math.max(done, total ?? 0));
  const wish = plan && (await unlessAborted(plan({ signal, progress: told }), signal));
  const writer = layers.start(space, { kind: "import", name, operation, ...wish, ...(transform && { transform }) });
  const { layer } = writer;
  let given = 0;
  let kept = 0;
  try {
    for await (const points of untilAborted(regroup(options.chunks, CHUNK_POINTS), signal)) {
      given += pointsIn(points);
      const drafts = await writer.insert([points], { signal, move: true });
      await space.log.append(drafts);
      for (const { type, data } of drafts) if (type === "segments.added") kept += data.points;
      progress("import", given, Math.max(given, total ?? 0));
      onProgress?.(given, total);
    }
    if (kept === 0) throw new CairnError("import.empty", { points: given });
    await layers.compact(space, layer, { signal, onProgress: (done, nodes) => progress("compact", done, nodes) });
    const { refused, outOfReach } = writer;
    return { result: { layer, points: kept, merged: given - refused - kept, refused, outOfReach } };
  } catch (error) {
    // Where that cannot be said now, the next start says it.
    await layers.remove(space, layer).catch(() => undefined);
    throw error;
  } finally {
    await layers.release(space, layer);
  }
}

/** Ends with the signal's reason as soon as it aborts, also while the source keeps the next one waiting. */
async function* untilAborted<T>(source: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    for (;;) {
      const { done, value } = await unlessAborted(source.next(), signal);
      if (done) return;
      yield value;
    }
  } finally {
    // Not waited for: a source that hangs does not answer.
    source.return(undefined).catch(() => undefined);
  }
}

/** @throws the signal's reason as soon as it aborts; what the work then comes to is nobody's */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort!);
  }
}
