/** One data directory: its lock, its spaces, crashes and a full disk. Rules: CORE and SPACE in docs/spec/log.md. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { CairnError, DEFAULT_SETTINGS, msToNs } from "@cairn/protocol";
import { type Core, openCore } from "./core.ts";
import { lockFolder } from "./disk/lock.ts";
import { checksum } from "./log/record.ts";
import { checkQuota } from "./space/quota.ts";
import { logFolder, spaceFolder } from "./space/space-folder.ts";
import { afterwards, idOf, renamed, temporaryFolder } from "./test/fixtures.ts";
import { compare, runAndKill } from "./test/kill.ts";
import { rejects } from "./test/log.contract.ts";

async function opened(t: TestContext, dataDir: string): Promise<Core> {
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  return core;
}

describe("the data directory", () => {
  test("CORE-1 a second process is refused and told which one owns it; after kill -9 it takes over", async (t) => {
    const folder = await temporaryFolder(t);
    const code = `import(${JSON.stringify(new URL("./core.js", import.meta.url).href)}).then(async ({ openCore }) => {
      await openCore({ dataDir: ${JSON.stringify(folder)} }); console.log("mine"); setInterval(() => {}, 1000); });`;
    const owner = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
    await once(owner.stdout, "data");
    assert.equal((await rejects(openCore({ dataDir: folder }), "store.locked")).facts.pid, owner.pid);
    owner.kill("SIGKILL");
    await once(owner, "close");
    await opened(t, folder);
    assert.equal((await rejects(openCore({ dataDir: folder }), "store.locked")).facts.pid, process.pid);
  });

  test("CORE-2 of many that find a dead owner exactly one takes over, every time", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "lock.4"), JSON.stringify({ pid: process.pid, startTicks: "1", boot: "another" }));
    for (let round = 0; round < 30; round++) {
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
      const owners = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      assert.equal(owners.length, 1);
      for (const result of results) {
        if (result.status === "rejected") assert.equal(result.reason.code, "store.locked");
      }
      if (round % 2) await owners[0]?.();
      else {
        const [claim = ""] = (await readdir(folder)).filter((name) => /^lock\.[0-9]+$/.test(name));
        await writeFile(join(folder, claim), round % 4 ? "" : '{"pid":1,"startTicks":"0","boot":"x"}');
      }
    }
  });

  test("CORE-3 kill -9 at 24 moments: 0 acknowledged lost, 0 doubled, 0 half batches", async (t) => {
    const folder = await temporaryFolder(t);
    const lines: string[] = [];
    for (let kill = 0; kill < 24; kill++) lines.push(...(await runAndKill(folder, 1 + ((kill * 17) % 160))));
    const found = await compare(folder, lines);
    assert.deepEqual(found.problems, []);
    assert.deepEqual(found.lost, []);
    assert.deepEqual(found.doubled, []);
    assert.equal(found.halfBatches, 0);
    assert.ok(found.acknowledged > 500, `${found.acknowledged}`);
    t.diagnostic(`24 kills, ${found.acknowledged} acknowledged, lost 0, doubled 0`);
  });

  test("CORE-4 a full disk: refused by name, reads go on, nothing acknowledged is lost, recovers", async (t) => {
    const folder = await temporaryFolder(t);
    const disk = join(folder, "disk");
    await mkdir(disk);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      return t.skip("SKIPPED: no permission to mount a small tmpfs");
    }
    afterwards(t, () => execFileSync("umount", [disk]));
    const core = await opened(t, join(disk, "data"));
    const space = await core.spaces.create({ id: "place" });
    for (let round = 0; round < 5; round++) {
      const digests = new Set<string>();
      for (;;) {
        const error = await core.blobs.put(Buffer.from(`${round} ${digests.size} `.repeat(9000))).then(
          (blob) => void digests.add(blob.digest),
          (reason: unknown) => reason,
        );
        if (error instanceof CairnError) {
          assert.equal(error.code, "store.full");
          break;
        }
      }
      assert.ok(core.problems().length > 0);
      assert.deepEqual(
        (await readdir(join(disk, "data", "blobs"))).filter((name) => name.endsWith(".tmp")),
        [],
      );
      // What is left of the disk is filled by events.
      const refused = await (async () => {
        for (;;) {
          const outcome = await space.log.append(Array.from({ length: 50 }, () => renamed("x".repeat(200)))).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (outcome instanceof CairnError) return outcome;
        }
      })();
      assert.equal(refused.code, "store.full");
      const { head } = space.log;
      assert.equal((await space.log.read(head - 1, 1))[0]?.seq, head);
      const old = new Date(0);
      for (const digest of digests) {
        await utimes(join(disk, "data", "blobs", digest.slice(0, 2), digest.slice(2)), old, old);
      }
      assert.equal((await core.collect()).removed, digests.size);
      assert.equal((await space.log.append([renamed("again")]))[0]?.seq, head + 1);
    }
  });
});

describe("spaces", () => {
  test("SPACE-1 ids are free text and never a path; one id is one space, also after a restart", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await openCore({ dataDir: folder });
    const ids = ["Käßebrot 🧀", "a".repeat(128), "..a", "con", "%2e%2e", "space with blanks"];
    for (const id of ids) await core.spaces.create({ id, title: `of ${id.slice(0, 5)}` });
    const made = await core.spaces.create({});
    for (const id of ["", "..", "a/b", "a\\b", "live", "a\u0000", "\ud800", "x".repeat(129)]) {
      await rejects(core.spaces.create({ id }), "space.id_invalid");
      await rejects(core.spaces.open(id), "space.id_invalid");
    }
    await rejects(core.spaces.create({ id: "con" }), "space.exists");
    await rejects(core.spaces.open("none"), "space.missing");
    const [first, second] = [core.spaces.create({ id: "twice" }), core.spaces.create({ id: "twice" })];
    await rejects(second, "space.exists");
    assert.equal(await core.spaces.open("twice"), await first);
    for (const name of await readdir(join(folder, "spaces"))) assert.match(name, /^[0-9a-f]{64}$/);
    await core.close();
    const again = await opened(t, folder);
    const listed = (await again.spaces.list()).map((space) => space.id);
    assert.deepEqual(listed.sort(), [...ids, made.id, "twice"].sort());
    assert.equal((await again.spaces.open("con")).summary().title, "of con");
  });

  test("SPACE-2 deleting stops its work, tells its followers, and lets its blobs go", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await opened(t, folder);
    const image = (blob: string) => ({
      type: "image.added" as const,
      data: {
        image: idOf(1),
        blob,
        mediaType: "image/png",
        name: "a.png",
        sizeBytes: 3,
        width: 1,
        height: 1,
        orientation: 1,
        source: "http",
      },
    });
    const [mine, shared] = [await core.blobs.put(Buffer.from("mine")), await core.blobs.put(Buffer.from("shared"))];
    const space = await core.spaces.create({ id: "a" });
    const other = await core.spaces.create({ id: "b" });
    await space.log.append([image(mine.digest), image(shared.digest)]);
    await other.log.append([image(shared.digest)]);
    assert.equal((await core.collect(0)).removed, 0);
    const { ended } = await space.operations.start(
      "long",
      ({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
    );
    const seen: string[] = [];
    const following = (async () => {
      for await (const events of space.log.follow(0)) seen.push(...events.map((event) => event.type));
    })();
    await core.spaces.delete("a");
    await following;
    assert.equal(await ended, "failed");
    assert.deepEqual(seen.slice(-2), ["operation.failed", "space.closed"]);
    assert.ok(space.signal.aborted);
    await rejects(space.log.append([renamed("late")]), "space.closed");
    await rejects(core.spaces.open("a"), "space.missing");
    await rejects(core.spaces.delete("a"), "space.missing");
    assert.deepEqual(await core.collect(0), { removed: 1, freedBytes: 4 });
    assert.ok(await core.blobs.stat(shared.digest));
    assert.equal((await core.spaces.create({ id: "a" })).log.head, 1);
  });

  test("SPACE-3 a space ends when it expires, also when that was while nobody was there", async (t) => {
    const folder = await temporaryFolder(t);
    // Expiry alone does not keep a process alive.
    const alive = setInterval(() => {}, 1000);
    afterwards(t, () => clearInterval(alive));
    const core = await openCore({ dataDir: folder });
    const space = await core.spaces.create({ id: "short", expiresNs: msToNs(Date.now() + 3_600_000) });
    await core.spaces.create({ id: "later", expiresNs: msToNs(Date.now() + 1e12) });
    const away = await core.spaces.create({ id: "away" });
    assert.ok(space.summary().expiresNs);
    const gone = once(space.signal, "abort");
    await space.expireAt(msToNs(Date.now()));
    await gone;
    let last = "";
    for await (const events of space.log.follow(0)) last = JSON.stringify(events.at(-1)?.data);
    assert.equal(last, '{"reason":"expired"}');
    await away.log.append([{ type: "space.expiring", data: { expiresNs: "1" } }]);
    await core.close();
    const again = await opened(t, folder);
    const listed = async () => (await again.spaces.list()).map((each) => each.id);
    while ((await listed()).includes("away")) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await listed(), ["later"]);
  });

  test("SPACE-4 every space that opens is told about, also those that were open before", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await openCore({ dataDir: folder });
    await core.spaces.create({ id: "a" });
    await core.close();
    const again = await opened(t, folder);
    const told: string[] = [];
    again.spaces.onOpen((space) => told.push(space.id));
    await again.spaces.create({ id: "b" });
    assert.deepEqual(told, ["a", "b"]);
  });

  test("SPACE-5 quotas count images and bytes", async (t) => {
    const core = await opened(t, await temporaryFolder(t));
    const space = await core.spaces.create({ settings: { maxImages: 1, maxBytes: 10 } });
    const { state } = space.log.snapshot();
    checkQuota(state, { images: 1, sizeBytes: 10 });
    assert.throws(() => checkQuota(state, { images: 2, sizeBytes: 1 }), { code: "space.quota" });
    assert.throws(() => checkQuota(state, { images: 1, sizeBytes: 11 }), { code: "space.quota" });
    await rejects(core.spaces.create({ settings: { rebuildEvery: 0 } }), "request.invalid");
  });

  test("a new space has the settings of its maker, then those of the data directory's owner", async (t) => {
    const core = await openCore({ dataDir: await temporaryFolder(t), settings: { rebuildEvery: 20, maxImages: 7 } });
    afterwards(t, () => core.close());
    const { settings } = (await core.spaces.create({ settings: { maxImages: 3 } })).log.snapshot().state;
    assert.deepEqual([settings.rebuildEvery, settings.maxImages], [20, 3]);
  });

  test("SPACE-7 settings change by an event, also over a restart; a log older than a setting has its default", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await openCore({ dataDir: folder, settings: { preset: "fast" } });
    const space = await core.spaces.create({ id: "a" });
    assert.equal(space.log.snapshot().state.settings.preset, "fast");
    await space.configure({ preset: "fine", maxImages: 9 });
    await rejects(space.configure({ rebuildEvery: 0 }), "request.invalid");
    const changed = { ...DEFAULT_SETTINGS, preset: "fine", maxImages: 9 };
    assert.deepEqual(space.log.snapshot().state.settings, changed);
    await core.spaces.create({ id: "old" });
    await core.close();
    const again = await openCore({ dataDir: folder });
    assert.deepEqual((await again.spaces.open("a")).log.snapshot().state.settings, changed);
    await again.close();

    const log = logFolder(spaceFolder(join(folder, "spaces"), "old"));
    const names = await readdir(log);
    for (const name of names.filter((each) => /\.(log|state)$/.test(each))) {
      const path = join(log, name);
      const line = (await readFile(path, "utf8")).slice(9, -1).replace(',"preset":"fast"', "");
      await writeFile(path, `${checksum(line)} ${line}\n`);
    }
    for (const state of ["with", "without"]) {
      const reopened = await openCore({ dataDir: folder });
      const { settings } = (await reopened.spaces.open("old")).log.snapshot().state;
      assert.deepEqual(settings, DEFAULT_SETTINGS, `${state} its state file`);
      await reopened.close();
      for (const name of await readdir(log)) if (name.endsWith(".state")) await rm(join(log, name));
    }
  });

  test("SPACE-6 a space whose own file is damaged or lost costs no other, is told of, and loses no blob", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await openCore({ dataDir: folder });
    for (const id of ["damaged", "lost", "whole"]) await core.spaces.create({ id });
    const { digest } = await core.blobs.put(Buffer.from("a photo"));
    await core.close();
    const about = (id: string) => join(spaceFolder(join(folder, "spaces"), id), "space.json");
    await writeFile(about("damaged"), "{");
    await rm(about("lost"));
    const again = await opened(t, folder);
    assert.deepEqual(
      (await again.spaces.list()).map(({ id }) => id),
      ["whole"],
    );
    assert.equal(again.problems().length, 2);
    for (const id of ["damaged", "lost"]) {
      await assert.rejects(again.spaces.open(id), CairnError);
      await rejects(again.spaces.create({ id }), "space.exists");
    }
    await assert.rejects(again.collect(0), CairnError);
    assert.ok(await again.blobs.stat(digest), "nobody knows what they name");
  });

  test("SPACE-6 a space that a crash left half made or half deleted is not there", async (t) => {
    const folder = await temporaryFolder(t);
    const core = await openCore({ dataDir: folder });
    const space = await core.spaces.create({ id: "closing" });
    await space.log.append([{ type: "space.closed", data: { reason: "deleted" } }]);
    await core.close();
    await mkdir(join(folder, "spaces", "f".repeat(64)));
    await mkdir(join(folder, "spaces", "x.deleted"));
    const again = await opened(t, folder);
    assert.deepEqual(await again.spaces.list(), []);
    assert.ok(!existsSync(join(folder, "spaces", "x.deleted")));
    await again.spaces.create({ id: "closing" });
  });
});
