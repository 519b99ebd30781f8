/** What a client of an older log, and one of a very large state, gets. Rules: docs/spec/live.md. */
import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { canonicalState } from "@cairn/protocol";
import { openDoor, RawClient, renamed } from "../test/live-door.ts";

/** Folders, and the doors over them: hooks run in the order in which they are added, so each door closes first. */
function places(t: TestContext) {
  const ends: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const end of ends.reverse()) await end();
  });
  return {
    async folder(): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), "cairn-epoch-"));
      ends.push(() => rm(folder, { recursive: true, force: true }));
      return folder;
    },
    async lastDoor(dataDir: string) {
      const house = await openDoor({}, { dataDir });
      ends.push(() => house.close());
      return house;
    },
  };
}

test("LIVE-5 a restart keeps the epoch: who comes back with it goes on", async (t) => {
  const at = places(t);
  const dataDir = await at.folder();
  const before = await openDoor({}, { dataDir });
  const [last] = await before.space.log.append([renamed("before")]);
  const { epoch } = before.space.log;
  await before.close();
  const house = await at.lastDoor(dataDir);
  const client = await RawClient.open(house.url, { after: last!.seq, epoch });
  const welcome = await client.until((each) => each.of("welcome")[0]);
  assert.deepEqual([welcome.recovered, welcome.epoch], [true, epoch]);
  client.ws.close();
});

test("LIVE-5 a restored backup has another epoch: a client that knows more is told the state, never left with its own", async (t) => {
  const at = places(t);
  const dataDir = await at.folder();
  const first = await openDoor({}, { dataDir });
  await first.space.log.append([renamed("in the backup")]);
  await first.close();
  const backup = await at.folder();
  await cp(dataDir, backup, { recursive: true });

  // After the backup was made, the original goes on, and a client has seen that.
  const original = await openDoor({}, { dataDir });
  const client = await RawClient.open(original.url, {});
  const { epoch } = await client.until((each) => each.of("welcome")[0]);
  const [lost] = await original.space.log.append([renamed("only in the original")]);
  await client.untilSeq(lost!.seq);
  client.ws.close();
  await original.close();

  const restored = await at.lastDoor(backup);
  // The restored log hands out the same seq for something else: the seq alone would look like a place to go on from.
  const [other] = await restored.space.log.append([renamed("another future")]);
  assert.equal(other!.seq, lost!.seq);
  const back = await RawClient.open(restored.url, { after: lost!.seq, epoch });
  const welcome = await back.until((each) => each.of("welcome")[0]);
  assert.equal(welcome.recovered, false);
  assert.notEqual(welcome.epoch, epoch);
  const snapshot = await back.until((each) => each.of("snapshot")[0]);
  assert.deepEqual([snapshot.epoch, snapshot.seq, snapshot.state.title], [welcome.epoch, other!.seq, "another future"]);
  back.ws.close();
});

test("GEN-14 a text message is one compact object; one over 64 KiB comes in fragments, and whole", async (t) => {
  const house = await openDoor();
  t.after(() => house.close());
  const { log } = house.space;
  for (let from = 0; from < 1200; from += 200) await log.append(Array.from({ length: 200 }, (_, i) => image(from + i)));

  const texts: string[] = [];
  const client = new RawClient(house.url);
  client.ws.on("message", (data: Buffer) => texts.push(data.toString()));
  await new Promise((resolve) => client.ws.once("open", resolve));
  client.send({ type: "hello", version: 1 });
  const snapshot = await client.until((each) => each.of("snapshot")[0]);
  assert.equal(canonicalState(snapshot.state), canonicalState(log.snapshot().state));
  assert.ok(texts.some((text) => text.length > 256 * 1024));
  for (const text of texts) assert.equal(text, JSON.stringify(JSON.parse(text)), "compact");
  client.ws.close();

  // The frames themselves: `ws` hands out whole messages, so these are read from the connection.
  const frames = await framesUntil(house.port, ({ opcode, final }, all) => opcode === 0 && final && all.length > 2);
  const fragments = frames.slice(frames.findLastIndex(({ opcode }) => opcode !== 0));
  assert.ok(fragments.length >= 4, `${fragments.length} fragments`);
  assert.deepEqual(
    fragments.map(({ opcode, final }) => [opcode, final]),
    fragments.map((_, i) => [i === 0 ? 1 : 0, i === fragments.length - 1]),
  );
  for (const { payload } of fragments) assert.ok(payload.length <= 64 * 1024, `${payload.length} bytes`);
  const whole = Buffer.concat(fragments.map(({ payload }) => payload)).toString();
  assert.ok(texts.includes(whole), "put together, they are the message");
});

function image(n: number) {
  return {
    type: "image.added" as const,
    data: {
      image: `${n.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`,
      blob: n.toString(16).padStart(64, "0"),
      mediaType: "image/jpeg",
      name: `photo ${n} — é.jpg`,
      sizeBytes: 1000,
      width: 4,
      height: 3,
      orientation: 1,
      source: "test",
    },
  };
}

type Frame = { opcode: number; final: boolean; payload: Buffer };

/** Unmasked frames as RFC 6455 5.2 has them, up to the first that is `enough`. */
function framesUntil(port: number, enough: (frame: Frame, all: readonly Frame[]) => boolean): Promise<Frame[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const frames: Frame[] = [];
    let bytes = Buffer.alloc(0);
    let upgraded = false;
    const next = (): Frame | undefined => {
      if (bytes.length < 2) return undefined;
      const short = bytes[1]!;
      const start = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (bytes.length < start) return undefined;
      const length = short === 127 ? Number(bytes.readBigUInt64BE(2)) : short === 126 ? bytes.readUInt16BE(2) : short;
      if (bytes.length < start + length) return undefined;
      const frame = {
        opcode: bytes[0]! & 15,
        final: bytes[0]! >= 128,
        payload: Buffer.from(bytes.subarray(start, start + length)),
      };
      bytes = bytes.subarray(start + length);
      return frame;
    };
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("closed before enough had come")));
    socket.on("data", (data) => {
      bytes = Buffer.concat([bytes, data]);
      if (!upgraded) {
        const end = bytes.indexOf("\r\n\r\n");
        if (end < 0) return;
        upgraded = true;
        bytes = bytes.subarray(end + 4);
        const hello = Buffer.from('{"type":"hello","version":1}');
        // A mask of zeros leaves the text as it is.
        socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | hello.length, 0, 0, 0, 0]), hello]));
      }
      for (let frame = next(); frame; frame = next()) {
        frames.push(frame);
        if (!enough(frame, frames)) continue;
        socket.destroy();
        resolve(frames);
        return;
      }
    });
    socket.write(
      "GET /v1/spaces/place/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
  });
}
