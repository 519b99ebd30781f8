/** Features, matches and what two-view geometry makes of them, worked out by a pool of threads. */
import { availableParallelism } from "node:os";
import { workers } from "@cairn/worker";
import type { TwoViewAnswer, TwoViewQuestion } from "../mapper/two-view.ts";
import type { ExtractOptions } from "./extractor.ts";
import type { Features } from "./features.ts";
import type { Grey } from "./grey.ts";
import type { FeatureJobs } from "./jobs.ts";
import type { Descriptors, MatchOptions } from "./matcher.ts";
import type { SlantSide } from "./slant-matches.ts";
import type { Slants } from "./slants.ts";

type Stop = { readonly signal?: AbortSignal };

export interface FrontEnd {
  /**
   * @param rgb `[heightPx, widthPx, 3]` sRGB; only lent. Copied to the thread unless it lies in a SharedArrayBuffer.
   * @throws {RangeError} when the array does not fit the size, or the photo has more than 16 million pixels
   */
  extract(rgb: Uint8Array, widthPx: number, heightPx: number, options?: ExtractOptions & Stop): Promise<Features>;
  /** `[n, 4]` straight edges, as `findSegments`; the array is only lent, as for `extract`. */
  segments(rgb: Uint8Array, widthPx: number, heightPx: number): Promise<Float32Array>;
  /** `[m, 2]` index in `a`, index in `b`, ascending: each the other's best, and clearly better than the second. */
  match(a: Descriptors, b: Descriptors, options?: MatchOptions & Stop): Promise<Uint32Array>;
  /** `match` with each of the others, shared out over the threads. */
  matchMany(a: Descriptors, others: readonly Descriptors[], options?: MatchOptions & Stop): Promise<Uint32Array[]>;
  /** What is kept of a photo to look at it aslant: `greyOf`. The array is only lent, as for `extract`. */
  grey(rgb: Uint8Array, widthPx: number, heightPx: number): Promise<Grey>;
  /** `extractSlants`. @param grey copied */
  slants(grey: Grey, options?: Stop): Promise<Slants>;
  /** `matchAslant`. */
  matchAslant(a: SlantSide, b: SlantSide, options?: Stop): Promise<Uint32Array>;
  /** `answerTwoView` of each question that there is. Questions are given away: nobody may read them any more. */
  verifyMany(
    questions: readonly (TwoViewQuestion | undefined)[],
    options?: Stop,
  ): Promise<(TwoViewAnswer | undefined)[]>;
  close(): Promise<void>;
}

const MOST_THREADS = 8;
/** Dot products in one job: about 20 ms, long against the cost of handing it over, short against a cancellation. */
const JOB_PRODUCTS = 3_000_000;

/** @param options.threads by default one to a core, at most 8 (each holds about 90 MB for a photo of 1600 pixels) */
export async function openFrontEnd(options: { readonly threads?: number } = {}): Promise<FrontEnd> {
  const threads = options.threads ?? Math.min(availableParallelism(), MOST_THREADS);
  const pool = workers<FeatureJobs>(new URL("./features.worker.js", import.meta.url), threads);

  const matchMany: FrontEnd["matchMany"] = async (a, others, { signal, ...matching } = {}) => {
    const first = matching.first ?? Number.POSITIVE_INFINITY;
    const largest = Math.max(1, ...others.map((other) => Math.min(other.count, first)));
    const size = Math.max(1, Math.floor(JOB_PRODUCTS / (largest * Math.max(1, Math.min(a.count, first)))));
    const jobs: Promise<Uint32Array[]>[] = [];
    for (let start = 0; start < others.length; start += size) {
      const part = others.slice(start, start + size).map(descriptorsOf);
      const input = { a: descriptorsOf(a), others: part, options: matching };
      jobs.push(pool.run("match", input, signal ? { signal } : {}));
    }
    return (await Promise.all(jobs)).flat();
  };

  return {
    extract(rgb, widthPx, heightPx, { signal, ...extraction } = {}) {
      return pool.run("extract", { rgb, widthPx, heightPx, options: extraction }, signal ? { signal } : {});
    },
    segments: (rgb, widthPx, heightPx) => pool.run("segments", { rgb, widthPx, heightPx }, {}),
    grey: (rgb, widthPx, heightPx) => pool.run("grey", { rgb, widthPx, heightPx }, {}),
    slants: (grey, { signal } = {}) => pool.run("slants", { grey }, signal ? { signal } : {}),
    matchAslant(a, b, { signal } = {}) {
      const [first, second] = [a, b].map(({ features: { count, x, y, descriptors }, ...side }) => ({
        ...side,
        features: { count, x, y, descriptors },
      }));
      return pool.run("matchAslant", { a: first, b: second }, signal ? { signal } : {});
    },
    async match(a, b, matching) {
      const [pairs] = await matchMany(a, [b], matching);
      return pairs;
    },
    matchMany,
    verifyMany(questions, { signal } = {}) {
      const answers = questions.map((question) => {
        if (!question) return undefined;
        const move = [question.first, question.second].map(({ buffer }) => buffer as ArrayBuffer);
        return pool.run("verify", question, { move, ...(signal && { signal }) });
      });
      return Promise.all(answers);
    },
    close: () => pool.close(),
  };
}

function descriptorsOf({ count, descriptors, words }: Descriptors): Descriptors {
  return { count, descriptors, ...(words && { words }) };
}
