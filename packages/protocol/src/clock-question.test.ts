import assert from "node:assert/strict";
import { test } from "node:test";
import { answerClock, isClockQuestion } from "./clock-question.ts";

test("MOT-13 an answer has both times and is no question; what is no time of a clock asks nothing", () => {
  let nowNs = 77n;
  const question = { type: "clock", asked: "1750000000952559124" } as const;
  assert.ok(isClockQuestion(question));
  const answer = answerClock(question, nowNs++, () => nowNs);
  assert.deepEqual(answer, { ...question, heard: "77", answered: "78" });
  assert.ok(!isClockQuestion(answer));
  for (const asked of [5, "-1", "1e3", "", "9".repeat(20), undefined])
    assert.ok(!isClockQuestion({ type: "clock", asked }));
  assert.ok(!isClockQuestion({ type: "ping", asked: "1" }));
});
