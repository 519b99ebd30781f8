/** Images that come to a session twice, as over a line that broke, in every order that a busy machine may choose. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { ingestImage, openCore } from "@cairn/core";
import type { ImageDecoder, ImageFacts } from "@cairn/images";
import type { ServerContext } from "../../context.ts";
import { png } from "../../test/png.ts";
import { readFields } from "../fields.ts";
import { labelsOf, SessionParams } from "./params.ts";
import { whatOf } from "./run.ts";
import { Session } from "./session.ts";

/** A session, and a decoder that looks at an image when `looked` says so. */
async function openSession(t: TestContext, looked: () => Promise<void> = async () => {}) {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-depth-"));
  const core = await openCore({ dataDir, onError: (about, error) => t.diagnostic(`${about}: ${error}`) });
  t.after(async () => {
    await core.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  const space = await core.spaces.create({ labels: labelsOf(readFields(SessionParams, {}, "body")) });
  const context = { core, dataDir } as unknown as ServerContext;
  const session = new Session({ context, runMs: 1000, nowMs: () => performance.now() }, space);
  const decoder = {
    async inspect(bytes: Uint8Array): Promise<ImageFacts> {
      await looked();
      return { mediaType: "image/png", sizeBytes: bytes.length, width: 8, height: 8, orientation: 1 };
    },
  } as ImageDecoder;
  const store = (bytes: Buffer, key: string) => (name: string) =>
    ingestImage(core, space, { bytes, name, source: "depth", copyCounts: true, key }, decoder);
  const take = (bytes: Buffer, key: string) => session.take({ wanted: `${key}.png`, bytes, key }, store(bytes, key));
  return { session, space, store, take };
}

test("DEP-22 an image that is sent again while it is being stored has one name, whichever is looked at first", async (t) => {
  let looks = 0;
  let lookAtFirst = () => {};
  const { session, take } = await openSession(t, async () => {
    if (looks++ > 0) return;
    await new Promise<void>((resolve) => {
      lookAtFirst = resolve;
    });
  });
  const first = take(png(1), "a");
  const again = take(png(1), "a");
  const other = await take(png(2), "b");
  assert.equal(other.name, "b.png", "another does not wait for it");
  lookAtFirst();
  assert.deepEqual(
    (await Promise.all([first, again])).map(({ name, known }) => [name, known]),
    [
      ["a.png", false],
      ["a.png", true],
    ],
  );
  assert.equal(session.images.length, 2);
});

test("DEP-22 an image that could not be stored is stored when it is sent again meanwhile", async (t) => {
  let looks = 0;
  const { take } = await openSession(t, async () => {
    if (looks++ === 0) throw new Error("the disk is full");
  });
  const [first, again] = await Promise.allSettled([take(png(1), "a"), take(png(1), "a")]);
  assert.equal(first.status, "rejected");
  assert.ok(again.status === "fulfilled" && again.value.name === "a.png" && !again.value.known);
});

test("DEP-25 an image that came after the result reopens the session also when only its second sending is answered", async (t) => {
  const { session, space, store, take } = await openSession(t);
  await take(png(1), "a");
  const of = whatOf(session.images);
  await space.label({ "depth.status": "completed", "depth.result.glb": "glb", "depth.result.of": of });
  assert.equal((await take(png(1), "a")).known, true);
  assert.equal(session.status, "completed", "it is in the result");
  // The server went away when it was stored, before the session was opened again.
  await store(png(2), "b")("b.png");
  assert.equal(session.status, "completed");
  assert.deepEqual(await take(png(2), "b"), { name: "b.png", count: 2, known: true });
  assert.equal(session.status, "active");
});
