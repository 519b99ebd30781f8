import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { freePort } from "@cairn/bus/test/ports";
import { type ConnectOptions, SpaceConnection } from "@cairn/client";
import { decodePackHead } from "@cairn/cloud";
import { hashOf } from "@cairn/cloud/node";
import { CairnError, canonicalState, type EventDraft, type ImageReceipt } from "@cairn/protocol";
import { WebSocket } from "ws";
import { floor, TestLayer } from "../test/cloud.ts";
import { openDoor, renamed, type TestDoor } from "../test/live-door.ts";
import type { LiveContext } from "./live-context.ts";

const IMAGE = "0b0f8a3e-6d5c-4c3e-9b1a-2f3c4d5e6f70";
const QUICK = { firstMs: 2, maxMs: 20 };

/** A connection whose sockets the test can cut and stop. */
class Peer {
  readonly connection: SpaceConnection;
  readonly seqs: number[] = [];
  sockets: WebSocket[] = [];

  constructor(port: number, options: Partial<ConnectOptions> = {}) {
    const { sockets } = this;
    class Tracked extends WebSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols ?? []);
        sockets.push(this);
      }
    }
    this.connection = new SpaceConnection({
      url: `http://127.0.0.1:${port}`,
      space: "place",
      WebSocket: Tracked,
      backoff: QUICK,
      ...options,
    });
    this.connection.on("event", ({ seq }) => this.seqs.push(seq));
  }

  get socket(): WebSocket | undefined {
    return this.sockets.at(-1);
  }

  async caughtUp(house: TestDoor): Promise<string> {
    const { log } = house.space;
    await this.connection.waitFor(() => this.connection.seq === log.head && this.connection.epoch === log.epoch);
    return canonicalState(this.connection.state);
  }
}

/** Small numbers from a seed (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

/** A held socket may have lost its connection meanwhile; then there is nothing to read on from. */
function resume(socket: WebSocket | undefined): void {
  if (socket?.readyState === WebSocket.OPEN || socket?.readyState === WebSocket.CLOSING) {
    try {
      socket.resume();
    } catch (error) {
      assert.ok(error instanceof TypeError); // the same trap as with `pause`
    }
  }
}

describe("the SDK at a live door (docs/spec/live.md)", () => {
  test("LIVE-13 all peers and a fresh joiner end with the same state, whatever breaks meanwhile (30 seeds)", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      const roll = dice(seed);
      const dataDir = await mkdtemp(join(tmpdir(), "cairn-live-"));
      const port = await freePort();
      let house = await openDoor({}, { dataDir, port });
      const peers = Array.from({ length: 2 + roll(3) }, () => new Peer(port));
      let written = 0;
      for (let step = 0; step < 25; step++) {
        const peer = peers[roll(peers.length)]!;
        switch (roll(8)) {
          case 0:
            peer.socket?.terminate();
            break;
          case 1:
            // Open ones only: `ws` throws where the connection beneath has just gone.
            if (peer.socket?.readyState === WebSocket.OPEN) peer.socket.pause();
            break;
          case 2:
            for (const each of peers) resume(each.socket);
            break;
          case 3:
            if (roll(4) === 0) {
              await house.close();
              house = await openDoor({}, { dataDir, port });
            }
            break;
          case 4:
            if (house.space.log.head > 3) await house.space.log.trim(1 + roll(house.space.log.head));
            break;
          default: {
            const drafts = Array.from(
              { length: 1 + roll(40) },
              (_, i): EventDraft =>
                i % 3
                  ? renamed(`title ${written++}`)
                  : { type: "operation.queued", data: { operation: IMAGE, kind: `${i}` } },
            );
            await house.space.log.append(drafts);
          }
        }
        for (let turns = roll(4); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      }
      for (const { sockets } of peers) for (const socket of sockets) resume(socket);
      await house.space.log.append([renamed("end")]);
      const fresh = new Peer(port);
      const truth = canonicalState(house.space.log.snapshot().state);
      for (const peer of [...peers, fresh]) {
        assert.equal(await peer.caughtUp(house), truth, `seed ${seed}`);
        assert.deepEqual(
          peer.seqs,
          [...new Set(peer.seqs)].sort((a, b) => a - b),
          `seed ${seed}: twice or out of order`,
        );
        peer.connection.close();
      }
      await house.close();
      await rm(dataDir, { recursive: true, force: true });
    }
  });

  test("LIVE-3 after a break it goes on without a snapshot, and says what it is doing", async () => {
    const house = await openDoor();
    const peer = new Peer(house.port);
    const statuses: string[] = [];
    let resets = 0;
    peer.connection.on("status", (status) => statuses.push(status));
    peer.connection.on("state", (_state, { reset }) => {
      if (reset) resets++;
    });
    await peer.caughtUp(house);
    peer.socket?.terminate();
    await house.space.log.append([renamed("while away"), renamed("and more")]);
    await peer.caughtUp(house);
    assert.equal(resets, 1);
    assert.deepEqual(peer.seqs, [2, 3]);
    assert.equal(peer.connection.state.title, "and more");
    peer.connection.close();
    await house.close();
    assert.deepEqual(statuses, ["live", "reconnecting", "live", "closed"]);
  });

  test("LIVE-8 a command whose answer was lost is asked again and done once", async () => {
    let started = 0;
    let peer: Peer | undefined;
    const context: Partial<LiveContext> = {
      startOperation: async () => {
        if (started++ === 0) peer?.socket?.terminate();
        return IMAGE;
      },
    };
    const house = await openDoor(context);
    peer = new Peer(house.port);
    assert.equal(await peer.connection.startOperation("rebuild"), IMAGE);
    assert.equal(started, 1);
    assert.equal(peer.sockets.length, 2);
    peer.connection.close();
    await house.close();
  });

  test("LIVE-9 photos over the socket: a few at a time, tried again with the same key, refused for good when bad", async () => {
    const keys = new Map<string, number>();
    let atOnce = 0;
    let mostAtOnce = 0;
    const house = await openDoor({
      async ingest(_space, { name, key = "" }): Promise<ImageReceipt> {
        mostAtOnce = Math.max(mostAtOnce, ++atOnce);
        await new Promise((resolve) => setImmediate(resolve));
        atOnce--;
        const tries = (keys.get(key) ?? 0) + 1;
        keys.set(key, tries);
        if (name === "bad") throw new CairnError("image.corrupt");
        if (tries === 1 && keys.size % 3 === 0) throw new CairnError("store.failed");
        return { image: IMAGE, seq: 1, blob: "a".repeat(64), known: tries > 1 };
      },
    });
    const peer = new Peer(house.port, { parallelUploads: 3 });
    const progress: number[] = [];
    const photos = Array.from({ length: 20 }, (_, i) =>
      peer.connection.upload(new Uint8Array(1000 + i), {
        via: "live",
        name: `${i}`,
        onProgress: (sent) => progress.push(sent),
      }),
    );
    const receipts = await Promise.all(photos);
    assert.equal(receipts.length, 20);
    assert.equal(keys.size, 20);
    assert.ok(mostAtOnce > 1 && mostAtOnce <= 3, `${mostAtOnce} at once`);
    assert.ok([...keys.values()].some((tries) => tries === 2));
    assert.ok(progress.includes(1019));
    await assert.rejects(peer.connection.upload(new Uint8Array(3), { via: "live", name: "bad" }), {
      code: "image.corrupt",
    });
    const stop = new AbortController();
    stop.abort(new Error("enough"));
    await assert.rejects(peer.connection.upload(new Uint8Array(3), { via: "live", signal: stop.signal }), /enough/);
    peer.connection.close();
    await house.close();
  });

  test("LIVE-7 what is pushed needs no request, what is not is asked for by range", async () => {
    const house = await openDoor();
    const layer = new TestLayer(house, 1, 1);
    await layer.start();
    await layer.publish();
    await layer.grow(floor(30_000, 1));
    await layer.compact();
    await layer.grow(floor(2000, 2));
    const asked: string[] = [];
    const fetch = async (url: string | URL | Request, init?: RequestInit) => {
      const range = new Headers(init?.headers).get("range");
      const digest = String(url).slice(-64);
      asked.push(`${digest} ${range}`);
      const [from = 0, to = 0] = (range ?? "").match(/\d+/g)?.map(Number) ?? [];
      const bytes = range ? await house.core.blobs.range(digest, from, to + 1) : await house.core.blobs.get(digest);
      return new Response(bytes as Uint8Array<ArrayBuffer>, { status: range ? 206 : 200 });
    };
    const table = await house.core.layers.tables.open(house.space, 1);
    const parts = table.list.flatMap((node) => node.parts);
    const read = async (peer: Peer) => {
      const { index, packs } = peer.connection.state.layers[1]!;
      assert.equal(hashOf(await peer.connection.blob(index!.index)), index!.index.slice(0, 16));
      for (const { blob, headBytes } of packs) decodePackHead(await peer.connection.range(blob, 0, headBytes), blob);
      for (const { blob, start, end, hash } of parts)
        assert.equal(hashOf(await peer.connection.range(blob, start, end)), hash);
    };
    const pushed = new Peer(house.port, { fetch });
    let arrived = 0;
    pushed.connection.on("range", () => arrived++);
    pushed.connection.view({});
    await pushed.caughtUp(house);
    // Before anything is asked for: what a busy machine pushes too late would be fetched.
    const whole = parts.length + pushed.connection.state.layers[1]!.packs.length + 1;
    while (arrived < whole) await new Promise((resolve) => setTimeout(resolve, 5));
    await read(pushed);
    assert.deepEqual(asked, []);
    assert.equal(arrived, whole);
    // The next socket: it says what it holds, and only what is new comes.
    pushed.connection.held = () => [{ layer: 1, nodes: table.list.map(({ id, points }) => ({ ...id, points })) }];
    pushed.socket?.terminate();
    const had = arrived;
    const { segments } = await layer.grow(floor(300, 3));
    await pushed.caughtUp(house);
    while (arrived < had + segments.length + 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(arrived, had + segments.length + 1);

    const pulling = new Peer(house.port, { fetch, creditBytes: 0 });
    pulling.connection.view({});
    await pulling.caughtUp(house);
    await read(pulling);
    const { packs } = pulling.connection.state.layers[1]!;
    assert.equal(new Set(asked).size, asked.length);
    assert.equal(asked.length, parts.length + packs.length + 1);
    await assert.rejects(
      pulling.connection.range(parts[0]!.blob, 0, 9, { signal: AbortSignal.abort(new Error("no more")) }),
      {
        message: "no more",
      },
    );
    for (const peer of [pushed, pulling]) peer.connection.close();
    await house.close();
  });

  test("LIVE-7 a range that is not pushed is fetched when the push has come to rest", async () => {
    const house = await openDoor();
    const layer = new TestLayer(house, 1, 1);
    await layer.start();
    await layer.publish();
    const { blob } = await layer.grow(floor(3000, 1));
    const asked: string[] = [];
    const fetch = async (url: string | URL | Request) => {
      asked.push(String(url).slice(-64));
      return new Response(new Uint8Array(10), { status: 206 });
    };
    const peer = new Peer(house.port, { fetch });
    peer.connection.view({});
    await peer.caughtUp(house);
    const stop = new AbortController();
    const waiting = peer.connection.range(blob, 5, 15, { signal: stop.signal });
    stop.abort(new Error("no more"));
    await assert.rejects(waiting, { message: "no more" });
    assert.equal((await peer.connection.range(blob, 3, 13)).length, 10);
    assert.deepEqual(asked, [blob]);
    peer.connection.close();
    await house.close();
  });

  test("LIVE-1 a space that does not exist closes the connection for good", async () => {
    const house = await openDoor();
    const peer = new Peer(house.port, { space: "nowhere" });
    const errors: string[] = [];
    peer.connection.on("error", ({ code }) => errors.push(code));
    await assert.rejects(peer.connection.ready(), { code: "space.missing" });
    assert.deepEqual([peer.connection.status, errors], ["closed", ["space.missing"]]);
    await house.close();
  });

  test("LIVE-10 signals and presence reach the other side", async () => {
    const house = await openDoor();
    const ada = new Peer(house.port, { channels: ["pointer", "presence"], name: "Ada" });
    const grace = new Peer(house.port, { name: "Grace" });
    const both = new Promise<void>((resolve) => {
      ada.connection.on("presence", ({ count }) => {
        if (count === 2) resolve();
      });
    });
    await Promise.all([ada.connection.ready(), grace.connection.ready(), both]);
    const heard = new Promise((resolve) => ada.connection.onSignal("pointer", (data, from) => resolve({ data, from })));
    grace.connection.signal("pointer", { x: 1 });
    assert.deepEqual(await heard, { data: { x: 1 }, from: grace.connection.peer });
    ada.connection.close();
    grace.connection.close();
    await house.close();
  });
});
