/**
 * Looks at photos from the side in a few rounds: one that has found its place in one round may give another one its place
 * in the next.
 */
import type { FrontEnd } from "../features/front-end.ts";
import type { SeenAslant } from "../mapper/aslant.ts";
import type { Mapper } from "../mapper/mapper.ts";
import type { Tie } from "../mapper/unsure.ts";
import { unwatched } from "../stages.ts";
import type { JobOptions } from "./engine-core.ts";
import type { SlantedLooks } from "./slanted-looks.ts";

const ROUNDS = 3;
/** Pairs in all rounds: half a minute on two cores. */
const MOST_TIES = 24;

type Parts = {
  readonly mapper: Pick<Mapper, "views" | "unsureTies" | "aslantDue" | "questionsAslant" | "linkAslant" | "settle">;
  readonly slants: Pick<SlantedLooks, "see">;
  readonly kernels: Pick<FrontEnd, "verifyMany">;
};

/** @returns whether there was anything to look at, or to link of what was seen before */
export async function lookAslant(parts: Parts, job: JobOptions): Promise<boolean> {
  const { mapper } = parts;
  let looked = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ties = mapper.unsureTies().slice(0, MOST_TIES - looked);
    if (ties.length === 0 && !mapper.aslantDue()) return round > 0;
    const seen = await see(parts, ties, job);
    await link(parts, seen, job);
    looked += ties.length;
  }
  return true;
}

async function see({ mapper, slants }: Parts, ties: readonly Tie[], job: JobOptions): Promise<SeenAslant[]> {
  const { progress, stage = unwatched, signal } = job;
  if (ties.length === 0) return [];
  stage("slants");
  let done = 0;
  progress("slants", done, ties.length);
  const seeing = ties.map(async (tie) => {
    const each = await slants.see(tie, mapper.views, signal);
    progress("slants", ++done, ties.length);
    return each;
  });
  return Promise.all(seeing);
}

async function link({ mapper, kernels }: Parts, seen: readonly SeenAslant[], job: JobOptions): Promise<void> {
  const { stop, stage = unwatched, signal } = job;
  stop();
  stage("verification");
  const answers = await kernels.verifyMany(mapper.questionsAslant(seen), signal ? { signal } : {});
  stop();
  mapper.linkAslant(seen, answers);
  if (answers.some((answer) => answer)) mapper.settle(stop, stage);
}
