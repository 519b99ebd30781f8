/** The process that decodes goes when its parent says so, and not when somebody ends the whole group. */
import assert from "node:assert/strict";
import { test } from "node:test";
import sharp from "sharp";
import { DecodeProcess } from "./decode-process.ts";

test("GEN-26 a decoding process goes on when its group is interrupted or ended: the photo in its hands is no corrupt one", async (t) => {
  const entry = new URL("./child.js", import.meta.url);
  const decoding = new DecodeProcess({ entry, deadlineMs: 60_000, maxRssBytes: 2 ** 30 });
  t.after(() => decoding.close());
  const bytes = await sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } })
    .png()
    .toBuffer();
  const inspect = () => decoding.run({ kind: "inspect", bytes: new Uint8Array(bytes) });
  await inspect();
  const { pid } = decoding;
  assert.ok(pid);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.kill(pid, signal);
    await inspect();
    assert.equal(decoding.pid, pid, signal);
  }
});
