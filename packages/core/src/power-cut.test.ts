/** Acknowledged means on disk. Rules: LOG-3, BLOB-5. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { FileUploads } from "./file/file-uploads.ts";
import { GrowingFile } from "./recording/growing-file.ts";
import { cutPower, missingForPowerCuts, onLossyDisk } from "./test/power-cut.ts";

describe("power cuts", () => {
  const missing = missingForPowerCuts();

  test("LOG-3 BLOB-5 5 power cuts: 0 acknowledged lost, 0 doubled, 0 half batches", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    const found = await cutPower(5);
    assert.deepEqual(found, { lost: [], doubled: [], halfBatches: 0, problems: [], acknowledged: found.acknowledged });
    assert.ok(found.acknowledged > 100);
    t.diagnostic(`5 cuts, ${found.acknowledged} acknowledged, lost 0`);
  });

  test("LOG-3 the control: without the fsync the same cuts do lose what was acknowledged", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    const found = await cutPower(5, "no-sync");
    assert.ok(found.lost.length > 0);
  });

  test("HUB-65 a chunk that was acknowledged is there after a power cut, and so is the name of its file", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    await onLossyDisk(async ({ path, cutPower }) => {
      const before = await FileUploads.open(path);
      const { upload } = await before.start({ fileName: "a.csv", source: "phone" });
      await before.add(upload, 0, Buffer.from("abc"));
      await cutPower();
      await before.close().catch(() => undefined);
      const after = await FileUploads.open(path);
      assert.equal(after.find("phone", "a.csv"), upload);
      assert.equal((await after.complete(upload)).bytes, 3);
      await after.close();
    });
  });

  test("RCD-7 what a recording has synced has a name", async (t) => {
    if (missing) return t.skip(`SKIPPED: ${missing}`);
    await onLossyDisk(async ({ path, cutPower }) => {
      const file = new GrowingFile(join(path, "a.mcap"), { onTrouble: assert.ifError, onAppended: () => {} });
      file.append(Buffer.from("abc"));
      await file.close();
      await cutPower();
      assert.equal(await readFile(file.path, "utf8"), "abc");
    });
  });
});
