/** Limits, refusals, reading, access, life. Rules: docs/spec/http.md. */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import {
  applyEvent,
  CairnError,
  type CairnEvent,
  canonicalState,
  DEFAULT_SETTINGS,
  emptyState,
  type SpaceState,
} from "@cairn/protocol";
import { WebSocket } from "ws";
import { startServer } from "../compose.ts";
import { errorAnswer } from "../http/errors.ts";
import { parseJson } from "../http/json-body.ts";
import { rateLimit } from "../http/rate-limit.ts";
import { png } from "./png.ts";
import { errorOf, receiptOf, testServer } from "./test-server.ts";

test("GEN-6 HTTP-1 HTTP-3 unknown paths and wrong methods", async (t) => {
  const server = await testServer(t);
  const unknown = await errorOf(await server.send("GET", "/v1/nope"));
  assert.deepEqual([unknown.status, unknown.code, unknown.detail], [404, "request.not_found", "Not Found"]);
  // Clients of earlier systems compare the whole of it.
  for (const [method, path, status, detail] of [
    ["GET", "/nope", 404, "Not Found"],
    ["GET", "/heritage/nope", 404, "Not Found"],
    ["POST", "/health", 405, "Method Not Allowed"],
    ["PATCH", "/projects", 405, "Method Not Allowed"],
    ["PUT", "/api/v1/images", 405, "Method Not Allowed"],
  ] as const) {
    const refused = await server.send(method, path);
    assert.deepEqual([refused.status, await refused.json()], [status, { detail }], path);
  }
  for (const [path, allow] of [
    ["/v1/spaces", "GET, HEAD, POST"],
    ["/v1/spaces/place", "DELETE, GET, HEAD, PATCH"],
    ["/v1/spaces/place/images/", "GET, HEAD, POST"],
  ] as const) {
    const response = await server.send("PUT", path);
    assert.equal(response.headers.get("allow"), allow);
    const wrong = await errorOf(response);
    assert.deepEqual([wrong.status, wrong.detail], [405, "Method Not Allowed"]);
  }
  assert.equal((await server.rawGet("/%zz")).status, 404);
  assert.equal((await errorOf(await server.send("GET", "/v1/spaces/none"))).code, "space.missing");
});

test("GEN-27 HTTP-2 an unforeseen failure is a reference, and the log has its cause under it", () => {
  const lines: { ref?: string; err?: unknown }[] = [];
  const log = { error: (line: { ref?: string }) => lines.push(line) };
  const cause = new Error("ENOENT /secret/path");
  const { status, body } = errorAnswer(cause, log);
  assert.equal(status, 500);
  assert.equal(lines[0]?.ref, body.ref);
  assert.equal(lines[0]?.err, cause);
  assert.doesNotMatch(JSON.stringify(body), /secret/);
  assert.equal(errorAnswer(new CairnError("store.full"), log).status, 507);
});

test("GEN-32 HTTP-6 long or deep JSON is refused before it is parsed", async (t) => {
  const server = await testServer(t);
  const post = (body: string) => server.send("POST", "/v1/spaces", body).then(errorOf);
  const long = await post(JSON.stringify({ title: "x".repeat(2 ** 20) }));
  assert.deepEqual([long.status, long.detail], [413, "Request body too large"]);
  const started = performance.now();
  const deep = await post("[".repeat(1_000_000));
  assert.deepEqual([deep.status, deep.code], [422, "request.invalid"]);
  assert.ok(performance.now() - started < 10_000);
  for (const text of ["{", "nul", '{"a":1}x', ""]) assert.equal((await post(text)).status, 422, text);
  assert.equal((await post('{"title":5}')).facts.field, "/title");
  assert.equal((await post('{"settings":{"maxImages":0}}')).code, "request.invalid");
  const quoted = Buffer.from('{"[[[[":["\\"[["]}');
  assert.deepEqual(parseJson(quoted, 2), { "[[[[": ['"[['] });
  assert.throws(() => parseJson(quoted, 1), { code: "request.invalid" });
});

test("GEN-25 HTTP-8 a bucket a second for each address", async (t) => {
  let nowMs = 0;
  const limit = rateLimit(500, 2000, () => nowMs);
  const taken = (address: string, tries: number) =>
    Array.from({ length: tries }, () => limit.take(address)).filter(Boolean).length;
  assert.equal(taken("a", 3000), 2000);
  assert.equal(taken("b", 10), 10);
  nowMs = 100;
  assert.equal(taken("a", 200), 50);

  const server = await testServer(t, { rate: { perSecond: 1, burst: 3 } });
  const answers = await Promise.all(Array.from({ length: 6 }, () => server.send("GET", "/v1/spaces")));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 3, `${refused.length}`);
  assert.equal(refused[0]!.headers.get("retry-after"), "1");
  assert.equal((await errorOf(refused[0]!)).detail, "Rate limit exceeded");
});

test("GEN-7 GEN-9 GEN-10 HTTP-5 the root and health", async (t) => {
  const server = await testServer(t, { pageDir: "/nowhere" });
  const root = await server.send("GET", "/");
  assert.equal(root.headers.get("x-content-type-options"), "nosniff");
  assert.equal(root.headers.get("referrer-policy"), "no-referrer");
  const online = (await root.json()) as { status: string; api: string; endpoints: string[] };
  assert.deepEqual([online.status, online.api, online.endpoints.includes("/v1/spaces")], ["online", "Cairn", true]);
  const health = (await (await server.send("GET", "/health")).json()) as Record<string, unknown>;
  assert.deepEqual([health.status, health.server, health.active_projects], ["healthy", "cairn", 0]);
  assert.equal(health.service, "heritage-reconstruction-websocket");
});

test("GEN-7 HTTP-5 the page, its files and the sample's photos", async (t) => {
  const server = await testServer(t);
  const { dataDir } = server;
  await mkdir(`${dataDir}/page/assets`, { recursive: true });
  await mkdir(`${dataDir}/sample`);
  await writeFile(`${dataDir}/page/index.html`, "<title>Cairn</title>");
  await writeFile(`${dataDir}/page/assets/app-1.js`, "1");
  await writeFile(`${dataDir}/sample/01.png`, png(1));
  const other = await testServer(t, { pageDir: `${dataDir}/page`, sampleDir: `${dataDir}/sample`, token: "t" });
  const page = await fetch(other.url, { headers: { accept: "text/html,*/*" } });
  assert.equal(await page.text(), "<title>Cairn</title>");
  assert.match(page.headers.get("content-security-policy") ?? "", /script-src 'self'/);
  assert.equal((await fetch(`${other.url}/`)).headers.get("content-type"), "application/json; charset=utf-8");
  const script = await fetch(`${other.url}/assets/app-1.js`);
  assert.deepEqual([script.status, script.headers.get("cache-control")], [200, "public, max-age=31536000, immutable"]);
  assert.deepEqual(await (await fetch(`${other.url}/sample`)).json(), { photos: ["01.png"] });
  assert.equal((await fetch(`${other.url}/sample/01.png`)).headers.get("content-type"), "image/png");
  await rm(`${dataDir}/page/assets/app-1.js`);
  const gone = await fetch(`${other.url}/assets/app-1.js`, { headers: { authorization: "Bearer t" } });
  assert.deepEqual([gone.status, gone.headers.get("cache-control")], [404, "no-store"], "a page built anew meanwhile");
  const past = await other.rawGet("/assets/..%2findex.html", { authorization: "Bearer t" });
  assert.equal(past.status, 404);
});

test("HTTP-19 HTTP-20 events by polling, and the snapshot that they lead to", async (t) => {
  const server = await testServer(t);
  for (let i = 0; i < 5; i++) await receiptOf(await server.upload(png(i)));
  const read: CairnEvent[] = [];
  for (;;) {
    const response = await server.send("GET", `/v1/spaces/place/events?after=${read.length}&limit=2`);
    const { events } = (await response.json()) as { events: CairnEvent[] };
    if (events.length === 0) break;
    read.push(...events);
  }
  assert.deepEqual(
    read.map(({ seq }) => seq),
    [1, 2, 3, 4, 5, 6],
  );
  const snapshot = (await (await server.send("GET", "/v1/spaces/place/snapshot")).json()) as {
    seq: number;
    epoch: string;
    state: SpaceState;
  };
  const folded = emptyState();
  for (const event of read) applyEvent(folded, event);
  assert.equal(snapshot.seq, 6);
  assert.equal(canonicalState(snapshot.state), canonicalState(folded));
  const ask = async (query: string) => errorOf(await server.send("GET", `/v1/spaces/place/events?${query}`));
  assert.equal((await ask("after=7")).code, "log.ahead");
  assert.equal((await ask("after=0&epoch=another")).code, "log.trimmed");
  assert.equal((await ask("after=-1")).code, "request.invalid");
  assert.equal((await ask("limit=5001")).code, "request.invalid");
  assert.equal((await server.send("GET", `/v1/spaces/place/events?epoch=${snapshot.epoch}`)).status, 200);
});

test("HTTP-21 blobs: type by content, ETag, one range, nothing that runs", async (t) => {
  const server = await testServer(t);
  const photo = Buffer.concat([png(1), Buffer.from("<script>alert(1)</script>")]);
  const { blob, image } = await receiptOf(await server.upload(photo, "name=x.html"));
  const path = `/v1/blobs/${blob}`;
  const whole = await server.send("GET", path);
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), photo);
  assert.equal(whole.headers.get("content-type"), "image/png");
  assert.equal(whole.headers.get("etag"), `"${blob}"`);
  assert.match(whole.headers.get("cache-control") ?? "", /immutable/);
  assert.match(whole.headers.get("content-security-policy") ?? "", /sandbox/);
  const head = await server.send("HEAD", path);
  assert.equal(Number(head.headers.get("content-length")), photo.length);
  assert.equal((await server.send("GET", path, null, { "if-none-match": `"${blob}"` })).status, 304);
  const ranged = async (range: string) => {
    const response = await server.send("GET", path, null, { range });
    return [response.status, response.headers.get("content-range"), (await response.arrayBuffer()).byteLength];
  };
  const n = photo.length;
  assert.deepEqual(await ranged("bytes=0-3"), [206, `bytes 0-3/${n}`, 4]);
  assert.deepEqual(await ranged("bytes=10-"), [206, `bytes 10-${n - 1}/${n}`, n - 10]);
  assert.deepEqual(await ranged("bytes=-5"), [206, `bytes ${n - 5}-${n - 1}/${n}`, 5]);
  assert.deepEqual(await ranged(`bytes=${n}-`), [416, `bytes */${n}`, 0]);
  for (const odd of ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-"])
    assert.deepEqual(await ranged(odd), [200, null, n]);
  assert.equal((await errorOf(await server.send("GET", `/v1/blobs/${"0".repeat(64)}`))).code, "blob.missing");
  const small = await server.send("GET", `/v1/spaces/place/images/${image}/thumbnail?side=100`);
  assert.deepEqual([small.status, small.headers.get("content-type")], [200, "image/jpeg"]);
  assert.doesNotMatch(Buffer.from(await small.arrayBuffer()).toString("latin1"), /script/);
});

test("BLOB-8 ranges of a blob are whole, and a damaged one is refused with the reason", async (t) => {
  const server = await testServer(t);
  const photo = png(200);
  const { blob } = await receiptOf(await server.upload(photo));
  const ranged = async (start: number, end: number) => {
    const response = await server.send("GET", `/v1/blobs/${blob}`, null, { range: `bytes=${start}-${end - 1}` });
    assert.equal(response.headers.get("content-type"), "image/png");
    return Buffer.from(await response.arrayBuffer());
  };
  for (const [start, end] of [
    [0, 1],
    [5, 60],
    [0, photo.length],
    [photo.length - 1, photo.length],
  ] as const)
    assert.deepEqual(await ranged(start, end), Buffer.from(photo.subarray(start, end)));
  const { blob: other } = await receiptOf(await server.upload(png(201)));
  const file = join(server.dataDir, "blobs", other.slice(0, 2), other.slice(2));
  await writeFile(file, (await readFile(file)).fill(1, 40));
  const asked = await server.send("GET", `/v1/blobs/${other}`, null, { range: "bytes=0-9" });
  assert.equal((await errorOf(asked)).code, "blob.corrupt");
});

test("BLOB-8 BLOB-4 a large blob that was altered never ends as if it were right, whole or in part", async (t) => {
  const server = await testServer(t);
  const bytes = Buffer.concat([png(1), Buffer.alloc(20 * 2 ** 20, "a large photo")]);
  for (const part of [undefined, "bytes=0-9", "bytes=-9"]) {
    const { blob: digest } = await receiptOf(await server.upload(bytes));
    const ask = (range = part) => server.send("GET", `/v1/blobs/${digest}`, null, range ? { range } : {});
    for (const again of ["first", "second"]) {
      const answer = await ask();
      assert.equal(answer.status, part ? 206 : 200, again);
      const got = Buffer.from(await answer.arrayBuffer());
      assert.ok(
        got.equals(part === undefined ? bytes : part === "bytes=0-9" ? bytes.subarray(0, 10) : bytes.subarray(-9)),
      );
    }
    const path = join(server.dataDir, "blobs", digest.slice(0, 2), digest.slice(2));
    const altered = await readFile(path);
    altered[altered.length >> 1]! ^= 1;
    await writeFile(path, altered);
    if (part) assert.equal((await errorOf(await ask())).code, "blob.corrupt");
    else await assert.rejects(async () => (await ask()).arrayBuffer());
    assert.equal((await errorOf(await ask())).code, "blob.missing");
  }
});

test("BLOB-9 with a token set no blob goes out without it, over any door", async (t) => {
  const server = await testServer(t, { token: "s3cret" });
  const { blob } = await receiptOf(await server.upload(png(3)));
  const path = `/v1/blobs/${blob}`;
  for (const headers of [
    {},
    { range: "bytes=0-3" },
    { "if-none-match": `"${blob}"` },
    { authorization: "Bearer no" },
  ]) {
    const response = await fetch(server.url + path, { headers: headers as Record<string, string> });
    assert.deepEqual([response.status, response.headers.get("etag")], [401, null]);
  }
  assert.equal((await fetch(server.url + path, { method: "HEAD" })).status, 401);
  const whole = await server.send("GET", path);
  assert.equal(whole.status, 200);
  assert.match(whole.headers.get("cache-control") ?? "", /^private/);
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/spaces/place/live`);
  const closed = await new Promise<number>((resolve) => socket.on("close", resolve));
  assert.equal(closed, 4001);
});

test("GEN-34 GEN-36 HTTP-23 with a token, all but the page and health need it", async (t) => {
  const server = await testServer(t, { token: "s3cret" });
  const asked = async (path: string, headers = {}) => fetch(server.url + path, { headers });
  const none = await asked("/v1/spaces");
  assert.equal(none.headers.get("www-authenticate"), "Bearer");
  assert.deepEqual([none.status, (await errorOf(none)).detail], [401, "Not authenticated"]);
  assert.equal((await asked("/v1/spaces", { authorization: "Bearer wrong" })).status, 401);
  assert.equal((await asked("/v1/spaces", { authorization: "Bearer s3cret" })).status, 200);
  assert.equal((await asked("/v1/spaces?token=s3cret")).status, 200);
  assert.equal((await asked("/v1/spaces?token=s3cret&token=s3cret")).status, 401);
  assert.equal((await asked("/v1/spaces/place/uploads/x")).status, 401);
  assert.equal((await asked("/openapi.json")).status, 401);
  assert.equal((await asked("/")).status, 200);
  assert.deepEqual(Object.keys((await (await asked("/health")).json()) as object), ["status", "service"]);
});

test("HUB-98 who starts a server is told why no time server answers", async (t) => {
  let tell = (_why: readonly string[]) => {};
  const told = new Promise<readonly string[]>((resolve) => {
    tell = resolve;
  });
  await testServer(t, { timeServers: ["nowhere.invalid"], onTimeUnanswered: tell });
  const [why, ...more] = await told;
  assert.match(why!, /^nowhere\.invalid: /);
  assert.deepEqual(more, []);
});

test("GEN-8 HTTP-24 origins: any, or those of the list", async (t) => {
  const open = await testServer(t);
  const preflight = {
    origin: "https://a.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "x-y",
  };
  const any = await open.send("OPTIONS", "/v1/spaces", null, preflight);
  assert.deepEqual(
    [any.status, any.headers.get("access-control-allow-origin"), any.headers.get("access-control-allow-headers")],
    [204, "*", "x-y"],
  );
  assert.equal((await open.send("OPTIONS", "/v1/spaces")).status, 204);
  const some = await testServer(t, { allowedOrigins: ["https://a.example"] });
  assert.equal((await some.send("GET", "/v1/spaces", null, { origin: "https://b.example" })).status, 403);
  const allowed = await some.send("GET", "/v1/spaces", null, { origin: "https://a.example" });
  assert.equal(allowed.headers.get("access-control-allow-origin"), "https://a.example");
  assert.equal((await some.send("GET", "/v1/spaces")).status, 200);
});

test("spaces are made, renamed, configured, given an end and deleted", async (t) => {
  const server = await testServer(t);
  const made = await server.send("POST", "/v1/spaces", JSON.stringify({ title: "Ruin", settings: { maxImages: 1 } }));
  const { id } = (await made.json()) as { id: string };
  assert.match(id, /^[0-9a-f-]{36}$/);
  assert.equal(made.headers.get("location"), `/v1/spaces/${id}`);
  assert.equal((await errorOf(await server.send("POST", "/v1/spaces", JSON.stringify({ id })))).code, "space.exists");
  await receiptOf(await server.upload(png(1), "", id));
  assert.equal((await errorOf(await server.upload(png(2), "", id))).code, "space.quota");
  const changed = await server.send(
    "PATCH",
    `/v1/spaces/${id}`,
    JSON.stringify({ title: "Arch", expiresNs: "4000000000000000000" }),
  );
  const { title, expiresNs, images } = (await changed.json()) as { title: string; expiresNs: string; images: number };
  assert.deepEqual([title, expiresNs, images], ["Arch", "4000000000000000000", 1]);
  const change = (settings: object) => server.send("PATCH", `/v1/spaces/${id}`, JSON.stringify({ settings }));
  assert.equal((await change({ preset: "fast" })).status, 200);
  assert.equal((await errorOf(await change({ preset: "golden" }))).code, "request.invalid");
  const snapshot = await server.send("GET", `/v1/spaces/${id}/snapshot`);
  const { state } = (await snapshot.json()) as { state: SpaceState };
  assert.deepEqual(state.settings, { ...DEFAULT_SETTINGS, maxImages: 1, preset: "fast" });
  assert.equal((await server.send("DELETE", `/v1/spaces/${id}`)).status, 204);
  assert.ok([404, 410].includes((await server.send("GET", `/v1/spaces/${id}`)).status));
});

test("HTTP-22 without a model there is nothing to export", async (t) => {
  const server = await testServer(t);
  for (const path of ["ply", "points.ply", "colmap", "colmap/cameras.txt"]) {
    const { status, code } = await errorOf(await server.send("GET", `/v1/spaces/place/exports/${path}`));
    assert.deepEqual([status, code], [409, "export.empty"]);
  }
  assert.equal((await server.send("GET", "/v1/spaces/place/exports/colmap/passwd")).status, 422);
});

test("HTTP-27 a second server on the same data does not start and says why", async (t) => {
  const server = await testServer(t);
  await assert.rejects(
    startServer({ port: 0, dataDir: server.dataDir, logLevel: "silent", openEngine: null }),
    (error) => {
      assert.ok(error instanceof CairnError);
      assert.equal(error.code, "store.locked");
      return true;
    },
  );
  assert.equal((await server.send("GET", "/health")).status, 200);
});

test("GEN-26 HTTP-28 stopping does not wait for clients that hang", async (t) => {
  const server = await testServer(t);
  const hanging = createConnection(server.port, "127.0.0.1");
  hanging.on("error", () => {});
  await new Promise<void>((resolve) => {
    hanging.write(
      "POST /v1/spaces/place/images HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n\r\nabc",
      () => resolve(),
    );
  });
  const stream = await server.send("GET", "/v1/spaces/place/events/stream");
  assert.equal(stream.status, 200);
  const started = performance.now();
  await server.restart();
  assert.ok(performance.now() - started < 60_000); // 5 s and what a busy machine adds; they would hang for ever
  hanging.destroy();
  await stream.body?.cancel().catch(() => {});
  assert.equal((await server.send("GET", "/health")).status, 200);
});

test("who would rather speak HTTP/2 is answered in HTTP/1.1, also behind a request that is not answered yet", {
  timeout: 120_000,
}, async (t) => {
  const server = await testServer(t);
  const wish = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
  const body = '{"id":"wished"}';
  const made =
    `POST /v1/spaces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
    `\r\n${body}`;
  const asked = `GET /v1/spaces/wished HTTP/1.1\r\nHost: x\r\n${wish}\r\n`;
  for (const [requests, statuses] of [
    [
      [made, asked],
      ["201", "200"],
    ],
    [[asked], ["200"]],
    [
      [asked, "GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"],
      ["200", "404"],
    ],
  ] as const) {
    const socket = createConnection(server.port, "127.0.0.1");
    let heard = "";
    const found = () => [...heard.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status);
    const all = new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (data: Buffer) => {
        heard += data.toString();
        if (found().length === statuses.length) resolve();
      });
    });
    socket.write(requests.join(""));
    await all;
    assert.deepEqual(found(), statuses);
    socket.destroy();
  }
});

test("dependencies are new enough for what is known of them", async () => {
  const versionOf = async (name: string) => {
    const file = new URL(`../../../../node_modules/${name}/package.json`, import.meta.url);
    return (JSON.parse(await readFile(file, "utf8")) as { version: string }).version.split(".").map(Number);
  };
  const atLeast = ([a = 0, b = 0, c = 0]: number[], [x = 0, y = 0, z = 0]: number[]) =>
    a * 1e6 + b * 1e3 + c >= x * 1e6 + y * 1e3 + z;
  assert.ok(atLeast(await versionOf("ws"), [8, 21, 1]), "CVE-2026-62389");
  assert.ok(atLeast(await versionOf("sharp"), [0, 35, 0]), "GHSA-f88m-g3jw-g9cj");
});
