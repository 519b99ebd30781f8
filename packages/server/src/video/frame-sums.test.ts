/**
 * A film goes in by one door and out by the others; ffmpeg, which knows nothing of all this, says picture by picture
 * whether it is the same.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { VideoConsumer } from "@cairn/client";
import { openApi } from "@cairn/client/node";
import { AccessUnitAssembler, annexB, NAL, nalUnits } from "@cairn/video";
import { hasFfmpeg } from "@cairn/video/test/ffmpeg";
import { film, streamSums } from "../test/ffmpeg.ts";
import { HubUser, packet13, packet21 } from "../test/hub-user.ts";
import { testServer } from "../test/test-server.ts";

/** Two sizes one after the other, the second in four slices a picture; 24 pictures each. */
async function wholeFilm(t: TestContext): Promise<Buffer | undefined> {
  if (await hasFfmpeg()) {
    return Buffer.concat([await film("320x240", 24), await film("192x160", 24, ["-slices", "4"])]);
  }
  t.skip("SKIPPED: ffmpeg is not installed (apt-get install ffmpeg)");
  return undefined;
}

/** What a consumer of the SDK has taken, and how to wait for it. */
class Taken {
  readonly pieces: Uint8Array[] = [];
  ended = false;
  #look = () => {};

  constructor(consumer: VideoConsumer) {
    consumer.on("packet", ({ data, end, lost }) => {
      assert.equal(lost, 0);
      if (data.length > 0) this.pieces.push(data);
      this.ended ||= end;
      this.#look();
    });
  }

  async until(fits: () => boolean): Promise<void> {
    while (!fits()) {
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }
}

const live = (line: { status: string; on(name: "status", listener: (status: string) => void): () => void }) =>
  new Promise<void>((resolve) => {
    if (line.status === "live") resolve();
    line.on("status", (status) => status === "live" && resolve());
  });

test("HUB-11..HUB-14 HUB-20 HUB-22 STR-3 STR-8 a simulator's units, one a packet, are the same film for the hub's consumers and the SDK's", async (t) => {
  const stream = await wholeFilm(t);
  if (!stream) return;
  const source = await streamSums(stream);
  assert.equal(source.length, 48);
  const server = await testServer(t);
  const { video } = openApi({ url: server.url });
  const hub = await HubUser.open(server, "/ws/video/consume?source=film");
  const own = video.consume("film");
  const taken = new Taken(own);
  await live(own);
  const producer = await HubUser.open(server, "/ws/video?source=film");
  const late: HubUser[] = [];
  const lateOwn: { consumer: VideoConsumer; taken: Taken }[] = [];
  let [keys, packets, timestampUs] = [0, 0, 0n];
  for (const { type, bytes } of nalUnits(stream)) {
    const data = Buffer.from(annexB([bytes]));
    if (type === NAL.sps) producer.send(packet13(1, data, timestampUs));
    else if (type === NAL.pps) producer.send(packet13(2, data, timestampUs));
    else producer.send(packet21(type === NAL.keySlice ? 3 : 4, data, { timestampUs, flags: type === 5 ? 1 : 0 }));
    packets++;
    timestampUs += 8000n;
    if (type !== NAL.keySlice || ++keys !== 2) continue;
    // In the middle of a group of pictures of the first size others come.
    await producer.settled();
    late.push(await HubUser.open(server, "/ws/video/consume?source=film&gop=1"));
    const consumer = video.consume("film");
    lateOwn.push({ consumer, taken: new Taken(consumer) });
    await lateOwn[0]!.taken.until(() => lateOwn[0]!.taken.pieces.length >= 2);
  }
  await hub.packets(packets);
  await taken.until(() => taken.pieces.length === packets);
  assert.deepEqual(await streamSums(Buffer.concat(hub.binary)), source);
  assert.deepEqual(await streamSums(Buffer.concat(taken.pieces)), source);

  // From the key picture on that was the last when they came: the ninth.
  await producer.leave();
  await lateOwn[0]!.taken.until(() => lateOwn[0]!.taken.ended);
  const sums = await streamSums(Buffer.concat(lateOwn[0]!.taken.pieces));
  assert.deepEqual(sums, source.slice(8));
  await late[0]!.packets(lateOwn[0]!.taken.pieces.length);
  assert.deepEqual(await streamSums(Buffer.concat(late[0]!.binary)), source.slice(8));
  own.close();
  lateOwn[0]!.consumer.close();
  for (const user of [hub, ...late]) await user.leave();
});

test("STR-6 STR-8 STR-11 HUB-20 pictures that the SDK sends are the same film for the SDK and for the hub's consumers", async (t) => {
  const stream = await wholeFilm(t);
  if (!stream) return;
  const source = await streamSums(stream);
  const server = await testServer(t);
  const { video } = openApi({ url: server.url });
  const hub = await HubUser.open(server, "/ws/video/consume?source=film");
  const packet = await HubUser.open(server, "/ws/video/consume?source=film&framing=packet");
  const own = video.consume("film");
  const taken = new Taken(own);
  await live(own);
  const producer = video.produce("film");
  await new Promise<void>((resolve) => producer.on("keyWanted", resolve));
  const assembler = new AccessUnitAssembler();
  const units = [...assembler.push(stream, 0n), ...assembler.flush()];
  assert.equal(units.length, 48);
  for (const [i, { data, key }] of units.entries())
    assert.ok(producer.send({ data, key, timeNs: BigInt(i) * 33_333_333n }));
  assert.ok(producer.send({ data: new Uint8Array(0), timeNs: 0n, end: true }));
  await taken.until(() => taken.ended);
  for (const user of [hub, packet]) await user.packets(units.length);
  assert.deepEqual(await streamSums(Buffer.concat(taken.pieces)), source);
  assert.deepEqual(await streamSums(Buffer.concat(hub.binary)), source);
  const bare = packet.binary.map((bytes) => bytes.subarray(21));
  assert.deepEqual(await streamSums(Buffer.concat(bare)), source);
  own.close();
  producer.close();
  for (const user of [hub, packet]) await user.leave();
});
