/** The embedded log against crashes, damage and disks that refuse. Rules: docs/spec/log.md. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { CairnError, canonicalState } from "@cairn/protocol";
import fc from "fast-check";
import { afterwards, renamed, temporaryFolder, variedDraft } from "../test/fixtures.ts";
import { describeSpaceLog, fold, readAll, rejects, titles } from "../test/log.contract.ts";
import type { FileSpaceLog, SpaceLogOptions } from "./file-space-log.ts";
import { openSpaceLog } from "./open-space-log.ts";
import { openSegmentFile } from "./segment.ts";

async function opened(t: TestContext, folder: string, options?: SpaceLogOptions): Promise<FileSpaceLog> {
  const log = await openSpaceLog(folder, options);
  afterwards(t, () => log.close());
  return log;
}

for (const segmentBytes of [2 ** 24, 600]) {
  describeSpaceLog(`files, segments of ${segmentBytes} bytes`, async (t) => {
    const folder = await temporaryFolder(t);
    let log = await opened(t, folder, { segmentBytes });
    return {
      log,
      async reopen() {
        await log.close();
        log = await opened(t, folder, { segmentBytes });
        return log;
      },
    };
  });
}

/** The one segment of a small log, as it is on disk. */
async function segmentOf(folder: string): Promise<{ path: string; bytes: Buffer }> {
  const [name] = (await readdir(folder)).filter((each) => each.endsWith(".log"));
  const path = join(folder, name ?? "");
  return { path, bytes: await readFile(path) };
}

/** Batches of 1, 2, 3, 1, … events, each its own write. */
async function smallLog(t: TestContext, batches: number): Promise<{ folder: string; ends: number[]; all: string[] }> {
  const folder = await temporaryFolder(t);
  const log = await openSpaceLog(folder);
  const ends = [0];
  for (let i = 0; i < batches; i++) {
    await log.append(Array.from({ length: 1 + (i % 3) }, (_, k) => renamed(`${i}.${k}`)));
    ends.push((await segmentOf(folder)).bytes.length);
  }
  const all = titles(await readAll(log));
  await log.close();
  return { folder, ends, all };
}

describe("the file log on disk", () => {
  test("LOG-1 a line is checksum, mark, first seq of its write, and the event as JSON", async (t) => {
    const folder = await temporaryFolder(t);
    const log = await opened(t, folder);
    await log.append([renamed("é"), renamed("b")]);
    const lines = (await segmentOf(folder)).bytes.toString("utf8").split("\n");
    assert.match(
      lines[0] ?? "",
      /^[0-9a-f]{8} \+1 \{"seq":1,"timeNs":"[0-9]+","type":"space.renamed","data":\{"title":"é"\}\}$/,
    );
    assert.match(lines[1] ?? "", /^[0-9a-f]{8} \.1 \{"seq":2,/);
    assert.equal(lines[2], "");
  });

  test("LOG-5 appends that wait for the disk share one write and one sync", async (t) => {
    let syncs = 0;
    const openSegment: SpaceLogOptions["openSegment"] = async (path) => {
      const file = await openSegmentFile(path);
      const sync = () => {
        syncs++;
        return file.sync();
      };
      return { ...file, sync };
    };
    const log = await opened(t, await temporaryFolder(t), { openSegment });
    syncs = 0;
    await Promise.all(Array.from({ length: 64 }, (_, i) => log.append([renamed(String(i))])));
    assert.ok(syncs <= 2, `${syncs} syncs`);
    assert.equal(log.head, 64);
  });

  test("LOG-6 cut off at any byte, a log keeps every whole batch before it and nothing else", async (t) => {
    const { folder, ends, all } = await smallLog(t, 3);
    const { path, bytes } = await segmentOf(folder);
    const batchSizes = [1, 2, 3];
    for (let cut = 0; cut <= bytes.length; cut++) {
      await writeFile(path, bytes.subarray(0, cut));
      const log = await openSpaceLog(folder);
      const whole = ends.findLastIndex((end) => end <= cut);
      const kept = batchSizes.slice(0, whole).reduce((sum, size) => sum + size, 0);
      assert.equal(log.corrupt, undefined, `cut at ${cut}`);
      assert.deepEqual(titles(await readAll(log)), all.slice(0, kept), `cut at ${cut}`);
      if (cut % 16 === 0) assert.equal((await log.append([renamed("on")]))[0]?.seq, kept + 1);
      await log.close();
    }
  });

  test("LOG-6 sectors that a power cut left out of the last write are cut off with it", async (t) => {
    const folder = await temporaryFolder(t);
    const log = await openSpaceLog(folder);
    await log.append([renamed("kept")]);
    const { bytes: before } = await segmentOf(folder);
    await log.append(Array.from({ length: 20 }, (_, i) => renamed(`torn ${i}`)));
    await log.close();
    const { path, bytes } = await segmentOf(folder);
    for (let sector = Math.ceil(before.length / 512); sector * 512 < bytes.length; sector++) {
      const torn = Buffer.from(bytes);
      torn.fill(0, sector * 512, Math.min(bytes.length, (sector + 1) * 512));
      await writeFile(path, torn);
      const again = await openSpaceLog(folder);
      assert.equal(again.corrupt, undefined);
      assert.deepEqual(titles(await readAll(again)), ["kept"]);
      await again.close();
    }
  });

  test("LOG-7 a flipped bit anywhere is found; it is never served and nothing acknowledged is cut off", async (t) => {
    const { folder, all } = await smallLog(t, 6);
    const { path, bytes } = await segmentOf(folder);
    let flips = 0;
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(path, damaged);
      const log = await openSpaceLog(folder);
      const kept = titles(await readAll(log));
      assert.deepEqual(kept, all.slice(0, kept.length), `byte ${at}`);
      assert.ok(kept.length < all.length);
      const error = await rejects(log.read(log.head, 1), "log.corrupt");
      assert.equal(error.facts.seq, kept.length + 1);
      await rejects(log.append([renamed("no")]), "log.corrupt");
      await log.close();
      assert.equal((await readFile(path)).length, bytes.length, "nothing was cut off");
      flips++;
    }
    assert.ok(flips > 500);
  });

  test("LOG-7 damage in an older segment is named when it is read, and the rest stays readable", async (t) => {
    const folder = await temporaryFolder(t);
    const options = { segmentBytes: 2000 };
    const log = await openSpaceLog(folder, options);
    for (let i = 0; i < 90; i++) await log.append(Array.from({ length: 100 }, (_, k) => renamed(`${i}.${k}`)));
    await log.close();
    const { path, bytes } = await segmentOf(folder);
    bytes[Math.floor(bytes.length / 2)] = 7;
    await writeFile(path, bytes);
    const again = await opened(t, folder, options);
    assert.equal(again.head, 9000);
    const good = await again.read(0, 9000);
    assert.ok(good.length > 10 && good.length < 100);
    const bad = good.length + 1;
    assert.equal((await rejects(again.read(good.length, 10), "log.corrupt")).facts.seq, bad);
    assert.equal((await again.append([renamed("on")]))[0]?.seq, 9001);
  });

  test("LOG-8 a damaged or missing state file costs time only", async (t) => {
    const folder = await temporaryFolder(t);
    const options = { segmentBytes: 500 };
    const log = await openSpaceLog(folder, options);
    for (let i = 0; i < 60; i++) await log.append([variedDraft(i)]);
    const expected = canonicalState(fold(await readAll(log)));
    await log.close();
    const states = (await readdir(folder)).filter((name) => name.endsWith(".state"));
    assert.equal(states.length, 2);
    for (const name of states) {
      const text = await readFile(join(folder, name), "utf8");
      await writeFile(join(folder, name), text.replace('"title"', '"tytle"'));
      const again = await openSpaceLog(folder, options);
      assert.equal(canonicalState(again.snapshot().state), expected);
      await again.close();
    }
  });

  test("LOG-12 the epoch stays over restarts and is a new one for a copy", async (t) => {
    const folder = await temporaryFolder(t);
    const log = await openSpaceLog(join(folder, "a"));
    await log.append([renamed("x")]);
    const { epoch } = log;
    await log.close();
    const same = await openSpaceLog(join(folder, "a"));
    assert.equal(same.epoch, epoch);
    await same.close();
    await cp(join(folder, "a"), join(folder, "b"), { recursive: true });
    const copy = await openSpaceLog(join(folder, "b"));
    assert.notEqual(copy.epoch, epoch);
    assert.equal(copy.head, 1);
    const copied = copy.epoch;
    await copy.close();
    const again = await opened(t, join(folder, "b"));
    assert.equal(again.epoch, copied);
  });
});

/** A disk that can be told to refuse. */
function faultyDisk(): { options: SpaceLogOptions; fail(what: "write" | "sync" | undefined, errno: string): void } {
  let failing: "write" | "sync" | undefined;
  let errno = "";
  const refuse = () => Object.assign(new Error(errno), { code: errno });
  const openSegment: SpaceLogOptions["openSegment"] = async (path) => {
    const file = await openSegmentFile(path);
    return {
      ...file,
      async write(bytes, offset) {
        // Like a disk that becomes full: the first half goes through.
        if (failing === "write") await file.write(bytes.subarray(0, bytes.length >> 1), offset);
        if (failing === "write") throw refuse();
        await file.write(bytes, offset);
      },
      async sync() {
        if (failing === "sync") throw refuse();
        await file.sync();
      },
    };
  };
  return {
    options: { openSegment },
    fail(what, code) {
      failing = what;
      errno = code;
    },
  };
}

describe("the file log on a disk that refuses", () => {
  test("LOG-13 full: refused, reads go on, nothing of it stays, and it works when there is space again", async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("ok", "write", "sync"), { minLength: 1, maxLength: 12 }),
        async (steps) => {
          const folder = await temporaryFolder(t);
          const disk = faultyDisk();
          const troubles: (string | undefined)[] = [];
          const log = await openSpaceLog(folder, { ...disk.options, onTrouble: (each) => troubles.push(each?.code) });
          const acknowledged: string[] = [];
          for (const [index, step] of steps.entries()) {
            disk.fail(step === "ok" ? undefined : step === "write" ? "write" : "sync", "ENOSPC");
            const append = log.append([renamed(`${index}.0`), renamed(`${index}.1`)]);
            if (step === "ok") acknowledged.push(...titles(await append));
            else await rejects(append, "store.full");
            assert.deepEqual(titles(await readAll(log)), acknowledged);
          }
          if (steps.some((step) => step !== "ok")) assert.equal(troubles[0], "store.full");
          await log.close();
          const again = await openSpaceLog(folder);
          assert.deepEqual(titles(await readAll(again)), acknowledged);
          await again.close();
        },
      ),
      { seed: 13, numRuns: 25 },
    );
  });

  test("LOG-14 after a failed sync nothing is written until the log is opened again", async (t) => {
    const folder = await temporaryFolder(t);
    const disk = faultyDisk();
    const log = await openSpaceLog(folder, disk.options);
    await log.append([renamed("kept")]);
    disk.fail("sync", "EIO");
    const both = [log.append([renamed("a")]), log.append([renamed("b")])];
    for (const append of both) await rejects(append, "store.failed");
    disk.fail(undefined, "");
    await rejects(log.append([renamed("c")]), "store.failed");
    assert.equal(log.refusing?.code, "store.failed");
    assert.deepEqual(titles(await log.read(0, 10)), ["kept"]);
    await log.close();
    const again = await opened(t, folder);
    assert.deepEqual(titles(await readAll(again)), ["kept"]);
    assert.equal((await again.append([renamed("d")]))[0]?.seq, 2);
  });

  test("LOG-13 a file that is shorter than what was acknowledged is never written to again", async (t) => {
    const folder = await temporaryFolder(t);
    const disk = faultyDisk();
    const log = await opened(t, folder, disk.options);
    await log.append([renamed("kept")]);
    disk.fail("write", "ENOSPC");
    await rejects(log.append([renamed("a")]), "store.full");
    disk.fail(undefined, "");
    const { path, bytes } = await segmentOf(folder);
    await truncate(path, bytes.length - 5);
    await rejects(log.append([renamed("b")]), "store.failed");
  });

  test("LOG-10 who is further behind than memory reaches when the log closes is let go, and keeps nobody up", async (t) => {
    // A process of its own: what went wrong here once never gave the turn back.
    const program = `
      import { openSpaceLog } from ${JSON.stringify(new URL("open-space-log.js", import.meta.url).href)};
      const log = await openSpaceLog(process.argv[1]);
      const title = (i) => ({ type: "space.renamed", data: { title: String(i) } });
      for (let i = 0; i < 9; i++) await log.append(Array.from({ length: 1000 }, (_, k) => title(1000 * i + k)));
      let last = 0;
      const following = (async () => {
        for await (const events of log.follow(0, { limit: 64 })) {
          last = events.at(-1).seq;
          if (last !== 64) continue;
          log.append([title("last")]).catch(() => {});
          log.close();
        }
      })();
      await following;
      console.log(last);`;
    const run = promisify(execFile)(
      process.execPath,
      ["--input-type=module", "--eval", program, await temporaryFolder(t)],
      { timeout: 60_000, killSignal: "SIGKILL" },
    );
    assert.equal((await run).stdout, "64\n");
  });

  test("LOG-14 while the next segment cannot be opened appends are refused, and no longer", async (t) => {
    const folder = await temporaryFolder(t);
    const aside = `${folder}-aside`;
    let opens = 0;
    const openSegment: SpaceLogOptions["openSegment"] = async (path) => {
      opens++;
      if (opens === 2) throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
      const file = await openSegmentFile(path);
      // The segment is there, but its folder cannot be opened to be synced.
      if (opens === 3) await rename(folder, aside);
      return file;
    };
    const troubles: (string | undefined)[] = [];
    const log = await opened(t, folder, {
      segmentBytes: 1,
      openSegment,
      onTrouble: (each) => troubles.push(each?.code),
    });
    await log.append([renamed("kept")]);
    const both = [log.append([renamed("a")]), log.append([renamed("b")])];
    for (const append of both) await rejects(append, "store.failed");
    await rejects(log.append([renamed("c")]), "store.failed");
    await rename(aside, folder);
    assert.equal(log.refusing, undefined);
    assert.equal((await log.append([renamed("d")]))[0]?.seq, 2);
    assert.deepEqual(troubles, ["store.failed", "store.failed", undefined]);
    await log.close();
    const again = await opened(t, folder);
    assert.deepEqual(titles(await readAll(again)), ["kept", "d"]);
  });

  test("LOG-14 after a new segment could not be truncated nothing is written until the log is opened again", async (t) => {
    const folder = await temporaryFolder(t);
    let opens = 0;
    const openSegment: SpaceLogOptions["openSegment"] = async (path) => {
      const file = await openSegmentFile(path);
      if (++opens !== 2) return file;
      return { ...file, truncate: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })) };
    };
    const log = await opened(t, folder, { segmentBytes: 1, openSegment });
    await log.append([renamed("kept")]);
    await rejects(log.append([renamed("a")]), "store.failed");
    assert.equal(log.refusing?.code, "store.failed");
    await rejects(log.append([renamed("b")]), "store.failed");
    assert.equal(opens, 2);
  });

  test("LOG-13 a file that cannot be opened when there is space again is opened by a later append", async (t) => {
    const folder = await temporaryFolder(t);
    const disk = faultyDisk();
    const { path } = await (async () => {
      const first = await openSpaceLog(folder);
      await first.append([renamed("kept")]);
      await first.close();
      return segmentOf(folder);
    })();
    let opens = 0;
    const log = await opened(t, folder, {
      async openSegment(segment) {
        opens++;
        if (opens === 2) throw Object.assign(new Error("EMFILE"), { code: "EMFILE" });
        const file = await disk.options.openSegment!(segment);
        if (opens !== 3) return file;
        return {
          ...file,
          // Behind it nobody can open the file to see how it ends.
          async truncate(sizeBytes) {
            await file.truncate(sizeBytes);
            await rename(path, `${path}-aside`);
            await symlink(path, path);
          },
        };
      },
    });
    disk.fail("write", "ENOSPC");
    await rejects(log.append([renamed("a")]), "store.full");
    disk.fail(undefined, "");
    await rejects(log.append([renamed("b")]), "store.failed");
    await rejects(log.append([renamed("c")]), "store.failed");
    await rm(path);
    await rename(`${path}-aside`, path);
    assert.equal((await log.append([renamed("d")]))[0]?.seq, 2);
    await log.close();
    const again = await opened(t, folder);
    assert.deepEqual(titles(await readAll(again)), ["kept", "d"]);
  });

  test("LOG-15 an event that is too large is refused alone", async (t) => {
    const log = await opened(t, await temporaryFolder(t));
    const result = Object.fromEntries([["text", "x".repeat(2 ** 20)]]);
    const operation = "00000000-0000-4000-8000-000000000000";
    const large = log.append([renamed("a"), { type: "operation.completed", data: { operation, result } }]);
    const small = log.append([renamed("b")]);
    await rejects(large, "request.too_large");
    assert.equal((await small)[0]?.seq, 1);
    assert.ok(!(await readAll(log)).some((event) => event.type === "operation.completed"));
    assert.ok(new CairnError("request.too_large").status === 413);
  });
});
