/** Resumable uploads, held against a client that others wrote (`tus-js-client`). Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  constants,
  type FileHandle,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { ImageReceipt } from "@cairn/protocol";
import { Upload, type UploadOptions } from "tus-js-client";
import { eventually } from "./eventually.ts";
import { png } from "./png.ts";
import { errorOf, type TestServer, testServer } from "./test-server.ts";

const photo = png(1, 300, 200);

type Outcome = { url: string; receipt: ImageReceipt };

/** Resolves when it succeeded; `each` sees every piece that was taken. */
function send(
  server: TestServer,
  bytes: Buffer,
  options: Partial<UploadOptions>,
  each?: (upload: Upload, sent: number) => void,
) {
  return new Promise<Outcome>((resolve, reject) => {
    const upload: Upload = new Upload(bytes, {
      endpoint: `${server.url}/v1/spaces/place/uploads`,
      retryDelays: null,
      chunkSize: 40_000,
      metadata: { filename: "big.png", key: "big" },
      onChunkComplete: (_size, sent) => each?.(upload, sent),
      onSuccess: ({ lastResponse }) =>
        resolve({
          url: upload.url ?? "",
          receipt: JSON.parse(lastResponse.getHeader("Upload-Result") ?? "null") as ImageReceipt,
        }),
      onError: reject,
      ...options,
    });
    upload.start();
  });
}

/** Sends the first piece, then stops as a client that lost its line. */
function sendPart(server: TestServer): Promise<string> {
  return new Promise((resolve, reject) => {
    send(server, photo, {}, (upload) => {
      void upload.abort(false).then(() => resolve(upload.url ?? ""));
    }).catch(reject);
  });
}

const tus = { "tus-resumable": "1.0.0" };

const photosOf = async (server: TestServer) =>
  (await server.events()).filter(({ type }) => type === "image.added").length;

/** A file where a folder of the server's should be. @returns what makes it well again */
async function breakFolder(server: TestServer, name: string): Promise<() => Promise<void>> {
  const path = join(server.dataDir, name);
  await rename(path, `${path}.away`);
  await writeFile(path, "");
  return async () => {
    await rm(path);
    await rename(`${path}.away`, path);
  };
}

test("HTTP-17 an upload in pieces, paused, resumed after a restart, is one durable photo", async (t) => {
  const server = await testServer(t);
  const url = await sendPart(server);
  const path = new URL(url).pathname;
  const half = await server.send("HEAD", path, null, tus);
  assert.equal(half.headers.get("upload-offset"), "40000");
  assert.equal((await server.events()).length, 1);

  await server.restart();
  const resumed = await send(server, photo, { uploadUrl: server.url + path });
  assert.equal(resumed.receipt.known, false);
  const added = (await server.events()).at(-1);
  assert.ok(added?.type === "image.added");
  assert.deepEqual(
    [added.data.image, added.data.name, added.data.key, added.data.source, added.seq],
    [resumed.receipt.image, "big.png", "big", "tus", resumed.receipt.seq],
  );
  const blob = await server.send("GET", `/v1/blobs/${resumed.receipt.blob}`);
  assert.deepEqual(Buffer.from(await blob.arrayBuffer()), photo);

  // The answer to the last piece may have been lost: the upload is still whole, and says what it became.
  await server.restart();
  const whole = await server.send("HEAD", path, null, tus);
  assert.equal(whole.headers.get("upload-offset"), String(photo.length));
  const status = (await (await server.send("GET", path)).json()) as { receipt: ImageReceipt; offset: number };
  assert.equal(status.receipt.image, resumed.receipt.image);
  const files = await readdir(join(server.dataDir, "uploads"));
  const kept = await stat(join(server.dataDir, "uploads", files.find((name) => !name.endsWith(".json"))!));
  assert.ok(kept.blocks * 512 < photo.length, "its bytes are not kept twice");

  const again = await send(server, photo, {});
  assert.deepEqual([again.receipt.image, again.receipt.known], [resumed.receipt.image, true]);
});

test("HTTP-17 an upload that was whole when the server died becomes a photo at the next start", async (t) => {
  const server = await testServer(t);
  const path = new URL(await sendPart(server)).pathname;
  // As if the process had ended between the last byte and the photo.
  await writeFile(join(server.dataDir, "uploads", path.split("/").at(-1)!), photo);
  await server.restart();
  await eventually(server.url, ({ type }) => type === "image.added");
  await server.restart();
  assert.equal((await server.send("HEAD", path, null, tus)).status, 200);
  assert.equal(await photosOf(server), 1);
});

test("HTTP-17 left-over uploads hold up neither the start nor the end of a server", async (t) => {
  const server = await testServer(t);
  const path = new URL(await sendPart(server)).pathname;
  await server.close();
  // The reading of a pipe takes until somebody writes; what it holds does not show in its length.
  const file = join(server.dataDir, "uploads", path.split("/").at(-1)!);
  const config = await readFile(`${file}.json`, "utf8");
  await rm(file);
  assert.equal(spawnSync("mkfifo", [file]).status, 0);
  await writeFile(`${file}.json`, config.replace(`"size":${photo.length}`, '"size":0'));
  /** As soon as it is read. */
  const reading = async (): Promise<FileHandle> => {
    const pipe = await open(file, constants.O_WRONLY | constants.O_NONBLOCK).catch(() => wait(10));
    return pipe ?? reading();
  };
  await server.restart().catch(async (error: unknown) => {
    await (await reading()).close(); // else the process would never end
    throw error;
  });
  assert.equal((await server.send("GET", "/ready")).status, 200);

  const pipe = await reading();
  const closing = server.close();
  await pipe.write(png(2));
  await pipe.close();
  await closing;
  assert.doesNotMatch(await readFile(`${file}.json`, "utf8"), /receipt/);
  await rm(file);
  await writeFile(file, photo);
  await writeFile(`${file}.json`, config);
  await server.restart();
  await eventually(server.url, ({ type }) => type === "image.added");
});

test("HTTP-17 a whole upload whose photo cannot be stored for now is no success before it is one", async (t) => {
  const server = await testServer(t);
  const repair = await breakFolder(server, "blobs");
  const asked: string[] = [];
  await send(server, photo, {
    chunkSize: photo.length,
    metadata: { filename: "keyless.png" },
    retryDelays: [20, 20],
    onAfterResponse: async (request, response) => {
      asked.push(`${request.getMethod()} ${response.getStatus()}`);
      if (asked.length === 3) await repair();
    },
  });
  assert.deepEqual(asked, ["POST 201", "PATCH 503", "HEAD 423", "HEAD 200"]);
  assert.equal(await photosOf(server), 1);

  // What can never be a photo is not asked for for ever.
  const path = new URL(await sendPart(server)).pathname;
  await writeFile(join(server.dataDir, "uploads", path.split("/").at(-1)!), Buffer.alloc(photo.length));
  assert.equal((await server.send("HEAD", path, null, tus)).status, 415);
  assert.equal((await server.send("HEAD", path, null, tus)).status, 404);
});

test("HTTP-17 HTTP-18 a whole upload that nobody asks for is tried again, also when its time is over", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const server = await testServer(t);
  const repair = await breakFolder(server, "blobs");
  await assert.rejects(send(server, photo, { chunkSize: photo.length }), /store\.failed/);
  const uploads = join(server.dataDir, "uploads");
  const config = join(uploads, (await readdir(uploads)).find((name) => name.endsWith(".json"))!);
  const fresh = JSON.parse(await readFile(config, "utf8")) as { creation_date: string };
  const yesterday = new Date(Date.now() - 25 * 3_600_000).toISOString();
  await writeFile(config, JSON.stringify({ ...fresh, creation_date: yesterday }));
  await repair();
  t.mock.timers.tick(3_600_000);
  await eventually(server.url, ({ type }) => type === "image.added");
});

test("HTTP-17 wrong offsets, wrong spaces and bad photos are refused", async (t) => {
  const server = await testServer(t);
  const path = new URL(await sendPart(server)).pathname;
  const patch = (at: string, offset: number, to = path) =>
    server.send("PATCH", to, Buffer.from(at), {
      ...tus,
      "upload-offset": String(offset),
      "content-type": "application/offset+octet-stream",
    });
  assert.equal((await patch("xxx", 10)).status, 409);
  assert.equal((await patch("xxx", 40_001)).status, 409);
  await server.send("POST", "/v1/spaces", JSON.stringify({ id: "other" }));
  const elsewhere = path.replace("/place/", "/other/");
  assert.equal((await patch("xxx", 40_000, elsewhere)).status, 404);
  assert.equal((await server.send("GET", elsewhere)).status, 404);
  for (const id of ["..%2f..%2fx", "x", "%00", `${"0".repeat(32)}.json`]) {
    const { status } = await server.send("HEAD", `/v1/spaces/place/uploads/${id}`, null, tus);
    assert.ok(status === 404 || status === 410, `${id}: ${status}`);
  }
  assert.equal((await server.send("HEAD", path, null, tus)).headers.get("upload-offset"), "40000");

  const create = (headers: Record<string, string>, space = "place") =>
    server.send("POST", `/v1/spaces/${space}/uploads`, null, { ...tus, ...headers });
  assert.equal((await create({ "upload-length": String(64 * 2 ** 20 + 1) })).status, 413);
  assert.equal((await errorOf(await create({ "upload-length": "10" }, "none"))).code, "space.missing");
  const camera = Buffer.from("1,2").toString("base64");
  assert.equal((await create({ "upload-length": "10", "upload-metadata": `camera ${camera}` })).status, 422);

  const before = (await server.events()).length;
  await assert.rejects(send(server, Buffer.from("no photo at all"), {}), /image\.unsupported/);
  assert.equal((await server.events()).length, before);
  const rest = (await readdir(join(server.dataDir, "uploads"))).filter((name) => !path.includes(name.slice(0, 32)));
  assert.deepEqual(rest, []);
});

test("HTTP-1 what the disk refuses of an upload is told as all else is", async (t) => {
  const server = await testServer(t);
  const repair = await breakFolder(server, "uploads");
  const headers = { ...tus, "upload-length": "10" };
  const { status, code } = await errorOf(await server.send("POST", "/v1/spaces/place/uploads", null, headers));
  await repair();
  assert.deepEqual([status, code], [500, "server.internal"]);
});

test("HTTP-18 no more than 1000 uploads are open, and an old one makes room", async (t) => {
  const server = await testServer(t);
  const folder = join(server.dataDir, "uploads");
  const path = new URL(await sendPart(server)).pathname;
  const id = path.split("/").at(-1)!;
  const config = await readFile(join(folder, `${id}.json`), "utf8");
  for (let i = 0; i < 999; i++) {
    const name = i.toString(16).padStart(32, "0");
    await writeFile(join(folder, name), "");
    await writeFile(join(folder, `${name}.json`), config.replaceAll(id, name));
  }
  await server.restart();
  const create = () => server.send("POST", "/v1/spaces/place/uploads", null, { ...tus, "upload-length": "10" });
  assert.deepEqual(await errorOf(await create()).then(({ status, code }) => [status, code]), [429, "upload.too_many"]);
  const yesterday = new Date(Date.now() - 25 * 3_600_000);
  const old = JSON.parse(config) as { creation_date: string };
  await writeFile(join(folder, `${id}.json`), JSON.stringify({ ...old, creation_date: yesterday.toISOString() }));
  await utimes(join(folder, id), yesterday, yesterday);
  assert.equal((await server.send("HEAD", path, null, tus)).status, 410);
  assert.equal((await create()).status, 201);
});

test("HTTP-18 what could not be created does not count, and nothing of it stays", async (t) => {
  const server = await testServer(t);
  const create = (more: Record<string, string> = {}, body: Buffer | null = null) =>
    server.send("POST", "/v1/spaces/place/uploads", body, { ...tus, "upload-length": "10", ...more });
  const repair = await breakFolder(server, "uploads");
  for (let i = 0; i < 20; i++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => create()));
    for (const answer of answers) assert.equal((await errorOf(answer)).code, "server.internal");
  }
  await repair();
  assert.equal((await create()).status, 201);

  // A refusal says no address: its client begins anew, and the first must not become a photo as well.
  const before = await readdir(join(server.dataDir, "uploads"));
  const repairBlobs = await breakFolder(server, "blobs");
  const whole = { "upload-length": String(photo.length), "content-type": "application/offset+octet-stream" };
  assert.equal((await create(whole, photo)).status, 503);
  await repairBlobs();
  assert.deepEqual(await readdir(join(server.dataDir, "uploads")), before);
  assert.equal((await create(whole, photo)).status, 201);
});

test("GEN-35 HTTP-17 an upload is reached by the address of its own space only, however that is written", async (t) => {
  const tokens = [{ token: "guest-guest-guest", role: "contribute", spaces: ["place"] }] as const;
  const server = await testServer(t, { token: "the-token-of-the-house", tokens });
  await server.send("POST", "/v1/spaces", JSON.stringify({ id: "cellar" }));
  const tus = { "tus-resumable": "1.0.0", "upload-length": "10" };
  const made = await server.send("POST", "/v1/spaces/cellar/uploads", null, tus);
  const id = made.headers.get("location")!.split("/").at(-1)!;
  const ask = (method: string, path: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      const type = { "content-type": "application/offset+octet-stream", "content-length": "2", "upload-offset": "0" };
      const headers = { ...tus, ...(method === "PATCH" && type), authorization: `Bearer ${tokens[0].token}` };
      const asked = request({ host: "127.0.0.1", port: server.port, method, path, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on("error", reject);
      asked.end(method === "PATCH" ? "ab" : undefined);
    });
  for (const method of ["HEAD", "PATCH", "DELETE"]) {
    assert.equal(await ask(method, `/v1/spaces/cellar/uploads/${id}`), 403, method);
    assert.equal(await ask(method, `/v1/spaces/place/uploads/${id}`), 404, method);
    assert.equal(await ask(method, `/v1/spaces/place/uploads/..\\..\\cellar\\uploads\\${id}`), 404, method);
  }
  const left = await server.send("GET", `/v1/spaces/cellar/uploads/${id}`);
  assert.equal(((await left.json()) as { offset: number }).offset, 0);
});
