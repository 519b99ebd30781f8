import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import { CairnError, encodeImageFrame, type ImageReceipt, MAX_MESSAGE_BYTES } from "@cairn/protocol";
import { openDoor, RawClient, renamed, type TestDoor } from "../test/live-door.ts";
import { sendSlowly } from "../test/send-slowly.ts";

const RECEIPT: ImageReceipt = {
  image: "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70",
  seq: 2,
  blob: "a".repeat(64),
  known: false,
};

/** What an upgrade request is answered with. */
function upgrade(port: number, path: string, headers: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request({
      port,
      path,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
        ...headers,
      },
    });
    asking.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asking.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    asking.on("error", reject);
    asking.end();
  });
}

describe("the live door (docs/spec/live.md)", () => {
  let house: TestDoor;
  let ingested = 0;
  let started = 0;
  before(async () => {
    house = await openDoor({
      upgrades: { allowedOrigins: ["https://good.example"] },
      authorize: (token, _role, space) =>
        space !== "locked"
          ? "granted"
          : token === "key"
            ? "granted"
            : token === undefined
              ? "unauthenticated"
              : "forbidden",
      ingest: async (_space, photo, bytes) => {
        ingested++;
        if (photo.name === "broken") throw new CairnError("image.corrupt");
        if (photo.name === "bug") throw new Error("secret /etc/path");
        return { ...RECEIPT, seq: bytes.length };
      },
      startOperation: async (_space, kind) => {
        if (kind !== "rebuild") throw new CairnError("operation.unknown_kind", { kind });
        started++;
        return RECEIPT.image;
      },
      limits: { messagesPerS: 50, messageBurst: 60 },
    });
    await house.core.spaces.create({ id: "locked" });
  });
  after(() => house.close());

  test("GEN-6 an upgrade to an unknown path is refused with 404", async () => {
    for (const path of ["/", "/ws/x", "/v1/spaces/place", "/v1/spaces/a/b/live", "/v1/spaces/%zz/live"]) {
      assert.equal(await upgrade(house.port, path), 404, path);
    }
    assert.equal(await upgrade(house.port, "/v1/spaces/place/live/?x=1"), 101);
  });

  test("GEN-8 a page from elsewhere is refused with 403, a program and a listed page are not", async () => {
    const path = "/v1/spaces/place/live";
    assert.equal(await upgrade(house.port, path, { origin: "https://evil.example" }), 403);
    assert.equal(await upgrade(house.port, path, { origin: "https://good.example" }), 101);
    assert.equal(await upgrade(house.port, path), 101);
  });

  test("GEN-34 without or with a wrong token: accepted, then 4001 or 4003 with nothing sent before", async () => {
    const url = house.url.replace("place", "locked");
    for (const [address, protocols, headers, code] of [
      [url, [], {}, 4001],
      [`${url}?token=no`, [], {}, 4003],
      [url, ["cairn.bearer", "no"], {}, 4003],
      [url, [], { authorization: "Bearer no" }, 4003],
    ] as const) {
      const client = new RawClient(address, { protocols: [...protocols], headers });
      assert.equal((await client.closed).code, code);
      assert.deepEqual(client.messages, []);
    }
    const client = new RawClient(url, { protocols: ["cairn.bearer", "key"] });
    await new Promise((resolve) => client.ws.once("open", resolve));
    assert.equal(client.ws.protocol, "cairn.bearer");
    client.send({ type: "hello", version: 1 });
    await client.until((each) => each.of("welcome")[0]);
    client.ws.close();
  });

  test("LIVE-1 an unknown space is closed with 4004, an impossible one with 1008, after the handshake", async () => {
    assert.equal((await new RawClient(house.url.replace("place", "nowhere")).closed).code, 4004);
    assert.equal((await new RawClient(house.url.replace("place", "a%2Fb")).closed).code, 1008);
  });

  test("LIVE-1 no hello: closed with 4008; another version: told so and closed with 4006", async () => {
    const hasty = await openDoor({ limits: { helloMs: 50 } });
    assert.deepEqual(await new RawClient(hasty.url).closed, { code: 4008, reason: "hello expected" });
    await hasty.close();
    const client = await RawClient.open(house.url, { version: 99 });
    assert.equal((await client.closed).code, 4006);
    assert.equal(client.of("error")[0]?.error.code, "live.version");
  });

  test("GEN-16 GEN-18 what is not understood gets an error and costs nothing else", async () => {
    const client = await RawClient.open(house.url);
    const cases: [string | Uint8Array, string][] = [
      ['{"type":"credit","bytes":1}', "live.hello_expected"],
      [new Uint8Array([1, 2, 3]), "live.hello_expected"],
      ['{"type":"hello","version":1}', ""],
      ["{", "request.not_json"],
      ["", "request.not_json"],
      ["[]", "request.invalid"],
      ["null", "request.invalid"],
      ["7", "request.invalid"],
      ["{}", "live.unknown_type"],
      ['{"type":7}', "live.unknown_type"],
      [`{"type":"${"x".repeat(100)}"}`, "live.unknown_type"],
      ['{"type":"credit"}', "request.invalid"],
      ['{"type":"hello","version":1}', "request.invalid"],
      [`{"type":"signal","channel":"c","data":${"[".repeat(40)}${"]".repeat(40)}}`, "request.invalid"],
      ["[".repeat(65_000), "request.invalid"],
      [JSON.stringify({ type: "ping", fill: "x".repeat(70_000) }), "request.too_large"],
      [new Uint8Array([1, 2, 3]), "request.invalid"],
      [new Uint8Array([1, 255, 255, 255, 255, 0]), "request.invalid"],
      [new Uint8Array([9]), "request.invalid"],
    ];
    const expected: string[] = [];
    for (const [message, code] of cases) {
      client.send(message);
      if (code) expected.push(code);
    }
    client.send({ type: "ping", extra: { __proto__: null, constructor: 1 } });
    await client.until((each) => each.of("pong")[0]);
    assert.deepEqual(
      client.of("error").map(({ error }) => error.code),
      expected,
    );
    const details = client.of("error").map(({ error }) => error.detail);
    assert.ok(details.includes("Unknown message type: null"));
    assert.ok(details.includes(`Unknown message type: ${"x".repeat(64)}`));
    assert.ok(client.of("welcome")[0]);
    client.ws.close();
  });

  test("GEN-15 exactly 16 MiB passes, one byte more closes with 1009 and is not processed", async () => {
    const client = await RawClient.open(house.url, {});
    const head = { id: "big", name: "big.jpg" };
    const overhead = encodeImageFrame(head, new Uint8Array()).length;
    const before = ingested;
    client.send(encodeImageFrame(head, new Uint8Array(MAX_MESSAGE_BYTES - overhead)));
    const answer = await client.until((each) => each.of("answer")[0]);
    assert.equal(answer.result.seq, MAX_MESSAGE_BYTES - overhead);
    client.send(encodeImageFrame({ ...head, id: "over" }, new Uint8Array(MAX_MESSAGE_BYTES - overhead)));
    assert.equal((await client.closed).code, 1009);
    assert.equal(ingested, before + 1);
  });

  test("C5 text that is not UTF-8 closes with 1007", async () => {
    const client = await RawClient.open(house.url, {});
    client.ws.send(Buffer.from([0x7b, 0xc3, 0x28, 0x7d]), { binary: false });
    assert.equal((await client.closed).code, 1007);
  });

  test("C14 garbage after the handshake ends that socket and nothing else", async () => {
    let seed = 7;
    const noise = (length: number) => {
      const bytes = Buffer.alloc(length);
      for (let i = 0; i < length; i++) {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        bytes[i] = seed >> 16;
      }
      return bytes;
    };
    const witness = await RawClient.open(house.url, {});
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        const raw = connect(house.port, "127.0.0.1");
        raw.write(
          `GET /v1/spaces/place/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        );
        raw.write(noise(10 + i * 13));
        raw.on("error", () => {});
        return new Promise((resolve) => {
          raw.on("close", resolve);
          raw.once("data", () => raw.end());
          raw.resume();
        });
      }),
    );
    witness.send({ type: "ping" });
    await witness.until((each) => each.of("pong")[0]);
    witness.ws.close();
  });

  test("LIVE-8 a command is answered once by its id; repeated, it gets the same answer and is not done again", async () => {
    const command = { type: "operation.start", id: "c1", kind: "rebuild" };
    const before = started;
    const first = await RawClient.open(house.url, { client: "me" });
    first.send(command);
    first.send(command);
    await first.until((each) => each.of("answer").length === 2);
    first.ws.terminate();
    const second = await RawClient.open(house.url, { client: "me" });
    second.send(command);
    assert.deepEqual(await second.until((each) => each.of("answer")[0]), first.of("answer")[0]);
    assert.equal(started, before + 1);
    second.send({ ...command, kind: "another" });
    assert.equal((await second.until((each) => each.of("error")[0])).error.code, "request.invalid");
    const other = await RawClient.open(house.url, { client: "you" });
    other.send(command);
    await other.until((each) => each.of("answer")[0]);
    assert.equal(started, before + 2);
    other.send({ type: "operation.start", id: "c2", kind: "nonsense" });
    assert.equal((await other.until((each) => each.of("error")[0])).id, "c2");
    for (const each of [second, other]) each.ws.close();
  });

  test("LIVE-9 a photo is answered by its id; a refusal and a bug are told apart (GEN-27, GEN-19)", async () => {
    const client = await RawClient.open(house.url, {});
    for (const name of ["fine", "broken", "bug"]) client.send(encodeImageFrame({ id: name, name }, new Uint8Array(5)));
    await client.until((each) => each.of("error").length === 2 && each.of("answer")[0]);
    assert.equal(client.of("answer")[0]?.id, "fine");
    const [corrupt, bug] = client.of("error").sort((a, b) => (a.id! < b.id! ? -1 : 1));
    assert.equal(corrupt?.error.code, "image.corrupt");
    assert.deepEqual([bug?.error.code, bug?.error.detail], ["server.internal", "Internal error"]);
    assert.ok(house.errors.some((facts) => "ref" in facts && facts.ref === bug?.ref));
    assert.ok(!JSON.stringify(bug).includes("secret"));
    client.ws.close();
  });

  test("GEN-25 above the rate nothing is processed, and that is said at most once a second", async () => {
    const client = await RawClient.open(house.url, {});
    await client.until((each) => each.of("welcome")[0]);
    const fromMs = performance.now();
    for (let i = 0; i < 300; i++) client.send({ type: "ping" });
    await client.until((each) => each.of("error")[0]);
    client.ws.close();
    await client.closed;
    const seconds = (performance.now() - fromMs) / 1000;
    assert.ok(client.of("pong").length <= 60 + 50 * seconds, `${client.of("pong").length} answered in ${seconds} s`);
    assert.ok(client.of("error").length <= 1 + seconds, `${client.of("error").length} errors in ${seconds} s`);
    assert.equal(client.of("error")[0]?.error.detail, "Rate limit exceeded");
  });

  test("LIVE-10 signals reach those who asked, not their sender, and are not in the log", async () => {
    const { head } = house.space.log;
    const [a, b, c] = await Promise.all([
      RawClient.open(house.url, { channels: ["pointer"] }),
      RawClient.open(house.url, { channels: ["pointer"] }),
      RawClient.open(house.url, {}),
    ]);
    const peers = await Promise.all([a, b, c].map((each) => each.until((client) => client.of("welcome")[0])));
    a.send({ type: "signal", channel: "pointer", data: { x: 1 } });
    const signal = await b.until((each) => each.of("signal")[0]);
    assert.deepEqual(signal, { type: "signal", channel: "pointer", from: peers[0]!.peer, data: { x: 1 } });
    await house.space.log.append([renamed("after")]);
    await Promise.all([a.untilSeq(head + 1), c.untilSeq(head + 1)]);
    assert.deepEqual([a.of("signal").length, c.of("signal").length], [0, 0]);
    for (const each of [a, b, c]) each.ws.close();
  });

  test("LIVE-11 presence names who is here, and forgets who has gone", async () => {
    const watcher = await RawClient.open(house.url, { channels: ["presence"], name: "Ada" });
    const names = () =>
      (watcher.of("signal").at(-1)?.data as { peers: { name: string }[] } | undefined)?.peers.map(({ name }) => name) ??
      [];
    const guest = await RawClient.open(house.url, { name: "Grace" });
    await watcher.until(() => names().includes("Ada") && names().includes("Grace"));
    guest.ws.terminate();
    await watcher.until(() => !names().includes("Grace"));
    watcher.send({ type: "signal", channel: "presence", data: "me" });
    assert.equal((await watcher.until((each) => each.of("error")[0])).error.code, "request.invalid");
    watcher.ws.close();
  });
});

describe("life and death of a live socket", () => {
  test("GEN-20 a socket without any sign of life is closed with 1011, a quiet one that answers pings is not", async () => {
    const house = await openDoor({ limits: { pingEveryMs: 100, deadMs: 2000 } });
    const quiet = await RawClient.open(house.url, {});
    const deaf = await RawClient.open(house.url, {}, { autoPong: false });
    assert.deepEqual(await deaf.closed, { code: 1011, reason: "keepalive timeout" });
    quiet.send({ type: "ping" });
    await quiet.until((each) => each.of("pong")[0]);
    await house.close();
  });

  test("GEN-20 a message that takes longer than that to arrive is a sign of life all the while", async () => {
    const house = await openDoor({ limits: { deadMs: 2000 } });
    const client = await RawClient.open(house.url, {});
    await sendSlowly(client.ws, JSON.stringify({ type: "ping", pad: "x".repeat(2000) }), 4000);
    assert.equal(client.ws.readyState, client.ws.OPEN);
    await client.until((each) => each.of("pong")[0]);
    client.ws.close();
    await house.close();
  });

  test("GEN-26 closing the door says 1001 to everyone and takes no more", async () => {
    const house = await openDoor();
    const client = await RawClient.open(house.url, {});
    await client.until((each) => each.of("welcome")[0]);
    house.upgrades.close();
    const closing = house.door.close();
    assert.equal(await upgrade(house.port, "/v1/spaces/place/live"), 503);
    assert.deepEqual(await client.closed, { code: 1001, reason: "server shutting down" });
    await closing;
    await house.close();
  });

  test("LIVE-12 a deleted space says so, then closes with 1000", async () => {
    const house = await openDoor();
    const client = await RawClient.open(house.url, {});
    await client.until((each) => each.of("snapshot")[0]);
    await house.core.spaces.delete("place");
    assert.deepEqual(await client.closed, { code: 1000, reason: "space closed" });
    assert.equal(client.of("events").at(-1)?.events.at(-1)?.type, "space.closed");
    await house.close();
  });

  test("more sockets than the limit, in all or from one address, are refused with 503", async () => {
    const house = await openDoor({ upgrades: { socketsPerAddress: 2 } });
    const clients = [await RawClient.open(house.url, {}), await RawClient.open(house.url, {})];
    assert.equal(await upgrade(house.port, "/v1/spaces/place/live"), 503);
    clients[0]!.ws.terminate();
    await clients[0]!.closed;
    while (house.door.connections > 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await upgrade(house.port, "/v1/spaces/place/live"), 101);
    await house.close();
  });
});
