/** Blobs are whole and durable, or not there. Rules: docs/spec/blobs.md. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../test/fixtures.ts";
import { rejects } from "../test/log.contract.ts";
import { type FileBlobStore, openFileBlobStore } from "./file-blob-store.ts";
import { RecentBytes } from "./recent-bytes.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

async function make(t: TestContext): Promise<{ folder: string; blobs: FileBlobStore }> {
  const folder = await temporaryFolder(t);
  return { folder, blobs: await openFileBlobStore(folder) };
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function temporaries(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".tmp"));
}

describe("FileBlobStore", () => {
  test("BLOB-1 what is put is got, whole or in part, named by its SHA-256, as bytes or as a stream", async (t) => {
    const { folder, blobs } = await make(t);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.integer({ min: 1, max: 900 }), async (bytes, size) => {
        const digest = sha256(bytes);
        assert.deepEqual(await blobs.put(pieces(bytes, size)), { digest, sizeBytes: bytes.length });
        assert.deepEqual(await blobs.put(bytes), { digest, sizeBytes: bytes.length });
        assert.deepEqual(new Uint8Array(await blobs.get(digest)), bytes);
        assert.deepEqual(await blobs.stat(digest), { digest, sizeBytes: bytes.length });
        if (bytes.length < 2) return;
        const range = { start: size % (bytes.length - 1), end: bytes.length };
        const part = await buffer(await blobs.stream(digest, range));
        assert.deepEqual(new Uint8Array(part), bytes.slice(range.start, range.end));
      }),
      { seed: 1, numRuns: 40 },
    );
    assert.deepEqual(await temporaries(folder), []);
  });

  test("BLOB-1 a range is what was put, also from memory, whatever becomes of its sender's memory and of the range", async (t) => {
    const { folder, blobs } = await make(t);
    const bytes = Buffer.from("what was just put");
    const { digest } = await blobs.put(bytes);
    bytes.fill(0);
    const recent = (start: number, end: number) => blobs.recent(digest, start, end);
    recent(5, 8)?.fill(0);
    assert.equal(Buffer.from(recent(5, 17) ?? []).toString(), "was just put");
    assert.equal(Buffer.from(await blobs.range(digest, 5, 8)).toString(), "was");
    const into = new Uint8Array(20);
    assert.equal(Buffer.from(await blobs.range(digest, 5, 17, into)).toString(), "was just put");
    assert.equal(into.indexOf(0), 12);
    assert.equal(recent(10, 18), undefined);
    await rejects(blobs.range(digest, 10, 18), "blob.corrupt");
    const another = await openFileBlobStore(folder);
    assert.equal(another.recent(digest, 0, 4), undefined);
    assert.equal(Buffer.from(await another.range(digest, 0, 4)).toString(), "what");
    await blobs.collect(() => false, -1000);
    assert.equal(recent(0, 4), undefined);
    await rejects(blobs.range(digest, 0, 4), "blob.missing");
  });

  test("BLOB-1 what is kept of recent blobs is bounded, and the oldest go", () => {
    const recent = new RecentBytes(1000, 400);
    const digests = Array.from({ length: 8 }, (_, i) => sha256(Buffer.from([i])));
    for (const [i, digest] of digests.entries()) {
      recent.keep(digest, new Uint8Array(300).fill(i));
      recent.keep(digest, new Uint8Array(300).fill(i));
      assert.ok(recent.sizeBytes <= 1000);
    }
    const kept = digests.map((digest) => recent.range(digest, 299, 300)?.[0]);
    assert.deepEqual(kept, [...Array(5).fill(undefined), 5, 6, 7]);
    recent.keep(digests[0]!, new Uint8Array(401));
    assert.equal(recent.range(digests[0]!, 0, 1), undefined);
    for (const digest of digests) recent.forget(digest);
    assert.equal(recent.sizeBytes, 0);
  });

  test("BLOB-1 a missing blob is missing, and what is no digest never reaches the disk", async (t) => {
    const { blobs } = await make(t);
    await rejects(blobs.get("0".repeat(64)), "blob.missing");
    await rejects(blobs.stream("0".repeat(64)), "blob.missing");
    assert.equal(await blobs.stat("0".repeat(64)), undefined);
    for (const id of ["../../etc/passwd", "", "A".repeat(64), `${"0".repeat(62)}/.`]) {
      await rejects(blobs.get(id), "request.invalid");
    }
  });

  test("BLOB-10 a file that is taken over is a blob without a copy; one that is there already, and an abort, cost nothing", async (t) => {
    const { folder, blobs } = await make(t);
    const bytes = Buffer.alloc(700_000, "abc");
    const path = join(folder, "mine");
    await writeFile(path, bytes);
    const aborted = AbortSignal.abort(new Error("enough"));
    await assert.rejects(blobs.adopt(path, { signal: aborted }), /enough/);
    assert.equal(await blobs.stat(sha256(bytes)), undefined);
    const old = new Date(Date.now() - 86_400_000);
    await utimes(path, old, old);
    for (let again = 0; again < 2; again++) {
      assert.deepEqual(await blobs.adopt(path), { digest: sha256(bytes), sizeBytes: bytes.length });
      assert.deepEqual(Buffer.from(await blobs.get(sha256(bytes))), bytes);
      assert.equal((await stat(path)).nlink, 2);
      // It counts as put now.
      assert.equal((await blobs.collect(() => false, 3_600_000)).removed, 0);
    }
    await rm(path);
    assert.deepEqual(Buffer.from(await blobs.get(sha256(bytes))), bytes);
    assert.deepEqual(await temporaries(folder), []);
    await rejects(blobs.adopt(path), "store.failed");
  });

  test("BLOB-3 the same bytes put at the same time are one file", async (t) => {
    const { folder, blobs } = await make(t);
    const bytes = Buffer.alloc(100_000, 7);
    const puts = Array.from({ length: 20 }, (_, i) => blobs.put(i % 2 ? bytes : pieces(bytes, 4096)));
    const digests = new Set((await Promise.all(puts)).map((blob) => blob.digest));
    assert.deepEqual([...digests], [sha256(bytes)]);
    assert.deepEqual(await readdir(folder), [sha256(bytes).slice(0, 2)]);
  });

  test("BLOB-2 a put that is cut off leaves nothing, and leftovers of a killed process go at the next start", async (t) => {
    const { folder, blobs } = await make(t);
    const stop = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let i = 0; ; i++) {
        if (i === 5) stop.abort();
        yield Buffer.alloc(1000, i);
      }
    }
    await assert.rejects(blobs.put(endless(), { signal: stop.signal }));
    const failing = new Error("the sender is gone");
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(10);
      throw failing;
    }
    await assert.rejects(blobs.put(broken()), failing);
    assert.deepEqual(await readdir(folder), []);
    await writeFile(join(folder, "left.tmp"), "half");
    await openFileBlobStore(folder);
    assert.deepEqual(await readdir(folder), []);
  });

  test("BLOB-4 any flipped bit is found, the bytes are never served, and putting them again heals it", async (t) => {
    const { folder, blobs } = await make(t);
    const bytes = Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 37) % 256));
    const { digest } = await blobs.put(bytes);
    const path = join(folder, digest.slice(0, 2), digest.slice(2));
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, damaged);
      await rejects(blobs.get(digest), "blob.corrupt");
      assert.deepEqual(await readFile(`${path}.corrupt`), damaged);
      await rejects(blobs.get(digest), "blob.missing");
      await blobs.put(bytes);
      assert.deepEqual(Buffer.from(await blobs.get(digest)), bytes);
    }
    await writeFile(path, bytes.subarray(1));
    await blobs.put(bytes);
    assert.deepEqual(Buffer.from(await blobs.get(digest)), bytes);
  });

  test("BLOB-4 a put heals what nobody has read since it was altered, however the bytes come and however long they are", async (t) => {
    const { folder, blobs } = await make(t);
    for (const bytes of [Buffer.alloc(700, "photo"), Buffer.alloc(3_000_000, "photo")]) {
      const mine = join(folder, "mine");
      await writeFile(mine, bytes);
      const { digest } = await blobs.put(bytes);
      const path = join(folder, digest.slice(0, 2), digest.slice(2));
      const altered = Buffer.from(bytes);
      for (let at = bytes.length >> 1; at < (bytes.length >> 1) + 64; at++) altered[at] = altered[at]! ^ 0x55;
      for (const again of [() => blobs.put(bytes), () => blobs.put(pieces(bytes, 1000)), () => blobs.adopt(mine)]) {
        await rm(path);
        await writeFile(path, altered);
        assert.deepEqual(await again(), { digest, sizeBytes: bytes.length });
        assert.deepEqual(Buffer.from(await blobs.get(digest)), bytes);
      }
    }
    assert.deepEqual(await temporaries(folder), []);
  });

  test("BLOB-6 collecting removes what is old and not named, and nothing else", async (t) => {
    const { folder, blobs } = await make(t);
    const put = async (text: string, ageMs: number) => {
      const { digest } = await blobs.put(Buffer.from(text));
      const then = new Date(Date.now() - ageMs);
      await utimes(join(folder, digest.slice(0, 2), digest.slice(2)), then, then);
      return digest;
    };
    const named = await put("named", 9e6);
    const old = await put("old", 9e6);
    const young = await put("young", 1000);
    await mkdir(join(folder, "notes"));
    assert.deepEqual(await blobs.collect((digest) => digest === named, 3.6e6), { removed: 1, freedBytes: 3 });
    assert.equal(await blobs.stat(old), undefined);
    assert.ok(await blobs.stat(named));
    assert.ok(await blobs.stat(young));
  });

  test("BLOB-7 an old blob that is put again while a collection runs is there when the put resolves", async (t) => {
    const { folder, blobs } = await make(t);
    const all = Array.from({ length: 30 }, (_, i) => Buffer.from(`photo ${i}`));
    for (let round = 0; round < 5; round++) {
      const old = new Date(Date.now() - 9e6);
      for (const bytes of all) {
        const { digest } = await blobs.put(bytes);
        await utimes(join(folder, digest.slice(0, 2), digest.slice(2)), old, old);
      }
      const collecting = blobs.collect(() => false, 3.6e6);
      const again = await Promise.all(all.map((bytes) => blobs.put(bytes)));
      await collecting;
      for (const { digest } of again) assert.ok(await blobs.stat(digest));
    }
  });
});
