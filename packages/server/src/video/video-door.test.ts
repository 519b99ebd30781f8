/** Live video at Cairn's own door. Rules: docs/spec/video-live.md. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ReceivedPacket, Video, type VideoConsumer, type VideoHead } from "@cairn/client";
import { openApi } from "@cairn/client/node";
import { type CairnError, readVideoPacket, VIDEO_FLAG, writeVideoPacket } from "@cairn/protocol";
import { WebSocket } from "ws";
import { frameNal, HubUser, keyNal, PPS, packet13, packet21, SPS } from "../test/hub-user.ts";
import { testServer } from "../test/test-server.ts";

const SETS = Buffer.concat([SPS, PPS]);
/** The same at another level: another codec string. */
const SETS_2 = Buffer.concat([Buffer.from(SPS).fill(0x1f, 7, 8), PPS]);

const native = (number: number, flags: number, data: Buffer, timeNs = BigInt(number)) =>
  Buffer.from(writeVideoPacket({ number, flags, data, timeNs }));
const key = (number: number) => native(number, VIDEO_FLAG.key, keyNal(number));
const frame = (number: number, size?: number) => native(number, 0, frameNal(number, size));
const sets = (number: number, data = SETS) => native(number, VIDEO_FLAG.configuration, data);

/** Packets without the server's own numbers. */
const bare = (bytes: Buffer) => {
  const { flags, timeNs, data } = readVideoPacket(bytes);
  return { flags, timeNs, data: Buffer.from(data) };
};

const errorOf = (message: Record<string, unknown> | undefined) =>
  (message?.error as { code: string } | undefined)?.code;

describe("live video", () => {
  test("STR-1 STR-2 STR-3 STR-6 what a decoder must know, then parameter sets and the group of pictures, then what comes", async (t) => {
    const server = await testServer(t);
    const early = await HubUser.open(server, "/v1/video/cam");
    const follower = await HubUser.open(server, "/v1/video");
    const producer = await HubUser.open(server, "/v1/video/cam?role=produce");
    assert.deepEqual(await producer.of("welcome"), [{ type: "welcome", source: "cam" }]);
    const first = [sets(0), key(1), frame(2)];
    producer.send(...first);
    for (const user of [early, follower]) {
      assert.deepEqual((await user.packets(3)).map(bare), first.map(bare));
      assert.equal(
        user.heard.findIndex((each) => typeof each === "string"),
        0,
        "the head goes first",
      );
      assert.deepEqual(user.messages, [
        { type: "video", source: "cam", codec: "avc1.42C01E", width: 640, height: 480 },
      ]);
    }
    const late = await HubUser.open(server, "/v1/video/cam");
    const live = await HubUser.open(server, "/v1/video/cam?gop=0");
    producer.send(frame(3), sets(4, SETS_2), key(5));
    const all = [...first, frame(3), sets(4, SETS_2), key(5)].map(bare);
    const heard = (await late.packets(6)).map(bare);
    assert.deepEqual([heard[0]!.data, heard.slice(1)], [SETS, all.slice(1)]);
    const numbers = (await late.packets(6)).map((bytes) => readVideoPacket(bytes).number);
    assert.deepEqual(
      numbers,
      numbers.map((_, i) => numbers[0]! + i),
      "no gap where nothing was lost",
    );
    assert.deepEqual((await live.packets(4)).map(bare).slice(1), all.slice(3));
    assert.deepEqual((await late.of("video", 2))[1]?.codec, "avc1.42C01F");
    const change = late.heard.findIndex((each) => typeof each === "string" && each.includes("42C01F"));
    assert.deepEqual(bare(late.heard[change + 1] as Buffer).data, SETS_2);
    producer.send({ type: "ping" });
    await producer.of("pong");
    for (const user of [early, follower, producer, late, live]) await user.leave();
  });

  test("STR-1 STR-6 STR-8 names, roles, layouts and spaces that may not be are said, then closed", async (t) => {
    const server = await testServer(t);
    const refused: [path: string, code: string, close: number][] = [
      ["/v1/video/a%20b", "video.source", 1008],
      [`/v1/video/${"x".repeat(65)}?role=produce`, "video.source", 1008],
      ["/v1/video/cam?role=both", "request.invalid", 1008],
      ["/v1/video/cam?layout=toString", "request.invalid", 1008],
      ["/v1/video/cam?role=produce&layout=h264", "request.invalid", 1008],
      ["/v1/video/cam?role=produce&space=no-such", "space.missing", 4004],
    ];
    for (const [path, code, close] of refused) {
      const user = await HubUser.open(server, path);
      assert.equal((await user.closed).code, close, path);
      assert.equal(errorOf(user.messages[0]), code, path);
    }
    const older = await HubUser.open(server, "/v1/video/cam?role=produce&space=place");
    await older.of("welcome");
    const newer = await HubUser.open(server, "/v1/video/cam?role=produce");
    assert.deepEqual(await older.closed, { code: 4009, reason: "Replaced by a newer producer" });
    await newer.leave();
    const guarded = await testServer(t, { token: "right" });
    const stranger = await HubUser.open(guarded, "/v1/video/cam");
    assert.equal((await stranger.closed).code, 4001);
  });

  test("STR-7 packets that lie or are no H.264 reach nobody, are counted and said once a second", async (t) => {
    const server = await testServer(t);
    const consumer = await HubUser.open(server, "/v1/video/cam");
    const producer = await HubUser.open(server, "/v1/video/cam?role=produce");
    const lying = frame(1);
    lying.writeUInt32LE(5, 16);
    const other = frame(1);
    other[0] = 2;
    const fromMs = performance.now();
    const bad = [Buffer.alloc(0), Buffer.alloc(19), lying, other, native(1, 0, Buffer.from("no start code"))];
    producer.send(...bad, key(2));
    assert.deepEqual(bare((await consumer.packets(1))[0]!), bare(key(2)));
    const [error] = await producer.of("error");
    assert.equal(errorOf(error), "video.packet");
    const metrics = await (await server.send("GET", "/metrics")).text();
    assert.match(metrics, new RegExp(`^h264_packets_rejected_total ${bad.length}$`, "m"));
    producer.send("no json", { type: "unknown" });
    await producer.until(({ messages }) =>
      messages.filter((each) => errorOf(each) === "request.invalid").length === 2 ? true : undefined,
    );
    const told = producer.messages.filter((each) => errorOf(each) === "video.packet").length;
    assert.ok(told <= 1 + (performance.now() - fromMs) / 1000, `told ${told} times`);
    for (const user of [consumer, producer]) await user.leave();
  });

  test("STR-4 STR-5 STR-10 losses of the sender stay visible, and the end is said", async (t) => {
    const server = await testServer(t);
    const consumer = await HubUser.open(server, "/v1/video/cam");
    const producer = await HubUser.open(server, "/v1/video/cam?role=produce&space=place");
    producer.send(sets(10), key(11), frame(14));
    const numbers = (await consumer.packets(3)).map((bytes) => readVideoPacket(bytes).number);
    assert.deepEqual([numbers[1]! - numbers[0]!, numbers[2]! - numbers[1]!], [1, 3]);
    const list = async () => {
      const { sources } = (await (await server.send("GET", "/v1/video")).json()) as {
        sources: Record<string, unknown>[];
      };
      return sources[0]!;
    };
    const { bytes, mbps, picturesPerS, lastPacketMs, keyframes, ...facts } = await list();
    assert.equal((keyframes as Record<string, unknown>).keyframes, 0, "pictures that nobody can decode");
    assert.deepEqual(facts, {
      source: "cam",
      live: true,
      space: "place",
      codec: "avc1.42C01E",
      width: 640,
      height: 480,
      consumers: 1,
      frames: 2,
      lost: 2,
    });
    assert.ok([bytes, mbps, picturesPerS, lastPacketMs].every((value) => Number(value) > 0));
    const one = (await (await server.send("GET", "/v1/video/cam")).json()) as { consumers: Record<string, number>[] };
    const [{ latencyMs, ...flow } = {}] = one.consumers;
    const relayed = consumer.binary.reduce((sum, { length }) => sum + length, 0);
    assert.deepEqual(flow, { packets: 3, bytes: relayed, dropped: 0, waitingBytes: 0 });
    assert.ok(latencyMs !== undefined && latencyMs >= 0);
    assert.equal((await server.send("GET", "/v1/video/none")).status, 404);
    producer.ws.terminate();
    const last = (await consumer.packets(4))[3]!;
    assert.deepEqual([readVideoPacket(last).flags, readVideoPacket(last).data.length], [VIDEO_FLAG.end, 0]);
    assert.equal((await list()).live, false);
    const back = await HubUser.open(server, "/v1/video/cam?role=produce");
    back.send(key(0), native(1, VIDEO_FLAG.end, Buffer.alloc(0)));
    const heard = (await consumer.packets(6)).slice(4).map(bare);
    assert.deepEqual(
      heard.map(({ flags }) => flags),
      [VIDEO_FLAG.key, VIDEO_FLAG.end],
    );
    await back.leave();
    await consumer.settledJson();
    assert.equal(consumer.binary.length, 6, "an end that was said is not said again");
    await consumer.leave();
  });

  test("STR-8 what came in one layout goes out in any", async (t) => {
    const server = await testServer(t);
    const paths = [
      "/v1/video/a",
      "/v1/video/a?layout=hub",
      "/v1/video/a?layout=h264",
      "/ws/video/consume?source=a&framing=packet",
    ];
    const [own, hub, h264, face] = (await Promise.all(paths.map((path) => HubUser.open(server, path)))) as [
      HubUser,
      HubUser,
      HubUser,
      HubUser,
    ];
    const old = await HubUser.open(server, "/ws/video?source=a");
    const sent = [packet13(5, SETS, 7n), packet21(3, keyNal(1), { timestampUs: 8n, flags: 1 })];
    old.send(...sent);
    assert.deepEqual((await own.packets(2)).map(bare), [
      { flags: VIDEO_FLAG.configuration, timeNs: 7000n, data: SETS },
      { flags: VIDEO_FLAG.key, timeNs: 8000n, data: keyNal(1) },
    ]);
    for (const user of [hub, face]) assert.deepEqual(await user.packets(2), sent);
    assert.deepEqual(await h264.packets(2), [SETS, keyNal(1)]);
    const producer = await HubUser.open(server, "/v1/video/a?role=produce&layout=hub");
    producer.send(packet21(4, frameNal(2), { timestampUs: 9n }));
    assert.deepEqual(bare((await own.packets(3))[2]!), { flags: 0, timeNs: 9000n, data: frameNal(2) });
    const modern = await HubUser.open(server, "/v1/video/a?role=produce");
    modern.send(native(0, 0, frameNal(3), 12_345_678n));
    assert.deepEqual((await face.packets(4))[3], packet21(4, frameNal(3), { timestampUs: 12_345n }));
    for (const user of [own, hub, h264, face, producer, modern]) await user.leave();
  });

  test("STR-9 ten thousand messages at once reach everyone, in order and timed", async (t) => {
    const server = await testServer(t);
    const consumers = await Promise.all([1, 2].map(() => HubUser.open(server, "/v1/video/cam")));
    const producer = await HubUser.open(server, "/v1/video/cam?role=produce");
    const count = 10_000;
    for (let i = 0; i < count; i++) producer.send(native(i, 0, frameNal(i & 255, 0)));
    for (const consumer of consumers) {
      await consumer.until(({ heard }) => (heard.length === count + 1 ? true : undefined));
      const numbers = consumer.binary.map((bytes) => Number(readVideoPacket(bytes).timeNs));
      assert.deepEqual(
        numbers,
        numbers.map((_, i) => i),
      );
    }
    const metrics = await (await server.send("GET", "/metrics")).text();
    assert.match(metrics, new RegExp(`^frame_latency_seconds_count ${2 * count}$`, "m"));
    for (const user of [producer, ...consumers]) await user.leave();
  });
});

/** What a consumer of the SDK has heard, and waits for. */
class Heard {
  readonly packets: ReceivedPacket[] = [];
  readonly heads: VideoHead[] = [];
  #look = () => {};

  constructor(consumer: VideoConsumer) {
    consumer.on("head", (head) => this.heads.push(head));
    consumer.on("packet", (packet) => {
      this.packets.push(packet);
      this.#look();
    });
  }

  async until(fits: (packets: readonly ReceivedPacket[]) => boolean): Promise<void> {
    while (!fits(this.packets)) {
      await new Promise<void>((resolve) => {
        this.#look = resolve;
      });
    }
  }
}

const statusOf = (
  line: { status: string; on(name: "status", listener: (status: string) => void): () => void },
  wanted: string,
) =>
  new Promise<void>((resolve) => {
    if (line.status === wanted) resolve();
    line.on("status", (status) => {
      if (status === wanted) resolve();
    });
  });

describe("the SDK's live video", () => {
  test("STR-2 STR-3 STR-5 STR-11 one sends, another takes; both come back when their lines break", async (t) => {
    const server = await testServer(t);
    const lines: WebSocket[] = [];
    class Line extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        lines.push(this);
      }
    }
    const api = openApi({ url: server.url, WebSocket: Line });
    const consumer = api.video.consume("cam", { backoff: { firstMs: 5, maxMs: 20 } });
    const heard = new Heard(consumer);
    const producer = api.video.produce("cam", { backoff: { firstMs: 5, maxMs: 20 } });
    const wanted = new Promise<void>((resolve) => producer.on("keyWanted", resolve));
    assert.equal(producer.send({ data: keyNal(0), timeNs: 0n, key: true }), false, "there is no line yet");
    await statusOf(producer, "live");
    await statusOf(consumer, "live");
    await wanted;
    assert.equal(producer.send({ data: frameNal(0), timeNs: 0n }), false, "nothing before a key picture");
    assert.ok(producer.send({ data: SETS, timeNs: 1n, configuration: true }));
    assert.ok(producer.send({ data: keyNal(1), timeNs: 1n, key: true }));
    assert.ok(producer.send({ data: frameNal(2), timeNs: 2n }));
    await heard.until(({ length }) => length >= 3);
    assert.deepEqual(heard.heads, [{ source: "cam", codec: "avc1.42C01E", width: 640, height: 480 }]);
    assert.deepEqual(
      heard.packets.map(({ data }) => Buffer.from(data)),
      [SETS, keyNal(1), frameNal(2)],
    );
    assert.deepEqual(
      heard.packets.map(({ key, configuration, lost }) => [key, configuration, lost]),
      [
        [false, true, 0],
        [true, false, 0],
        [false, false, 0],
      ],
    );
    const [source] = await api.videoSources();
    assert.deepEqual([source?.source, source?.live, source?.consumers, source?.width], ["cam", true, 1, 640]);
    assert.equal(producer.dropped, 2);

    const again = new Promise<void>((resolve) => producer.on("keyWanted", resolve));
    const consuming = new Promise<void>((resolve) => consumer.on("status", (status) => status === "live" && resolve()));
    for (const line of lines.splice(0)) line.terminate();
    await Promise.all([again, consuming]);
    assert.ok(producer.send({ data: keyNal(4), timeNs: 4n, key: true }));
    await heard.until((packets) => packets.at(-1)?.timeNs === 4n);
    assert.equal(heard.heads.length, 2, "the head is told on every line");
    assert.equal(lines.length, 2);
    assert.ok(producer.send({ data: new Uint8Array(0), timeNs: 5n, end: true }));
    await heard.until((packets) => packets.at(-1)?.end === true);
    consumer.close();
    producer.close();
    assert.deepEqual([consumer.status, producer.status], ["off", "off"]);
  });

  test("STR-6 STR-11 one that was replaced, or may not, does not come back", async (t) => {
    const server = await testServer(t, { token: "right" });
    const stranger = openApi({ url: server.url, token: "wrong" }).video.consume("cam");
    const error = await new Promise<CairnError>((resolve) => stranger.on("error", resolve));
    assert.equal(error.code, "auth.required");
    await statusOf(stranger, "off");
    const { video } = openApi({ url: server.url, token: "right" });
    const older = video.produce("cam");
    await new Promise<void>((resolve) => older.on("keyWanted", resolve));
    const newer = video.produce("cam");
    await statusOf(older, "off");
    await statusOf(newer, "live");
    newer.close();
    const lost = video.produce("cam", { space: "no-such" });
    assert.equal((await new Promise<CairnError>((resolve) => lost.on("error", resolve))).code, "space.missing");
    await statusOf(lost, "off");
  });

  test("STR-4 STR-11 a line that does not take it all loses pictures up to a key picture, and asks for one", () => {
    let opened: { onopen?: () => void; onmessage?: (event: { data: unknown }) => void } = {};
    class Slow {
      binaryType = "";
      readyState = 1;
      bufferedAmount = 0;
      onopen = () => {};
      onmessage = () => {};
      onclose = () => {};
      onerror = () => {};
      readonly sent: Uint8Array[] = [];
      constructor() {
        opened = this;
        line = this;
      }
      send(data: string | Uint8Array) {
        this.sent.push(data as Uint8Array);
      }
      close() {}
    }
    let line: Slow | undefined;
    const address = { url: () => "ws://x", token: undefined, WebSocket: Slow };
    const producer = new Video(address).produce("cam");
    let asked = 0;
    producer.on("keyWanted", () => asked++);
    opened.onopen?.();
    opened.onmessage?.({ data: '{"type":"welcome","source":"cam"}' });
    const send = (key: boolean) => producer.send({ data: keyNal(1), timeNs: 0n, key });
    assert.deepEqual([asked, send(false), send(true), send(false)], [1, false, true, true]);
    line!.bufferedAmount = 3 * 2 ** 20;
    assert.deepEqual([send(false), send(false), asked], [false, false, 2]);
    assert.equal(send(true), false, "no room for a key picture either");
    line!.bufferedAmount = 2 ** 19;
    assert.deepEqual([send(false), send(true), send(false), asked], [false, true, true, 2]);
    const numbers = line!.sent.map((bytes) => readVideoPacket(bytes).number);
    assert.deepEqual(numbers, [1, 2, 7, 8], "what was left out is seen in the numbers");
    producer.close();
  });
});
