/** The jobs of a feature worker. Photos are shared or copied, never moved: they are only lent. */
import type { Report } from "@cairn/worker";
import type { TwoViewAnswer, TwoViewQuestion } from "../mapper/two-view.ts";
import type { ExtractOptions } from "./extractor.ts";
import type { Features } from "./features.ts";
import type { Grey } from "./grey.ts";
import type { Descriptors, MatchOptions } from "./matcher.ts";
import type { SlantSide } from "./slant-matches.ts";
import type { Slants } from "./slants.ts";

export interface FeatureJobs {
  extract(
    job: { rgb: Uint8Array; widthPx: number; heightPx: number; options: ExtractOptions },
    report: Report,
  ): Promise<Features>;
  /** As `findSegments`. */
  segments(job: { rgb: Uint8Array; widthPx: number; heightPx: number }): Promise<Float32Array>;
  /** `a` against each of the others. */
  match(
    job: { a: Descriptors; others: readonly Descriptors[]; options: MatchOptions },
    report: Report,
  ): Promise<Uint32Array[]>;
  /** As `greyOf`. */
  grey(job: { rgb: Uint8Array; widthPx: number; heightPx: number }, report: Report): Promise<Grey>;
  /** As `extractSlants`. */
  slants(job: { grey: Grey }, report: Report): Promise<Slants>;
  /** As `matchAslant`. */
  matchAslant(job: { a: SlantSide; b: SlantSide }, report: Report): Promise<Uint32Array>;
  /** As `answerTwoView`. */
  verify(job: TwoViewQuestion): Promise<TwoViewAnswer | undefined>;
}
