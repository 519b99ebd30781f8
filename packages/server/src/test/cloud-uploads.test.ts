/** Clouds in resumable pieces, held against a client that others wrote (`tus-js-client`). Rules: docs/spec/exchange.md. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { CairnApi, uploadCloud } from "@cairn/client";
import { plyHeader, plyRun } from "@cairn/formats";
import { Upload, type UploadOptions } from "tus-js-client";
import { eventually } from "./eventually.ts";
import { errorOf, type TestServer, testServer } from "./test-server.ts";

/** A sheet of points two centimetres apart. */
function sheet(count: number): Buffer {
  const shape = { count, double: true, normals: false };
  const side = Math.ceil(Math.sqrt(count));
  const positions = Float64Array.from({ length: 3 * count }, (_, i) => {
    const p = Math.floor(i / 3);
    return [(p % side) / 50, Math.floor(p / side) / 50, 0][i % 3]!;
  });
  const colors = Uint8Array.from({ length: 3 * count }, (_, i) => i * 3);
  return Buffer.concat([plyHeader(shape), plyRun({ count, positions, colors, photos: 0 }, shape)]);
}

const cloud = sheet(20_000);
const tus = { "tus-resumable": "1.0.0" };
const metadata = { kind: "layer", filename: "hall.ply" };
const inHeader = (fields: Record<string, string>) =>
  Object.entries(fields)
    .map(([name, value]) => `${name} ${Buffer.from(value).toString("base64")}`)
    .join(",");

type Outcome = { url: string; operation: string };
type Receipt = Pick<Outcome, "operation">;

function send(server: TestServer, options: Partial<UploadOptions>, bytes = cloud, onUpload?: (upload: Upload) => void) {
  return new Promise<Outcome>((resolve, reject) => {
    const upload: Upload = new Upload(bytes, {
      endpoint: `${server.url}/v1/spaces/place/uploads`,
      retryDelays: null,
      chunkSize: 100_000,
      metadata,
      onChunkComplete: () => onUpload?.(upload),
      onSuccess: ({ lastResponse }) =>
        resolve({ url: upload.url ?? "", ...(JSON.parse(lastResponse.getHeader("Upload-Result")!) as Receipt) }),
      onError: reject,
      ...options,
    });
    upload.start();
  });
}

/** The first piece, then as a client that lost its line. @returns its path */
function sendPart(server: TestServer): Promise<string> {
  return new Promise((resolve, reject) => {
    send(server, {}, cloud, (upload) => {
      void upload.abort(false).then(() => resolve(new URL(upload.url ?? "").pathname));
    }).catch(reject);
  });
}

const ended = (server: TestServer, operation: string) =>
  eventually(
    server.url,
    ({ type, data }) => (type === "operation.completed" || type === "operation.failed") && data.operation === operation,
  );

async function receiptAt(server: TestServer, path: string): Promise<string | undefined> {
  const { receipt } = (await (await server.send("GET", path)).json()) as { receipt?: { operation: string } };
  return receipt?.operation;
}

/** What is left over at a start is finished in its own time, or when it is asked for. */
async function receiptOnceWhole(server: TestServer, path: string): Promise<string | undefined> {
  assert.equal((await server.send("HEAD", path, null, tus)).status, 200);
  return receiptAt(server, path);
}

test("EXC-16 EXC-17 a cloud in pieces, cut off, resumed after a restart, is one layer", async (t) => {
  const server = await testServer(t);
  const path = await sendPart(server);
  assert.equal((await server.send("HEAD", path, null, tus)).headers.get("upload-offset"), "100000");
  await server.restart();
  assert.equal((await server.events()).length, 1, "half a file is nothing yet");

  const { operation } = await send(server, { uploadUrl: server.url + path });
  const done = await ended(server, operation);
  assert.ok(done.type === "operation.completed");
  assert.deepEqual(done.data.result, { layer: 1, points: 20_000, merged: 0, refused: 0, outOfReach: 0 });
  const added = (await server.events()).find(({ type }) => type === "layer.started");
  assert.ok(added?.type === "layer.started");
  assert.equal(added.data.name, "hall.ply");

  // Who lost the last answer finds the upload whole and asks again.
  assert.equal(await receiptAt(server, path), operation);
  const again = await server.send("PATCH", path, null, {
    ...tus,
    "upload-offset": String(cloud.length),
    "content-type": "application/offset+octet-stream",
  });
  assert.deepEqual(JSON.parse(again.headers.get("upload-result")!), { operation });

  await server.restart();
  assert.equal(await receiptAt(server, path), operation);
  const kept = await stat(join(server.dataDir, "uploads", path.split("/").at(-1)!));
  assert.ok(kept.size === cloud.length && kept.blocks * 512 < cloud.length / 2, "its bytes are not kept");
  assert.deepEqual(await readdir(join(server.dataDir, "imports")), []);
  assert.equal((await server.events()).filter(({ type }) => type === "layer.started").length, 1);
});

test("EXC-17 what was whole when the server ended is imported at the next start, once more when that was cut off", async (t) => {
  const server = await testServer(t);
  const path = await sendPart(server);
  // As if the process had ended between the last byte and its answer.
  await writeFile(join(server.dataDir, "uploads", path.split("/").at(-1)!), sheet(20_000));
  await server.restart();
  const first = await receiptOnceWhole(server, path);
  // It may be in the middle of it, or through.
  await server.restart();
  const second = await receiptOnceWhole(server, path);
  const was = await ended(server, first!);
  if (was.type === "operation.failed") {
    assert.equal(was.data.code, "server.stopping");
    assert.notEqual(second, first);
  } else assert.equal(second, first);
  assert.equal((await ended(server, second!)).type, "operation.completed");
  const happened = (await server.events()).map(({ type }) => type);
  const times = (wanted: string) => happened.filter((type) => type === wanted).length;
  assert.equal(times("layer.started") - times("layer.removed"), 1);
});

test("EXC-16 what cannot fit or cannot be believed is refused, and cancelling leaves nothing", async (t) => {
  const server = await testServer(t, { spaceSettings: { maxBytes: 1_000_000 } });
  const create = async (length: string, more: Record<string, string> = {}) => {
    const upload = { "upload-length": length, "upload-metadata": inHeader({ ...metadata, ...more }) };
    return server.send("POST", "/v1/spaces/place/uploads", null, { ...tus, ...upload });
  };
  const codeOf = async (answer: Promise<Response>) => (await errorOf(await answer)).code;
  assert.equal(await codeOf(create("1000001")), "space.quota");
  assert.equal(await codeOf(create(String(2 ** 50))), "space.quota");
  const uploads = join(server.dataDir, "uploads");
  await rename(uploads, `${uploads}.away`);
  await writeFile(uploads, "");
  assert.equal(await codeOf(create("900000")), "server.internal");
  await rm(uploads);
  await rename(`${uploads}.away`, uploads);
  const first = await create("900000");
  assert.equal(first.status, 201, "larger than no photo may be, if the space takes it");
  assert.equal(await codeOf(create("200000")), "space.quota", "what others will bring counts");
  await server.restart();
  assert.equal(await codeOf(create("200000")), "space.quota", "also after a restart");
  assert.equal((await server.send("DELETE", first.headers.get("location")!, null, tus)).status, 204);
  assert.equal((await create("200000")).status, 201);

  assert.equal(await codeOf(create("10", { spacing: "-1" })), "request.invalid");
  assert.equal(await codeOf(create("10", { transform: "{" })), "request.not_json");
  assert.equal(await codeOf(create("10", { kind: "film" })), "request.invalid");
  const deferred = { ...tus, "upload-defer-length": "1", "upload-metadata": inHeader(metadata) };
  assert.equal(await codeOf(server.send("POST", "/v1/spaces/place/uploads", null, deferred)), "request.invalid");

  const before = await readdir(join(server.dataDir, "uploads"));
  await assert.rejects(send(server, {}, cloud.subarray(0, 200_000)), /import\.invalid/);
  assert.deepEqual(await readdir(join(server.dataDir, "uploads")), before);
  assert.equal((await server.events()).length, 1);
});

/** A way to the server that can break. */
async function openLine(t: TestContext, port: number) {
  const sockets = new Set<Socket>();
  const line = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    }
  });
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  line.listen(0, "127.0.0.1");
  await once(line, "listening");
  t.after(() => {
    line.close();
    cut();
  });
  return { url: `http://127.0.0.1:${(line.address() as AddressInfo).port}`, cut };
}

test("EXC-16 the SDK resumes by itself when the line breaks, and a cancelled file goes from the server", async (t) => {
  const server = await testServer(t);
  const large = sheet(350_000);
  let breaks = 2;
  const source = {
    sizeBytes: large.length,
    read: async (start: number, end: number) => large.subarray(start, end),
  };
  const told: number[] = [];
  const line = await openLine(t, server.port);
  const api = new CairnApi({ url: line.url });
  const { operation } = await uploadCloud(api, "place", source, {
    name: "wall.ply",
    transform: { scale: 2, rotation: [1, 0, 0, 0], translation: [100, 0, 0] },
    backoff: { firstMs: 1 },
    onProgress: (sent) => {
      told.push(sent);
      if (sent > large.length / 2 && breaks-- > 0) line.cut();
    },
  });
  assert.ok(breaks <= 0 && told.at(-1) === large.length);
  const begun = await eventually(server.url, ({ type }) => type === "layer.started");
  assert.ok(begun.type === "layer.started");
  assert.deepEqual([begun.data.name, begun.data.transform?.scale], ["wall.ply", 2]);
  assert.equal((await ended(server, operation)).type, "operation.completed");

  const before = await readdir(join(server.dataDir, "uploads"));
  const stop = new AbortController();
  const cancelled = uploadCloud(api, "place", source, {
    name: "wall.ply",
    signal: stop.signal,
    onProgress: (sent) => sent > large.length / 2 && stop.abort(new Error("enough")),
  });
  await assert.rejects(cancelled, /enough/);
  assert.deepEqual(await readdir(join(server.dataDir, "uploads")), before);

  const gone = { sizeBytes: large.length, read: () => Promise.reject(new Error("unplugged")) };
  await assert.rejects(uploadCloud(api, "place", gone, { name: "wall.ply" }), /unplugged/);
});
