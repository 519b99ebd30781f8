/** Photos in through a real listener. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { createConnection } from "node:net";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { CairnApi } from "@cairn/client";
import type { ImageReceipt } from "@cairn/protocol";
import { png, pngOf } from "./png.ts";
import { errorOf, receiptOf, testServer } from "./test-server.ts";

const form = (...files: [string, Uint8Array][]) => {
  const body = new FormData();
  for (const [name, bytes] of files) body.append("photo", new Blob([Buffer.from(bytes)]), name);
  return body;
};

type Results = { code?: string; results: { name: string; receipt?: ImageReceipt; error?: { code: string } }[] };

test("HTTP-10 HTTP-11 a receipt names a durable image; the same key is the same image", async (t) => {
  const server = await testServer(t);
  const first = await server.upload(png(1), "name=a.png&key=one");
  assert.equal(first.status, 201);
  const receipt = await receiptOf(first);
  assert.equal(receipt.known, false);
  const head = (await server.events()).length;

  const together = await Promise.all(
    Array.from({ length: 20 }, () => server.upload(png(2), "key=two").then(receiptOf)),
  );
  assert.equal(new Set(together.map(({ image }) => image)).size, 1);
  assert.equal(together.filter(({ known }) => !known).length, 1);

  await server.restart();
  const again = await server.upload(png(1), "name=a.png&key=one");
  assert.equal(again.status, 200);
  assert.deepEqual(await receiptOf(again), { ...receipt, known: true });
  assert.equal((await server.events()).length, head + 1);
});

test("HTTP-10 what curl says of a file by itself is taken, and no JSON door takes it", async (t) => {
  const server = await testServer(t);
  const asForm = { "content-type": "application/x-www-form-urlencoded" };
  const path = "/v1/spaces/place/images?name=";
  assert.equal((await receiptOf(await server.send("POST", `${path}a.png`, png(1), asForm))).known, false);
  const bare = request(`${server.url}${path}b.png`, { method: "POST" });
  bare.end(png(2));
  const [answer] = await once(bare, "response");
  answer.resume();
  assert.equal(answer.statusCode, 201);
  const json = await errorOf(await server.send("POST", "/v1/spaces", Buffer.from("id=x"), asForm));
  assert.deepEqual([json.code, json.facts.field], ["request.invalid", "Content-Type"]);
});

test("HTTP-12 the same bytes are said to be a duplicate, in the same breath", async (t) => {
  const server = await testServer(t);
  const first = await receiptOf(await server.upload(png(1)));
  const more = await Promise.all(Array.from({ length: 5 }, () => server.upload(png(1)).then(receiptOf)));
  for (const receipt of more) assert.equal(receipt.duplicateOf, first.image);
  const events = await server.events();
  for (const receipt of more) {
    const judged = events[receipt.seq];
    assert.ok(judged?.type === "image.judged");
    const { image, verdict, reason, duplicateOf } = judged.data;
    assert.deepEqual([image, verdict, reason, duplicateOf], [receipt.image, "rejected", "duplicate", first.image]);
  }
});

test("HTTP-13 one bad file of a form does not sink the others", async (t) => {
  const server = await testServer(t);
  const path = "/v1/spaces/place/images";
  const mixed = await server.send(
    "POST",
    path,
    form(["a.png", png(1)], ["b.txt", Buffer.from("no")], ["c.png", png(3)]),
  );
  assert.equal(mixed.status, 207);
  const { results } = (await mixed.json()) as Results;
  assert.deepEqual(
    results.map(({ name, receipt, error }) => [name, receipt !== undefined, error?.code]),
    [
      ["a.png", true, undefined],
      ["b.txt", false, "image.unsupported"],
      ["c.png", true, undefined],
    ],
  );
  assert.equal((await server.send("POST", path, form(["d.png", png(4)]))).status, 201);
  const none = await server.send("POST", path, form(["e.png", png(5).subarray(0, 200)], ["f.png", Buffer.alloc(0)]));
  assert.equal(none.status, 422);
  const refused = (await none.json()) as Results;
  assert.equal(refused.code, "image.corrupt");
  assert.deepEqual(
    refused.results.map(({ error }) => error?.code),
    ["image.corrupt", "image.empty"],
  );

  const fields = new FormData();
  fields.append("camera", "30,30,16,12");
  fields.append("key", "g");
  fields.append("photo", new Blob([Buffer.from(png(6))]), "g.png");
  fields.append("photo", new Blob([Buffer.from(png(7))]), "h.png");
  assert.equal((await server.send("POST", path, fields)).status, 201);
  const added = (await server.events()).flatMap((event) => (event.type === "image.added" ? [event.data] : []));
  assert.deepEqual(
    added.slice(-2).map(({ key, camera }) => [key, camera?.params]),
    [
      ["g", [30, 30, 16, 12]],
      [undefined, [30, 30, 16, 12]],
    ],
  );
});

test("HTTP-14 a form that breaks off, or is none, is refused, and what was taken is said", async (t) => {
  const server = await testServer(t);
  const part = (disposition: string, body: Uint8Array) =>
    Buffer.concat([
      Buffer.from(`--x\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
      body,
      Buffer.from("\r\n"),
    ]);
  const post = (body: Buffer, type = "multipart/form-data; boundary=x") =>
    server.send("POST", "/v1/spaces/place/images", body, { "content-type": type });
  const file = (seed: number) => part(`name="p"; filename="${seed}.png"`, png(seed));

  const broken = await post(Buffer.concat([file(1), file(2).subarray(0, 300)]));
  const { results } = (await broken.json()) as Results;
  assert.equal(broken.status, 207);
  assert.equal(results[0]?.receipt?.known, false);
  assert.ok(results.slice(1).every(({ error }) => error));

  const end = Buffer.from("--x--\r\n");
  assert.equal((await errorOf(await post(Buffer.alloc(0)))).code, "request.invalid");
  assert.equal((await errorOf(await post(end))).code, "request.invalid");
  assert.equal((await errorOf(await post(Buffer.from("junk"), "multipart/form-data"))).code, "request.invalid");
  const proto = Buffer.concat([part('name="__proto__"', Buffer.from("x")), file(3), end]);
  assert.ok((await post(proto)).status < 500);
  assert.equal(({} as Record<string, unknown>).x, undefined);
  const many = Buffer.concat([
    ...Array.from({ length: 10_000 }, (_, i) => part(`name="f${i}"`, Buffer.from("1"))),
    end,
  ]);
  assert.equal((await errorOf(await post(many))).status, 413);
  assert.equal((await server.send("GET", "/health")).status, 200);
});

test("HTTP-15 a camera is for the upright photo's own size", async (t) => {
  const server = await testServer(t);
  const camera = (value: unknown) => `camera=${encodeURIComponent(JSON.stringify(value))}`;
  const right = { model: "PINHOLE", width: 32, height: 24, params: [30, 31, 16, 12] };
  assert.equal((await server.upload(png(1), camera(right))).status, 201);
  assert.equal((await server.upload(png(2), "camera=30,31,16,12")).status, 201);
  const added = (await server.events()).flatMap((event) => (event.type === "image.added" ? [event.data.camera] : []));
  assert.deepEqual(added, [right, right]);
  for (const wrong of [
    camera({ ...right, width: 64, height: 48 }),
    camera({ ...right, params: [0, 31, 16, 12] }),
    camera({ ...right, model: "RADIAL" }),
    "camera=1,2,3",
    "camera=a,b,c,d",
    "camera=-1,2,3,4",
    "camera={",
  ]) {
    const { status, code } = await errorOf(await server.upload(png(3), wrong));
    assert.deepEqual([status, code.startsWith("request.")], [422, true], wrong);
  }
});

test("MOT-23 which way is down comes with a photo through the doors, of length 1, or is refused", async (t) => {
  const server = await testServer(t);
  assert.equal((await server.upload(png(1), "gravity=0,2,0,1.5")).status, 201);
  const api = new CairnApi({ url: server.url });
  const form = new FormData();
  form.append("gravity", "0,0,-9.8,3");
  form.append("photo", new Blob([new Uint8Array(png(2))]), "a.png");
  form.append("photo", new Blob([new Uint8Array(png(3))]), "b.png");
  assert.ok((await server.send("POST", "/v1/spaces/place/images", form)).ok);
  const told = { name: "c.png", gravity: { down: [1, 0, 0] as [number, number, number], sigmaDeg: 2 } };
  await api.addImage("place", new Uint8Array(png(4)), told);
  const added = (await server.events()).flatMap((event) => (event.type === "image.added" ? [event.data.gravity] : []));
  assert.deepEqual(added, [
    { down: [0, 1, 0], sigmaDeg: 1.5 },
    { down: [0, 0, -1], sigmaDeg: 3 },
    undefined,
    { down: [1, 0, 0], sigmaDeg: 2 },
  ]);
  for (const wrong of [
    "0,0,0,1",
    "0,1,0",
    "0,1,0,0",
    "0,1,0,91",
    "0,1,0,1,1",
    "a,b,c,d",
    "1e200,1e200,1e200,1e999",
    "NaN,1,0,1",
  ]) {
    const { status, code } = await errorOf(await server.upload(png(5), `gravity=${wrong}`));
    assert.deepEqual([status, code.startsWith("request.")], [422, true], wrong);
  }
});

test("HTTP-7 HTTP-16 a bad photo costs its own request and leaves nothing", async (t) => {
  const server = await testServer(t);
  const before = (await server.events()).length;
  const bomb = pngOf(20_000, 10_000, deflateSync(Buffer.alloc(600_010_000)));
  assert.ok(bomb.length < 2 ** 20);
  const bad: [string, Uint8Array, number, string][] = [
    ["nothing", Buffer.alloc(0), 422, "image.empty"],
    ["text", Buffer.from("hello"), 415, "image.unsupported"],
    ["SVG", Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 415, "image.unsupported"],
    ["cut off", png(1).subarray(0, 700), 422, "image.corrupt"],
    ["200 megapixels", bomb, 413, "image.too_large"],
    ["a header without a body", pngOf(30_000, 30_000, Buffer.alloc(0)), 413, "image.too_large"],
  ];
  const good = Array.from({ length: 3 }, (_, i) => server.upload(png(10 + i)));
  for (const [what, bytes, status, code] of bad) {
    const answer = await errorOf(await server.upload(bytes, `name=${encodeURIComponent(what)}.jpg`));
    assert.deepEqual([answer.status, answer.code], [status, code], what);
  }
  for (const response of await Promise.all(good)) assert.equal(response.status, 201);
  assert.equal((await server.events()).length, before + 3);
});

test("HTTP-7 a body that is declared too large is refused before it is sent", async (t) => {
  const server = await testServer(t);
  const answer = await new Promise<string>((resolve, reject) => {
    const socket = createConnection(server.port, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
    socket.write(
      "POST /v1/spaces/place/images HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: 99999999\r\n\r\n",
    );
  });
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(answer, /"image\.too_large"/);
});

test("HTTP-9 names and ids are text, never paths", async (t) => {
  const server = await testServer(t);
  for (const name of [
    "../../etc/passwd",
    "a\0.jpg",
    "C:\\con.jpg",
    "x".repeat(900),
    "\u202egpj.exe",
    "🗿.png",
    "\ud83d",
  ]) {
    assert.equal(
      (await server.upload(png(1), `name=${encodeURIComponent(name.toString().replace(/\ud83d$/, ""))}`)).status,
      201,
    );
  }
  for (const event of await server.events()) {
    if (event.type !== "image.added") continue;
    assert.doesNotMatch(event.data.name, /[/\\\p{Cc}\u202e]/u);
    assert.ok(event.data.name.length >= 1 && event.data.name.length <= 255);
  }
  for (const id of ["..", ".", "%2e%2e", "..%2f..%2fetc", "a%5cb", "a%00b", "live", "%252e%252e"]) {
    const paths = ["", "/images", "/events", "/snapshot", "/operations", "/exports/ply", "/uploads/x"];
    for (const path of paths) {
      const { status } = await server.rawGet(`/v1/spaces/${id}${path}`);
      assert.ok(status >= 400 && status < 500, `${id}${path}: ${status}`);
    }
  }
  for (const path of [
    "/v1/blobs/..%2f..%2fx",
    "/v1/blobs/%00",
    "/v1/spaces/place/images/__proto__",
    "/..%2f..%2fetc/passwd",
  ]) {
    assert.equal((await server.rawGet(path)).status, 404, path);
  }
});
