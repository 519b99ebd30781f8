/** What a drop holds: folders in folders, more than is taken at once, and what the browser may not read. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { filesOf as FilesOf, leftOutInWords as LeftOutInWords } from "../dist-types/files.js";
import { pageModule } from "./page-module.ts";

const { filesOf, leftOutInWords } = await pageModule<{
  filesOf: typeof FilesOf;
  leftOutInWords: typeof LeftOutInWords;
}>("files.ts");

type Entry = { name: string; isFile: boolean; isDirectory: boolean };

const photo = (name: string) => new File(["x"], name, { type: "image/jpeg" });
const numbered = (count: number) => Array.from({ length: count }, (_, i) => photo(`${i}.jpg`));

const fileEntry = (file: File) => ({
  ...{ name: file.name, isFile: true, isDirectory: false },
  file: (done: (file: File) => void) => done(file),
});

const unreadable = (name: string) => ({
  ...{ name, isFile: true, isDirectory: false },
  file: (_done: unknown, failed: (error: Error) => void) => failed(new DOMException("", "NotReadableError")),
});

/** @param breaksOff after these, in the middle of the list */
const folder = (name: string, entries: readonly Entry[], breaksOff = false) => ({
  ...{ name, isFile: false, isDirectory: true },
  createReader() {
    let at = 0;
    return {
      readEntries(done: (batch: Entry[]) => void, failed: (error: Error) => void) {
        const batch = entries.slice(at, at + 100);
        at += batch.length;
        if (batch.length === 0 && breaksOff) failed(new DOMException("", "NotReadableError"));
        else done(batch);
      },
    };
  },
});

/** Dropped side by side. */
const drop = (entries: readonly Entry[], files: readonly File[] = []) =>
  ({
    items: entries.map((entry) => ({ kind: "file", webkitGetAsEntry: () => entry })),
    files,
  }) as unknown as DataTransfer;

const names = (files: readonly File[]) => files.map(({ name }) => name);

describe("what is dropped", () => {
  test("one that cannot be read loses only itself, and is said", async () => {
    const inner = folder("inner", [unreadable("b.jpg"), fileEntry(photo("c.jpg"))]);
    const broken = folder("broken", [fileEntry(photo("d.jpg"))], true);
    const found = await filesOf(drop([folder("trip", [fileEntry(photo("a.jpg")), inner, broken])]));
    assert.deepEqual(names(found.files), ["a.jpg", "c.jpg", "d.jpg"]);
    assert.match(leftOutInWords(found) ?? "", /2 files or folders.* not be read/);
  });

  test("more files than are taken at once are said, in a folder and beside each other", async () => {
    const many = numbered(2001);
    for (const dropped of [drop([folder("trip", many.map(fileEntry))]), drop(many.map(fileEntry), many)]) {
      const found = await filesOf(dropped);
      assert.equal(found.files.length, 2000);
      assert.match(leftOutInWords(found) ?? "", /first 2,000 files/);
    }
  });

  test("where all is taken there is nothing to say; where there was nothing, that is said", async () => {
    const all = numbered(2000);
    const found = await filesOf(drop([folder("trip", all.map(fileEntry))]));
    assert.equal(leftOutInWords(found), undefined);
    const hidden = [fileEntry(photo(".hidden.jpg")), fileEntry(new File(["x"], "notes.txt"))];
    const none = await filesOf(drop([folder("trip", hidden)]));
    assert.match(leftOutInWords(none) ?? "", /no photo and no point cloud/);
  });
});
