/**
 * What no camera would send: 20,000 seeded messages near right packets, each held against what the rules say of it. What
 * they say is written down here once more, so that reader and test do not share a mistake.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readVideoPacket, writeVideoPacket } from "@cairn/protocol";
import { type Dice, dice } from "../test/dice.ts";
import type { At } from "../test/face-user.ts";
import { frameNal, HubUser, keyNal, nal, PPS, packet13, packet21, SPS } from "../test/hub-user.ts";
import { startProcess } from "../test/start-process.ts";

const MESSAGES = 20_000;
const ROUNDS = 10;
const SETS = Buffer.concat([SPS, PPS]);
/** Another size of picture; one that cannot be; one that is cut off. */
const OTHER_SETS = [nal(0x67, 0x42, 0xc0, 0x28, 0xda, 1, 0x40), nal(0x67, 0x42, 0xff, 0xff, 0xff, 0xff), nal(0x67)];

const START = Buffer.of(0, 0, 0, 1);
const begins = (bytes: Buffer, at = 0) =>
  bytes.subarray(at, at + 4).equals(START) || bytes.subarray(at, at + 3).equals(START.subarray(1));

type Verdict = { readonly type: number; readonly data: Buffer } | "refused";

/** HUB-11 to HUB-19. */
function hubVerdict(bytes: Buffer): Verdict {
  const total = bytes.length;
  if (total < 13 || bytes.readUInt32BE(0) !== total) return "refused";
  const type = bytes[4]!;
  if (type < 1 || type > 5) return "refused";
  const sizeFits = total >= 21 && bytes.readUInt32BE(13) === total - 21;
  if (type === 3 || type === 4) return sizeFits ? { type, data: bytes.subarray(21) } : "refused";
  const isShort = begins(bytes, 13) && !(sizeFits && begins(bytes, 21));
  if (!isShort && !sizeFits) return "refused";
  const data = bytes.subarray(isShort ? 13 : 21);
  const isSet = type !== 5 || [7, 8].includes((data[0] ?? 0) & 0x9f);
  return { type, data: isSet && data.length > 0 && !begins(data) ? Buffer.concat([START, data]) : data };
}

/** VID-7 and STR-7. */
function nativeVerdict(bytes: Buffer): Verdict {
  if (bytes.length < 20 || bytes[0] !== 1 || bytes.readUInt16LE(2) !== 0) return "refused";
  const data = bytes.subarray(20);
  return bytes.readUInt32LE(16) === data.length && (data.length === 0 || begins(data)) ? { type: 4, data } : "refused";
}

type Kind = {
  readonly name: string;
  readonly path: string;
  readonly verdict: (bytes: Buffer) => Verdict;
  readonly right: (roll: Dice) => Buffer;
  readonly ping: string;
  /** What is no packet is taken for something else (HUB-26). */
  readonly isOther?: (bytes: Buffer) => boolean;
};

const TIMES = [0n, 1n, 2n ** 63n, 2n ** 64n - 1n, 1_750_000_000_952_559n];

function picture(roll: Dice): Buffer {
  const size = roll(300);
  const slice = roll(5) === 0 ? keyNal(roll(256), size) : frameNal(roll(256), size);
  return roll(6) === 0 ? Buffer.concat([roll(2) ? SETS : PPS, slice]) : slice;
}

function hubRight(roll: Dice): Buffer {
  const head = { timestampUs: TIMES[roll(TIMES.length)]!, flags: roll(9) === 0 ? 2 ** 32 - 1 : roll(16) };
  const sps = roll(4) === 0 ? OTHER_SETS[roll(OTHER_SETS.length)]! : SPS;
  const set = [sps, sps.subarray(4), PPS, SETS, Buffer.alloc(0)][roll(5)]!;
  switch (roll(8)) {
    case 0:
      return packet13(1, sps, head.timestampUs);
    case 1:
      return packet13(2, PPS, head.timestampUs);
    case 2:
      return packet21([1, 2, 5][roll(3)]!, set, head);
    case 3:
      return packet13(5, set, head.timestampUs);
    default:
      return packet21(3 + roll(2), picture(roll), head);
  }
}

function nativeRight(roll: Dice): Buffer {
  const timeNs = TIMES[roll(TIMES.length)]!;
  const data = roll(4) === 0 ? SETS : picture(roll);
  return Buffer.from(writeVideoPacket({ flags: roll(256), number: roll(2 ** 32), timeNs, data }));
}

const KINDS: readonly Kind[] = [
  { name: "a", path: "/ws/video?source=a", verdict: hubVerdict, right: hubRight, ping: "ping" },
  {
    name: "b",
    path: "/ws/phone?source=b",
    verdict: hubVerdict,
    right: hubRight,
    ping: "ping",
    isOther: (bytes) => bytes.length < 5 || bytes.readUInt32BE(0) !== bytes.length || bytes[4]! < 1 || bytes[4]! > 5,
  },
  {
    name: "c",
    path: "/v1/video/c?role=produce&layout=hub",
    verdict: (bytes) => hubVerdict(bytes),
    right: hubRight,
    ping: '{"type":"ping"}',
  },
  {
    name: "d",
    path: "/v1/video/d?role=produce",
    verdict: nativeVerdict,
    right: nativeRight,
    ping: '{"type":"ping"}',
  },
];

const TEXTS = ["", "{", "null", '{"type":5}', '{"type":"nonsense"}', '{"timestamp":NaN}', "\0", "[".repeat(5000)];

function spoiled(roll: Dice, right: Buffer): Buffer | string {
  const bytes = Buffer.from(right);
  const at = roll(bytes.length);
  switch (roll(12)) {
    case 0:
      bytes[at]! ^= 1 << roll(8);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes, Buffer.alloc(1 + roll(40), roll(256))]);
    case 3:
      bytes.writeUInt32BE([0, 12, bytes.length - 1, 2 ** 31, 2 ** 32 - 1][roll(5)]!, 0);
      return bytes;
    case 4:
      if (bytes.length >= 21) bytes.writeUInt32BE([0, 5, bytes.length, 2 ** 32 - 1][roll(4)]!, 13);
      return bytes;
    case 5:
      return Buffer.from(Array.from({ length: roll(60) }, () => roll(256)));
    case 6:
      return TEXTS[roll(TEXTS.length)]!;
    default:
      return bytes;
  }
}

/** What consumers of one producer are due. */
class Due {
  readonly relayed: Buffer[] = [];
  refused = 0;
  readonly #kind: Kind;
  #sps: Buffer | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
  }

  add(message: Buffer | string): void {
    if (typeof message === "string" || this.#kind.isOther?.(message)) return;
    const verdict = this.#kind.verdict(message);
    if (verdict === "refused") {
      this.refused++;
      return;
    }
    let { data } = verdict;
    if (verdict.type === 1) this.#sps = data;
    if (verdict.type === 2 && this.#sps) {
      data = Buffer.concat([this.#sps, data]);
      this.#sps = undefined;
    }
    if (data.length > 0) this.relayed.push(data);
  }
}

async function server(t: TestContext): Promise<At> {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-video-fuzz-"));
  const { child, url } = await startProcess(dataDir);
  t.after(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    await rm(dataDir, { recursive: true, force: true });
  });
  return { url };
}

async function figure(at: At, name: string): Promise<number> {
  const text = await (await fetch(`${at.url}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
}

/** Of a consumer in the native layout, where a packet without data goes out as well: the end of a stream is one. */
function dataOf({ binary }: HubUser): Buffer[] {
  return binary.map((bytes) => Buffer.from(readVideoPacket(bytes).data)).filter(({ length }) => length > 0);
}

/** Resolves when so many packets with data have come. */
async function takes(user: HubUser, count: number, pictures: (user: HubUser) => Buffer[]): Promise<void> {
  await user.until((each) => (each.heard.length >= count && pictures(each).length >= count ? true : undefined));
}

test("GEN-15 GEN-44 HUB-7 HUB-11..HUB-20 STR-7 20,000 spoiled packets: each reaches whom it should or nobody, and others notice nothing", async (t) => {
  const at = await server(t);
  const roll = dice(20_261_121);
  const attacked = await Promise.all(
    KINDS.map(async (kind) => ({
      kind,
      due: new Due(kind),
      consumers: await Promise.all(
        [`/ws/video/consume?source=${kind.name}`, `/v1/video/${kind.name}?layout=h264`].map((path) =>
          HubUser.open(at, path),
        ),
      ),
      native: await HubUser.open(at, `/v1/video/${kind.name}`),
      producer: await HubUser.open(at, kind.path),
    })),
  );
  const camera = await HubUser.open(at, "/ws/video?source=quiet");
  const watching = await HubUser.open(at, "/ws/video/consume?source=quiet");
  const viewer = await HubUser.open(at, "/ws/viewer");
  const calm: Buffer[] = [];
  const healthMs: number[] = [];

  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < MESSAGES / ROUNDS; i++) {
      const { kind, due, producer } = attacked[roll(attacked.length)]!;
      const message = spoiled(roll, kind.right(roll));
      due.add(message);
      producer.send(message);
    }
    const frame = frameNal(round);
    calm.push(frame);
    camera.send(packet21(4, frame));
    const fromMs = performance.now();
    const health = await fetch(`${at.url}/health`);
    assert.equal(health.status, 200);
    await health.arrayBuffer();
    healthMs.push(performance.now() - fromMs);
    assert.deepEqual(await watching.packets(calm.length), calm);
  }
  healthMs.sort((a, b) => a - b);
  assert.ok(healthMs[ROUNDS / 2]! < 1000, `/health took ${healthMs.map(Math.round)} ms`);

  let refused = 0;
  for (const { kind, due, consumers, native, producer } of attacked) {
    const all = [...consumers, native];
    const pictures = (user: HubUser) => (user === native ? dataOf(user) : user.binary);
    for (const user of all) await takes(user, due.relayed.length, pictures);
    // A picture of 10 MiB is more than is kept for those who come, and goes to those who are there.
    for (const data of [keyNal(1, 10 * 2 ** 20), frameNal(77)]) {
      const isNative = kind.verdict === nativeVerdict;
      const packet = isNative
        ? Buffer.from(writeVideoPacket({ flags: 0, number: 1, timeNs: 0n, data }))
        : packet21(4, data);
      due.add(packet);
      producer.send(packet);
      for (const user of all) await takes(user, due.relayed.length, pictures);
    }
    for (const user of all) {
      const got = pictures(user);
      assert.equal(got.length, due.relayed.length, kind.path);
      for (const [i, bytes] of got.entries()) assert.ok(bytes.equals(due.relayed[i]!), `${kind.path} ${i}`);
    }
    refused += due.refused;
    assert.equal(producer.ws.readyState, producer.ws.OPEN, kind.path);
    const errors = producer.messages.filter(({ type }) => type === "error").map((error) => JSON.stringify(error));
    assert.ok(errors.length > 0);
    for (const error of errors)
      assert.doesNotMatch(error, /Internal error|server\.internal|\/tmp\/|undefined|\.js:|\.ts:/);
  }
  assert.equal(await figure(at, "h264_packets_rejected_total"), refused);
  assert.equal(await figure(at, "consumer_frames_dropped_total"), 0);
  assert.deepEqual([camera.texts, viewer.heard, watching.texts], [[], [], []]);

  // More than a message may be ends that socket alone, and its source.
  const [{ producer, native }] = attacked as [(typeof attacked)[0]];
  producer.send(Buffer.alloc(2 ** 24 + 1));
  assert.equal((await producer.closed).code, 1009);
  await native.until(({ heard }) =>
    Buffer.isBuffer(heard.at(-1)) && (heard.at(-1) as Buffer)[1] === 4 ? true : undefined,
  );
  for (const each of attacked) for (const user of [...each.consumers, each.native, each.producer]) user.ws.terminate();
  for (const user of [camera, watching, viewer]) await user.leave();
});
