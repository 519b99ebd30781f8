/** A thread that extracts, matches and verifies. */
import { setImmediate } from "node:timers/promises";
import { type Report, serve } from "@cairn/worker";
import { answerTwoView } from "../mapper/two-view.ts";
import { type Extractor, openExtractor } from "./extractor.ts";
import { greyOf } from "./grey.ts";
import type { FeatureJobs } from "./jobs.ts";
import { type Matcher, openMatcher } from "./matcher.ts";
import { findSegments } from "./segments.ts";
import { matchAslant } from "./slant-matches.ts";
import { extractSlants } from "./slants.ts";

let extractor: Extractor | undefined;
let matcher: Matcher | undefined;

serve<FeatureJobs>({
  async extract({ rgb, widthPx, heightPx, options }) {
    extractor ??= openExtractor();
    return extractor.extract(rgb, widthPx, heightPx, options);
  },

  async segments({ rgb, widthPx, heightPx }) {
    return findSegments(rgb, widthPx, heightPx);
  },

  async match({ a, others, options }, report) {
    matcher ??= openMatcher();
    const answers: Uint32Array[] = [];
    for (const other of others) {
      if (answers.length > 0) await breathe(report);
      const pairs = matcher.match(a, other, options);
      report.move(pairs.buffer);
      answers.push(pairs);
    }
    return answers;
  },

  async grey({ rgb, widthPx, heightPx }, report) {
    const grey = greyOf(rgb, widthPx, heightPx);
    report.move(grey.grey.buffer);
    return grey;
  },

  async slants({ grey }, report) {
    extractor ??= openExtractor();
    return extractSlants(extractor, grey, () => breathe(report));
  },

  async matchAslant({ a, b }, report) {
    matcher ??= openMatcher();
    const pairs = await matchAslant(matcher, a, b, () => breathe(report));
    report.move(pairs.buffer);
    return pairs;
  },

  async verify(question) {
    return answerTwoView(question);
  },
});

/** Lets a cancellation in. */
async function breathe({ signal }: Report): Promise<void> {
  await setImmediate();
  signal.throwIfAborted();
}
