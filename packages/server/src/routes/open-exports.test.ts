import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { OpenExports } from "./open-exports.ts";

test("EXC-29 twelve exports of a space and thirty-two of all are sent at once; one that ends makes room", () => {
  const exports = new OpenExports();
  const refusal = (count: number) => (error: unknown) =>
    error instanceof CairnError && error.code === "request.rate_limited" && error.facts.exports === count;
  const begin = (space: string) => {
    const reader = new AbortController();
    exports.begin(space, reader.signal);
    return reader;
  };
  const first = Array.from({ length: 12 }, () => begin("a"));
  assert.throws(() => begin("a"), refusal(12));
  const others = Array.from({ length: 20 }, (_, i) => begin(`b${i % 2}`));
  assert.throws(() => begin("c"), refusal(32));
  others[0]!.abort();
  begin("c");
  assert.throws(() => begin("c"), refusal(32));
  first[0]!.abort();
  first[0]!.abort();
  begin("a");
  assert.throws(() => begin("a"), refusal(12));
  assert.throws(() => exports.begin("a", AbortSignal.abort(new RangeError("gone"))), RangeError);
});
