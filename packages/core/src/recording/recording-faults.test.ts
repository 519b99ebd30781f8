/** Kills, cut-off files and a full disk in the middle of a recording. Rules: docs/spec/recordings.md. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { RecordingFile } from "@cairn/protocol";
import { openFileBlobStore } from "../blob/file-blob-store.ts";
import { openCore } from "../core.ts";
import { afterwards, temporaryFolder } from "../test/fixtures.ts";
import { coded, ended, fetched, packetsOf, pictures, readMcap, unitsIn } from "../test/recorded.ts";
import { RecordingFolder } from "./folder.ts";
import { finishMcap } from "./mcap/finish.ts";
import { finishMp4 } from "./mp4/finish.ts";

const RECORDER = fileURLToPath(new URL("../test/recording-process.js", import.meta.url));

test("RCD-7 kill -9: what was on disk can be played as it lies there, and the next start makes a recording of it", async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "data");
  const process_ = spawn(process.execPath, [RECORDER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(process_, "close");
  let recording = "";
  for await (const line of createInterface({ input: process_.stdout })) {
    const said = JSON.parse(line) as { recording: string; sizes: number[] };
    recording = said.recording;
    if (said.sizes.length === 2 && said.sizes.every((size) => size > 60_000)) break;
  }
  process_.kill("SIGKILL");
  await closed;
  const left = join(dataDir, "recordings", recording);
  const names = (await readdir(left)).filter((name) => !name.endsWith(".json"));
  assert.equal(names.length, 2);
  const units = await pictures();
  const expected = (count: number) => Array.from({ length: count }, (_, i) => coded(units[i % units.length]!));

  const mp4 = join(left, names.find((name) => name.endsWith(".mp4"))!);
  const asLeft = (await unitsIn(mp4)).map(coded);
  assert.ok(asLeft.length >= 100, `${asLeft.length} pictures`);
  assert.deepEqual(asLeft, expected(asLeft.length));
  const mcapAsLeft = await readMcap(join(left, "everything.mcap"), "streamed");
  assert.ok(mcapAsLeft.messages.length >= 100);

  for (const start of ["first", "second"]) {
    const core = await openCore({ dataDir });
    try {
      const space = await core.spaces.open("place");
      const { reason, files, endedNs } = await ended(space, recording);
      assert.equal(reason, "crashed", start);
      assert.deepEqual(
        files.map(({ format }) => format),
        ["mp4", "mcap"],
      );
      assert.deepEqual((await unitsIn(await fetched(core, folder, files[0]!))).map(coded), asLeft);
      const read = await readMcap(await fetched(core, folder, files[1]!));
      assert.equal(read.counted, mcapAsLeft.messages.length);
      assert.equal(read.messages.length, mcapAsLeft.messages.length);
      assert.equal(endedNs, [files[0]!.toNs, files[1]!.toNs].sort().at(-1));
      await core.collect(0);
      assert.ok(await core.blobs.stat(files[0]!.blob));
      const events = await space.log.read(0, 10_000);
      assert.equal(events.filter(({ type }) => type === "recording.ended").length, 1);
    } finally {
      await core.close();
    }
    assert.deepEqual(await readdir(join(dataDir, "recordings")), []);
  }
});

test("RCD-7 a file that is cut off anywhere, once or while it was being finished, has all that is whole before", async (t) => {
  const folder = await temporaryFolder(t);
  const core = await openCore({ dataDir: join(folder, "data") });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "place" });
  const { recording } = await core.recordings.start(space, {});
  const units = await pictures();
  const sent = Array.from({ length: 10 }, () => units).flat();
  const producer = core.video.open({ source: "front", space: space.id });
  for (const packet of packetsOf(sent)) producer.publish(packet);
  const path = join(folder, "data", "recordings", recording);
  const { files } = (await core.recordings.stop(space, recording)).ended!;
  assert.deepEqual(await readdir(join(path, "..")), []);
  const [mp4, mcap] = await Promise.all(files.map((file: RecordingFile) => fetched(core, folder, file)));

  let most = 0;
  const { size } = await stat(mp4!);
  for (let cut = 0; cut <= 24; cut++) {
    const copy = join(folder, `${cut}.mp4`);
    await copyFile(mp4!, copy);
    // The last cuts leave all fragments, and a part of the table that follows them.
    await truncate(copy, Math.round((size * cut) / 24));
    const finished = await finishMp4(copy);
    const found = finished ? (await unitsIn(copy)).map(coded) : [];
    assert.equal(finished?.pictures ?? 0, found.length);
    assert.deepEqual(found, sent.slice(0, found.length).map(coded), `cut ${cut}`);
    assert.ok(found.length >= most, `cut ${cut}: more bytes, fewer pictures`);
    most = found.length;
    // Once more changes nothing.
    if (!finished) continue;
    const bytes = await readFile(copy);
    assert.deepEqual(await finishMp4(copy), finished);
    assert.deepEqual(await readFile(copy), bytes);
  }
  assert.equal(most, sent.length);

  most = 0;
  const whole = await readFile(mcap!);
  for (let cut = 0; cut <= 8; cut++) {
    const copy = join(folder, `${cut}.mcap`);
    // With the leavings of a lost power supply behind it: zeros.
    await writeFile(copy, Buffer.concat([whole.subarray(0, (whole.length * cut) / 8), Buffer.alloc(cut * 100)]));
    const finished = await finishMcap(copy);
    if (!finished) continue;
    const { messages, counted } = await readMcap(copy);
    assert.deepEqual([finished.messages, counted], [messages.length, messages.length]);
    assert.ok(messages.length >= most);
    most = messages.length;
    const bytes = await readFile(copy);
    assert.deepEqual(await finishMcap(copy), finished);
    assert.deepEqual(await readFile(copy), bytes);
  }
  assert.equal(most, files[1]!.messages);
});

test("RCD-7 a chunk whose index was cut off is indexed again; one that is damaged is left out", async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "x"));
  const { Chunks } = await import("./mcap/chunks.ts");
  const pieces: Uint8Array[] = [];
  const chunks = new Chunks(new Map(), (bytes) => pieces.push(bytes));
  for (let n = 0; n < 30; n++) {
    chunks.add({ topic: `/t${n % 3}`, schema: "event", logNs: BigInt(n), data: Buffer.from(`{"seq":${n}}`) });
    if (n % 10 === 9) chunks.flush();
  }
  const whole = Buffer.concat(pieces);
  const path = join(folder, "a.mcap");
  // Three indexes follow the last chunk: of four, three and three messages.
  const indexBytes = [4, 3, 3].map((count) => 9 + 6 + count * 16);
  for (const kept of [3, 2, 1, 0]) {
    const cut = indexBytes.slice(kept).reduce((sum, bytes) => sum + bytes, 0);
    await writeFile(path, whole.subarray(0, whole.length - cut));
    assert.deepEqual(await finishMcap(path), { messages: 30, fromNs: 0n, toNs: 29n });
    assert.equal((await readMcap(path)).messages.length, 30);
  }
  const damaged = Buffer.from(whole);
  damaged[whole.lastIndexOf('{"seq":25}') + 1] = 0;
  await writeFile(path, damaged);
  assert.deepEqual(await finishMcap(path), { messages: 20, fromNs: 0n, toNs: 19n });
  assert.equal((await readMcap(path)).messages.length, 20);
});

test("RCD-7 a file whose head a power cut took away holds up no other recording, nor who asks for it", async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "data");
  const core = await openCore({ dataDir });
  const space = await core.spaces.create({ id: "place" });
  const recordings: string[] = [];
  for (const source of ["a", "b"]) {
    const { recording } = await core.recordings.start(space, { channels: [`video/${source}`] });
    recordings.push(recording);
    const producer = core.video.open({ source, space: space.id });
    for (const packet of packetsOf(await pictures())) producer.publish(packet);
  }
  await core.close();
  // The second sector of each file of the recording that is looked at first: what a video's head says of its pictures.
  recordings.sort();
  const left = join(dataDir, "recordings", recordings[0]!);
  for (const name of (await readdir(left)).filter((each) => !each.endsWith(".json"))) {
    const bytes = await readFile(join(left, name));
    await writeFile(join(left, name), bytes.fill(0, 512, 1024));
  }
  const again = await openCore({ dataDir });
  afterwards(t, () => again.close());
  const there = await again.spaces.open("place");
  assert.equal((await ended(there, recordings[1]!)).files.length, 2);
  assert.ok((await again.recordings.stop(there, recordings[0]!)).ended);
});

test("RCD-8 a full disk ends it; with room again what was written becomes whole, and an event names it", async (t) => {
  const disk = await mkdtemp(join(tmpdir(), "cairn-full-"));
  if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk]).status !== 0) {
    await rm(disk, { recursive: true });
    return t.skip("SKIPPED: a small disk can't be mounted here (needs root)");
  }
  afterwards(t, async () => {
    spawnSync("umount", ["-l", disk]);
    await rm(disk, { recursive: true });
  });
  const folder = await temporaryFolder(t);
  const core = await openCore({ dataDir: join(disk, "data") });
  afterwards(t, () => core.close());
  const space = await core.spaces.create({ id: "place" });
  const { recording } = await core.recordings.start(space, { channels: ["video/*"] });
  const units = await pictures();
  const producer = core.video.open({ source: "front", space: space.id });
  const sent: typeof units = [];
  const left = join(disk, "data", "recordings", recording);
  const sizeOf = async (end: string) => {
    const name = (await readdir(left)).find((each) => each.endsWith(end));
    return name === undefined ? 0 : (await stat(join(left, name))).size;
  };
  while (!core.recordings.progress(recording)?.ending) {
    for (const packet of packetsOf(units, sent.length)) producer.publish(packet);
    sent.push(...units);
    await setTimeout(1);
    if ((await sizeOf(".mp4")) < 20_000 || (await sizeOf(".mcap")) < 20_000) continue;
    // Others fill the disk: half a megabyte each time.
    await writeFile(join(disk, "filler"), Buffer.alloc(2 ** 19), { flag: "a" }).catch(() => undefined);
  }
  assert.equal(core.recordings.progress(recording)?.ending, "disk_full");
  const name = (await readdir(left)).find((each) => each.endsWith(".mp4"))!;
  const asLeft = (await unitsIn(join(left, name))).map(coded);
  assert.deepEqual(asLeft, sent.slice(0, asLeft.length).map(coded));
  await rm(join(disk, "filler"));
  const { reason, files } = await ended(space, recording);
  assert.equal(reason, "disk_full");
  const found = (await unitsIn(await fetched(core, folder, files[0]!))).map(coded);
  assert.ok(found.length > 0 && found.length >= asLeft.length);
  assert.deepEqual(found, sent.slice(0, found.length).map(coded));
  assert.equal((await readMcap(await fetched(core, folder, files[1]!))).messages.length, files[1]!.messages);
});

test("RCD-7 a server that stops keeps what was recorded, and the next start names it", async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "data");
  const units = await pictures();
  const first = await openCore({ dataDir });
  const place = await first.spaces.create({ id: "place" });
  const { recording } = await first.recordings.start(place, { channels: ["video/*"] });
  const producer = first.video.open({ source: "front", space: place.id });
  for (const packet of packetsOf(units)) producer.publish(packet);
  await first.close();
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  const { reason, files } = await ended(await core.spaces.open("place"), recording);
  assert.equal(reason, "server_stopping");
  assert.deepEqual((await unitsIn(await fetched(core, folder, files[0]!))).map(coded), units.map(coded));
});

test("RCD-7 a crash between the files and the event changes nothing of the files; a space that can't be read keeps its own", async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, "data");
  const first = await openCore({ dataDir });
  const place = await first.spaces.create({ id: "place" });
  const { recording } = await first.recordings.start(place, { channels: ["video/*"] });
  const producer = first.video.open({ source: "front", space: place.id });
  for (const packet of packetsOf(await pictures())) producer.publish(packet);
  await first.close();
  const path = join(dataDir, "recordings", recording);
  const names = await readdir(path);

  // Its log is damaged: nobody knows whether it is there.
  const [log = ""] = (await readdir(dataDir, { recursive: true })).filter((name) => /0000000001\.log$/.test(name));
  const whole = await readFile(join(dataDir, log));
  const damaged = Buffer.from(whole);
  damaged[20]! ^= 1;
  await writeFile(join(dataDir, log), damaged);
  for (const file of await readdir(join(dataDir, log, ".."))) {
    if (file.endsWith(".state")) await rm(join(dataDir, log, "..", file));
  }
  const hindered = await openCore({ dataDir });
  await hindered.close();
  assert.deepEqual(await readdir(path), names);
  await writeFile(join(dataDir, log), whole);

  const blobs = await openFileBlobStore(join(dataDir, "blobs"));
  const { files } = await new RecordingFolder(path).finish(blobs, new AbortController().signal);
  const bytes = await Promise.all(files.map(({ blob }) => blobs.get(blob)));
  const core = await openCore({ dataDir });
  afterwards(t, () => core.close());
  const over = await ended(await core.spaces.open("place"), recording);
  assert.deepEqual([over.reason, over.files], ["server_stopping", files]);
  assert.deepEqual(await Promise.all(files.map(({ blob }) => core.blobs.get(blob))), bytes);
  while ((await readdir(join(dataDir, "recordings"))).length > 0) await setTimeout(5);
});
