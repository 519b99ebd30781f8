/** Which waiting photos are tried again: those with more to go by, a few others in turn, never all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Retries } from "./retries.ts";

const WAITING = Array.from({ length: 200 }, (_, view) => view);

/** What `growScene` does with photos that are refused always. @returns which were tried */
function tryAll(retries: Retries, points: (view: number) => number, rule: "lax" | "strict" = "lax"): number[] {
  return WAITING.filter((view) => {
    if (!retries.isDue(view, points(view), rule)) return false;
    retries.refused(view, points(view), rule);
    return true;
  });
}

test("every photo is tried once at once; later the work of a photo does not grow with those that wait", () => {
  const retries = new Retries();
  retries.next();
  assert.equal(tryAll(retries, () => 30).length, WAITING.length);
  assert.deepEqual(
    tryAll(retries, () => 30),
    [],
    "nothing has changed",
  );
  const tried = new Set<number>();
  for (let photo = 0; photo < 60; photo++) {
    retries.next();
    const now = tryAll(retries, () => 30);
    assert.ok(now.length > 0 && now.length <= 8, `${now.length}`);
    for (const view of now) tried.add(view);
  }
  assert.equal(tried.size, WAITING.length, "each has its turn");
});

test("a photo that sees clearly more, or is judged by another rule, is tried before its turn; with many, some wait for the next", () => {
  const retries = new Retries();
  retries.next();
  tryAll(retries, () => 30);
  retries.next();
  assert.ok(tryAll(retries, (view) => (view === 150 ? 40 : 30)).includes(150));
  assert.ok(!tryAll(retries, (view) => (view === 151 ? 33 : 30)).includes(151), "three points are no news");
  retries.next();
  const now = tryAll(retries, () => 30, "strict");
  assert.ok(now.length > 4 && now.length <= 8);
  const seen = new Set(now);
  for (let photo = 0; photo < 40; photo++) {
    retries.next();
    for (const view of tryAll(retries, () => 30, "strict")) seen.add(view);
  }
  assert.equal(seen.size, WAITING.length);
  retries.forget(7);
  assert.ok(retries.isDue(7, 1, "strict"));
});

test("what was tried after a mark is as if it had never been", () => {
  const retries = new Retries();
  retries.next();
  tryAll(retries, () => 30);
  retries.next();
  const goBack = retries.mark();
  const first = tryAll(retries, () => 30, "strict");
  retries.forget(150);
  goBack();
  assert.ok(!retries.isDue(150, 30, "lax"));
  assert.deepEqual(
    tryAll(retries, () => 30, "strict"),
    first,
  );
});
