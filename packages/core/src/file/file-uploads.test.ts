/** Files in chunks: any order, any interruption, whole or not there. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { type FileUploadLimits, FileUploads } from "./file-uploads.ts";
import { checkFileName } from "./stored-files.ts";

async function opened(t: TestContext, dir: string, limits?: Partial<FileUploadLimits>): Promise<FileUploads> {
  const uploads = await FileUploads.open(dir, limits);
  afterwards(t, () => uploads.close());
  return uploads;
}

async function bytesOf(uploads: FileUploads, fileName: string): Promise<Buffer> {
  const { bytes } = await uploads.stored.find(fileName);
  if (bytes === 0) return Buffer.alloc(0);
  return Buffer.concat(await uploads.stored.read(fileName, { start: 0, end: bytes - 1 }).toArray());
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("HUB-65 HUB-66 chunks in any order, some twice, from 0 or 1, make the file that was cut, and nothing before", async (t) => {
  const uploads = await opened(t, await temporaryFolder(t));
  const cases = fc.record({
    chunks: fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 12 }),
    first: fc.constantFrom(0, 1),
    seed: fc.integer(),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ chunks, first, seed }) => {
      const before = await bytesOf(uploads, "a.csv").catch(() => undefined);
      const { upload } = await uploads.start({ fileName: "a.csv", source: "phone", totalChunks: chunks.length });
      const order = chunks.map((_, i) => i);
      for (let i = order.length - 1, state = seed; i > 0; i--) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        const other = (state >>> 0) % (i + 1);
        [order[i], order[other]] = [order[other] ?? 0, order[i] ?? 0];
      }
      for (const i of order) {
        await uploads.add(upload, first + i, chunks[i] ?? new Uint8Array());
        await uploads.add(upload, first + i, new Uint8Array([1, 2, 3]));
      }
      const { progress, bytes } = uploads.progress(upload);
      const whole = Buffer.concat(chunks);
      assert.equal(progress, 1);
      assert.equal(bytes, whole.length);
      assert.deepEqual(await bytesOf(uploads, "a.csv").catch(() => undefined), before, "the old one until then");
      const stored = await uploads.complete(upload);
      assert.deepEqual([stored.bytes, stored.sha256], [whole.length, sha256(whole)]);
      assert.deepEqual(await bytesOf(uploads, "a.csv"), whole);
    }),
    { numRuns: 25, seed: 5 },
  );
  assert.equal((await uploads.stored.list()).length, 1);
});

test("HUB-67 complete with gaps says which, the upload stays open and the missing may follow", async (t) => {
  const uploads = await opened(t, await temporaryFolder(t));
  const { upload } = await uploads.start({ fileName: "b.csv", source: "phone" });
  for (const index of [1, 2, 4, 6]) await uploads.add(upload, index, Buffer.from(String(index)));
  await assert.rejects(uploads.complete(upload), { code: "file.chunks_missing", facts: { missing: "3, 5" } });
  await assert.rejects(uploads.stored.find("b.csv"), { code: "file.missing" });
  for (const index of [5, 3]) await uploads.add(upload, index, Buffer.from(String(index)));
  await uploads.complete(upload);
  assert.equal((await bytesOf(uploads, "b.csv")).toString(), "123456");
  // Without an index, in order of arrival; the number that was told counts at the end.
  const other = await uploads.start({ fileName: "c.csv", source: "phone", totalChunks: 3, totalBytes: 6 });
  await uploads.add(other.upload, undefined, Buffer.from("ab"));
  const { progress } = await uploads.add(other.upload, undefined, Buffer.from("cd"));
  assert.ok(Math.abs((progress ?? 0) - 4 / 6) < 1e-12);
  await assert.rejects(uploads.complete(other.upload), { code: "file.chunks_missing", facts: { missing: "2" } });
  const far = await uploads.start({ fileName: "d.csv", source: "phone" });
  await uploads.add(far.upload, 5000, Buffer.from("x"));
  await assert.rejects(uploads.complete(far.upload), ({ facts }: { facts: { missing: string } }) => {
    assert.match(facts.missing, /^0, 1, .*, 99, …$/);
    return true;
  });
});

test("HUB-68 what was acknowledged goes on after a restart, a record that was cut does not count; idle uploads go", async (t) => {
  const dir = await temporaryFolder(t);
  const first = await FileUploads.open(dir);
  const { upload } = await first.start({ fileName: "walk.csv", source: "phone", totalChunks: 3 });
  await first.add(upload, 0, Buffer.from("one,"));
  await first.add(upload, 1, Buffer.from("two,"));
  await first.close();
  const [name = ""] = await readdir(join(dir, "partial"));
  await truncate(join(dir, "partial", name), (await readSize(join(dir, "partial", name))) - 2);
  await writeFile(join(dir, "partial", "no.chunks"), "cut before its facts were whole");

  const uploads = await FileUploads.open(dir);
  assert.deepEqual(await readdir(join(dir, "partial")), [name]);
  assert.equal(uploads.find("phone", "walk.csv"), upload);
  assert.equal(uploads.find("drone", "walk.csv"), undefined);
  assert.equal(uploads.progress(upload).chunks, 1);
  for (const [index, text] of [
    [1, "two,"],
    [2, "three"],
  ] as const) {
    await uploads.add(upload, index, Buffer.from(text));
  }
  await uploads.complete(upload);
  assert.equal((await bytesOf(uploads, "walk.csv")).toString(), "one,two,three");
  assert.throws(() => uploads.progress(upload), { code: "file.upload_missing" });
  await uploads.close();

  const impatient = await opened(t, dir, { idleMs: 400 });
  await impatient.start({ fileName: "left.csv", source: "phone" });
  for (const from = performance.now(); impatient.openOf("phone") > 0; await delay(20)) {
    assert.ok(performance.now() - from < 60_000, "it is never deleted");
  }
  for (const from = performance.now(); (await readdir(join(dir, "partial"))).length > 0; await delay(20)) {
    assert.ok(performance.now() - from < 60_000, "its bytes stay");
  }
});

async function readSize(path: string): Promise<number> {
  return (await import("node:fs/promises")).stat(path).then(({ size }) => size);
}

test("HUB-69 a name is only a name", () => {
  for (const name of ["a.csv", "ä ö.csv", "x".repeat(255), "...", ".hidden"]) assert.equal(checkFileName(name), name);
  for (const name of ["", ".", "..", "../a", "a/b", "a\\b", "a\0b", "x".repeat(256), "ä".repeat(128), "\ud800"]) {
    assert.throws(() => checkFileName(name), { code: "file.name_invalid" }, JSON.stringify(name));
  }
});

test("HUB-70 limits are told, and what was there before stays", async (t) => {
  const uploads = await opened(t, await temporaryFolder(t), { fileBytes: 10, uploads: 2 });
  const { upload } = await uploads.start({ fileName: "a", source: "s" });
  await uploads.add(upload, 0, Buffer.alloc(6));
  await assert.rejects(uploads.add(upload, 1, Buffer.alloc(5)), { code: "file.too_large" });
  await assert.rejects(uploads.add(upload, 100_001, Buffer.alloc(1)), { code: "file.too_large" });
  await assert.rejects(async () => uploads.add(upload, -1, Buffer.alloc(1)), { code: "request.invalid" });
  await assert.rejects(uploads.start({ fileName: "b", source: "s", totalBytes: 11 }), { code: "file.too_large" });
  await uploads.start({ fileName: "b", source: "s" });
  await assert.rejects(uploads.start({ fileName: "c", source: "s" }), { code: "upload.too_many" });
  assert.equal((await uploads.complete(upload)).bytes, 6);
  await assert.rejects(async () => uploads.add(upload, 0, Buffer.alloc(1)), { code: "file.upload_missing" });
});

test("HUB-76 a file that was changed from outside is hashed again", async (t) => {
  const dir = await temporaryFolder(t);
  const uploads = await opened(t, dir);
  await uploads.stored.store(
    "a.txt",
    (async function* () {
      yield Buffer.from("first");
    })(),
  );
  const path = join(dir, "stored", "a.txt");
  await writeFile(path, "other");
  await utimes(path, 1000, 1000);
  assert.equal((await uploads.stored.find("a.txt")).sha256, sha256(Buffer.from("other")));
});

test("a disk that takes half of a chunk refuses it, also of a file that becomes whole; with room again it goes on", async (t) => {
  const disk = join(await temporaryFolder(t), "disk");
  await mkdir(disk);
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).status !== 0) {
    return t.skip("SKIPPED: no permission to mount a small tmpfs");
  }
  afterwards(t, () => spawnSync("umount", ["-l", disk]));
  const uploads = await opened(t, disk);
  const chunk = Buffer.alloc(600_000, "a");
  const { upload } = await uploads.start({ fileName: "a.csv", source: "phone" });
  await uploads.add(upload, 0, chunk);
  await writeFile(join(disk, "filler"), Buffer.alloc(1_200_000));
  await assert.rejects(uploads.add(upload, 1, chunk), { code: "store.full" });
  assert.equal(uploads.progress(upload).bytes, chunk.length);
  await assert.rejects(uploads.complete(upload), { code: "store.full" });
  await assert.rejects(uploads.stored.find("a.csv"), { code: "file.missing" });
  await rm(join(disk, "filler"));
  await uploads.complete(upload);
  assert.deepEqual(await bytesOf(uploads, "a.csv"), chunk);
});
