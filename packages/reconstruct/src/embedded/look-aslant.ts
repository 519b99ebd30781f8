/**
 * Looks at photos from the side in a few rounds: one that has found its place in one round may give another one its place
 * in the next.
 */
import type { FrontEnd } from "../features/front-end.ts";
import type { Mapper } from "../mapper/mapper.ts";
import type { Tie } from "../mapper/unsure.ts";
import { unwatched } from "../stages.ts";
import type { JobOptions } from "./engine-core.ts";
import type { SlantedLooks } from "./slanted-looks.ts";

const ROUNDS = 3;
/** Pairs in all rounds: half a minute on two cores. */
const MOST_TIES = 24;

type Parts = {
  readonly mapper: Mapper;
  readonly slants: SlantedLooks;
  readonly kernels: Pick<FrontEnd, "verifyMany">;
};

/** @returns whether any were looked at */
export async function lookAslant(parts: Parts, job: JobOptions): Promise<boolean> {
  let looked = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ties = parts.mapper.unsureTies().slice(0, MOST_TIES - looked);
    if (ties.length === 0) break;
    await oneRound(parts, ties, job);
    looked += ties.length;
  }
  return looked > 0;
}

async function oneRound({ mapper, slants, kernels }: Parts, ties: readonly Tie[], job: JobOptions): Promise<void> {
  const { stop, progress, stage = unwatched, signal } = job;
  stage("slants");
  let done = 0;
  progress("slants", done, ties.length);
  const seeing = ties.map(async (tie) => {
    const each = await slants.see(tie, mapper.views, signal);
    progress("slants", ++done, ties.length);
    return each;
  });
  const seen = await Promise.all(seeing);
  stop();
  stage("verification");
  const questions = seen.map((each) => mapper.questionAslant(each));
  const answers = await kernels.verifyMany(questions, signal ? { signal } : {});
  stop();
  mapper.linkAslant(seen, answers);
  if (answers.some((answer) => answer)) mapper.settle(stop, stage);
}
