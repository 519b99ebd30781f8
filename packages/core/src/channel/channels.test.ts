/** Signals: now or never. Rule CHAN-1 of docs/spec/log.md. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannels, type Signal } from "./channels.ts";

test("CHAN-1 a signal reaches every subscriber of its channel but its sender, whatever one of them does", () => {
  const errors: unknown[] = [];
  const channels = createChannels((error) => errors.push(error));
  const heard: string[] = [];
  const hear = (name: string) => (signal: Signal) => heard.push(`${name}:${signal.channel}:${signal.data}`);
  const failure = new Error("a bug in a listener");
  channels.subscribe(["presence"], () => {
    throw failure;
  });
  const stop = channels.subscribe(["presence", "pointer"], hear("a"), "a");
  channels.subscribe(["presence"], hear("b"), "b");
  channels.publish({ channel: "presence", from: "b", data: 1 });
  channels.publish({ channel: "pointer", from: "b", data: 2 });
  channels.publish({ channel: "nobody", from: "b", data: 3 });
  stop();
  stop();
  channels.publish({ channel: "presence", from: "c", data: 4 });
  assert.deepEqual(heard, ["a:presence:1", "a:pointer:2", "b:presence:4"]);
  assert.deepEqual(errors, [failure, failure]);
  const many = Array.from({ length: 65 }, (_, i) => `c${i}`);
  assert.throws(() => channels.subscribe(many, hear("x")), { code: "request.invalid" });
  assert.throws(() => channels.subscribe([""], hear("x")), { code: "request.invalid" });
});
