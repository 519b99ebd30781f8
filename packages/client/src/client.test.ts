import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { rolldown } from "rolldown";
import { WebSocketServer } from "ws";
import { CairnApi } from "./api.ts";
import { Backoff } from "./backoff.ts";
import { BlobCache } from "./blob-cache.ts";
import { CreditWindow, FIRST_CREDIT_BYTES } from "./credit-window.ts";
import { Emitter } from "./emitter.ts";
import { connect } from "./node.ts";
import { randomId } from "./random-id.ts";
import { Uploads } from "./upload.ts";

describe("backoff", () => {
  test("waits are drawn from 0 to a bound that doubles up to the maximum, and start again after a success", () => {
    for (const [random, expected] of [
      [0.999_999, [99, 199, 399, 799, 999, 999]],
      [0, [0, 0, 0, 0, 0, 0]],
    ] as const) {
      const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => random });
      assert.deepEqual(
        expected.map(() => backoff.nextMs()),
        expected,
      );
      assert.equal(backoff.attempt, 6);
      backoff.reset();
      assert.equal(backoff.nextMs(), expected[0]);
    }
  });
});

describe("blob cache", () => {
  test("never holds more than its bytes, and keeps what was used last", () => {
    const uses = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 60 })));
    fc.assert(
      fc.property(uses, (all) => {
        const cache = new BlobCache(100);
        for (const [name, sizeBytes] of all) {
          cache.put(`${name}`, new Uint8Array(sizeBytes));
          assert.ok(cache.sizeBytes <= 100);
          assert.ok(cache.get(`${name}`), "what was just put is there");
        }
      }),
      { seed: 1 },
    );
    const cache = new BlobCache(100);
    cache.put("a", new Uint8Array(50));
    cache.put("b", new Uint8Array(50));
    cache.get("a");
    cache.put("c", new Uint8Array(10));
    assert.deepEqual([cache.get("a")?.length, cache.get("b"), cache.get("c")?.length], [50, undefined, 10]);
    cache.put("huge", new Uint8Array(101));
    assert.equal(cache.get("huge"), undefined);
  });
});

describe("the credit window", () => {
  /** A link of `rate` bytes/ms and `rttMs` without load: frames of 12 KiB leave one after the other, as credit allows. */
  function run(
    rate: number,
    rttMs: number,
    seconds: number,
  ): { windowBytes: number; usedPart: number; mostMs: number } {
    const window = new CreditWindow();
    window.start(FIRST_CREDIT_BYTES, 4 * 2 ** 20);
    window.roundTrip(rttMs);
    const frame = 12 * 1024;
    const grants: { atMs: number; bytes: number }[] = [];
    let credit = FIRST_CREDIT_BYTES;
    let freeMs = 0;
    let sentBytes = 0;
    let mostMs = 0;
    const arriving: { atMs: number; bytes: number }[] = [];
    for (let nowMs = 0; nowMs < seconds * 1000; nowMs++) {
      while (grants[0] && grants[0].atMs <= nowMs) credit += grants.shift()!.bytes;
      while (credit > 0) {
        credit -= frame;
        freeMs = Math.max(freeMs, nowMs) + frame / rate;
        arriving.push({ atMs: freeMs + rttMs / 2, bytes: frame });
        if (nowMs > 2000) mostMs = Math.max(mostMs, freeMs - nowMs);
      }
      while (arriving[0] && arriving[0].atMs <= nowMs) {
        window.received(arriving.shift()!.bytes, nowMs);
        if (nowMs > 2000) sentBytes += frame;
        const bytes = window.grant();
        if (bytes > 0) grants.push({ atMs: nowMs + rttMs / 2, bytes });
      }
    }
    return { windowBytes: window.windowBytes, usedPart: sentBytes / (rate * (seconds * 1000 - 2000)), mostMs };
  }

  test("keeps a link busy and its queue short, on slow and fast links, near and far", () => {
    for (const [megabits, rttMs] of [
      [10, 1],
      [10, 50],
      [100, 20],
      [2, 80],
    ] as const) {
      const { usedPart, mostMs, windowBytes } = run(megabits * 125, rttMs, 8);
      const about = `${megabits} Mbit/s, ${rttMs} ms: ${usedPart.toFixed(3)} used, ${mostMs.toFixed(0)} ms, ${windowBytes}`;
      assert.ok(usedPart > 0.97, about);
      if (megabits >= 10) assert.ok(mostMs < 100 + rttMs, about);
    }
  });

  /** Grants that it takes to follow 40 segments of 64 KiB, each behind its head, 2/s, on a link of `rate` bytes/ms. */
  function follow(rate: number): { grants: number; windowBytes: number } {
    const window = new CreditWindow();
    window.start(FIRST_CREDIT_BYTES, 4 * 2 ** 20);
    window.roundTrip(2);
    let grants = 0;
    for (let i = 0; i < 40; i++) {
      window.received(60, i * 500);
      window.received(65_536, i * 500 + 65_536 / rate);
      if (window.grant() > 0) grants++;
    }
    return { grants, windowBytes: window.windowBytes };
  }

  test("grants seldom to who follows a growing model on a fast link, and bounds what a slow one may hold", () => {
    const fast = follow(125_000);
    assert.ok(fast.grants <= 13, `${fast.grants} grants`);
    assert.equal(fast.windowBytes, 2 ** 20);
    const slow = follow(1250);
    assert.ok(slow.windowBytes <= FIRST_CREDIT_BYTES, `${slow.windowBytes}`);
    // One frame that was read late, behind its head, says nothing of the link.
    const window = new CreditWindow();
    window.start(FIRST_CREDIT_BYTES, 4 * 2 ** 20);
    window.roundTrip(2);
    for (let i = 0; i < 100; i++) {
      window.received(60, i * 500);
      window.received(65_536, i * 500 + (i % 4 === 0 ? 52 : 0));
    }
    assert.equal(window.windowBytes, FIRST_CREDIT_BYTES);
  });

  test("grants nothing where the server pushes nothing, and goes on granting after it shrank", () => {
    const window = new CreditWindow();
    window.start(FIRST_CREDIT_BYTES, 0);
    assert.equal(window.grant(), 0);
    window.start(FIRST_CREDIT_BYTES, 4 * 2 ** 20);
    let granted = FIRST_CREDIT_BYTES;
    let taken = 0;
    for (let nowMs = 0; nowMs < 20_000; nowMs += 10) {
      const bytes = Math.min(granted - taken, nowMs < 5000 ? 50_000 : 100);
      taken += bytes;
      if (bytes > 0) window.received(bytes, nowMs);
      granted += window.grant();
      assert.ok(granted - taken > 0 && granted - taken <= 4 * 2 ** 20, `${granted - taken} at ${nowMs}`);
    }
    assert.ok(window.windowBytes <= 100_000);
  });
});

test("listeners hear what they asked for until they stop", () => {
  const emitter = new Emitter<{ count: [n: number] }>();
  const heard: number[] = [];
  const off = emitter.on("count", (n) => heard.push(n));
  emitter.emit("count", 1);
  off();
  emitter.emit("count", 2);
  assert.deepEqual(heard, [1]);
});

test("ids are UUIDs of version 4", () => {
  assert.match(randomId(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("what is asked of a connection that was closed is refused, and it says that it is not open", async (t) => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  t.after(() => server.close());
  await once(server, "listening");
  server.on("connection", (socket) => {
    socket.once("message", () => {
      socket.send(JSON.stringify({ type: "welcome", peer: "p", pushBytes: 0, recovered: true }));
    });
  });
  const { port } = server.address() as AddressInfo;
  const connection = connect({ url: `http://127.0.0.1:${port}`, space: "place" });
  const lines: boolean[] = [];
  await new Promise<void>((resolve) => {
    connection.on("line", (open) => {
      lines.push(open);
      resolve();
    });
  });
  const asked = connection.ask({ type: "operation.start" });
  connection.close();
  assert.deepEqual([connection.open, connection.status, lines], [false, "closed", [true, false]]);
  await assert.rejects(asked, { code: "operation.cancelled" });
  await assert.rejects(connection.ask({ type: "operation.start" }), { code: "operation.cancelled" });
  await assert.rejects(connection.startOperation("rebuild"), { code: "operation.cancelled" });
  await assert.rejects(connection.upload(new Uint8Array(1)), { code: "operation.cancelled" });
});

test("never more uploads than are wanted at the same time, whoever comes when one ends", async () => {
  let [running, most] = [0, 0];
  const api = new CairnApi({
    url: "http://x",
    fetch: async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return new Response(JSON.stringify({ image: "1" }));
    },
  });
  const { signal } = new AbortController();
  const sendLive = () => Promise.reject(new Error("not asked for"));
  const uploads = new Uploads({ api, space: "place", parallel: 2, signal, sendLive });
  const send = () => uploads.add(new Uint8Array(1), { via: "http" });
  await Promise.all(Array.from({ length: 8 }, () => send().then(send)));
  assert.equal(most, 2);
});

test("a file that cannot be read any more is given up by name, however it is sent, and holds up no other", async () => {
  class Gone extends Blob {
    override readonly size = 8 * 2 ** 20;
    override slice() {
      return new Gone();
    }
    override async arrayBuffer(): Promise<ArrayBuffer> {
      throw new DOMException("The requested file could not be read.", "NotReadableError");
    }
  }
  const api = new CairnApi({
    url: "http://x",
    // As a browser does: of a body that it cannot read it says what it says of a network that is away.
    fetch: async (_url, init) => {
      if (init?.body instanceof Gone) throw new TypeError("Failed to fetch");
      return Response.json({ image: "1" });
    },
  });
  const sendLive = () => Promise.reject(new Error("not asked for"));
  const uploads = new Uploads({
    ...{ api, space: "place", parallel: 2, signal: AbortSignal.timeout(60_000), sendLive },
    backoff: { firstMs: 1, maxMs: 1 },
  });
  const ways = ["http", "live", "tus", "auto"] as const;
  const gone = ways.map((via) => assert.rejects(uploads.add(new Gone(), { via }), { code: "upload.unreadable" }));
  const good = await uploads.add(new Uint8Array(1), { via: "http" });
  assert.equal(good.image, "1");
  await Promise.all(gone);
});

test("an error that the server names is thrown by that name, any other by its status", async () => {
  const answering = (status: number, body: string) =>
    new CairnApi({ url: "http://x/", fetch: async () => new Response(body, { status }) });
  const body = JSON.stringify({ code: "space.missing", detail: "", retry: false, facts: { id: "a" } });
  await assert.rejects(answering(404, body).space("a"), { code: "space.missing", facts: { id: "a" } });
  await assert.rejects(answering(413, "<html>").space("a"), { code: "request.too_large" });
  await assert.rejects(answering(502, "").space("a"), { code: "server.internal", retry: true });
});

test("the browser build takes nothing from Node", async () => {
  const entry = join(dirname(fileURLToPath(import.meta.url)), "index.js");
  const bundle = await rolldown({ input: entry, platform: "browser", logLevel: "silent" });
  const { output } = await bundle.generate({ format: "esm" });
  await bundle.close();
  const chunks = output.filter((each) => each.type === "chunk");
  const outside = chunks.flatMap(({ imports, dynamicImports, fileName }) =>
    [...imports, ...dynamicImports].filter((name) => !output.some((each) => each.fileName === name && fileName)),
  );
  assert.deepEqual(outside, [], "imports that a browser cannot resolve");
  const code = chunks.map((chunk) => chunk.code).join("\n");
  assert.ok(!/["'`]node:/.test(code), "a node: module is asked for");
  assert.ok(!chunks.some(({ moduleIds }) => moduleIds.some((id) => /node_modules\/ws\//.test(id))), "ws is inside");
  assert.ok(
    chunks.some(({ moduleIds }) => moduleIds.some((id) => id.includes("tus-js-client/lib.esm/browser"))),
    "the browser's tus client is not inside",
  );
});
