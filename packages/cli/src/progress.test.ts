import assert from "node:assert/strict";
import { test } from "node:test";
import { duration, progressText } from "./progress.ts";
import { exitCodeOf, verdictLine } from "./verdicts.ts";

test("progress says how much, how fast and how long", () => {
  assert.equal(
    progressText("sending", 10e6, 40e6, "bytes", 2000),
    "sending  ██████░░░░░░░░░░░░░░░░░░  10.0/40.0 MB  5.0 MB/s  6 s left",
  );
  assert.equal(progressText("placing", 3, 3, "photos", 60_000), `placing  ${"█".repeat(24)}  3/3 photos  3.0/min`);
  assert.equal(progressText("placing", 0, 3, "photos", 0), `placing  ${"░".repeat(24)}  0/3 photos  0.0/min`);
  assert.deepEqual(
    [duration(400), duration(89_000), duration(150_000), duration(7_200_000)],
    ["1 s", "89 s", "3 min", "2.0 h"],
  );
});

test("a verdict is one line, and the exit code tells used, not used and refused apart", () => {
  const used = {
    name: "a.jpg",
    verdict: { image: "1", verdict: "registered", reprojectionPx: 0.414, matches: 812 },
  } as const;
  const waiting = { name: "b.jpg", verdict: { image: "2", verdict: "waiting", reason: "overlap" } } as const;
  assert.equal(verdictLine(used, 6), "a.jpg   used      0.41 px, 812 matches");
  assert.match(verdictLine(waiting, 5), /^b\.jpg {2}waiting {3}Too little overlap/);
  assert.deepEqual(
    [exitCodeOf([used]), exitCodeOf([used, waiting]), exitCodeOf([used, waiting, { name: "c", refused: "no" }])],
    [0, 3, 1],
  );
  const doubts = ["focal_uncertain"] as const;
  assert.deepEqual(
    [exitCodeOf([used], doubts), exitCodeOf([used, waiting], doubts), exitCodeOf([used], [])],
    [4, 3, 0],
  );
});
