/** Who gets whose video, and from where on. Rules: the hub's contract, which the native door shares. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { HUB_FLAG, HUB_PACKET } from "@cairn/video";
import type { IncomingPacket, StreamPacket } from "./stream-packet.ts";
import { QUEUE_BYTES, type VideoSink } from "./video-consumer.ts";
import { type VideoOptions, VideoSources } from "./video-sources.ts";

const START = [0, 0, 0, 1];
const SPS = Buffer.of(...START, 0x67, 0x42, 0xc0, 0x1f, 0xda, 1, 0x40, 0x16);
const SPS_2 = Buffer.of(...START, 0x67, 0x42, 0xc0, 0x28, 0xda, 1, 0x40, 0x16);
const PPS = Buffer.of(...START, 0x68, 0xce, 0x3c, 0x80);
const SETS = Buffer.concat([SPS, PPS]);

const nal = (head: number, seed: number, size = 6) =>
  Buffer.concat([Buffer.of(...START, head, 0x88, seed), Buffer.alloc(size, 9)]);
const packet = (type: number, data: Buffer, more: Partial<IncomingPacket> = {}): IncomingPacket => ({
  type: type as IncomingPacket["type"],
  timeNs: 0n,
  flags: 0,
  data,
  ...more,
});
const sps = (data = SPS) => packet(HUB_PACKET.sps, data);
const pps = () => packet(HUB_PACKET.pps, PPS);
const key = (seed: number, size?: number) => packet(HUB_PACKET.key, nal(0x65, seed, size), { timeNs: BigInt(seed) });
const frame = (seed: number, size?: number) =>
  packet(HUB_PACKET.frame, nal(0x41, seed, size), { timeNs: BigInt(seed) });
const end = () => packet(HUB_PACKET.frame, Buffer.alloc(0), { flags: HUB_FLAG.end });

class Taker implements VideoSink {
  ready = true;
  waitingBytes = 0;
  readonly packets: StreamPacket[] = [];
  readonly names: string[] = [];

  take(packet: StreamPacket): number {
    if (packet.hub.length === 0) return 0;
    this.packets.push(packet);
    return packet.data.length || 1;
  }

  onSource(name: string): void {
    this.names.push(name);
  }

  get data(): Buffer[] {
    return this.packets.map(({ data }) => Buffer.from(data));
  }
}

function sources(t: TestContext, options?: VideoOptions): VideoSources {
  const video = new VideoSources(options);
  t.after(() => video.close());
  return video;
}

test("HUB-7 HUB-8 sources never mix; a consumer without a wish follows what is live, and stays until that ends", (t) => {
  let nowMs = 0;
  const video = sources(t, { nowMs: () => ++nowMs });
  const follower = new Taker();
  const wisher = new Taker();
  video.consume({}, follower);
  video.consume({ source: "b" }, wisher);
  const a = video.open({ source: "a" });
  for (const each of [sps(), pps(), key(1)]) a.publish(each);
  const b = video.open({ source: "b" });
  for (const each of [sps(SPS_2), pps(), key(2)]) b.publish(each);
  const main = video.open({});
  main.publish(frame(3));
  assert.deepEqual(follower.data, [SPS, SETS, key(1).data]);
  assert.deepEqual(wisher.data, [SPS_2, Buffer.concat([SPS_2, PPS]), key(2).data]);

  // `default` is live now, but the follower stays with `a`; then `default` goes before the older `b`.
  a.publish(frame(4));
  a.end();
  main.publish(frame(5));
  main.publish(end());
  assert.deepEqual(follower.names, ["a", "default", "b"]);
  assert.deepEqual(follower.data.slice(3), [
    frame(4).data,
    frame(5).data,
    Buffer.alloc(0),
    Buffer.concat([SPS_2, PPS]),
  ]);
  b.publish(frame(6));
  assert.deepEqual(follower.data.at(-1), frame(6).data);
  assert.equal(wisher.packets.length, 4);
});

test("HUB-9 with a name the newer wins; without, the same address or silence make way, else the next name is taken", (t) => {
  let nowMs = 0;
  const video = sources(t, { nowMs: () => nowMs });
  const replaced: string[] = [];
  const open = (tag: string, source?: string, address = tag) =>
    video.open({ source, address, onReplaced: () => replaced.push(tag) });
  const first = open("cam 1", "cam");
  const second = open("cam 2", "cam", "elsewhere");
  assert.deepEqual(replaced, ["cam 1"]);
  const taker = new Taker();
  video.consume({ source: "cam" }, taker);
  first.publish(key(1));
  first.end();
  second.publish(key(2));
  assert.deepEqual(taker.data, [key(2).data]);
  assert.equal(video.source("cam")?.live, true);

  const one = open("one");
  assert.deepEqual([one.name, open("two").name, open("three").name], ["default", "default-2", "default-3"]);
  assert.equal(open("two again", undefined, "two").name, "default-2");
  assert.deepEqual(replaced, ["cam 1", "two"]);
  nowMs = 1999;
  one.publish(key(3));
  nowMs = 3998;
  assert.equal(open("four").name, "default-2", "`default` was heard a moment ago, `default-2` was not");
  nowMs = 3999;
  assert.equal(open("five").name, "default");
  assert.deepEqual(replaced, ["cam 1", "two", "two again", "one"]);
  assert.throws(() => open("bad", "a/b"), /name of 1 to 64/);
});

test("HUB-26 who shares a source displaces nobody, and it is live with the first packet", (t) => {
  const video = sources(t);
  let replaced = 0;
  const phone = video.open({ shared: true });
  assert.equal(video.source("default")?.live, false);
  const camera = video.open({ onReplaced: () => replaced++ });
  assert.equal(camera.name, "default");
  const taker = new Taker();
  video.consume({}, taker);
  camera.publish(key(1));
  phone.publish(key(2));
  camera.end();
  assert.equal(video.source("default")?.live, true);
  phone.end();
  assert.deepEqual([video.source("default")?.live, replaced, taker.packets.length], [false, 0, 2]);
});

test("HUB-11 HUB-12 HUB-15 HUB-17 HUB-18 HUB-21 parameter sets become the cache in pairs, which who comes now gets first", (t) => {
  const video = sources(t);
  const producer = video.open({});
  const live = new Taker();
  video.consume({}, live);
  const cache = () => {
    const taker = new Taker();
    video.consume({}, taker).close();
    return taker.data;
  };
  producer.publish(pps());
  assert.deepEqual(cache(), [], "a PPS without an SPS is relayed and not kept");
  producer.publish(sps());
  assert.deepEqual(cache(), []);
  producer.publish(pps());
  assert.deepEqual(cache(), [SETS]);
  producer.publish(sps(SPS_2));
  assert.deepEqual(cache(), [SETS], "an SPS alone displaces no pair");
  producer.publish(pps());
  assert.deepEqual(cache(), [Buffer.concat([SPS_2, PPS])]);
  assert.deepEqual(live.data, [PPS, SPS, SETS, SPS_2, Buffer.concat([SPS_2, PPS])]);

  producer.publish(packet(HUB_PACKET.configuration, SPS));
  assert.deepEqual(cache(), [Buffer.concat([SPS_2, PPS])], "half a pair");
  producer.publish(packet(HUB_PACKET.configuration, SETS));
  assert.deepEqual(cache(), [SETS]);
  const whole = Buffer.concat([SPS_2, PPS, key(1).data]);
  producer.publish(packet(HUB_PACKET.key, whole));
  assert.deepEqual(live.data.at(-1), whole, "relayed unchanged");
  assert.deepEqual(cache(), [Buffer.concat([SPS_2, PPS])]);
  producer.publish(packet(HUB_PACKET.frame, Buffer.concat([frame(1).data, SETS])));
  assert.deepEqual(cache(), [Buffer.concat([SPS_2, PPS])], "behind a picture they are the next one's");
  producer.publish(packet(HUB_PACKET.frame, SETS, { flags: HUB_FLAG.configuration }));
  assert.deepEqual(cache(), [SETS]);
});

test("HUB-22 HUB-25 who asks gets the group of pictures; parameter sets outlive their stream, its pictures do not", (t) => {
  const video = sources(t);
  const producer = video.open({});
  const group = () => {
    const taker = new Taker();
    video.consume({ gop: true }, taker).close();
    return taker;
  };
  for (const each of [sps(), pps(), frame(1), key(2), frame(3)]) producer.publish(each);
  assert.deepEqual(group().data, [SETS, key(2).data, frame(3).data]);
  const { packets } = group();
  assert.deepEqual(
    packets.slice(1).map(({ number }, i) => number - packets[i]!.number),
    [1, 1],
    "no gap is seen where none is",
  );

  // A key picture in two slices, the second with another first macroblock, is one beginning.
  const slice = packet(HUB_PACKET.key, Buffer.of(...START, 0x65, 0x42, 1), { timeNs: 4n });
  for (const each of [key(4), slice, frame(5)]) producer.publish(each);
  assert.deepEqual(group().data, [SETS, key(4).data, slice.data, frame(5).data]);

  for (let i = 0; i < 297; i++) producer.publish(frame(6));
  assert.equal(group().packets.length, 301);
  producer.publish(frame(6));
  assert.deepEqual(group().data, [SETS], "more than 300 packets are not kept");
  producer.publish(key(7, QUEUE_BYTES));
  assert.deepEqual(group().data, [SETS], "nor more than 8 MiB");

  producer.publish(key(8));
  producer.publish(sps(SPS_2));
  producer.publish(pps());
  assert.deepEqual(group().data, [Buffer.concat([SPS_2, PPS])], "old pictures do not follow new parameter sets");
  producer.publish(key(9));
  producer.publish(end());
  assert.deepEqual([video.source("default")?.live, group().data], [false, [Buffer.concat([SPS_2, PPS])]]);
  producer.end();
  const next = video.open({});
  next.publish(frame(10));
  assert.deepEqual(
    group().data,
    [Buffer.concat([SPS_2, PPS])],
    "the cache stays until the next producer sends its own",
  );
});

test("HUB-23 a slow consumer loses what comes before a key frame, never something from within, and delays nobody", (t) => {
  const video = sources(t);
  const producer = video.open({});
  const slow = new Taker();
  const fast = new Taker();
  const consumer = video.consume({}, slow);
  video.consume({}, fast);
  for (const each of [sps(), pps(), key(1)]) producer.publish(each);
  slow.ready = false;
  const big = QUEUE_BYTES / 4 - 100;
  for (const each of [frame(2, 1000), sps(), pps(), key(3, big), frame(4, big), frame(5, big)]) producer.publish(each);
  assert.equal(consumer.stats.dropped, 0);
  producer.publish(frame(6, big));
  assert.deepEqual([consumer.stats.dropped, fast.packets.length], [1, 10], "the frame before the newest key frame");
  assert.ok(consumer.stats.waitingBytes <= QUEUE_BYTES);
  producer.publish(frame(7, big));
  assert.deepEqual([consumer.stats.dropped, consumer.stats.waitingBytes], [6, 0], "the group itself is too much");
  producer.publish(frame(8));
  producer.publish(key(9));
  producer.publish(frame(10));
  slow.ready = true;
  consumer.drain();
  producer.publish(frame(11));
  assert.deepEqual(
    slow.data.map((data) => data.subarray(0, 7)),
    [SPS, SETS, key(1).data, SETS, key(9).data, frame(10).data, frame(11).data].map((data) => data.subarray(0, 7)),
  );
  assert.equal(consumer.stats.dropped, 7);
  assert.equal(video.totals.droppedPictures, 7);
  const numbers = slow.packets.map(({ number }) => number);
  assert.ok(numbers[3]! - numbers[2]! > 1, "the gap is seen in the numbers");
});

test("HUB-86 HUB-95 what came in is counted by source, with what the sender's own numbers say was lost", (t) => {
  let nowMs = 10_000;
  const video = sources(t, { nowMs: () => nowMs });
  const producer = video.open({ source: "cam", space: "site" });
  producer.publish({ ...key(1, 993), number: 2 ** 32 - 1 });
  producer.publish({ ...frame(2, 993), number: 3 });
  producer.publish({ ...sps(), number: 4 });
  const [stats] = video.sources();
  assert.deepEqual(
    { ...stats, lastPacketMs: typeof stats?.lastPacketMs },
    {
      source: "cam",
      space: "site",
      live: true,
      frames: 2,
      bytes: 2012,
      mbps: (2012 * 8) / 5e6,
      picturesPerS: 0.4,
      lost: 3,
      consumers: 0,
      lastPacketMs: "number",
      parameterBytes: 0,
    },
  );
  nowMs += 5_000;
  assert.equal(video.sources()[0]?.mbps, 0);
});

test("HUB-95 a stream that is thin for five windows is told of once", (t) => {
  let nowMs = 0;
  const told: string[] = [];
  const video = sources(t, { nowMs: () => nowMs, onThin: (source) => told.push(source) });
  const producer = video.open({});
  const windows = (count: number, bytes: number) => {
    for (let i = 0; i < count; i++) {
      producer.publish(frame(1, bytes));
      nowMs += 4_999;
      video.lookAtRates();
      nowMs++;
    }
  };
  windows(4, 1000);
  assert.deepEqual(told, []);
  windows(1, 3e6);
  windows(6, 1000);
  assert.deepEqual(told, ["default"]);
  windows(10, 1000);
  assert.deepEqual(told, ["default"]);
});

test("HUB-7 sources that are over are let go, the oldest first, and not while somebody waits for them", (t) => {
  const video = sources(t);
  const waiting = new Taker();
  video.open({ source: "awaited" }).end();
  video.consume({ source: "awaited" }, waiting);
  for (let i = 0; i < 100; i++) video.open({ source: `cam-${i}` }).end();
  const names = video.sources().map(({ source }) => source);
  assert.deepEqual([names.length, names[0], names[1]], [65, "awaited", "cam-36"]);
  video.open({ source: "awaited" }).publish(key(1));
  assert.equal(waiting.packets.length, 1);
});
