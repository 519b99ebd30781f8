/** A thread that extracts, matches and verifies. */
import { setImmediate } from "node:timers/promises";
import { serve } from "@cairn/worker";
import { answerTwoView } from "../mapper/two-view.ts";
import { type Extractor, openExtractor } from "./extractor.ts";
import type { FeatureJobs } from "./jobs.ts";
import { type Matcher, openMatcher } from "./matcher.ts";
import { findSegments } from "./segments.ts";

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
      if (answers.length > 0) await setImmediate(); // lets a cancellation in
      report.signal.throwIfAborted();
      const pairs = matcher.match(a, other, options);
      report.move(pairs.buffer);
      answers.push(pairs);
    }
    return answers;
  },

  async verify(question) {
    return answerTwoView(question);
  },
});
