/** What a crash may leave of a file that comes in chunks. */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { temporaryFolder } from "../test/fixtures.ts";
import { ChunkFile } from "./chunk-file.ts";

const SECTOR_BYTES = 512;
const MOST_BYTES = 2 ** 20;
const facts = { upload: "u", fileName: "a.csv", source: "phone" };

async function contentsOf(file: ChunkFile): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of file.contents()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

test("HUB-65 whatever sectors of a chunk a power cut left out, it is there whole or comes again", async (t) => {
  const folder = await temporaryFolder(t);
  const before = join(folder, "before");
  const after = join(folder, "after");
  const chunks = [700, 1500, 3000].map((size, k) => Buffer.alloc(size, k + 1));
  for (const [path, count] of [
    [before, 2],
    [after, 3],
  ] as const) {
    const file = await ChunkFile.create(path, facts);
    for (const [index, bytes] of chunks.slice(0, count).entries()) await file.add(index, bytes, MOST_BYTES);
    await file.close();
  }
  const durable = await readFile(before);
  const whole = await readFile(after);
  const sectors = Math.ceil((whole.length - durable.length) / SECTOR_BYTES) + 1;
  const cuts = fc.record({
    lost: fc.array(fc.boolean(), { minLength: sectors, maxLength: sectors }),
    length: fc.integer({ min: durable.length, max: whole.length }),
  });
  await fc.assert(
    fc.asyncProperty(cuts, async ({ lost, length }) => {
      const left = Buffer.from(whole);
      for (const [k, isLost] of lost.entries()) {
        const at = (Math.floor(durable.length / SECTOR_BYTES) + k) * SECTOR_BYTES;
        if (isLost) left.fill(0, Math.max(durable.length, at), Math.min(left.length, at + SECTOR_BYTES));
      }
      const path = join(folder, "left");
      await writeFile(path, left.subarray(0, length));
      const file = await ChunkFile.reopen(path);
      assert.ok(file);
      assert.deepEqual([file.has(0), file.has(1)], [true, true]);
      for (const [index, bytes] of chunks.entries()) await file.add(index, bytes, MOST_BYTES);
      assert.deepEqual(await contentsOf(file), Buffer.concat(chunks));
      await file.close();
      const again = await ChunkFile.reopen(path);
      assert.deepEqual(await contentsOf(again!), Buffer.concat(chunks));
      await again?.close();
    }),
    { numRuns: 200, seed: 3 },
  );
});
