import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { freePort } from "@cairn/bus/test/ports";
import { CairnApi } from "@cairn/client";
import { connect } from "@cairn/client/node";
import { type CairnEvent, canonicalState, type ImageReceipt } from "@cairn/protocol";
import { type RunningServer, startServer } from "../compose.ts";

const PHOTOS = fileURLToPath(new URL("../../../sample/photos/", import.meta.url));

async function photos(count: number): Promise<Buffer[]> {
  const names = (await readdir(PHOTOS)).filter((name) => name.endsWith(".jpg")).sort();
  return Promise.all(names.slice(0, count).map((name) => readFile(join(PHOTOS, name))));
}

/** Reads a stream of Server-Sent Events until `enough`. */
async function eventStream(url: string, headers: Record<string, string>, enough: (ids: string[]) => boolean) {
  const stop = new AbortController();
  const response = await fetch(url, { headers, signal: stop.signal });
  const ids: string[] = [];
  const kinds: string[] = [];
  const data: unknown[] = [];
  let rest = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split("\n")
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      if (field("data") === undefined) continue;
      ids.push(field("id") ?? "");
      kinds.push(field("event") ?? "message");
      data.push(JSON.parse(field("data") ?? "null"));
    }
    if (enough(ids)) break;
  }
  stop.abort();
  return { ids, kinds, data, type: response.headers.get("content-type") };
}

describe("all doors show the same log", () => {
  let server: RunningServer;
  let dataDir: string;
  let api: CairnApi;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "cairn-doors-"));
    server = await startServer({ port: 0, dataDir, openEngine: null, logLevel: "silent" });
    api = new CairnApi({ url: server.url });
    await api.createSpace({ id: "place" });
    for (let i = 0; i < 30; i++) await api.renameSpace("place", `title ${i}`);
  });
  after(async () => {
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  test("LIVE-14 stream, polling and socket give the same events with the same seqs", async () => {
    const { head, epoch } = await api.space("place");
    const { events } = await api.events("place", 0);
    const path = `${server.url}/v1/spaces/place/events/stream`;
    const streamed = await eventStream(path, {}, (ids) => ids.length >= head);
    assert.match(streamed.type ?? "", /^text\/event-stream/);
    assert.deepEqual(streamed.data, events);

    const socket = connect({ url: server.url, space: "place" });
    await socket.ready();
    const live: CairnEvent[] = [];
    socket.on("event", (event) => live.push(event));
    const more = eventStream(path, { "last-event-id": `${epoch}:${head}` }, (ids) => ids.length >= 2);
    await api.renameSpace("place", "one");
    await api.renameSpace("place", "two");
    await socket.waitFor((state) => state.title === "two");
    assert.deepEqual(live, (await api.events("place", head)).events);
    assert.deepEqual((await more).data, live);
    assert.equal(canonicalState(socket.state), canonicalState((await api.snapshot("place")).state));
    socket.close();
  });

  test("LIVE-14 HEAD of the stream says how it would come, and ends", async () => {
    const path = `${server.url}/v1/spaces/place/events/stream`;
    const answer = await fetch(path, { method: "HEAD", signal: AbortSignal.timeout(60_000) });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.equal(await answer.text(), "");
  });

  test("LIVE-14 a stream that cannot go on from its place begins with a snapshot", async () => {
    const path = `${server.url}/v1/spaces/place/events/stream`;
    for (const [query, headers] of [
      ["?after=99999", {}],
      ["?after=3&epoch=another", {}],
      ["", { "last-event-id": "another:3" }],
    ] as const) {
      const { kinds, data } = await eventStream(path + query, headers, (ids) => ids.length > 0);
      assert.deepEqual(kinds, ["snapshot"]);
      assert.equal((data[0] as { seq: number }).seq, (await api.space("place")).head);
    }
  });

  test("the live socket is described in AsyncAPI, and every reference in it leads somewhere", async () => {
    const document = (await (await fetch(`${server.url}/asyncapi.json`)).json()) as Record<string, unknown>;
    assert.equal(document.asyncapi, "3.0.0");
    let references = 0;
    JSON.stringify(document, (key, value) => {
      if (key === "$ref") {
        references++;
        const found = String(value)
          .slice(2)
          .split("/")
          .reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], document);
        assert.ok(found, value);
      }
      return value;
    });
    assert.ok(references > 10);
  });

  test("LIVE-9 the same photo by post, tus and socket under one key is one image", async () => {
    const [photo] = await photos(1);
    const socket = connect({ url: server.url, space: "place" });
    await socket.ready();
    const progress: number[] = [];
    const receipts: ImageReceipt[] = [];
    for (const via of ["http", "tus", "live", "tus"] as const) {
      receipts.push(
        await socket.upload(photo!, { via, name: "a.jpg", key: "k1", onProgress: (sent) => progress.push(sent) }),
      );
    }
    assert.deepEqual(
      receipts.map(({ image, known }) => [image, known]),
      receipts.map((_, i) => [receipts[0]!.image, i > 0]),
    );
    assert.equal(progress.at(-1), photo!.length);
    assert.equal((await api.images("place")).length, 1);
    for (const via of ["http", "tus", "live"] as const) {
      await assert.rejects(socket.upload(Buffer.from("not a photo"), { via }), { code: "image.unsupported" });
    }
    socket.close();
  });
});

test("GEN-42 a server killed while photos stream in: the SDK goes on, nothing is lost, nothing is doubled", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "cairn-kill-"));
  const compose = new URL("../compose.js", import.meta.url).href;
  const port = await freePort();
  let running: ChildProcess | undefined;

  async function start(): Promise<void> {
    const options = JSON.stringify({ port, dataDir, openEngine: null, logLevel: "silent" });
    const script = `const { startServer } = await import("${compose}");
      await startServer(${options}); console.log("ready");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    running = child;
    await once(child.stdout, "data");
  }
  async function kill(): Promise<void> {
    const gone = new Promise((resolve) => running?.once("exit", resolve));
    running?.kill("SIGKILL");
    await gone;
  }

  try {
    await start();
    const url = `http://127.0.0.1:${port}`;
    await new CairnApi({ url }).createSpace({ id: "place" });
    const backoff = { firstMs: 20, maxMs: 200 };
    const socket = connect({ url, space: "place", backoff, parallelUploads: 3 });
    const watcher = connect({ url, space: "place", backoff });
    await Promise.all([socket.ready(), watcher.ready()]);
    const added: string[] = [];
    watcher.on("event", (event) => {
      if (event.type === "image.added") added.push(event.data.image);
    });
    const set = await photos(12);
    let done = 0;
    const sent = set.map(async (photo, i) => {
      const receipt = await socket.upload(photo, {
        name: `${i}`,
        via: (["http", "tus", "live"] as const)[i % 3] ?? "http",
      });
      done++;
      return receipt;
    });
    const receipts = Promise.all(sent);
    for (const killAfter of [2, 6]) {
      while (done < killAfter) await new Promise((resolve) => setTimeout(resolve, 5));
      await kill();
      await start();
    }
    const images = (await receipts).map(({ image }) => image);
    await Promise.all([socket, watcher].map((each) => each.waitFor((state) => Object.keys(state.images).length >= 12)));
    const { state } = await socket.api.snapshot("place");
    assert.deepEqual(Object.keys(state.images).sort(), [...images].sort(), "acknowledged and found");
    assert.deepEqual([...added].sort(), [...images].sort(), "each seen once by who watched all the time");
    assert.equal(canonicalState(watcher.state), canonicalState(state));
    socket.close();
    watcher.close();
  } finally {
    await kill();
    await rm(dataDir, { recursive: true, force: true });
  }
});
