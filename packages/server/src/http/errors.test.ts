/** Which failures are worth a line in the log. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CairnError } from "@cairn/protocol";
import { errorAnswer } from "./errors.ts";

test("GEN-26 GEN-27 what a stop cuts off is answered and is no error in the log; a full disk is", () => {
  const lines: unknown[] = [];
  const log = { error: (...line: unknown[]) => void lines.push(line) };
  const died = new CairnError("image.corrupt", { cause: "decoder died" });
  const { status, body } = errorAnswer(new CairnError("server.stopping", {}, died), log);
  assert.deepEqual([status, body.code, lines], [503, "server.stopping", []]);
  assert.equal(errorAnswer(new CairnError("store.full"), log).status, 507);
  assert.equal(lines.length, 1);
});
